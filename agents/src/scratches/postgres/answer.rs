//! The answer of a query that a scenario asks, and the one timestamp that some must give.

use futures::StreamExt;
use jiff::Timestamp;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::postgres::connection::wrong;
use crate::{Error, Kind, Result, Rows};

/// Rows of an answer that are kept.
const MOST_ROWS: u64 = 1000;

/// Runs a query and keeps the first rows of its answer.
pub(super) async fn answer(client: &Client, sql: &str) -> Result<Rows> {
    let failed = |cause| wrong("querying the restored database", cause);
    let mut stream = std::pin::pin!(client.simple_query_raw(sql).await.map_err(failed)?);
    let mut rows = Rows::default();
    while let Some(message) = stream.next().await {
        match message.map_err(failed)? {
            SimpleQueryMessage::RowDescription(columns) => {
                rows = Rows {
                    columns: columns.iter().map(|column| column.name().to_owned()).collect(),
                    ..Rows::default()
                };
            }
            SimpleQueryMessage::Row(row) => {
                rows.count += 1;
                if rows.count <= MOST_ROWS {
                    rows.rows.push((0..row.len()).map(|column| row.get(column).map(Into::into)).collect());
                }
            }
            _ => {}
        }
    }
    Ok(rows)
}

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

/// A timestamp as PostgreSQL writes it; one without a zone is UTC, a date its first instant.
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
