//! How many segments are under way at once, and the threads that seal and open them. A segment holds up to two segments' worth of memory
//! while it is computed on and one while it moves between here and the vault: that is what bounds the memory of a run.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::available_parallelism;

use tokio::sync::oneshot;

use crate::Context;
use crate::buffers::Buffers;

/// Segments computed on at once, one a core, at most.
const MOST_CORES: usize = 4;
/// Segments that move while others are computed on.
const MOVING: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

/// The lanes of one stream.
pub(super) struct Lanes {
    cores: usize,
    /// Jobs for the threads, which start with the first one and end with this.
    jobs: OnceLock<Sender<Job>>,
    /// What is opened or sealed in them.
    pub(super) buffers: Buffers,
    pub(super) count: usize,
}

impl Lanes {
    /// As many as there are cores; where memory is scarce, one that computes and one that moves.
    pub(super) fn new(cx: &Context) -> Self {
        let (most, moving) = if cx.low_memory { (1, 1) } else { (MOST_CORES, MOVING) };
        let cores = available_parallelism().map_or(1, usize::from).min(most);
        Self { cores, jobs: OnceLock::new(), buffers: Buffers::default(), count: cores + moving }
    }

    /// Runs heavy computing on one of the threads, when it is free.
    pub(super) async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody waits for the result any more if the stream was given up.
            let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
        });
        self.jobs.get_or_init(|| start(self.cores)).send(job).expect("the threads take all that is sent");
        result.await.expect("each job is answered").unwrap_or_else(|panic| resume_unwind(panic))
    }
}

fn start(cores: usize) -> Sender<Job> {
    let (jobs, queue) = channel();
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..cores {
        let queue = Arc::clone(&queue);
        std::thread::spawn(move || work(&queue));
    }
    jobs
}

fn work(queue: &Mutex<Receiver<Job>>) {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(job) = next() {
        job();
    }
}
