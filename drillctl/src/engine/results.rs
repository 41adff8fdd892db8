//! Results of the engine's own checks: how errors and differences become checks that failed.

use drill_agents::{Error, Kind};
use drill_reports::{Assurance, CheckResult, Difference, Event, Outcome, amount};
use drill_scenarios::Exception;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Engine, Stop};
use crate::plan::{Origin, System};

/// Differences that are kept in the record; all are counted.
const KEPT: usize = 100;
/// What is expected of a backup that another tool keeps.
const WHOLE: &str = "all of the backup is read without an error";

/// An error that says something about the backup is a failed check at the level that it denies, after which there is nothing to
/// go on with; any other leaves the drill without an answer.
pub(super) fn blamed(engine: &Engine<'_>, system: &System, error: Error) -> Stop {
    let denied = match error.kind() {
        Kind::Corrupt => intact(system),
        Kind::WrongKey => opens(system),
        Kind::Unrestorable => restores(system),
        _ => return Stop::Error(error),
    };
    let check = CheckResult { outcome: Outcome::Failed, observed: error.chain(), ..denied };
    match engine.journal.append(Event::Checked(Box::new(check))) {
        Ok(()) => Stop::Failed,
        Err(failure) => Stop::Journal(failure),
    }
}

/// The check of the bytes in the vault, or where another tool keeps them, passed.
pub(super) fn intact(system: &System) -> CheckResult {
    let (id, title, expected) = match system.origin {
        Origin::Own(_) => (
            "sealed-bytes",
            "The vault returns the bytes that were stored",
            "every sealed file has its recorded SHA-256",
        ),
        Origin::Adopted(_) => ("stored-bytes", "The bytes in the repository are those that were stored", WHOLE),
    };
    passed(system, id, title, Assurance::BytesIntact, expected)
}

/// The check of the keys, passed.
pub(super) fn opens(system: &System) -> CheckResult {
    let (title, expected) = match system.origin {
        Origin::Own(_) => ("An identity of the scenario opens the snapshot", "every sealed file opens"),
        Origin::Adopted(_) => ("The repository opens", WHOLE),
    };
    passed(system, "opens", title, Assurance::Decrypts, expected)
}

/// The check of the restore, passed.
pub(super) fn restores(system: &System) -> CheckResult {
    let expected = "it restores to its end, without complaint";
    passed(system, "restores", "The snapshot restores", Assurance::Restores, expected)
}

/// The id of a check of the engine's own: every system has one of its own.
pub(super) fn id_of(system: &System, check: &str) -> String {
    match &system.name {
        None => check.to_owned(),
        Some(name) => format!("{name}/{check}"),
    }
}

/// A passed check of the engine's own.
pub(super) fn passed(system: &System, id: &str, title: &str, level: Assurance, expected: &str) -> CheckResult {
    CheckResult {
        id: id_of(system, id),
        system: system.name.clone(),
        title: title.into(),
        level,
        expected: expected.into(),
        observed: String::new(),
        outcome: Outcome::Passed,
        differences: Vec::new(),
        differences_total: 0,
        attempts: 1,
        secs: 0.0,
        evidence_sha256: None,
    }
}

/// The check with its differences: it fails if one of them is not accepted.
pub(super) fn judged(
    engine: &Engine<'_>,
    check: CheckResult,
    found: Vec<(String, String)>,
    observed: &str,
) -> CheckResult {
    let today = today(engine);
    let exceptions = &engine.plan.scenario().exceptions;
    let accepted = Accepted { exceptions, system: check.system.as_deref(), today };
    let difference = |(subject, statement)| accepted.difference(subject, statement);
    let differences: Vec<Difference> = found.into_iter().map(difference).collect();
    let total = differences.len();
    let (open, accepted): (Vec<_>, Vec<_>) = differences.into_iter().partition(|d| d.accepted.is_none());
    let observed = match (open.len(), accepted.len()) {
        (0, 0) => observed.to_owned(),
        (0, accepted) => format!("{observed}, with {} accepted", amount::counted(accepted, "difference")),
        (open, 0) => amount::counted(open, "difference"),
        (open, accepted) => format!("{}, and {accepted} accepted", amount::counted(open, "difference")),
    };
    CheckResult {
        outcome: if open.is_empty() { Outcome::Passed } else { Outcome::Failed },
        observed,
        differences: open.into_iter().chain(accepted).take(KEPT).collect(),
        differences_total: total as u64,
        ..check
    }
}

/// Whether somebody accepts a difference on this subject of a system today.
pub(super) fn is_accepted(engine: &Engine<'_>, system: &System, subject: &str) -> bool {
    let exceptions = &engine.plan.scenario().exceptions;
    exceptions.iter().any(|exception| exception.covers(system.name.as_deref(), subject, today(engine)))
}

fn today(engine: &Engine<'_>) -> Date {
    engine.cx.clock.now().to_zoned(TimeZone::UTC).date()
}

/// What is accepted of a system on a day.
struct Accepted<'a> {
    exceptions: &'a [Exception],
    system: Option<&'a str>,
    today: Date,
}

impl Accepted<'_> {
    /// A difference, and who accepts it; or who did, until a day that is over.
    fn difference(&self, subject: String, mut statement: String) -> Difference {
        let &Self { exceptions, system, today } = self;
        let accepted = exceptions.iter().find(|exception| exception.covers(system, &subject, today));
        let accepted = accepted.map(|e| format!("{}, until {}, because {}", e.owner, e.until, e.because));
        let expired = exceptions.iter().filter(|exception| exception.has_expired(system, &subject, today));
        if let (None, Some(last)) = (&accepted, expired.max_by_key(|exception| exception.until)) {
            statement.push_str(&format!("; {} accepted it until {}, which is over", last.owner, last.until));
        }
        Difference { subject, statement, accepted }
    }
}
