//! Several sessions that see one and the same state of a database.

use tokio_postgres::Client;

use super::connection::wrong;
use crate::Result;

/// One snapshot for everything that is read.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Begins the transaction that everything is read in, and exports its snapshot. Returns its name.
pub(crate) async fn export(client: &Client) -> Result<String> {
    let failed = |cause| wrong("exporting a snapshot", cause);
    client.batch_execute(BEGIN).await.map_err(failed)?;
    Ok(client.query_one("SELECT pg_export_snapshot()", &[]).await.map_err(failed)?.get(0))
}

/// Has this session see what the one sees that exported this snapshot and is still in its transaction.
pub(crate) async fn import(client: &Client, snapshot: &str) -> Result<()> {
    let sql = format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{snapshot}'");
    client.batch_execute(&sql).await.map_err(|cause| wrong("importing a snapshot", cause))
}
