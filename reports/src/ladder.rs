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
        Assurance::ALL.into_iter().map(|level| rung(level, &self.checks, self.assurance)).collect()
    }
}

/// The highest level up to which every level has checks and all of them passed.
pub(crate) fn assurance(checks: &[CheckResult]) -> Option<Assurance> {
    Assurance::ALL.into_iter().take_while(|level| standing(*level, checks) == Standing::Unclaimed).last()
}

fn rung(level: Assurance, checks: &[CheckResult], claimed: Option<Assurance>) -> Rung {
    let standing = match standing(level, checks) {
        Standing::Unclaimed if Some(level) <= claimed => Standing::Proved,
        other => other,
    };
    let count = |wanted: fn(&CheckResult) -> bool| checks.iter().filter(|c| c.level == level && wanted(c)).count();
    Rung { level, passed: count(|c| c.outcome == Outcome::Passed), checks: count(|_| true), standing }
}

/// What the level's own checks say.
fn standing(level: Assurance, checks: &[CheckResult]) -> Standing {
    let any = |outcome| checks.iter().any(|check| check.level == level && check.outcome == outcome);
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
