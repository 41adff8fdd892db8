//! Indexes of copied files that were built by other rules for sorting text than this host has. A server that looks something up
//! in such an index may not find what is there. It says nothing about the backup, and much about the host.

use tokio_postgres::Client;

use super::connection::wrong;
use crate::{Note, Result};

/// Oldest server that knows the version by which a whole database sorts.
const DATABASES_TOO: i32 = 150_000;
/// Indexes that a note names.
const NAMED: usize = 5;
/// How a server warns of it; [`outdated`] says more.
const WARNED: [&str; 2] =
    ["has a collation version mismatch", "has no actual collation version, but a version was recorded"];

const OF_COLLATIONS: &str = "
SELECT oid, collname::text AS name, collversion AS was, coalesce(pg_collation_actual_version(oid), 'none') AS now
FROM pg_collation WHERE collversion <> coalesce(pg_collation_actual_version(oid), 'none')";

/// The collation of oid 100 stands for that of the database.
const OF_DATABASE: &str = "
UNION ALL SELECT 100, 'default', datcollversion, coalesce(pg_database_collation_actual_version(oid), 'none')
FROM pg_database WHERE datname = current_database()
AND datcollversion <> coalesce(pg_database_collation_actual_version(oid), 'none')";

const INDEXES: &str = "
SELECT name, was, now, array_agg(DISTINCT indexrelid::regclass::text) FROM outdated
JOIN pg_index ON oid = ANY (indcollation::oid[]) JOIN pg_class c ON c.oid = indexrelid
WHERE c.relnamespace NOT IN (SELECT n.oid FROM pg_namespace n WHERE nspname ~ '^pg_')
GROUP BY 1, 2, 3 ORDER BY 1";

/// What is to be known of the database that this session is in.
pub(crate) async fn outdated(client: &Client, database: &str) -> Result<Vec<Note>> {
    let failed = |cause| wrong("asking by which rules text is sorted", cause);
    let version = client.query_one("SELECT current_setting('server_version_num')::int", &[]).await.map_err(failed)?;
    let of_database = if version.get::<_, i32>(0) < DATABASES_TOO { "" } else { OF_DATABASE };
    let sql = format!("WITH outdated AS ({OF_COLLATIONS}{of_database}) {INDEXES}");
    let rows = client.query(&sql, &[]).await.map_err(failed)?;
    let note = |row: &tokio_postgres::Row| {
        let [collation, was, now] = [0, 1, 2].map(|column| row.get::<_, &str>(column));
        let indexes = listed(&row.get::<_, Vec<&str>>(3));
        let statement = format!(
            "By collation {collation}, {indexes} sorted by version {was} of its rules, and this host has {now}: a look-up there may \
             miss rows. A host with the libraries of the source has no such trouble; `REINDEX` mends it on one like this."
        );
        Note { subject: format!("database {database}"), statement }
    };
    Ok(rows.iter().map(note).collect())
}

/// The first of these indexes, and how many more there are.
fn listed(indexes: &[&str]) -> String {
    let shown = indexes[..indexes.len().min(NAMED)].join(", ");
    match indexes.len() {
        1 => format!("the index {shown} is"),
        count if count > NAMED => format!("the indexes {shown} and {} more are", count - NAMED),
        _ => format!("the indexes {shown} are"),
    }
}

/// Whether a line of a server's log is about nothing else.
pub(crate) fn is_told(line: &str) -> bool {
    WARNED.iter().any(|words| line.contains(words))
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn no_more_than_some_indexes_are_named_and_the_others_counted() {
        assert_eq!(listed(&["a"]), "the index a is");
        assert_eq!(listed(&["a", "b"]), "the indexes a, b are");
        assert_eq!(listed(&["a", "b", "c", "d", "e", "f", "g"]), "the indexes a, b, c, d, e and 2 more are");
    }
}
