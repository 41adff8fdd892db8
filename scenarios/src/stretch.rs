//! A stretch of time in which a blackout goes on, or doesn't begin.

use jiff::{SignedDuration, Timestamp};

/// How it is from an instant that was asked for, until another at which it may be otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Whether the blackout is on.
    pub(crate) closed: bool,
    /// Until when, exclusively, that is sure.
    pub(crate) until: Timestamp,
}

impl Stretch {
    /// From intervals of which `at` may lie in some: those that hold it, and the first that comes. What begins after `known` isn't
    /// among them.
    pub(crate) fn of(intervals: impl Iterator<Item = (Timestamp, Timestamp)>, at: Timestamp, known: Timestamp) -> Self {
        let mut stretch = Self { closed: false, until: known };
        for (from, until) in intervals.filter(|(from, until)| until > from && *until > at) {
            stretch = match (from <= at, stretch.closed) {
                (true, true) => Self { closed: true, until: stretch.until.max(until) },
                (true, false) => Self { closed: true, until },
                (false, false) => Self { closed: false, until: stretch.until.min(from) },
                (false, true) => stretch,
            };
        }
        stretch
    }
}

/// So much later; the end of time, at most.
pub(crate) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// So much earlier; the beginning of time, at most.
pub(crate) fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
