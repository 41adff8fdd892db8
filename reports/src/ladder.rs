//! The ladder of assurance: what was proved at each level, and how far up that reaches without a gap.

use crate::{Assurance, CheckResult, Outcome, Record};

/// One level and what its checks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Which.
    pub level: Assurance,
    /// How many checks of it passed.
    pub passed: usize,
    /// How many checks of it there are.
    pub checks: usize,
    /// What follows.
    pub standing: Standing,
}

/// What may be said about a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its checks passed, and so did those of every level below.
    Proved,
    /// Its checks passed, yet it is not claimed: a level below is not proved, or the run was aborted.
    Unclaimed,
    /// A check of it failed.
    Failed,
    /// No check failed, and one could not be judged.
    Unknown,
    /// It has no check.
    Unchecked,
}

impl Record {
    /// Every level from L0 up.
    #[must_use]
    pub fn ladder(&self) -> Vec<Rung> {
        Assurance::ALL.into_iter().map(|level| rung(level, self)).collect()
    }
}

/// The highest level up to which every level has checks and all of them passed.
pub(crate) fn assurance(record: &Record) -> Option<Assurance> {
    Assurance::ALL.into_iter().take_while(|level| standing(*level, record) == Standing::Unclaimed).last()
}

fn rung(level: Assurance, record: &Record) -> Rung {
    let standing = match standing(level, record) {
        Standing::Unclaimed if Some(level) <= record.assurance => Standing::Proved,
        other => other,
    };
    let count =
        |wanted: fn(&CheckResult) -> bool| record.checks.iter().filter(|c| c.level == level && wanted(c)).count();
    Rung { level, passed: count(|c| c.outcome == Outcome::Passed), checks: count(|_| true), standing }
}

/// What the level's own checks say. What is to be proved of a backup is to be proved of every system's.
fn standing(level: Assurance, record: &Record) -> Standing {
    let of_each = level <= Assurance::ContentEqual;
    let systems = record.systems().filter(|system| of_each || system.name.is_none());
    let standings = systems.map(|system| {
        let its = |check: &&CheckResult| !of_each || check.system.as_deref() == system.name;
        of_checks(record.checks.iter().filter(|check| check.level == level).filter(its))
    });
    standings.max_by_key(|standing| standing.weight()).unwrap_or(Standing::Unchecked)
}

impl Standing {
    /// Which of several counts: the worst.
    fn weight(self) -> u8 {
        match self {
            Self::Proved | Self::Unclaimed => 0,
            Self::Unchecked => 1,
            Self::Unknown => 2,
            Self::Failed => 3,
        }
    }
}

fn of_checks<'a>(checks: impl Iterator<Item = &'a CheckResult> + Clone) -> Standing {
    let any = |outcome| checks.clone().any(|check| check.outcome == outcome);
    if any(Outcome::Failed) {
        Standing::Failed
    } else if any(Outcome::Inconclusive) {
        Standing::Unknown
    } else if any(Outcome::Passed) {
        Standing::Unclaimed
    } else {
        Standing::Unchecked
    }
}
