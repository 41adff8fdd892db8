//! The canary in a PostgreSQL database: a schema of its own with one table of one row. Facts leave it out on both sides.

use tokio_postgres::Client;

use super::connection::wrong;
use crate::mark::Removal;
use crate::{Canary, CanarySeen, Error, Kind, Result};

/// What the names of all canaries' schemas match, as a pattern for LIKE.
pub(super) const PATTERN: &str = r"drillctl\_canary\_%";
const PREFIX: &str = "drillctl_canary_";
/// Room that an identifier of 63 bytes leaves after the prefix.
const ROOM: usize = 63 - PREFIX.len();

/// Name of the schema of this run's canary. Run ids differ at their end at least, so that is kept.
pub(crate) fn schema(run: &str) -> String {
    let plain: String =
        run.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    format!("{PREFIX}{}", &plain[plain.len().saturating_sub(ROOM)..])
}

/// Plants it, in a transaction of its own.
pub(crate) async fn plant(client: &Client, canary: &Canary) -> Result<()> {
    let schema = schema(&canary.run);
    let failed = |cause| planting(wrong("planting the canary", cause));
    let make = format!(
        "CREATE SCHEMA {schema}; COMMENT ON SCHEMA {schema} IS '{}';
         CREATE TABLE {schema}.canary (nonce text NOT NULL, planted_at text NOT NULL)",
        owned_by(&canary.run).replace('\'', "''")
    );
    client.batch_execute("BEGIN READ WRITE").await.map_err(failed)?;
    client.batch_execute(&make).await.map_err(failed)?;
    let row = format!("INSERT INTO {schema}.canary VALUES ($1, $2)");
    client.execute(&row, &[&canary.nonce, &canary.planted_at.to_string()]).await.map_err(failed)?;
    client.batch_execute("COMMIT").await.map_err(failed)
}

fn planting(error: Error) -> Error {
    match error.kind() {
        Kind::Denied => error.hint("Grant the user CREATE on the database, or set `canary: false`."),
        _ => error,
    }
}

/// Removes it, if it is there and is this run's. Anything else that somebody put into its schema stops the removal.
pub(crate) async fn unplant(client: &Client, run: &str) -> Result<Removal> {
    let schema = schema(run);
    let failed = |cause| wrong(format!("removing the canary schema {schema}"), cause);
    let found = client
        .query_opt("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = $1", &[&schema])
        .await
        .map_err(failed)?;
    let Some(row) = found else { return Ok(Removal::Absent) };
    if row.get::<_, Option<String>>(0) != Some(owned_by(run)) {
        return Err(Error::new(Kind::Refused, format!("schema {schema} does not carry the mark of run {run}"))
            .hint("Look at what is in it; drillctl removes only what it made itself."));
    }
    let drop = format!("BEGIN READ WRITE; DROP TABLE IF EXISTS {schema}.canary; DROP SCHEMA {schema}; COMMIT");
    client.batch_execute(&drop).await.map_err(failed)?;
    Ok(Removal::Removed)
}

/// The canary of this run, if it is in this database.
pub(crate) async fn find(client: &Client, run: &str) -> Result<Option<CanarySeen>> {
    let table = format!("{}.canary", schema(run));
    let failed = |cause| wrong("looking for the canary", cause);
    let there = client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&table]).await.map_err(failed)?;
    if !there.get::<_, bool>(0) {
        return Ok(None);
    }
    let rows = client.query(&format!("SELECT nonce, planted_at FROM {table}"), &[]).await.map_err(failed)?;
    Ok(rows
        .first()
        .and_then(|row| Some(CanarySeen { nonce: row.get(0), planted_at: row.get::<_, String>(1).parse().ok()? })))
}

/// Schemas of canaries that are there.
pub(crate) async fn planted(client: &Client) -> Result<Vec<String>> {
    let sql = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE $1::text ORDER BY 1";
    let rows = client.query(sql, &[&PATTERN]).await.map_err(|cause| wrong("looking for canaries", cause))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn owned_by(run: &str) -> String {
    format!("drillctl run {run}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_schemas_name_needs_no_quotes_and_fits_an_identifier() {
        assert_eq!(super::schema("01J-Ab"), "drillctl_canary_01j_ab");
        assert_eq!(super::schema(&"x".repeat(100)).len(), 63);
    }
}
