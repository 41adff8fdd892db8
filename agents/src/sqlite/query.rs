//! Queries on a restored database, which may be in use by the app under test: read only.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::types::{Value, ValueRef};

use super::connect::{self, InterruptOnDrop, failed};
use super::{facts, time};
use crate::stream::on_thread;
use crate::{Answer, Error, Kind, Result, Told};

/// Runs a query on the restored database at `path`, and tells its answer. If nobody waits for that any more, it is interrupted.
///
/// # Errors
/// [`Kind::Config`] for what is no query; [`Kind::Unrestorable`] if the database can't be read, or lacks what is asked for.
pub(crate) async fn query(path: &Path, sql: &str, answer: Answer) -> Result<()> {
    ask(path, sql, move |statement| {
        let columns: Vec<_> = statement.column_names().into_iter().map(str::to_owned).collect();
        let width = columns.len();
        let mut heard = answer.tell_from_thread(Told::Columns(columns));
        let mut rows = statement.query([])?;
        while heard.is_ok()
            && let Some(row) = rows.next()?
        {
            let values = (0..width).map(|column| row.get_ref(column).map(text));
            heard = answer.tell_from_thread(Told::Row(values.collect::<rusqlite::Result<_>>()?));
        }
        Ok(heard)
    })
    .await?
}

/// The point in time that a query's first value means, if there is one.
///
/// # Errors
/// As for [`query`], and [`Kind::Config`] if the value isn't a time.
pub(crate) async fn newest(path: &Path, sql: &str) -> Result<Option<Timestamp>> {
    let value = ask(path, sql, |statement| {
        let mut rows = statement.query([])?;
        rows.next()?.map(|row| row.get::<_, Value>(0)).transpose()
    });
    match value.await? {
        None | Some(Value::Null) => Ok(None),
        Some(value) => time::of(&value).map(Some).ok_or_else(|| {
            Error::new(
                Kind::Config,
                format!("`{}` is not a time that the query for the newest data may give", facts::text(&value)),
            )
            .hint("Let it give text like `2026-01-31 12:00:00` (UTC) or a number of seconds since 1970.")
        }),
    }
}

async fn ask<T: Send + 'static>(
    path: &Path,
    sql: &str,
    answer: impl FnOnce(&mut rusqlite::Statement<'_>) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T> {
    let (path, sql) = (path.to_owned(), sql.to_owned());
    let opened = path.clone();
    let connection = on_thread(move || connect::restored(&opened)).await?;
    let _interrupt = InterruptOnDrop(connection.get_interrupt_handle());
    on_thread(move || {
        let mut statement = connection.prepare(&sql).map_err(|cause| unprepared(&sql, cause))?;
        answer(&mut statement).map_err(|cause| failed("querying", &path, cause))
    })
    .await
}

/// A table or column that isn't there says something about what was restored; a query that is none says nothing.
fn unprepared(sql: &str, cause: rusqlite::Error) -> Error {
    let gone = cause.to_string().contains("no such ");
    let kind = if gone { Kind::Unrestorable } else { Kind::Config };
    Error::new(kind, format!("preparing query `{sql}`"))
        .because(cause)
        .hint("Correct the query, unless the restored database is wrong.")
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        other => Some(facts::text(&other.try_into().unwrap_or_else(|_| lossy(other)))),
    }
}

/// A text that isn't UTF-8.
fn lossy(value: ValueRef<'_>) -> Value {
    Value::Text(value.as_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default())
}
