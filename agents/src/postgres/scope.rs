//! Which part of a database is looked at, and the catalog's questions about it.

use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::connection::wrong;
use super::{canary, catalog};
use crate::index::one_line;
use crate::{Database, Result};

/// Which part of a database is looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// These schemas; all that are not the system's, if empty.
    pub(crate) schemas: Vec<String>,
}

impl Scope {
    /// The scope that a database was captured with.
    pub(crate) fn of(captured: &Database) -> Self {
        let schemas = captured.settings.get("schemas").and_then(|text| serde_json::from_str(text).ok());
        Self { schemas: schemas.unwrap_or_default() }
    }

    /// Whether it is the whole database.
    pub(crate) fn is_whole(&self) -> bool {
        self.schemas.is_empty()
    }

    /// Asks one of the catalog's questions.
    pub(super) async fn ask(&self, client: &Client, doing: &str, question: &str) -> Result<Vec<Row>> {
        let sql = format!("{}{question}", catalog::SCOPE);
        let parameters: [&(dyn ToSql + Sync); 2] = [&self.schemas, &canary::PATTERN];
        client.query(&sql, &parameters).await.map_err(|cause| wrong(doing, cause))
    }

    /// Names of the extensions in it.
    pub(crate) async fn extensions(&self, client: &Client) -> Result<Vec<String>> {
        let extensions = self.objects(client, "extension").await?;
        Ok(extensions.into_keys().collect())
    }

    /// Objects of one class in it, with their definitions.
    pub(super) async fn objects(&self, client: &Client, class: &str) -> Result<BTreeMap<String, String>> {
        let (_, question) =
            catalog::CLASSES.into_iter().find(|(name, _)| *name == class).expect("a class of the catalog");
        let rows = self.ask(client, &format!("listing objects of class {class}"), question).await?;
        let definition = |row: &Row| row.get::<_, Option<&str>>(1).map_or_else(String::new, worded);
        Ok(rows.iter().map(|row| (row.get(0), definition(row))).collect())
    }
}

/// A definition as the server words it, in one line.
fn worded(text: &str) -> String {
    one_line(text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_of_several_lines_is_told_from_one_with_the_same_words() {
        assert_eq!(worded("a b\n"), "a b");
        assert_eq!(worded("a\nb\\n"), "a\\nb\\\\n");
    }
}
