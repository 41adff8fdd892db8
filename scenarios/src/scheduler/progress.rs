//! How far the occurrences of one scenario have come, folded from the log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::log::{Act, End, Logged};
use crate::{Name, Occurrence};

/// How far one scenario has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Due times up to this instant are decided, or are none of ours.
    pub decided: Timestamp,
    /// The drill that was started and of which no end is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<(Occurrence, u8)>,
    /// The drill that ended last, if it errored: its occurrence, which attempt it was, and when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errored: Option<(Occurrence, u8, Timestamp)>,
    /// Whether the last occurrence, or the last drill that was started by hand, passed; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
}

impl Progress {
    /// Of every scenario in a log.
    pub fn of<'a>(log: impl IntoIterator<Item = &'a Logged>) -> BTreeMap<Name, Self> {
        let mut all = BTreeMap::new();
        log.into_iter().for_each(|logged| Self::fold(&mut all, logged));
        all
    }

    /// With one more line of the log.
    pub fn fold(all: &mut BTreeMap<Name, Self>, logged: &Logged) {
        let scenario = match &logged.act {
            Act::Enrolled { scenario } | Act::Ran { scenario, .. } => scenario,
            Act::Started { occurrence, .. }
            | Act::Ended { occurrence, .. }
            | Act::Skipped { occurrence, .. }
            | Act::Missed { occurrence, .. }
            | Act::Excused { occurrence, .. } => occurrence.scenario(),
        };
        let begin = Self { decided: logged.at, running: None, errored: None, passed: None };
        all.entry(scenario.clone()).or_insert(begin).saw(logged);
    }

    fn saw(&mut self, logged: &Logged) {
        match &logged.act {
            Act::Enrolled { .. } | Act::Excused { .. } => {}
            Act::Ran { end, .. } => self.passed = Some(*end == End::Passed),
            Act::Started { occurrence, attempt } => {
                self.decide(occurrence);
                self.running = Some((occurrence.clone(), *attempt));
                self.errored = None;
            }
            Act::Ended { occurrence, attempt, end } => {
                self.running = None;
                self.errored = (*end == End::Errored).then(|| (occurrence.clone(), *attempt, logged.at));
                self.passed = Some(*end == End::Passed);
            }
            Act::Skipped { occurrence, .. } | Act::Missed { occurrence, .. } => {
                self.decide(occurrence);
                self.errored = None;
                self.passed = Some(false);
            }
        }
    }

    fn decide(&mut self, occurrence: &Occurrence) {
        self.decided = self.decided.max(occurrence.due());
    }
}
