//! What is to be said about a run, drawn by rule from its checks, objectives, stages and leases.

use std::collections::BTreeMap;

use crate::{
    Assurance, CheckResult, Difference, Finding, Held, Objective, Outcome, Record, Severity, Stage, StageEnd,
    amount::{counted, duration, instant},
    verdict::{misjudged, stage_error, unmeasured, unmet},
};

/// How many differences a statement names; the check holds the others.
const NAMED: usize = 3;

/// Every finding, worst first; among equals in the order of the rules. `noted`: those that the journal brings along.
pub(crate) fn draw(record: &Record, noted: Vec<Finding>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = record.checks.iter().filter_map(judged).collect();
    findings.extend(nothing_checked(record));
    findings.extend(objectives(record));
    findings.extend(stages(record));
    findings.extend(record.release.leaked.iter().map(|what| leak(what)));
    findings.extend(record.release.held.iter().map(|held| stays(held, &record.run)));
    findings.extend(record.checks.iter().flat_map(accepted));
    findings.extend(noted);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn judged(check: &CheckResult) -> Option<Finding> {
    let severity = match check.outcome {
        Outcome::Passed => return None,
        Outcome::Inconclusive => Severity::Warning,
        Outcome::Failed if check.level <= Assurance::ContentEqual => Severity::Critical,
        Outcome::Failed => Severity::Major,
    };
    let hint = (check.outcome == Outcome::Failed).then(|| advice(check).to_owned());
    Some(Finding { severity, subject: check.id.clone(), statement: misjudged_in_full(check), hint })
}

/// The sentence of the verdict, what was expected, and where the first differences are.
fn misjudged_in_full(check: &CheckResult) -> String {
    let mut statement = format!("{} Expected: {}.", misjudged(check), check.expected.trim().trim_end_matches('.'));
    let open: Vec<_> = check.differences.iter().filter(|difference| difference.accepted.is_none()).collect();
    if !open.is_empty() {
        let named: Vec<_> = open.iter().take(NAMED).map(|d| format!("`{}` ({})", d.subject, d.statement)).collect();
        let listed = check.differences.len() as u64;
        let more = open.len() as u64 + check.differences_total.saturating_sub(listed) - named.len() as u64;
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        statement.push_str(&format!(" Differs: {}{rest}.", named.join(", ")));
    }
    statement
}

/// What to do about a failed check.
fn advice(check: &CheckResult) -> &'static str {
    match check.level {
        Assurance::BytesIntact => {
            "Treat this backup as lost: keep an older one, and look for what changed or removed objects in the vault."
        }
        Assurance::Decrypts => {
            "Find the private key of one of the backup's recipients, or take a new backup for keys that are at hand; until then \
             nobody can restore it."
        }
        Assurance::Restores => "Read what the restore tool said, and repair the backup or the place it is restored to.",
        Assurance::ContentEqual if check.differences.is_empty() => {
            "Look whether it holds in the source: if so, the way to here lost it; if not, the backup faithfully kept what is wrong."
        }
        Assurance::ContentEqual => {
            "Find out which step loses or changes the things named; accept a harmless difference in the scenario, with an owner \
             and an end date."
        }
        Assurance::ApplicationHealthy => {
            "Look at the application's log in the run's folder: its data is there, yet it is not well."
        }
        Assurance::SystemsAgree => "Restore the systems to one instant, and compare them again.",
    }
}

fn nothing_checked(record: &Record) -> Option<Finding> {
    record.checks.is_empty().then(|| Finding {
        severity: Severity::Major,
        subject: "checks".to_owned(),
        statement: "No check ran: nothing is proved about this backup.".to_owned(),
        hint: None,
    })
}

fn objectives(record: &Record) -> impl Iterator<Item = Finding> {
    // An aborted run leaves objectives open that nobody tried to measure: that is no finding of its own.
    let judged = record.objectives.iter().filter(|_| record.verdict != crate::Verdict::Aborted);
    judged.filter_map(|objective| {
        let (severity, statement) = match objective.met {
            Some(true) => return None,
            Some(false) => (Severity::Major, unmet(objective)),
            None => (Severity::Warning, unmeasured(objective)),
        };
        let hint = (objective.met == Some(false)).then(|| relief(objective));
        Some(Finding { severity, subject: objective.title(), statement, hint })
    })
}

/// What to do about an objective that was not met.
fn relief(objective: &Objective) -> String {
    let way = match objective.name.as_str() {
        "rpo" => "Take backups more often",
        "max_age" => "Look why no backup was taken since",
        _ => "Find the phase that takes the time, and make it faster",
    };
    let promise = duration(objective.target_secs as f64);
    format!("{way}; or have the promise of {promise} changed where it is written: {}.", objective.promised_in)
}

fn stages(record: &Record) -> impl Iterator<Item = Finding> {
    // What a release could not remove has findings of its own.
    let told = |stage| stage == Stage::Release && record.leaked();
    record.stages.iter().filter(move |time| !told(time.stage)).filter_map(|time| {
        let end = time.end.as_ref()?;
        let hint = match end {
            StageEnd::Error { hint, .. } => hint.clone(),
            StageEnd::TimedOut => Some(format!(
                "Find out what it waited for; if it just needs longer, give it more time with `deadlines: {{{}: …}}`.",
                time.stage
            )),
            _ => None,
        };
        let statement = stage_error(time.stage, end)?;
        Some(Finding { severity: Severity::Major, subject: format!("stage {}", time.stage), statement, hint })
    })
}

fn leak(what: &str) -> Finding {
    Finding {
        severity: Severity::Major,
        subject: "release".to_owned(),
        statement: format!("Left behind: {}.", what.trim_end_matches('.')),
        hint: Some("Run `drillctl sweep`: it removes what this run made and nothing else.".to_owned()),
    }
}

fn stays(held: &Held, run: &str) -> Finding {
    Finding {
        severity: Severity::Info,
        subject: "release".to_owned(),
        statement: format!("Stays until {} to be looked at: {}.", instant(held.until), held.what.trim_end_matches('.')),
        hint: Some(format!(
            "Look into it with `drillctl env enter {run}`; `drillctl env release {run}` removes it at once, and after its time \
             `drillctl sweep` does."
        )),
    }
}

/// One finding for each acceptance that a check made use of.
fn accepted(check: &CheckResult) -> Vec<Finding> {
    let mut by: BTreeMap<&str, Vec<&Difference>> = BTreeMap::new();
    for difference in &check.differences {
        if let Some(acceptance) = &difference.accepted {
            by.entry(acceptance).or_default().push(difference);
        }
    }
    let finding = |(acceptance, differences): (&str, Vec<&Difference>)| Finding {
        severity: Severity::Info,
        subject: check.id.clone(),
        statement: format!(
            "{} accepted by {}: `{}` ({}){}.",
            counted(differences.len(), "difference"),
            acceptance.trim_end_matches('.'),
            differences[0].subject,
            differences[0].statement,
            if differences.len() > 1 { " and others" } else { "" },
        ),
        hint: None,
    };
    by.into_iter().map(finding).collect()
}
