//! How many segments are under way at once, and the threads that seal and open them. A segment holds up to two segments' worth of memory
//! while it is computed on and one while it moves between here and the vault: that is what bounds the memory of a run.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::available_parallelism;

use crate::buffers::Buffers;
use crate::stream::job;
use crate::{Context, Limits};

/// Segments computed on at once, one a core, at most.
const MOST_CORES: usize = 4;
/// Segments that move while others are computed on.
const MOVING: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

/// The lanes of one stream.
pub(super) struct Lanes {
    cores: usize,
    /// How far the threads stand behind others.
    limits: Limits,
    /// Jobs for the threads, which start with the first one and end with this.
    jobs: OnceLock<Sender<Job>>,
    /// What is opened or sealed in them.
    pub(super) buffers: Buffers,
    pub(super) count: usize,
}

impl Lanes {
    /// Lanes of a capture, whose threads stand behind others as the scenario's limits say.
    pub(super) fn lowered(cx: &Context) -> Self {
        Self { limits: cx.limits.clone(), ..Self::new(cx) }
    }

    /// As many as there are cores, and some that move; where memory is scarce, just one, which does either.
    pub(super) fn new(cx: &Context) -> Self {
        let (most, moving) = if cx.low_memory { (1, 0) } else { (MOST_CORES, MOVING) };
        let cores = available_parallelism().map_or(1, usize::from).min(most);
        Self {
            cores,
            limits: Limits::default(),
            jobs: OnceLock::new(),
            buffers: cx.buffers.clone(),
            count: cores + moving,
        }
    }

    /// Runs heavy computing on one of the threads, when it is free.
    pub(super) async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (job, answer) = job(work);
        let jobs = self.jobs.get_or_init(|| self.start());
        jobs.send(Box::new(job)).expect("the threads take all that is sent");
        answer.await
    }

    fn start(&self) -> Sender<Job> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..self.cores {
            let (queue, limits) = (Arc::clone(&queue), self.limits.clone());
            std::thread::spawn(move || {
                // Whether it can be done was tried before the run began.
                if let Err(error) = limits.lower_this_thread() {
                    tracing::warn!(error = error.chain(), "sealing at the priority of all others");
                }
                work(&queue);
            });
        }
        jobs
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(job) = next() {
        job();
    }
}
