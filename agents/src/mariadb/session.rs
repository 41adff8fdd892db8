//! A session on a server: statements, and answers as text.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use super::connection::wrong;
use crate::{Answer, Error, Kind, Result, Told};

/// Settings that the texts of values and definitions depend on, and those that keep a long session gentle and alive.
const FACTS: &str = "
    SET NAMES utf8mb4, SESSION sql_mode = '', SESSION time_zone = '+00:00', SESSION sql_quote_show_create = 1,
        SESSION lock_wait_timeout = 60, SESSION wait_timeout = 604800, SESSION net_write_timeout = 3600";
/// Fewest bytes that a server must let a text have: that of a row's short columns and of the digests of its long ones.
const LEAST_TEXT: u64 = 1 << 20;

/// A row of texts; NULL is nothing.
pub(crate) type TextRow = Vec<Option<String>>;

/// A session. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Session(Conn);

impl Session {
    pub(super) fn of(connection: Conn) -> Self {
        Self(connection)
    }

    /// Makes it fit for reading facts. From here on it only reads.
    ///
    /// # Errors
    /// [`Kind::Config`] for a server whose limits are too narrow.
    pub(crate) async fn prepare(&mut self) -> Result<()> {
        let doing = "setting the session up";
        self.run(doing, FACTS).await?;
        self.run(doing, "SET SESSION TRANSACTION READ ONLY").await?;
        let limit = if self.is_mariadb().await? { "max_statement_time" } else { "max_execution_time" };
        self.run(doing, &format!("SET SESSION {limit} = 0")).await?;
        let most = self.text("asking for the server's limits", "SELECT @@max_allowed_packet").await?;
        if most.parse::<u64>().is_ok_and(|most| most >= LEAST_TEXT) {
            return Ok(());
        }
        Err(Error::new(Kind::Config, format!("the server's max_allowed_packet is {most}, less than {LEAST_TEXT}"))
            .hint("Raise it: rows can't be compared otherwise."))
    }

    /// Whether the server is MariaDB, not MySQL.
    pub(crate) async fn is_mariadb(&mut self) -> Result<bool> {
        Ok(self.text("asking for the server's version", "SELECT VERSION()").await?.contains("MariaDB"))
    }

    /// Begins a transaction that reads what is there now.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        let doing = "beginning to read";
        self.run(doing, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
        self.run(doing, "START TRANSACTION WITH CONSISTENT SNAPSHOT").await
    }

    /// Runs a statement.
    pub(crate) async fn run(&mut self, doing: &str, sql: &str) -> Result<()> {
        self.0.query_drop(sql).await.map_err(|cause| wrong(doing, cause))
    }

    /// All rows of an answer.
    pub(crate) async fn rows(&mut self, doing: &str, sql: &str) -> Result<Vec<TextRow>> {
        let rows: Vec<Row> = self.0.query(sql).await.map_err(|cause| wrong(doing, cause))?;
        Ok(rows.into_iter().map(texts).collect())
    }

    /// The first row of an answer that has one.
    pub(crate) async fn row(&mut self, doing: &str, sql: &str) -> Result<TextRow> {
        let first = self.rows(doing, sql).await?.into_iter().next();
        first.ok_or_else(|| Error::new(Kind::Unavailable, format!("{doing}: the server answered with no row")))
    }

    /// The one text that an answer is.
    pub(crate) async fn text(&mut self, doing: &str, sql: &str) -> Result<String> {
        let row = self.row(doing, sql).await?;
        Ok(row.into_iter().next().flatten().unwrap_or_default())
    }

    /// Tells the answer of a query row by row.
    pub(crate) async fn tell(&mut self, sql: &str, answer: &Answer) -> Result<()> {
        let failed = |cause| wrong("querying the restored database", cause);
        let mut rows = self.0.query_iter(sql).await.map_err(failed)?;
        let names = rows.columns_ref().iter().map(|column| column.name_str().into_owned());
        answer.tell(Told::Columns(names.collect())).await?;
        while let Some(row) = rows.next().await.map_err(failed)? {
            answer.tell(Told::Row(texts(row))).await?;
        }
        rows.drop_result().await.map_err(failed)
    }
}

fn texts(row: Row) -> TextRow {
    let text = |value| match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        // The text protocol has no other values.
        other => Some(other.as_sql(false)),
    };
    row.unwrap().into_iter().map(text).collect()
}
