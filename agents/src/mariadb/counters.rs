//! Where counters stand: those of `AUTO_INCREMENT` columns and those of sequences. No transaction holds that: a counter moves at once and
//! for everybody, so a dump has the position of the moment it looked. It is read before and after the dump; what lies between is right.

use std::collections::BTreeMap;

use crate::Database;

/// Class of the counters of tables.
pub(super) const AUTO_INCREMENT: &str = "auto_increment";
/// Class of sequences, whose definitions end with where they stand.
pub(super) const SEQUENCE: &str = "sequence";

/// Words for where a counter stands.
pub(super) fn at(position: &str) -> String {
    format!("at {position}")
}

/// Where a counter moved while it was dumped, both sides say so in the same words.
pub(super) fn merge(before: &mut Database, after: &mut Database) {
    for class in [AUTO_INCREMENT, SEQUENCE] {
        let (Some(was), Some(is)) = (before.objects.get_mut(class), after.objects.get_mut(class)) else { continue };
        for (name, was) in was {
            let Some(is) = is.get_mut(name) else { continue };
            if let (Some((what, from)), Some((still, to))) = (position(was), position(is))
                && (what, from) != (still, to)
                && what == still
            {
                let text = format!("{what}between {from} and {to}");
                was.clone_from(&text);
                *is = text;
            }
        }
    }
}

/// A counter that moved while it was dumped is told in the captured words, if it stands between.
pub(super) fn observe(database: &mut Database, captured: &Database) {
    let none = BTreeMap::new();
    for class in [AUTO_INCREMENT, SEQUENCE] {
        let captured = captured.objects.get(class).unwrap_or(&none);
        for (name, text) in database.objects.get_mut(class).into_iter().flatten() {
            if let Some(captured) = captured.get(name).filter(|captured| holds(captured, text)) {
                text.clone_from(captured);
            }
        }
    }
}

/// The definition before a position, and the position.
fn position(text: &str) -> Option<(&str, i128)> {
    let at = text.rfind("at ")?;
    Some((&text[..at], text[at + 3..].parse().ok()?))
}

fn holds(captured: &str, observed: &str) -> bool {
    let Some((what, stands)) = position(observed) else { return false };
    let ends = captured.strip_prefix(what).and_then(|rest| rest.strip_prefix("between ")?.split_once(" and "));
    let ends = ends.and_then(|(from, to)| Some((from.parse::<i128>().ok()?, to.parse::<i128>().ok()?)));
    ends.is_some_and(|(from, to)| (from.min(to)..=from.max(to)).contains(&stands))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(class: &str, text: &str) -> Database {
        let objects = BTreeMap::from([("q".to_owned(), text.to_owned())]);
        Database { objects: [(class.to_owned(), objects)].into(), ..Database::default() }
    }

    fn text(database: &Database) -> &str {
        database.objects.values().next().and_then(|objects| objects.get("q")).expect("one")
    }

    #[test]
    fn a_counter_that_stood_still_is_compared_exactly_and_one_that_moved_may_stand_between() {
        let (mut before, mut after) = (database(AUTO_INCREMENT, "at 7"), database(AUTO_INCREMENT, "at 7"));
        merge(&mut before, &mut after);
        assert_eq!((text(&before), text(&after)), ("at 7", "at 7"));
        let (mut before, mut after) = (database(SEQUENCE, "that 1 at 7"), database(SEQUENCE, "that 1 at 9"));
        merge(&mut before, &mut after);
        assert_eq!((text(&before), &before), ("that 1 between 7 and 9", &after));
        for (stands, within) in [(6, false), (7, true), (8, true), (9, true), (10, false)] {
            let mut observed = database(SEQUENCE, &format!("that 1 at {stands}"));
            observe(&mut observed, &after);
            assert_eq!(observed == after, within, "{stands}");
        }
        let mut other = database(SEQUENCE, "that 2 at 8");
        observe(&mut other, &after);
        assert_ne!(other, after, "another definition is another sequence");
    }
}
