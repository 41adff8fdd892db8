//! Dealing the tables of a database out to several dumps, so that each has about as much to do as the others.

use tokio_postgres::Client;

use super::dump::{Part, TableName};
use super::scope::Scope;
use super::{catalog, connection::wrong};
use crate::Result;

/// Tables below this size are not worth a place on a command line.
const SMALL: u64 = 4 << 20;
/// Tables that are dealt out at most: their names are arguments of programs.
const MOST: usize = 500;

/// A table and how much it holds.
#[derive(Debug)]
struct Sized {
    table: TableName,
    bytes: u64,
}

/// The rows of a database as `jobs` dumps at most. Together they are all rows, each once: what no other takes, the first does.
pub(crate) async fn deal(client: &Client, scope: &Scope, jobs: usize) -> Result<Vec<Part>> {
    let rows = scope.ask(client, "asking how big tables are", catalog::SIZES).await?;
    let bytes = |size: i64| u64::try_from(size).unwrap_or_default();
    let sized = rows
        .iter()
        .map(|row| Sized { table: TableName { schema: row.get(0), name: row.get(1) }, bytes: bytes(row.get(2)) });
    let (big, small): (Vec<_>, Vec<_>) = sized.enumerate().partition(|(at, sized)| *at < MOST && sized.bytes >= SMALL);
    let mut left = small.iter().map(|(_, sized)| sized.bytes).sum();
    if scope.is_whole() {
        let row = client.query_one("SELECT pg_table_size('pg_catalog.pg_largeobject')", &[]).await;
        left += bytes(row.map_err(|cause| wrong("asking how big large objects are", cause))?.get(0));
    }
    Ok(dealt(big.into_iter().map(|(_, sized)| sized).collect(), left, jobs))
}

/// Gives each table, the biggest first, to whoever has least. The first begins with `left`, and needn't be told what it gets.
fn dealt(tables: Vec<Sized>, left: u64, jobs: usize) -> Vec<Part> {
    let mut loads = vec![0; jobs];
    loads[0] = left;
    let mut shares = vec![Vec::new(); jobs];
    for Sized { table, bytes } in tables {
        let least = (0..jobs).min_by_key(|job| loads[*job]).unwrap_or_default();
        loads[least] += bytes;
        shares[least].push(table);
    }
    let others: Vec<_> = shares.split_off(1).into_iter().filter(|share| !share.is_empty()).collect();
    let first = Part::RowsBut(others.concat());
    std::iter::once(first).chain(others.into_iter().map(Part::RowsOf)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> TableName {
        TableName { schema: "s".into(), name: name.into() }
    }

    fn sized<const N: usize>(tables: [(&str, u64); N]) -> Vec<Sized> {
        tables.map(|(name, bytes)| Sized { table: named(name), bytes }).into()
    }

    #[test]
    fn the_biggest_go_first_to_whoever_has_least_and_nobody_gets_what_the_first_keeps() {
        let parts = dealt(sized([("a", 40), ("b", 35), ("c", 25), ("d", 10)]), 5, 2);
        assert_eq!(parts, [Part::RowsBut(vec![named("a"), named("d")]), Part::RowsOf(vec![named("a"), named("d")])]);
        let parts = dealt(sized([("a", 40)]), 50, 3);
        assert_eq!(parts, [Part::RowsBut(vec![named("a")]), Part::RowsOf(vec![named("a")])]);
    }

    #[test]
    fn one_dump_takes_all_and_so_does_the_first_of_many_where_nothing_is_big() {
        assert_eq!(dealt(sized([("a", 40), ("b", 1)]), 0, 1), [Part::RowsBut(Vec::new())]);
        assert_eq!(dealt(Vec::new(), 7, 4), [Part::RowsBut(Vec::new())]);
    }
}
