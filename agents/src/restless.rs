//! What changes in a database while it is backed up, where the backup and what is read beside it aren't of one instant. What is the same
//! before and after is in the backup just so; of the rest only that it is there can be said, and this says so.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Database, Note};

/// Class of tables, beside those of schema objects.
pub(crate) const TABLE: &str = "table";
/// Names that a note tells.
const TOLD: usize = 100;

/// What is there before and after. What of it, or beside it, is not the same is named in [`Database::restless`].
pub(crate) fn settled(before: &Database, mut after: Database) -> Database {
    let (none, mut restless) = (BTreeMap::new(), BTreeSet::new());
    keep_common(TABLE, &before.tables, &mut after.tables, &mut restless);
    for (name, table) in &mut after.tables {
        // Not even the number of rows is known, but that field is always there.
        table.fingerprint.take_if(|_| restless.contains(&format!("{TABLE}:{name}")));
    }
    let classes: BTreeSet<String> = before.objects.keys().chain(after.objects.keys()).cloned().collect();
    for class in classes {
        let was = before.objects.get(&class).unwrap_or(&none);
        keep_common(&class, was, after.objects.entry(class.clone()).or_default(), &mut restless);
    }
    after.objects.retain(|_, objects| !objects.is_empty());
    after.restless = restless.into_iter().collect();
    after
}

/// Leaves in `after` what was there before too, and names what isn't the same on both sides.
fn keep_common<T: PartialEq>(
    class: &str,
    before: &BTreeMap<String, T>,
    after: &mut BTreeMap<String, T>,
    restless: &mut BTreeSet<String>,
) {
    let names = before.keys().chain(after.keys());
    let changed = names.filter(|name| before.get(*name) != after.get(*name));
    restless.extend(changed.map(|name| format!("{class}:{name}")));
    after.retain(|name, _| before.contains_key(name));
}

/// Brings what is observed into the shape of what was captured, where that can't say more than that it is there.
pub(crate) fn observe(observed: &mut Database, captured: &Database) {
    for subject in &captured.restless {
        let Some((class, name)) = subject.split_once(':') else { continue };
        if class == TABLE {
            take_over(&mut observed.tables, captured.tables.get(name), name);
        }
        if let Some(objects) = observed.objects.get_mut(class) {
            take_over(objects, captured.objects.get(class).and_then(|objects| objects.get(name)), name);
        }
    }
}

fn take_over<T: Clone>(observed: &mut BTreeMap<String, T>, captured: Option<&T>, name: &str) {
    match (observed.get_mut(name), captured) {
        (Some(here), Some(there)) => here.clone_from(there),
        (Some(_), None) => drop(observed.remove(name)),
        (None, _) => {}
    }
}

/// What people should know of it.
pub(crate) fn note(database: &Database) -> Option<Note> {
    let told: Vec<&str> = database.restless.iter().take(TOLD).map(String::as_str).collect();
    let more = match database.restless.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let statement = format!(
        "It changed while the backup was taken. Of this only that it is there is compared, not what is in it: {}{more}.",
        told.join(", ")
    );
    (!told.is_empty()).then(|| Note { subject: format!("database {}", database.name), statement })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    fn database(tables: &[(&str, u64)], views: &[(&str, &str)]) -> Database {
        let table = |rows| Table { rows, fingerprint: Some(format!("{rows:032x}")) };
        let views = views.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Database {
            tables: tables.iter().map(|(name, rows)| ((*name).to_owned(), table(*rows))).collect(),
            objects: [("view".to_owned(), views)].into(),
            ..Database::default()
        }
    }

    #[test]
    fn what_is_the_same_before_and_after_is_expected_and_the_rest_only_where_it_is_on_both_sides() {
        let before = database(&[("same", 1), ("grows", 1), ("dropped", 1)], &[("v", "a"), ("w", "a")]);
        let after = database(&[("same", 1), ("grows", 2), ("made", 1)], &[("v", "b"), ("x", "a")]);
        let captured = settled(&before, after);
        let restless = ["table:dropped", "table:grows", "table:made", "view:v", "view:w", "view:x"];
        assert_eq!(captured.restless, restless);
        assert_eq!(captured.tables["grows"].fingerprint, None);
        for state in [
            database(&[("same", 1), ("grows", 7)], &[("v", "a")]),
            database(&[("same", 1), ("grows", 1), ("made", 3), ("dropped", 1)], &[("v", "c"), ("w", "a"), ("x", "z")]),
        ] {
            let mut observed = state;
            observe(&mut observed, &captured);
            assert_eq!((&observed.tables, &observed.objects), (&captured.tables, &captured.objects));
        }
        let mut lost = database(&[("same", 2)], &[]);
        observe(&mut lost, &captured);
        assert!(!lost.tables.contains_key("grows"), "what was there all the time must be there");
        assert_ne!(lost.tables["same"], captured.tables["same"]);
        let note = note(&captured).expect("a note").statement;
        assert!(note.contains("table:grows, table:made"), "{note}");
    }

    #[test]
    fn where_nothing_changed_everything_is_expected_and_nothing_said() {
        let still = database(&[("same", 1)], &[("v", "a")]);
        let captured = settled(&still, still.clone());
        assert_eq!((&captured, note(&captured)), (&still, None));
    }
}
