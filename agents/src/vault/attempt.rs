//! The one loop that tries again. Each attempt has a deadline by its size; the pauses between them are drawn at random, so that
//! many who were refused together don't come back together.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::Rng;

use super::Vault;
use super::cause::told;
use crate::{Error, Kind, Result};

/// How often in a row something is tried that gets nowhere.
const ATTEMPTS: u32 = 4;
/// The longest pause before the second attempt; before each further one it may be twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// What an attempt may take whatever its size.
const DEADLINE: Duration = Duration::from_secs(60);
/// The slowest store that is waited for, bytes a second. Less than that is no progress either.
const SLOWEST: u64 = 64 << 10;
/// Requests that share the bandwidth of a store, at most.
const SHARERS: u64 = 16;

/// What is done to a file of the vault, and how far it is.
pub(super) struct Act<'a> {
    doing: &'static str,
    path: &'a str,
    /// Bytes that it moves.
    pub(super) bytes: u64,
    reached: AtomicU64,
}

impl<'a> Act<'a> {
    /// `doing` as in "storing", "reading".
    pub(super) fn new(doing: &'static str, path: &'a str) -> Self {
        Self { doing, path, bytes: 0, reached: AtomicU64::new(0) }
    }

    /// That it moves so many bytes.
    pub(super) fn of(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// Tells that it has got to this byte, and that the next attempt goes on from there.
    pub(super) fn reach(&self, byte: u64) {
        self.reached.store(byte, Ordering::Relaxed);
    }
}

impl Vault {
    /// Tries until it succeeds, fails in a way that trying again can't help, or has failed often enough in a row without getting
    /// on. Whoever waits for it may stop waiting at any time; when the run is asked to stop, it isn't tried again.
    pub(super) async fn attempt<T, F>(&self, act: &Act<'_>, once: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = opendal::Result<T>>,
    {
        let (mut tried, mut from) = (0, 0);
        loop {
            let error = match self.try_once(act, &once).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let reached = act.reached.load(Ordering::Relaxed);
            tried = if reached >= from + SLOWEST { 1 } else { tried + 1 };
            from = from.max(reached);
            if tried == ATTEMPTS || !error.is_temporary() {
                return Err(error);
            }
            tracing::warn!(attempt = tried, error = error.chain(), "trying again");
            let pause = rand::rng().random_range(Duration::ZERO..PAUSE * 2_u32.pow(tried - 1));
            if self.cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Err(error);
            }
        }
    }

    async fn try_once<T, F>(&self, act: &Act<'_>, once: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = opendal::Result<T>>,
    {
        let _permit = match &self.limits.requests {
            Some(requests) => Some(requests.acquire().await.expect("the semaphore is never closed")),
            None => None,
        };
        let deadline = DEADLINE + Duration::from_secs(act.bytes / self.slowest());
        match tokio::time::timeout(deadline, once()).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(cause)) => Err(told(act.doing, &format!("{} in {}", act.path, self.location), &cause)),
            Err(_) => {
                let words =
                    format!("{} {} in {} took over {}s", act.doing, act.path, self.location, deadline.as_secs());
                Err(Error::new(Kind::TimedOut, words).temporary())
            }
        }
    }

    /// Bytes a second that are waited for: a limit that the scenario sets is no fault of the store.
    fn slowest(&self) -> u64 {
        let share = self.limits.vault.as_ref().map(|pace| pace.bytes_per_sec() / SHARERS);
        share.map_or(SLOWEST, |share| share.clamp(1, SLOWEST))
    }
}
