//! The one place where time comes from.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Wall clock and monotonic clock of one process. Tests can set the wall clock.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    began: Instant,
}

impl Clock {
    /// The system's clocks.
    #[allow(clippy::disallowed_methods, reason = "this is the door that everything else must use")]
    pub fn system() -> Self {
        Self { wall: Arc::new(Timestamp::now), began: Instant::now() }
    }

    /// A wall clock that is told by `wall`; the monotonic clock is the system's.
    #[allow(clippy::disallowed_methods, reason = "this is the door that everything else must use")]
    pub fn told_by(wall: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { wall: Arc::new(wall), began: Instant::now() }
    }

    /// Wall clock, UTC.
    pub fn now(&self) -> Timestamp {
        (self.wall)()
    }

    /// Monotonic time since this clock was made.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}
