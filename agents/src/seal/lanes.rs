//! How many segments are under way at once. Each holds up to two segments' worth of memory, which is what bounds it: at most
//! four are computed on, one a core, while two more move between here and the vault.

use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use crate::buffers::Buffers;
use crate::stream::on_thread;

/// Segments computed on at once, at most.
const MOST_CORES: usize = 4;
/// Segments that move while others are computed on.
const MOVING: usize = 2;

/// The lanes of one stream.
pub(super) struct Lanes {
    cores: Semaphore,
    /// What is opened or sealed in them.
    pub(super) buffers: Buffers,
    pub(super) count: usize,
}

impl Lanes {
    pub(super) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from).min(MOST_CORES);
        Self { cores: Semaphore::new(cores), buffers: Buffers::default(), count: cores + MOVING }
    }

    /// Runs heavy computing on a thread of its own, when a core is free.
    pub(super) async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _core = self.cores.acquire().await.expect("the semaphore is never closed");
        on_thread(work).await
    }
}
