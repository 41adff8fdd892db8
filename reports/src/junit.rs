//! The record as JUnit XML, for whatever shows test results: one suite for the run; a case for each check, for each
//! objective, for the release and for the verdict, so that a run that found nothing out is never shown as green.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::{
    CheckResult, Objective, Outcome, Record, Verdict,
    shown::shown_record,
    verdict::{unmeasured, unmet},
};

/// The record as JUnit XML.
#[must_use]
pub fn junit(record: &Record) -> String {
    let record = shown_record(record);
    let mut report = Report::new("drillctl");
    report.add_test_suite(suite(&record));
    report.to_string().expect("XML written to memory has no failing writer")
}

fn suite(record: &Record) -> TestSuite {
    let mut suite = TestSuite::new(record.scenario.name.as_str());
    suite.extra.insert("timestamp".into(), record.started_at.to_string().into());
    if let Some(secs) = record.run_secs() {
        suite.set_time(time(secs));
    }
    for (name, value) in properties(record) {
        suite.add_property(Property::new(name, value));
    }
    suite.add_test_cases(record.checks.iter().map(check));
    suite.add_test_cases(record.objectives.iter().map(objective));
    suite.add_test_case(release(record));
    suite.add_test_case(verdict(record));
    suite
}

fn properties(record: &Record) -> Vec<(&'static str, String)> {
    let mut properties = vec![
        ("run", record.run.clone()),
        ("verdict", record.verdict.to_string()),
        ("because", record.because.clone()),
        ("owner", record.scenario.owner.clone()),
        ("criticality", record.scenario.criticality.clone()),
        ("scenario_sha256", record.scenario.sha256.clone()),
    ];
    properties.extend(record.assurance.map(|level| ("assurance", level.label().to_owned())));
    properties.extend(record.backup.as_ref().map(|backup| ("snapshot", backup.snapshot.clone())));
    properties.extend(record.scope.excluded.iter().map(|excluded| ("not_covered", excluded.clone())));
    properties
}

fn check(check: &CheckResult) -> TestCase {
    let status = match check.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed => problem(NonSuccessKind::Failure, &check.observed, &differences(check)),
        Outcome::Inconclusive => problem(NonSuccessKind::Error, &check.observed, &differences(check)),
    };
    let mut case = TestCase::new(format!("{}: {}", check.id, check.title), status);
    case.set_classname(format!("check.{}", check.level.label())).set_time(time(check.secs));
    case
}

fn differences(check: &CheckResult) -> String {
    let mut text = format!("expected: {}\nobserved: {}\n", check.expected, check.observed);
    for difference in &check.differences {
        let accepted = difference.accepted.as_ref().map_or(String::new(), |by| format!(" (accepted by {by})"));
        text.push_str(&format!("{}: {}{accepted}\n", difference.subject, difference.statement));
    }
    let more = check.differences_total.saturating_sub(check.differences.len() as u64);
    if more > 0 {
        text.push_str(&format!("and {more} more\n"));
    }
    text
}

fn objective(objective: &Objective) -> TestCase {
    let status = match objective.met {
        Some(true) => TestCaseStatus::success(),
        Some(false) => problem(NonSuccessKind::Failure, &unmet(objective), ""),
        None => problem(NonSuccessKind::Error, &unmeasured(objective), ""),
    };
    let mut case = TestCase::new(objective.title(), status);
    case.set_classname("objective");
    if let Some(secs) = objective.achieved_secs {
        case.set_time(time(secs));
    }
    case
}

fn release(record: &Record) -> TestCase {
    let status = match record.release.leaked.as_slice() {
        [] => TestCaseStatus::success(),
        leaked => problem(NonSuccessKind::Failure, "something was left behind", &leaked.join("\n")),
    };
    run_case("release", status)
}

fn verdict(record: &Record) -> TestCase {
    let status = match record.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Failed => problem(NonSuccessKind::Failure, &record.because, ""),
        Verdict::Errored | Verdict::Aborted => problem(NonSuccessKind::Error, &record.because, ""),
    };
    run_case("verdict", status)
}

fn run_case(name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname("run");
    case
}

fn problem(kind: NonSuccessKind, message: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    if !description.is_empty() {
        status.set_description(description);
    }
    status
}

/// Seconds as XML wants them.
fn time(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs).unwrap_or_default()
}
