//! The answer of a query that a scenario asks.

use futures::StreamExt;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::environment::MOST_ROWS;
use crate::postgres::connection::wrong;
use crate::{Result, Rows};

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
