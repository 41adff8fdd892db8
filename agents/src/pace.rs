//! A rate that is kept: whoever moves bytes asks here before each piece of them, and waits for its turn.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drill_scenarios::Rate;

use crate::Clock;

/// The largest piece that passes at once.
const LARGEST: u64 = 1 << 20;
/// A piece takes no longer than this part of a second, so that slow rates are smooth too, and waiting ends soon.
const PIECES_PER_SEC: u64 = 8;
/// How far one may be behind and catch up. Timers are late by about a millisecond, which must not add up; it is no room for bursts.
const LATE: Duration = Duration::from_millis(20);

/// A rate that is kept by all who share it. Cheap to clone.
///
/// Every piece books the time that it takes at this rate, one after the other, and passes when its time begins: a token
/// bucket that holds no more than one piece.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    bytes_per_sec: u64,
    clock: Clock,
    /// When all that was booked will have passed, by the monotonic clock.
    free_at: Arc<Mutex<Duration>>,
}

impl Pace {
    /// A pace at which nothing has passed yet.
    pub(crate) fn new(rate: Rate, clock: &Clock) -> Self {
        Self { bytes_per_sec: rate.bytes_per_sec(), clock: clock.clone(), free_at: Arc::default() }
    }

    /// Bytes a second.
    pub(crate) fn bytes_per_sec(&self) -> u64 {
        self.bytes_per_sec
    }

    /// Bytes that should pass at once, at most.
    pub(crate) fn piece(&self) -> usize {
        usize::try_from((self.bytes_per_sec / PIECES_PER_SEC).clamp(1, LARGEST)).unwrap_or(usize::MAX)
    }

    /// Waits until `bytes` may pass. Whoever gives up waiting has only left the others a gap.
    pub(crate) async fn pass(&self, bytes: usize) {
        let wait = self.book(bytes);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// The same, on a thread that may block.
    pub(crate) fn pass_blocking(&self, bytes: usize) {
        std::thread::sleep(self.book(bytes));
    }

    /// Books the time for `bytes`, and tells how long it is until it begins.
    fn book(&self, bytes: usize) -> Duration {
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_sec as f64);
        let now = self.clock.elapsed();
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = (*free_at).max(now.saturating_sub(LATE));
        *free_at = begins + takes;
        begins.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: &str) -> Pace {
        Pace::new(rate.parse().expect("rate"), &Clock::system())
    }

    #[test]
    fn what_passes_keeps_the_rate_from_the_first_byte_on_and_comes_evenly() {
        let pace = pace("16MiB/s");
        let (before, mut longest) = (pace.clock.elapsed(), Duration::ZERO);
        for _ in 0..8 {
            let asked = pace.clock.elapsed();
            pace.pass_blocking(pace.piece());
            longest = longest.max(pace.clock.elapsed() - asked);
        }
        let took = pace.clock.elapsed() - before;
        // Eight pieces of 1 MiB: the last one begins when seven have had their time.
        assert!(took >= Duration::from_millis(7 * 1000 / 16 - 20), "{took:?}");
        assert!(longest < took / 2, "{longest:?} of {took:?} at once");
    }

    #[tokio::test]
    async fn all_who_share_a_pace_keep_it_together() {
        let pace = pace("8MiB/s");
        let before = pace.clock.elapsed();
        let each = |pace: Pace| async move {
            for _ in 0..4 {
                pace.pass(512 << 10).await;
            }
        };
        futures::future::join_all((0..3).map(|_| each(pace.clone()))).await;
        let took = pace.clock.elapsed() - before;
        assert!(took >= Duration::from_millis(11 * 1000 / 16 - 20), "{took:?}");
    }

    #[test]
    fn a_pause_is_no_credit() {
        let pace = pace("1MiB/s");
        pace.pass_blocking(1);
        std::thread::sleep(Duration::from_millis(300));
        let waits: Vec<Duration> = (0..2).map(|_| pace.book(256 << 10)).collect();
        assert!(waits[0].is_zero() && waits[1] >= Duration::from_millis(220), "{waits:?}");
    }

    #[test]
    fn pieces_are_small_and_never_empty() {
        assert_eq!(
            ["1B/s", "80kB/s", "1MiB/s", "1GiB/s"].map(|rate| pace(rate).piece()),
            [1, 10_000, 128 << 10, 1 << 20]
        );
    }
}
