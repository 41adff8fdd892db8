//! Describes a database for comparison: tables with row counts and fingerprints, schema objects by class, settings, and what SQLite's own
//! check of integrity finds.

use std::collections::BTreeMap;
use std::path::Path;

use drill_scenarios::Level;
use rusqlite::{Connection, Result};

use super::canary;
use super::connect::{self, Interrupting, failed};
use super::fingerprint::Fingerprint;
use super::quoted::quoted;
use crate::{Context, Database, Table};

const SETTINGS: [&str; 5] = ["encoding", "page_size", "user_version", "application_id", "auto_vacuum"];

/// Describes the restored database at `path`, which goes by `name` in the index. Nobody else may use it meanwhile.
///
/// # Errors
/// [`crate::Kind::Unrestorable`] if it is no database or too damaged to be read.
pub(crate) fn observe(cx: &Context, path: &Path, name: &str, level: Level) -> crate::Result<Database> {
    let connection = connect::at_rest(path)?;
    let _interrupting = Interrupting::new(cx, &connection);
    let described = of(cx, &connection, name, level);
    cx.go_on()?;
    described.map_err(|cause| failed("reading", path, cause))
}

/// Describes a database, the canary of this run left out.
pub(super) fn of(cx: &Context, connection: &Connection, name: &str, level: Level) -> Result<Database> {
    let canary = canary::table(&cx.run);
    let mut database = Database {
        name: name.into(),
        engine: "sqlite".into(),
        version: rusqlite::version().into(),
        objects: objects(connection, &canary)?,
        ..Database::default()
    };
    for setting in SETTINGS {
        let value: rusqlite::types::Value = connection.pragma_query_value(None, setting, |row| row.get(0))?;
        database.settings.insert(setting.into(), text(&value));
    }
    for table in tables(connection, &canary)? {
        let described = describe(cx, connection, &table, level)?;
        database.tables.insert(table, described);
    }
    let check = integrity(connection, level)?;
    database.objects.insert("integrity".into(), BTreeMap::from([("check".into(), check)]));
    Ok(database)
}

/// Every table that holds rows of its own. Virtual tables don't: what they show is in their shadow tables or elsewhere. Sequences are
/// schema objects.
fn tables(connection: &Connection, canary: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare(
        "select name from pragma_table_list where schema = 'main' and type in ('table', 'shadow')
         and name not in ('sqlite_schema', 'sqlite_sequence', ?) order by name",
    )?;
    statement.query_map([canary], |row| row.get(0))?.collect()
}

fn describe(cx: &Context, connection: &Connection, table: &str, level: Level) -> Result<Table> {
    if level == Level::Count {
        let rows: i64 =
            connection.query_row(&format!("select count(*) from {}", quoted(table)), [], |row| row.get(0))?;
        return Ok(Table { rows: rows.unsigned_abs(), fingerprint: None });
    }
    let columns = columns(connection, table)?;
    let list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let mut statement = connection.prepare(&format!("select {} from {}", list.join(", "), quoted(table)))?;
    let mut found = statement.query([])?;
    let (mut rows, mut fingerprint) = (0, Fingerprint::default());
    while let Some(row) = found.next()? {
        fingerprint.add(row, columns.len())?;
        rows += 1;
        if cx.cancel.is_cancelled() {
            break;
        }
    }
    Ok(Table { rows, fingerprint: Some(fingerprint.finish()) })
}

/// The columns that are stored: generated ones that aren't follow from the others by their definition.
fn columns(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let mut statement =
        connection.prepare("select name from pragma_table_xinfo(?) where hidden in (0, 3) order by cid")?;
    statement.query_map([table], |row| row.get(0))?.collect()
}

/// Schema objects by class: tables, indexes, views, triggers and sequences, each with its definition or position.
fn objects(connection: &Connection, canary: &str) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let mut objects: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut statement =
        connection.prepare("select type, name, tbl_name, sql from sqlite_schema where tbl_name <> ?")?;
    let mut found = statement.query([canary])?;
    while let Some(row) = found.next()? {
        let (class, name, table): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let sql: Option<String> = row.get(3)?;
        let definition = sql.map_or_else(|| format!("made by a constraint of {table}"), |sql| one_line(&sql));
        objects.entry(class).or_default().insert(name, definition);
    }
    if objects.get("table").is_some_and(|tables| tables.contains_key("sqlite_sequence")) {
        let mut statement = connection.prepare("select name, seq from sqlite_sequence")?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let (name, position): (rusqlite::types::Value, rusqlite::types::Value) = (row.get(0)?, row.get(1)?);
            objects.entry("sequence".into()).or_default().insert(text(&name), format!("at {}", text(&position)));
        }
    }
    Ok(objects)
}

/// `ok`, or what is wrong.
fn integrity(connection: &Connection, level: Level) -> Result<String> {
    let check = match level {
        Level::Count => "pragma quick_check(5)",
        Level::Content => "pragma integrity_check(5)",
    };
    let mut statement = connection.prepare(check)?;
    let lines: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    Ok(one_line(&lines.join("; ")))
}

/// SQLite keeps a definition just as it was written; only what would break the line is written as an escape.
fn one_line(sql: &str) -> String {
    let mut line = String::with_capacity(sql.len());
    for c in sql.chars() {
        if c.is_control() || c == '\\' { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// A value as people read it; a blob in hexadecimal digits.
pub(super) fn text(value: &rusqlite::types::Value) -> String {
    use rusqlite::types::Value;
    match value {
        Value::Null => "NULL".into(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => hex::encode(bytes),
    }
}
