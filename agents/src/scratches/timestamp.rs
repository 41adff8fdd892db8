//! The one timestamp that an answer of a database server must be where the newest data is asked for.

use jiff::Timestamp;

use crate::{Error, Kind, Result, Rows};

/// The one timestamp of an answer; nothing if it is NULL.
pub(super) fn timestamp_of(rows: &Rows, sql: &str) -> Result<Option<Timestamp>> {
    let wrong = |what: &str| {
        Error::new(Kind::Config, format!("`{sql}` gives {what}, not one timestamp"))
            .hint("Write a query such as `select max(updated_at) from orders`.")
    };
    match &rows.rows[..] {
        [row] if row.len() == 1 => match &row[0] {
            None => Ok(None),
            Some(text) => instant(text).map(Some).ok_or_else(|| wrong(&format!("`{text}`"))),
        },
        _ => Err(wrong(&format!("{} rows of {} columns", rows.count, rows.columns.len()))),
    }
}

/// A timestamp as servers write it; one without a zone is UTC, a date its first instant.
fn instant(text: &str) -> Option<Timestamp> {
    let civil = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    text.parse::<Timestamp>().ok().or_else(|| civil().map(|zoned| zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_in_every_form_that_a_server_writes() {
        let noon: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a timestamp");
        for text in
            ["2026-03-01 12:00:00+00", "2026-03-01 12:00:00", "2026-03-01 12:00:00.000+00", "2026-03-01 17:30:00+05:30"]
        {
            assert_eq!(instant(text), Some(noon), "{text}");
        }
        assert_eq!(instant("2026-03-01"), "2026-03-01T00:00:00Z".parse().ok());
        assert_eq!(["infinity", "yesterday", "12"].map(instant), [None; 3]);
    }
}
