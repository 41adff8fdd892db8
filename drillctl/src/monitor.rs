//! The one door by which a run's progress leaves the engine.

use drill_reports::Entry;

/// Whoever watches a run. It is told each event after it is on disk.
pub(crate) trait Monitor: Send + Sync {
    /// One more event.
    fn saw(&self, entry: &Entry);
}
