//! What a physical backup holds nothing of: the rows of unlogged tables, which a server empties when it recovers.

use tokio_postgres::Client;

use super::scope::Scope;
use super::{catalog, fingerprint};
use crate::restless::TABLE;
use crate::{Database, Note, Result};

/// Expects what a server empties when it recovers to be empty. Returns what people should know of it.
pub(crate) async fn expect_unlogged_empty(client: &Client, database: &mut Database) -> Result<Vec<Note>> {
    let rows = Scope::default().ask(client, "listing unlogged tables", catalog::UNLOGGED).await?;
    let mut notes = Vec::new();
    for row in rows {
        let (class, name): (&str, String) = (row.get(0), row.get(1));
        if class != TABLE {
            database.restless.push(format!("{class}:{name}"));
            continue;
        }
        let Some(table) = database.tables.get_mut(&name) else { continue };
        *table = fingerprint::of_no_rows();
        database.restless.retain(|subject| *subject != format!("{TABLE}:{name}"));
        let statement = "It is unlogged: a physical backup holds none of its rows, and it comes back empty.";
        notes.push(Note { subject: format!("table {}:{name}", database.name), statement: statement.into() });
    }
    Ok(notes)
}
