//! What every act is handed: whose run it is, the clock, the wish to stop, and where progress is counted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::buffers::Buffers;
use crate::{Clock, Error, Kind, Limits, Result, Sandbox, Secrets};

/// What every act is handed.
#[derive(Debug, Clone)]
pub struct Context {
    /// Run id; the ownership mark of everything that is made.
    pub run: String,
    /// The system that is acted on, where a run has several; nothing for the scenario's own. Each has its own places.
    pub system: Option<String>,
    /// The run's own folder.
    pub folder: PathBuf,
    /// The one clock.
    pub clock: Clock,
    /// Cancelled when the run is asked to stop. Long loops look at it.
    pub cancel: CancellationToken,
    /// Where progress is counted.
    pub progress: Arc<Progress>,
    /// Busy time of the restoring phases.
    pub timings: Arc<Timings>,
    /// Where secrets are looked up and scrubbed from texts.
    pub secrets: Arc<Secrets>,
    /// What a lot is drawn by; it is in the record.
    pub seed: String,
    /// Have less of the data in memory at once: under 128 MiB instead of 256, at the price of speed.
    pub low_memory: bool,
    /// What may be taken of source and vault.
    pub limits: Limits,
    /// Where programs are started and connections are made to, if not on this host.
    pub(crate) sandbox: Option<Sandbox>,
    /// Rules of the sandbox that the run has: servers of restored data are walled in too.
    pub(crate) walls: Option<drill_scenarios::Sandbox>,
    /// Memory for segments, used again by every stage of the run.
    pub(crate) buffers: Buffers,
}

impl Context {
    /// A context for one run, without limits.
    pub fn new(run: impl Into<String>, folder: &Path, clock: Clock, secrets: Arc<Secrets>) -> Self {
        Self {
            run: run.into(),
            system: None,
            folder: folder.into(),
            clock,
            cancel: CancellationToken::new(),
            progress: Arc::default(),
            timings: Arc::default(),
            secrets,
            seed: String::new(),
            low_memory: false,
            limits: Limits::default(),
            sandbox: None,
            walls: None,
            buffers: Buffers::default(),
        }
    }

    /// The same, under these limits.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same, to act on another system of the run. It has timings of its own.
    #[must_use]
    pub fn of_system(&self, system: Option<&str>) -> Self {
        Self { system: system.map(str::to_owned), timings: Arc::default(), ..self.clone() }
    }

    /// The same, for a run with a sandbox of these rules, if there are any.
    #[must_use]
    pub fn walled(self, walls: Option<drill_scenarios::Sandbox>) -> Self {
        Self { walls, ..self }
    }

    /// The same, with programs and connections in this sandbox.
    #[must_use]
    pub fn inside(self, sandbox: Sandbox) -> Self {
        Self { sandbox: Some(sandbox), ..self }
    }

    /// The sandbox that programs are started in, if there is one.
    pub fn sandbox(&self) -> Option<&Sandbox> {
        self.sandbox.as_ref()
    }

    /// Fails with [`Kind::Interrupted`] once the run was asked to stop.
    pub fn go_on(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            Err(Error::new(Kind::Interrupted, "the run was asked to stop"))
        } else {
            Ok(())
        }
    }
}

/// How far the stage at hand is; read by whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Begins a new piece of work of `total` bytes (0: not known).
    pub fn begin(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// Counts bytes that are done.
    pub fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes done, and bytes in all (0: not known).
    pub fn read(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// Busy time of the restoring phases; they overlap, so they need not add up to the stage's time.
#[derive(Debug, Default)]
pub struct Timings {
    fetch: AtomicU64,
    open: AtomicU64,
    load: AtomicU64,
}

impl Timings {
    /// Counts time spent waiting for the vault.
    pub fn fetched(&self, time: Duration) {
        self.fetch.fetch_add(nanos(time), Ordering::Relaxed);
    }

    /// Counts time spent checking, decrypting and decompressing.
    pub fn opened(&self, time: Duration) {
        self.open.fetch_add(nanos(time), Ordering::Relaxed);
    }

    /// Counts time spent writing files or loading a database.
    pub fn loaded(&self, time: Duration) {
        self.load.fetch_add(nanos(time), Ordering::Relaxed);
    }

    /// Fetch, open and load so far.
    pub fn read(&self) -> [Duration; 3] {
        [&self.fetch, &self.open, &self.load].map(|nanos| Duration::from_nanos(nanos.load(Ordering::Relaxed)))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
