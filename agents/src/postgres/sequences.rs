//! Where sequences stand. No snapshot holds that: a sequence moves at once and for everybody, so a dump has the position of
//! the moment it looked. It is read before and after the dump; what lies between is right.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::connection::wrong;
use super::scope::Scope;
use crate::{Database, Result};

const CLASS: &str = "sequence";
const MOVED: &str = "moving from";

/// Where a sequence stands: its last value, and whether that was handed out already.
pub(crate) type Position = (i64, bool);

/// Where every sequence stands, by qualified name.
pub(crate) type Positions = BTreeMap<String, Position>;

/// Where the sequences of this database stand.
pub(crate) async fn read(client: &Client, database: &Database) -> Result<Positions> {
    let names: Vec<&String> = database.objects.get(CLASS).into_iter().flat_map(BTreeMap::keys).collect();
    let mut positions = Positions::new();
    for some in names.chunks(200) {
        let one = |(number, name): (usize, &&String)| format!("SELECT {number}, last_value, is_called FROM {name}");
        let sql = some.iter().enumerate().map(one).collect::<Vec<_>>().join(" UNION ALL ");
        let rows = client.query(&sql, &[]).await.map_err(|cause| wrong("reading where sequences stand", cause))?;
        for row in rows {
            let number = usize::try_from(row.get::<_, i32>(0)).unwrap_or_default();
            positions.insert(some[number].clone(), (row.get(1), row.get(2)));
        }
    }
    Ok(positions)
}

/// Where the sequences in scope stand, before anything else is known about them.
pub(crate) async fn read_in(client: &Client, scope: &Scope) -> Result<Positions> {
    let names = scope.objects(client, CLASS).await?;
    read(client, &Database { objects: [(CLASS.to_owned(), names)].into(), ..Database::default() }).await
}

/// Adds to every sequence's definition where it stood while it was dumped.
pub(crate) fn capture(database: &mut Database, before: &Positions, after: &Positions) {
    for (name, definition) in database.objects.get_mut(CLASS).into_iter().flatten() {
        let (Some(before), Some(after)) = (before.get(name), after.get(name)) else { continue };
        let text = if before == after { at(*before) } else { format!("{MOVED} {} to {}", at(*before), at(*after)) };
        definition.push_str(&format!(", {text}"));
    }
}

/// Adds where every sequence stands. One that moved while it was dumped is told in the captured words, if it stands
/// between.
pub(crate) fn observe(database: &mut Database, positions: &Positions, captured: &Database) {
    let captured = captured.objects.get(CLASS);
    for (name, definition) in database.objects.get_mut(CLASS).into_iter().flatten() {
        let Some(position) = positions.get(name) else { continue };
        let told = captured.and_then(|objects| objects.get(name)).and_then(|text| text.rsplit_once(", "));
        let text = match told {
            Some((_, text)) if holds(text, *position) => text.to_owned(),
            _ => at(*position),
        };
        definition.push_str(&format!(", {text}"));
    }
}

fn at((value, called): Position) -> String {
    if called { format!("at {value}") } else { format!("before {value}") }
}

fn position(text: &str) -> Option<Position> {
    let (word, value) = text.split_once(' ')?;
    Some((value.parse().ok()?, word == "at"))
}

/// Whether a position lies in what [`capture`] told of a sequence that moved.
fn holds(text: &str, at: Position) -> bool {
    let ends = text.strip_prefix(MOVED).and_then(|ends| ends.trim_start().split_once(" to "));
    let ends = ends.and_then(|(from, to)| Some((position(from)?, position(to)?)));
    ends.is_some_and(|(from, to)| (from.min(to)..=from.max(to)).contains(&at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(text: &str) -> Database {
        let objects = BTreeMap::from([("s.q".to_owned(), text.to_owned())]);
        Database { objects: [(CLASS.to_owned(), objects)].into(), ..Database::default() }
    }

    fn observed(captured: &Database, stands: Position) -> Database {
        let mut here = database("bigint");
        observe(&mut here, &Positions::from([("s.q".into(), stands)]), captured);
        here
    }

    #[test]
    fn a_sequence_that_stood_still_is_compared_exactly() {
        let mut captured = database("bigint");
        let stands = Positions::from([("s.q".into(), (7, true))]);
        capture(&mut captured, &stands, &stands);
        assert_eq!(captured, database("bigint, at 7"));
        assert_eq!(observed(&captured, (7, true)), captured);
        assert_ne!(observed(&captured, (7, false)), captured);
    }

    #[test]
    fn a_sequence_that_moved_may_stand_anywhere_between_and_nowhere_else() {
        let mut captured = database("bigint");
        let [before, after] = [(1, false), (9, true)].map(|at| Positions::from([("s.q".into(), at)]));
        capture(&mut captured, &before, &after);
        for within in [(1, false), (1, true), (5, true), (9, true)] {
            assert_eq!(observed(&captured, within), captured, "{within:?}");
        }
        for outside in [(0, true), (10, true)] {
            assert_ne!(observed(&captured, outside), captured, "{outside:?}");
        }
    }
}
