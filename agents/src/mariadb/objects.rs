//! Every object of a database with its definition: as the server writes the statement that makes it, which is what a dump holds.

use std::collections::BTreeMap;

use super::counters::at;
use super::session::Session;
use super::shape::Shape;
use super::text::{identifier, literal};
use super::{canary, counters};
use crate::index::one_line;
use crate::restless::TABLE;
use crate::{Error, Result};

/// Definitions by class and name.
pub(super) type Objects = BTreeMap<String, BTreeMap<String, String>>;

/// Reads all of them.
pub(super) async fn read(session: &mut Session) -> Result<Objects> {
    let mut objects = Objects::new();
    relations(session, &mut objects).await?;
    triggers(session, &mut objects).await?;
    routines(session, &mut objects).await?;
    events(session, &mut objects).await?;
    Ok(objects)
}

fn put(objects: &mut Objects, class: &str, name: String, definition: impl AsRef<str>) {
    objects.entry(class.to_owned()).or_default().insert(name, one_line(definition.as_ref()));
}

/// Tables, views and sequences.
async fn relations(session: &mut Session, objects: &mut Objects) -> Result<()> {
    let sql = format!(
        "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE {} ORDER BY TABLE_NAME",
        literal(canary::PATTERN)
    );
    for row in session.rows("listing tables", &sql).await? {
        let [Some(name), Some(kind)] = &row[..] else { continue };
        match kind.as_str() {
            "VIEW" => view(session, objects, name).await?,
            "SEQUENCE" => sequence(session, objects, name).await?,
            _ => table(session, objects, name).await?,
        }
    }
    Ok(())
}

/// One of the columns of the row that a `SHOW CREATE …` gives.
async fn shown(session: &mut Session, what: &str, name: &str, columns: &[usize]) -> Result<String> {
    let row = session
        .row(&format!("reading the definition of {name}"), &format!("SHOW CREATE {what} {}", identifier(name)))
        .await?;
    let chosen = columns.iter().map(|column| row.get(*column).cloned().flatten());
    let chosen: Option<Vec<String>> = chosen.collect();
    // The server tells who may not see it by NULL.
    let hidden = || Error::new(crate::Kind::Denied, format!("the definition of {name} is hidden from the user"));
    Ok(chosen.ok_or_else(hidden)?.join("; "))
}

async fn table(session: &mut Session, objects: &mut Objects, name: &str) -> Result<()> {
    let shape = Shape::of(&shown(session, "TABLE", name, &[1]).await?);
    let columns: Vec<String> = shape.columns.iter().map(|(column, _)| identifier(column)).collect();
    put(objects, TABLE, name.to_owned(), format!("({}) {}", columns.join(", "), shape.options));
    for (class, parts) in [("column", &shape.columns), ("index", &shape.indexes), ("constraint", &shape.constraints)] {
        for (part, definition) in parts {
            put(objects, class, format!("{name}.{part}"), definition);
        }
    }
    if let Some(counter) = shape.counter {
        put(objects, counters::AUTO_INCREMENT, name.to_owned(), at(&counter.to_string()));
    }
    Ok(())
}

async fn view(session: &mut Session, objects: &mut Objects, name: &str) -> Result<()> {
    let definition = shown(session, "VIEW", name, &[1, 2, 3]).await?;
    put(objects, "view", name.to_owned(), definition);
    Ok(())
}

async fn sequence(session: &mut Session, objects: &mut Objects, name: &str) -> Result<()> {
    let definition = shown(session, "SEQUENCE", name, &[1]).await?;
    let doing = format!("reading where sequence {name} stands");
    let next = session.text(&doing, &format!("SELECT next_not_cached_value FROM {}", identifier(name))).await?;
    put(objects, counters::SEQUENCE, name.to_owned(), format!("{definition} {}", at(&next)));
    Ok(())
}

async fn triggers(session: &mut Session, objects: &mut Objects) -> Result<()> {
    let sql = "SELECT TRIGGER_NAME, CONCAT_WS(' ', ACTION_TIMING, EVENT_MANIPULATION, 'ON', EVENT_OBJECT_TABLE, 'number', ACTION_ORDER,
                      'of', DEFINER, 'under', SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION,
                      ACTION_STATEMENT)
               FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()";
    listed(session, objects, "trigger", sql).await
}

async fn events(session: &mut Session, objects: &mut Objects) -> Result<()> {
    let sql = "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()";
    for name in session.rows("listing events", sql).await?.into_iter().flatten().flatten() {
        let definition = shown(session, "EVENT", &name, &[1, 2, 3, 4, 5, 6]).await?;
        put(objects, "event", name, definition);
    }
    Ok(())
}

/// Functions, procedures and packages.
async fn routines(session: &mut Session, objects: &mut Objects) -> Result<()> {
    let sql = "SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()";
    for row in session.rows("listing routines", sql).await? {
        let [Some(name), Some(kind)] = &row[..] else { continue };
        let definition = shown(session, kind, name, &[1, 2, 3, 4, 5]).await?;
        put(objects, &kind.to_ascii_lowercase(), name.clone(), definition);
    }
    Ok(())
}

async fn listed(session: &mut Session, objects: &mut Objects, class: &str, sql: &str) -> Result<()> {
    for row in session.rows(&format!("listing objects of class {class}"), sql).await? {
        let [Some(name), Some(definition)] = &row[..] else { continue };
        put(objects, class, name.clone(), definition);
    }
    Ok(())
}
