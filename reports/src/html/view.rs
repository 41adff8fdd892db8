//! What the page draws, computed from the record: gauges, timeline, acceptances, and the tone that each outcome has.

use std::collections::BTreeMap;

use super::plot::{Axis, Mark, Span};
use crate::{
    Backup, CheckResult, Objective, Outcome, Record, Severity, StageEnd, StageTime, Standing, Verdict,
    amount::{counted, duration, instant, number},
};

/// A colour, a sign and a word; the page never speaks by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Doubtful,
    Stopped,
    Quiet,
}

impl Tone {
    /// Class of the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Doubtful => "doubtful",
            Self::Stopped => "stopped",
            Self::Quiet => "quiet",
        }
    }

    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Good => "✔",
            Self::Bad => "✘",
            Self::Doubtful => "?",
            Self::Stopped => "■",
            Self::Quiet => "–",
        }
    }
}

impl Verdict {
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Passed => Tone::Good,
            Self::Failed => Tone::Bad,
            Self::Errored => Tone::Doubtful,
            Self::Aborted => Tone::Stopped,
        }
    }
}

impl Outcome {
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Passed => Tone::Good,
            Self::Failed => Tone::Bad,
            Self::Inconclusive => Tone::Doubtful,
        }
    }
}

impl Standing {
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Proved => Tone::Good,
            Self::Failed => Tone::Bad,
            Self::Unknown => Tone::Doubtful,
            Self::Unclaimed => Tone::Stopped,
            Self::Unchecked => Tone::Quiet,
        }
    }
}

impl Severity {
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Critical | Self::Major => Tone::Bad,
            Self::Warning => Tone::Doubtful,
            Self::Info => Tone::Quiet,
        }
    }
}

fn end_tone(end: Option<&StageEnd>) -> Tone {
    match end {
        Some(StageEnd::Done) => Tone::Good,
        Some(StageEnd::Error { .. } | StageEnd::TimedOut) => Tone::Bad,
        Some(StageEnd::Interrupted) | None => Tone::Stopped,
    }
}

/// A measurement beside its promise.
pub(super) struct Gauge {
    pub(super) title: String,
    pub(super) achieved: String,
    /// What follows, such as `met, 14 m 31 s to spare`.
    pub(super) says: String,
    pub(super) tone: Tone,
    pub(super) promise: Option<Promise>,
    pub(super) how: String,
}

/// The promise of a gauge and the bar against it.
pub(super) struct Promise {
    pub(super) target: String,
    pub(super) promised_in: String,
    pub(super) achieved: Option<Span>,
    pub(super) target_x: String,
}

/// A gauge for each thing that was promised or measured.
pub(super) fn gauges(record: &Record) -> Vec<Gauge> {
    let measured = &record.measurements;
    let own = |name: &str| objective_of(record, name, None);
    let newest = measured.newest_at.zip(measured.newest_by.as_ref());
    let rows = [
        (own("rto"), "Recovery time".to_owned(), measured.recovery_secs, recovery_span(record)),
        (
            own("rpo"),
            "Recovery point".to_owned(),
            measured.recovery_point_secs,
            newest.map(|(at, by)| format!("Newest data that came back: {}, by {by}.", instant(at))),
        ),
        (
            own("max_age"),
            "Age of the newest backup".to_owned(),
            measured.backup_age_secs,
            newest_backup(record.backup.as_ref()),
        ),
    ];
    let further = record.also.iter().map(|system| {
        let title = format!("Age of the newest backup of {}", system.name);
        let objective = objective_of(record, "max_age", Some(&system.name));
        (objective, title, system.backup_age_secs, newest_backup(system.backup.as_ref()))
    });
    let gauge = |(objective, title, achieved, how): (Option<&Objective>, _, Option<f64>, Option<String>)| {
        (objective.is_some() || achieved.is_some()).then(|| gauge(title, achieved, objective, how.unwrap_or_default()))
    };
    rows.into_iter().chain(further).filter_map(gauge).collect()
}

fn objective_of<'a>(record: &'a Record, name: &str, system: Option<&str>) -> Option<&'a Objective> {
    record.objectives.iter().find(|objective| objective.name == name && objective.system.as_deref() == system)
}

fn newest_backup(backup: Option<&Backup>) -> Option<String> {
    let adopted = backup?.adopted.as_ref()?;
    Some(format!("Taken at {}, the newest of {}.", instant(adopted.newest_taken_at), number(adopted.candidates)))
}

fn recovery_span(record: &Record) -> Option<String> {
    let (from, to) = (record.measurements.failed_at?, record.measurements.service_ok_at?);
    Some(format!(
        "From the failure, declared at {}, to the service’s answer at {}, by the monotonic clock. The time of the drill’s own \
         comparison is left out.",
        instant(from),
        instant(to)
    ))
}

fn gauge(title: String, achieved: Option<f64>, objective: Option<&Objective>, how: String) -> Gauge {
    let (tone, says) = objective.map_or((Tone::Quiet, "nothing was promised".to_owned()), standing);
    let achieved_words = achieved.map_or("not measured".to_owned(), duration);
    Gauge { title, achieved: achieved_words, says, tone, promise: objective.map(promise), how }
}

fn standing(objective: &Objective) -> (Tone, String) {
    let target = objective.target_secs as f64;
    match (objective.met, objective.achieved_secs) {
        (Some(true), Some(secs)) => (Tone::Good, format!("met, {} to spare", duration(target - secs))),
        (Some(false), Some(secs)) => (Tone::Bad, format!("not met, {} over", duration(secs - target))),
        (_, Some(_)) => (Tone::Stopped, "measured, not claimed: the run was aborted".to_owned()),
        (_, None) => (Tone::Doubtful, "not known".to_owned()),
    }
}

fn promise(objective: &Objective) -> Promise {
    let target = objective.target_secs as f64;
    let axis = Axis::new(objective.achieved_secs.unwrap_or(0.0).max(target) * 1.04);
    Promise {
        target: duration(target),
        promised_in: objective.promised_in.clone(),
        achieved: objective.achieved_secs.map(|secs| axis.span(0.0, secs)),
        target_x: axis.percent(target),
    }
}

/// The stages along the time of the run.
pub(super) struct Timeline {
    pub(super) rows: Vec<StageRow>,
    pub(super) marks: Vec<Mark>,
    /// From the failure to the service's answer.
    pub(super) recovery: Option<Span>,
}

/// One stage.
pub(super) struct StageRow {
    pub(super) name: String,
    pub(super) meaning: &'static str,
    pub(super) bar: Span,
    pub(super) secs: String,
    pub(super) tone: Tone,
    /// How it ended, if not well.
    pub(super) trouble: Option<String>,
}

pub(super) fn timeline(record: &Record) -> Timeline {
    let axis = Axis::new(record.stages.iter().map(stage_end).fold(0.0, f64::max));
    let measured = &record.measurements;
    let recovery = measured.failed_at.zip(measured.service_ok_at).map(|(from, to)| {
        let start = from.duration_since(record.started_at).as_secs_f64();
        axis.span(start, to.duration_since(from).as_secs_f64())
    });
    Timeline { rows: record.stages.iter().map(|time| stage_row(time, axis)).collect(), marks: axis.marks(), recovery }
}

fn stage_end(time: &StageTime) -> f64 {
    time.start_ms as f64 / 1000.0 + time.secs.unwrap_or(0.0)
}

fn stage_row(time: &StageTime, axis: Axis) -> StageRow {
    let trouble = match &time.end {
        Some(StageEnd::Done) => None,
        Some(StageEnd::Error { error, .. }) => Some(format!("could not do its work: {error}")),
        Some(StageEnd::TimedOut) => Some("given up when its deadline passed".to_owned()),
        Some(StageEnd::Interrupted) => Some("interrupted".to_owned()),
        None => Some("never ended".to_owned()),
    };
    StageRow {
        name: time.stage.to_string(),
        meaning: time.stage.meaning(),
        bar: axis.span(time.start_ms as f64 / 1000.0, time.secs.unwrap_or(0.0)),
        secs: time.secs.map_or("?".to_owned(), duration),
        tone: end_tone(time.end.as_ref()),
        trouble,
    }
}

/// One phase of the recovery.
pub(super) struct PhaseRow {
    pub(super) name: String,
    pub(super) meaning: &'static str,
    pub(super) bar: Span,
    pub(super) secs: String,
}

/// The phases, against the recovery time if there is one.
pub(super) fn phases(record: &Record) -> Vec<PhaseRow> {
    let phases = &record.measurements.phases;
    let longest = phases.iter().map(|time| time.secs).fold(0.0, f64::max);
    let axis = Axis::new(longest.max(record.measurements.recovery_secs.unwrap_or(0.0)));
    let row = |time: &crate::PhaseTime| PhaseRow {
        name: time.phase.to_string(),
        meaning: time.phase.meaning(),
        bar: axis.span(0.0, time.secs),
        secs: duration(time.secs),
    };
    phases.iter().map(row).collect()
}

/// An accepted exception and what it excused.
pub(super) struct Acceptance {
    pub(super) by: String,
    pub(super) excused: Vec<String>,
}

pub(super) fn acceptances(record: &Record) -> Vec<Acceptance> {
    let mut found: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    for difference in record.checks.iter().flat_map(|check: &CheckResult| &check.differences) {
        if let Some(by) = &difference.accepted {
            found.entry(by).or_default().push(format!("{}: {}", difference.subject, difference.statement));
        }
    }
    found.into_iter().map(|(by, excused)| Acceptance { by: by.clone(), excused }).collect()
}

/// A part of a sentence; what stood between backticks is code.
pub(super) struct Piece<'a> {
    pub(super) code: bool,
    pub(super) text: &'a str,
}

pub(super) fn pieces(sentence: &str) -> Vec<Piece<'_>> {
    let parts: Vec<_> = sentence.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // An odd backtick stands for itself.
        return vec![Piece { code: false, text: sentence }];
    }
    parts.into_iter().enumerate().map(|(place, text)| Piece { code: place % 2 == 1, text }).collect()
}

/// How many differences a check found, how many of them are listed, and how many of those are accepted.
pub(super) fn differences(check: &CheckResult) -> String {
    let listed = check.differences.len();
    let total = listed.max(usize::try_from(check.differences_total).unwrap_or(usize::MAX));
    let mut words = counted(total, "difference");
    if listed < total {
        words.push_str(&format!(", the first {listed} listed"));
    }
    match check.differences.iter().filter(|difference| difference.accepted.is_some()).count() {
        0 => {}
        accepted if accepted == total => words.push_str(", accepted"),
        accepted => words.push_str(&format!(", {accepted} of them accepted")),
    }
    words
}
