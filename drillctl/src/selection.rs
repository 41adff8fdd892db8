//! Which of the backups that another tool took is restored. Pure: it is given the list and a seed, and whoever has both can choose again.

use drill_agents::Adopted;
use drill_reports::amount::{counted, instant};
use drill_scenarios::Select;
use jiff::Timestamp;

use crate::failure::Failure;
use crate::host;

/// The chosen backup.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    /// Which.
    pub(crate) backup: Adopted,
    /// How it came to be chosen, in words.
    pub(crate) how: String,
    /// How many there were.
    pub(crate) candidates: usize,
    /// When the newest of them was taken.
    pub(crate) newest_taken_at: Timestamp,
}

/// Chooses one of `backups`, which are ordered by age, the oldest first; nothing if there is none that fits.
///
/// A random one is drawn by the seed: it is the one for which the SHA-256 of the seed followed by its id is the smallest.
///
/// # Errors
/// If the id that is asked for begins those of several.
pub(crate) fn choose(backups: &[Adopted], select: &Select, seed: &str) -> Result<Option<Chosen>, Failure> {
    let Some(newest) = backups.last() else { return Ok(None) };
    let count = counted(backups.len(), "backup");
    let (backup, how) = match select {
        Select::Newest => (Some(newest), format!("the newest of {count}")),
        Select::Random => (
            backups.iter().min_by_key(|backup| host::sha256(format!("{seed}{}", backup.id).as_bytes())),
            format!("drawn from {count} by the seed {seed}: SHA-256 of the seed followed by its id is the smallest"),
        ),
        Select::Before(time) => (
            backups.iter().rev().find(|backup| backup.taken_at < *time),
            format!("the newest of {count} that was taken before {}", instant(*time)),
        ),
        Select::Id(id) => (named(backups, id)?, format!("named, of {count}")),
    };
    let chosen = |backup: &Adopted| Chosen {
        backup: backup.clone(),
        how,
        candidates: backups.len(),
        newest_taken_at: newest.taken_at,
    };
    Ok(backup.map(chosen))
}

/// The backup of this id or name, or the only one whose id begins so.
fn named<'a>(backups: &'a [Adopted], id: &str) -> Result<Option<&'a Adopted>, Failure> {
    let whole = |backup: &&Adopted| backup.id == id || backup.about.get("name").is_some_and(|name| name == id);
    if let Some(backup) = backups.iter().find(whole) {
        return Ok(Some(backup));
    }
    let mut begun = backups.iter().filter(|backup| backup.id.starts_with(id));
    match (begun.next(), begun.next()) {
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("more than one backup begins with {id}")).hint("Give more of its id."))
        }
        (found, _) => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn backups() -> Vec<Adopted> {
        let backup = |number: i64| Adopted {
            id: format!("a{number}ff"),
            taken_at: Timestamp::from_second(number * 3600).expect("a time"),
            tool: "restic".into(),
            about: BTreeMap::from([("name".into(), format!("night-{number}"))]),
        };
        (1..=12).map(backup).collect()
    }

    fn chosen(select: &Select, seed: &str) -> Option<String> {
        choose(&backups(), select, seed).expect("clear").map(|chosen| chosen.backup.id)
    }

    #[test]
    fn the_newest_the_newest_before_an_instant_and_a_named_one_are_found() {
        assert_eq!(chosen(&Select::Newest, ""), Some("a12ff".into()));
        let at = |secs| Select::Before(Timestamp::from_second(secs).expect("a time"));
        assert_eq!(chosen(&at(7200), ""), Some("a1ff".into()), "not the one taken at that instant");
        assert_eq!(chosen(&at(3600), ""), None);
        for id in ["a3ff", "a3", "night-3"] {
            assert_eq!(chosen(&Select::Id(id.into()), ""), Some("a3ff".into()), "{id}");
        }
        assert_eq!(chosen(&Select::Id("b".into()), ""), None);
        choose(&backups(), &Select::Id("a1".into()), "").expect_err("there are four of them");
        assert!(choose(&[], &Select::Newest, "").expect("clear").is_none());
    }

    #[test]
    fn a_seed_draws_the_same_each_time_and_seeds_draw_all_of_them() {
        let drawn: BTreeSet<_> = (0..200).filter_map(|seed| chosen(&Select::Random, &seed.to_string())).collect();
        assert_eq!(drawn.len(), backups().len());
        assert_eq!(chosen(&Select::Random, "7"), chosen(&Select::Random, "7"));
        let by_hand = backups().into_iter().min_by_key(|backup| host::sha256(format!("7{}", backup.id).as_bytes()));
        assert_eq!(chosen(&Select::Random, "7"), by_hand.map(|backup| backup.id));
    }
}
