//! Points in time as they are kept in SQLite, which has no type for them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rusqlite::types::Value;

/// The first and last Julian day that SQLite's own date functions know.
const JULIAN: std::ops::Range<f64> = 1_721_059.5..5_373_484.5;
/// The Julian day at which 1970 began.
const JULIAN_1970: f64 = 2_440_587.5;

/// The point in time that a value means:
///
/// * text with an offset (`2026-01-31T12:00:00+01:00`, `…Z`), or without one, which is UTC as for SQLite's own functions (`2026-01-31
///   12:00:00`, `2026-01-31`), or a number as text;
/// * an integer of seconds since 1970; from 10^11 on of milliseconds, from 10^14 on of microseconds, from 10^17 on of nanoseconds;
/// * a real number that is a Julian day, or else of seconds since 1970.
pub(super) fn of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Integer(number) => integer(*number),
        Value::Real(number) if JULIAN.contains(number) => real((number - JULIAN_1970) * 86_400.0),
        Value::Real(number) => real(*number),
        Value::Text(text) => self::text(text.trim()),
        Value::Null | Value::Blob(_) => None,
    }
}

fn text(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    }
    text.parse().ok().and_then(integer).or_else(|| text.parse().ok().and_then(real))
}

fn integer(number: i64) -> Option<Timestamp> {
    match number.unsigned_abs() {
        0..100_000_000_000 => Timestamp::from_second(number),
        0..100_000_000_000_000 => Timestamp::from_millisecond(number),
        0..100_000_000_000_000_000 => Timestamp::from_microsecond(number),
        _ => Timestamp::from_nanosecond(number.into()),
    }
    .ok()
}

fn real(seconds: f64) -> Option<Timestamp> {
    let span = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_that_people_keep_times_in_is_understood() {
        let noon = "2026-01-31T12:00:00Z".parse::<Timestamp>().expect("a time");
        let secs = noon.as_second();
        let text = |text: &str| Value::Text(text.into());
        for value in [
            text("2026-01-31T12:00:00Z"),
            text("2026-01-31T13:00:00+01:00"),
            text("2026-01-31 12:00:00"),
            text("2026-01-31T12:00:00.000"),
            text(&secs.to_string()),
            Value::Integer(secs),
            Value::Integer(secs * 1_000),
            Value::Integer(secs * 1_000_000),
            Value::Integer(secs * 1_000_000_000),
            Value::Real(secs as f64),
            Value::Real(2_461_072.0),
        ] {
            assert_eq!(of(&value), Some(noon), "{value:?}");
        }
        let midnight = "2026-01-31T00:00:00Z".parse().ok();
        assert_eq!(of(&text("2026-01-31")), midnight);
        for value in [text("yesterday"), text(""), Value::Null, Value::Blob(vec![1]), Value::Real(f64::NAN)] {
            assert_eq!(of(&value), None, "{value:?}");
        }
    }
}
