//! The log of a scheduler: what it decided and what it was told. It is all of its state that must survive; everything else is worked out
//! anew from the schedules.
//!
//! A stored format: a field is never renamed or given another meaning; new ones are optional.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Name, Occurrence};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logged {
    /// When.
    pub at: Timestamp,
    /// What.
    pub act: Act,
}

/// What was decided, or told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Act {
    /// A scenario came under the scheduler: its due times count from here on.
    Enrolled {
        /// Which.
        scenario: Name,
    },
    /// A drill is to be started now.
    Started {
        /// Of which occurrence.
        occurrence: Occurrence,
        /// From 1; higher ones follow a drill that errored.
        attempt: u8,
    },
    /// The drill has ended.
    Ended {
        /// Of which occurrence.
        occurrence: Occurrence,
        /// Which.
        attempt: u8,
        /// How.
        end: End,
    },
    /// It was not to be started.
    Skipped {
        /// Which.
        occurrence: Occurrence,
        /// Why.
        why: Skip,
    },
    /// It could not be started in its time.
    Missed {
        /// Which.
        occurrence: Occurrence,
        /// Why.
        why: Miss,
    },
    /// Somebody excused that it did not pass.
    Excused {
        /// Which.
        occurrence: Occurrence,
        /// Who.
        by: String,
        /// Why.
        because: String,
    },
    /// A drill that somebody started by hand has ended.
    Ran {
        /// Of which scenario.
        scenario: Name,
        /// How.
        end: End,
    },
}

/// How a drill ended. One that was stopped or died has errored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Everything that was promised holds.
    Passed,
    /// The backup did not do what was promised.
    Failed,
    /// It could not be found out.
    Errored,
}

/// Why an occurrence was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// A blackout or a freeze of this name lasted all the time that it had to start.
    Blackout(String),
    /// The last drill of this scenario, which comes first, did not pass.
    After(Name),
}

/// Why an occurrence was missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Miss {
    /// The scheduler was down all the time that it had to start.
    Down,
    /// There was no room beside the drills that ran.
    Host,
    /// Others were busy with the same source.
    Source(String),
    /// As many ran as may with this label.
    Label(Name),
    /// The drill of the same scenario before it was still going on.
    Itself,
    /// This scenario, which comes first, was not done.
    After(Name),
}

/// What became of an occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It runs.
    Running,
    /// The drill ended, if errored after its last attempt so far.
    Ended(End),
    /// It could not be started in its time.
    Missed(Miss),
    /// It was not to be started.
    Skipped(Skip),
    /// Somebody excused that it did not pass.
    Excused {
        /// Who.
        by: String,
        /// Why.
        because: String,
        /// What had become of it.
        instead_of: Box<Outcome>,
    },
}

/// What became of every occurrence in a log.
pub fn outcomes<'a>(log: impl IntoIterator<Item = &'a Logged>) -> BTreeMap<Occurrence, Outcome> {
    let mut outcomes = BTreeMap::new();
    for logged in log {
        match &logged.act {
            Act::Enrolled { .. } | Act::Ran { .. } => {}
            Act::Started { occurrence, .. } => _ = outcomes.insert(occurrence.clone(), Outcome::Running),
            Act::Ended { occurrence, end, .. } => _ = outcomes.insert(occurrence.clone(), Outcome::Ended(*end)),
            Act::Skipped { occurrence, why } => _ = outcomes.insert(occurrence.clone(), Outcome::Skipped(why.clone())),
            Act::Missed { occurrence, why } => _ = outcomes.insert(occurrence.clone(), Outcome::Missed(why.clone())),
            Act::Excused { occurrence, by, because } => excuse(&mut outcomes, occurrence, (by, because)),
        }
    }
    outcomes
}

/// What passed, or runs, needs no excuse and gets none.
fn excuse(outcomes: &mut BTreeMap<Occurrence, Outcome>, occurrence: &Occurrence, (by, because): (&str, &str)) {
    if let Some(outcome) = outcomes.get_mut(occurrence)
        && !matches!(outcome, Outcome::Running | Outcome::Ended(End::Passed))
    {
        let instead_of = Box::new(outcome.clone());
        *outcome = Outcome::Excused { by: by.to_owned(), because: because.to_owned(), instead_of };
    }
}

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Blackout(name) => f.write_str(name),
            Self::After(name) => write!(f, "it comes after {name}, whose last drill did not pass"),
        }
    }
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Down => f.write_str("the scheduler was down"),
            Self::Host => f.write_str("as many drills ran as may at once"),
            Self::Source(source) => write!(f, "as many drills ran as may on its source, {source}"),
            Self::Label(label) => write!(f, "as many drills ran as may with the label {label}"),
            Self::Itself => f.write_str("its drill before was still going on"),
            Self::After(name) => write!(f, "it comes after {name}, which was not done"),
        }
    }
}
