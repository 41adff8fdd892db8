//! An iCalendar file (RFC 5545) as times in which no drill starts. What isn't understood is refused, so that no event is passed over
//! unnoticed; whether the owner of the calendar is free or busy meanwhile makes no difference.

mod event;
mod lines;
mod moment;
mod read;
mod rule;

#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::stretch::{Stretch, later};
use event::Event;

/// How far events are looked for. What comes later is found when that time has come.
const AHEAD_DAYS: i32 = 40;

/// The events of a calendar, in the zone of those who use it.
#[derive(Debug, Clone)]
pub struct Calendar {
    events: Vec<Event>,
    zone: TimeZone,
}

/// Why a calendar isn't understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Refused {
    /// Line of the file, from 1.
    pub line: usize,
    /// What is wrong, or not understood: a fragment.
    pub message: String,
}

impl Calendar {
    /// Reads a calendar. Times without a zone, and whole days, are those of `timezone`, an IANA name.
    ///
    /// # Errors
    /// The first thing that isn't understood.
    pub fn parse(text: &str, timezone: &str) -> Result<Self, Refused> {
        let zone = crate::zone::zone(timezone).unwrap_or(TimeZone::UTC);
        Ok(Self { events: read::events(text)?, zone })
    }

    /// How many events it has, those that come again counted once.
    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// Whether an event lasts at an instant.
    pub(crate) fn stretch(&self, at: Timestamp) -> Stretch {
        let until = later(at, SignedDuration::from_hours(i64::from(AHEAD_DAYS - 2) * 24));
        let intervals = self.events.iter().flat_map(|event| event.around(at, AHEAD_DAYS, &self.zone));
        Stretch::of(intervals, at, until)
    }
}
