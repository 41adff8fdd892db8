//! A query on the restored database.
//!
//! Values come as the database prints them: text, or null. Only a whole number is turned into one, and only if nothing of its text is
//! lost by it (`5`, but not `007`, `+5` or `5.0`); the judge compares the others as numbers where a number is expected.

use drill_scenarios::{Observation, Scalar, SqlProbe};
use tokio::time::timeout;

use super::{Seen, Within, fill, whole};
use crate::{Error, Kind, Result, Rows};

pub(super) async fn observe(probe: &SqlProbe, within: Within<'_>) -> Result<Seen> {
    let query = fill(&probe.query, within.facts)?;
    let answer = within.env.query(within.cx, &query, probe.database.as_deref());
    match timeout(probe.timeout.duration(), answer).await {
        Err(_) => Ok(Seen::Nothing(format!("the query ran longer than {}", probe.timeout))),
        Ok(Ok(rows)) => Ok(Seen::Values(values(rows))),
        Ok(Err(error)) if about_the_database(&error) => Ok(Seen::Nothing(error.chain())),
        Ok(Err(error)) => Err(error),
    }
}

/// Whether a failed query says something about what was restored: a table or the file is missing, or is damaged. That the throw-away
/// server itself can't be reached (which may go away by itself) does not.
pub(super) fn about_the_database(error: &Error) -> bool {
    let kinds = [Kind::Corrupt, Kind::Unrestorable, Kind::NotFound, Kind::Unavailable, Kind::TimedOut];
    kinds.contains(&error.kind()) && !error.is_temporary()
}

fn values(rows: Rows) -> Observation {
    let mut first = rows.rows.into_iter().next().unwrap_or_else(|| vec![None; rows.columns.len()]);
    first.resize(rows.columns.len(), None);
    let first: Vec<_> = first.into_iter().map(scalar).collect();
    let mut values = Observation::from([("rows".to_owned(), whole(rows.count))]);
    values.insert("value".into(), first.first().cloned().unwrap_or(Scalar::Null));
    // Of two columns of one name the first counts, as it does for `value`.
    for (name, value) in rows.columns.into_iter().zip(first).rev() {
        values.insert(format!("column.{name}"), value);
    }
    values
}

fn scalar(value: Option<String>) -> Scalar {
    match value {
        None => Scalar::Null,
        Some(text) => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Scalar::Int(number),
            _ => Scalar::Text(text),
        },
    }
}
