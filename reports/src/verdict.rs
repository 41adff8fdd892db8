//! The verdict of a run and the sentence that says why. The order of the rules keeps "the backup failed" and "we could
//! not find out" apart: a failure that was seen outweighs everything that was not, and only a run without either passes.

use crate::{
    CheckResult, Objective, Outcome, Record, Stage, StageEnd, Verdict,
    amount::{counted, duration},
};

/// How a journal ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The run came to its end.
    Ended,
    /// Somebody asked it to stop.
    Interrupted(String),
    /// It died, and a later process cleaned up.
    Swept,
    /// It died, or still runs.
    Open,
}

impl Record {
    /// The exit code of the process that made this record: 0 passed, 1 failed, 3 errored, 130 aborted; 4 if it passed and
    /// left something behind. A leak never hides a verdict that is not a pass: it stands beside it in the findings.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Passed if self.leaked() => 4,
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::Errored => 3,
            Verdict::Aborted => 130,
        }
    }

    /// Seconds from its start to the end of its release, by the monotonic clock; nothing if it did not come to that.
    #[must_use]
    pub fn run_secs(&self) -> Option<f64> {
        let release = self.stages.iter().find(|time| time.stage == Stage::Release)?;
        Some(release.start_ms as f64 / 1000.0 + release.secs?)
    }

    /// Whether something that the run made is left behind.
    #[must_use]
    pub fn leaked(&self) -> bool {
        !self.release.leaked.is_empty()
    }
}

/// The verdict, and why. `contradiction`: the first thing in which the journal contradicts itself.
pub(crate) fn judge(record: &Record, ending: &Ending, contradiction: Option<&str>) -> (Verdict, String) {
    if let Some(why) = aborted(record, ending) {
        (Verdict::Aborted, why)
    } else if let Some(why) = failed(record) {
        (Verdict::Failed, why)
    } else if let Some(why) = contradiction.map(str::to_owned).or_else(|| errored(record)) {
        (Verdict::Errored, why)
    } else {
        (Verdict::Passed, passed(record))
    }
}

/// A check that was judged other than passed, in one sentence.
pub(crate) fn misjudged(check: &CheckResult) -> String {
    let what = if check.outcome == Outcome::Failed { "failed" } else { "could not be judged" };
    match fragment(&check.observed) {
        "" => format!("The check `{}` {what}.", check.id),
        observed => format!("The check `{}` {what}: {observed}.", check.id),
    }
}

/// An objective that was not met, in one sentence.
pub(crate) fn unmet(objective: &Objective) -> String {
    let target = objective.target_secs as f64;
    let achieved = objective.achieved_secs.unwrap_or(target);
    let (took, over, promise) = (duration(achieved), duration(achieved - target), duration(target));
    match objective.name.as_str() {
        "rpo" => {
            format!("The newest restored data was {took} old at the failure, {over} older than the {promise} promised.")
        }
        "max_age" => {
            let of = objective.system.as_ref().map_or_else(String::new, |system| format!(" of {system}"));
            format!("The newest backup{of} was {took} old at the failure, {over} older than the {promise} it may be.")
        }
        _ => format!("The recovery took {took}, {over} longer than the {promise} promised."),
    }
}

/// A stage that did not do its work, in one sentence; nothing if it did.
pub(crate) fn stage_error(stage: Stage, end: &StageEnd) -> Option<String> {
    match end {
        StageEnd::Error { error, .. } => Some(format!("The stage {stage} could not do its work: {}.", fragment(error))),
        StageEnd::TimedOut => Some(format!("The stage {stage} was given up when its deadline passed.")),
        StageEnd::Done | StageEnd::Interrupted => None,
    }
}

fn aborted(record: &Record, ending: &Ending) -> Option<String> {
    let last = record.stages.last();
    let place = last.map_or("before its first stage".to_owned(), |last| format!("in the stage {}", last.stage));
    match ending {
        Ending::Ended => None,
        Ending::Interrupted(by) => {
            Some(format!("The run was stopped {} by {}.", interrupted_place(record), fragment(by)))
        }
        Ending::Swept => Some(format!("The run died {place}; a later process cleaned up after it.")),
        Ending::Open => Some(format!("The journal breaks off {place}: the run died, or is still going on.")),
    }
}

/// Release follows every interruption, so the last stage is not the one that was interrupted.
fn interrupted_place(record: &Record) -> String {
    let hit = record.stages.iter().find(|time| !matches!(time.end, Some(StageEnd::Done)));
    hit.map_or("between two stages".to_owned(), |time| format!("in the stage {}", time.stage))
}

fn failed(record: &Record) -> Option<String> {
    let failed: Vec<_> = record.checks.iter().filter(|check| check.outcome == Outcome::Failed).collect();
    if let [first, more @ ..] = failed.as_slice() {
        let mut why = misjudged(first);
        if !more.is_empty() {
            why.pop();
            why = format!("{why}; {} failed besides.", counted(more.len(), "check"));
        }
        return Some(why);
    }
    record.objectives.iter().find(|objective| objective.met == Some(false)).map(unmet)
}

fn errored(record: &Record) -> Option<String> {
    stage_unfinished(record)
        .or_else(|| unrestored(record))
        .or_else(|| record.checks.is_empty().then(|| "No check ran, so nothing is proved.".to_owned()))
        .or_else(|| record.checks.iter().find(|check| check.outcome == Outcome::Inconclusive).map(misjudged))
        .or_else(|| record.objectives.iter().find(|objective| objective.met.is_none()).map(unmeasured))
}

/// That every stage ended well says nothing of a system that none of them speaks of.
fn unrestored(record: &Record) -> Option<String> {
    let absent = record.also.iter().find(|system| system.backup.is_none() || system.environment.is_none())?;
    Some(format!("Nothing was restored of {}.", absent.name))
}

/// What is wrong with a release shows in its leases, which have an exit code of their own.
fn stage_unfinished(record: &Record) -> Option<String> {
    Stage::LINE.into_iter().find_map(|stage| match record.stages.iter().find(|time| time.stage == stage) {
        // Where a snapshot that rests already was chosen, there is nothing to store.
        None if stage == Stage::Store && record.backup.is_some() => None,
        None => Some(format!("The stage {stage} never happened.")),
        Some(time) => match &time.end {
            None => Some(format!("The stage {stage} never ended.")),
            Some(_) if stage == Stage::Release => None,
            Some(end) => stage_error(stage, end),
        },
    })
}

/// An objective of which it is not known whether it was met, in one sentence.
pub(crate) fn unmeasured(objective: &Objective) -> String {
    let (title, promise) = (objective.title(), duration(objective.target_secs as f64));
    match objective.achieved_secs {
        None => format!("The {title} could not be measured against the {promise} promised."),
        Some(secs) => {
            format!("The {title} was {}, of {promise} promised; an aborted run does not claim it.", duration(secs))
        }
    }
}

fn passed(record: &Record) -> String {
    let reach = match crate::ladder::assurance(record) {
        Some(level) => format!("which proves up to {level}"),
        None => "yet none of them looked at the sealed bytes, so no level of assurance is reached".to_owned(),
    };
    let checks = match record.checks.len() {
        1 => "The only check passed".to_owned(),
        count => format!("All {count} checks passed"),
    };
    let promises = match record.objectives.len() {
        0 => "no objective was promised",
        1 => "the objective was met",
        2 => "both objectives were met",
        _ => "all objectives were met",
    };
    let accepted =
        match record.checks.iter().flat_map(|check| &check.differences).filter(|d| d.accepted.is_some()).count() {
            0 => String::new(),
            count => format!(" with {}", counted(count, "accepted difference")),
        };
    let left = if record.leaked() { ", but something was left behind" } else { "" };
    format!("{checks}{accepted}, {reach}; {promises}{left}.")
}

/// Foreign words on their way into a sentence: without the full stop that the sentence brings along.
fn fragment(words: &str) -> &str {
    words.trim().trim_end_matches('.')
}
