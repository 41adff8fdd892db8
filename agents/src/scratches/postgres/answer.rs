//! The answer of a query that a scenario asks.

use futures::StreamExt;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::postgres::connection::wrong;
use crate::{Answer, Result, Told};

/// Runs a query and tells its answer row by row.
pub(super) async fn tell(client: &Client, sql: &str, answer: &Answer) -> Result<()> {
    let failed = |cause| wrong("querying the restored database", cause);
    let mut stream = std::pin::pin!(client.simple_query_raw(sql).await.map_err(failed)?);
    while let Some(message) = stream.next().await {
        let told = match message.map_err(failed)? {
            SimpleQueryMessage::RowDescription(columns) => {
                Told::Columns(columns.iter().map(|column| column.name().to_owned()).collect())
            }
            SimpleQueryMessage::Row(row) => {
                Told::Row((0..row.len()).map(|column| row.get(column).map(Into::into)).collect())
            }
            _ => continue,
        };
        answer.tell(told).await?;
    }
    Ok(())
}
