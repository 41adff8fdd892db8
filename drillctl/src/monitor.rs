//! The one door by which a run's progress leaves the engine.

use std::sync::Arc;

use drill_reports::Entry;

/// Whoever watches a run. It is told each event after it is on disk.
pub(crate) trait Monitor: Send + Sync {
    /// One more event.
    fn saw(&self, entry: &Entry);
}

/// Several who watch, each told in turn.
impl Monitor for Vec<Arc<dyn Monitor>> {
    fn saw(&self, entry: &Entry) {
        self.iter().for_each(|monitor| monitor.saw(entry));
    }
}
