//! Dates and times of iCalendar (RFC 5545, sections 3.3.4, 3.3.5 and 3.3.6).

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::Refused;
use super::lines::Line;

/// A day, or a time of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moment {
    /// A whole day, wherever one is.
    Day(Date),
    /// A time on the wall; in the site's zone if no other is named.
    Time(DateTime, Option<TimeZone>),
}

impl Moment {
    /// Its day, by its own wall.
    pub(super) fn day(&self) -> Date {
        match self {
            Self::Day(day) => *day,
            Self::Time(wall, _) => wall.date(),
        }
    }

    /// When it begins, for those who live in `zone`.
    pub(super) fn begins(&self, zone: &TimeZone) -> Option<Timestamp> {
        let (wall, zone) = match self {
            Self::Day(day) => (day.at(0, 0, 0, 0), zone),
            Self::Time(wall, own) => (*wall, own.as_ref().unwrap_or(zone)),
        };
        Some(zone.to_zoned(wall).ok()?.timestamp())
    }

    /// The same time of another day.
    pub(super) fn on(&self, day: Date) -> Self {
        match self {
            Self::Day(_) => Self::Day(day),
            Self::Time(wall, zone) => Self::Time(day.to_datetime(wall.time()), zone.clone()),
        }
    }
}

/// Reads `20270131`, `20270131T030000` or `20270131T030000Z`.
pub(super) fn moment(text: &str, zone: Option<TimeZone>, line: &Line) -> Result<Moment, Refused> {
    let wrong = || line.refused(format!("`{text}` is not a date or time of iCalendar"));
    let read = match text.len() {
        8 => Date::strptime("%Y%m%d", text).map(Moment::Day),
        15 => DateTime::strptime("%Y%m%dT%H%M%S", text).map(|wall| Moment::Time(wall, zone)),
        16 => DateTime::strptime("%Y%m%dT%H%M%SZ", text).map(|wall| Moment::Time(wall, Some(TimeZone::UTC))),
        _ => return Err(wrong()),
    };
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'T' || b == b'Z');
    read.ok().filter(|_| plain).ok_or_else(wrong)
}

/// Reads `P1D`, `PT1H30M`, `P2W`.
pub(super) fn duration(line: &Line) -> Result<Span, Refused> {
    let text = line.value.strip_prefix('+').unwrap_or(&line.value);
    let span = text.parse::<Span>().ok().filter(|_| text.starts_with('P'));
    span.filter(|span| span.is_positive()).ok_or_else(|| line.refused(format!("`{text}` is not a length of iCalendar")))
}
