//! The sections of the text, each from the record to lines on the page.

use super::{
    Style,
    layout::{Page, bar, padded, padded_left},
};
use crate::{
    CheckResult, Difference, Objective, Outcome, Record, Severity, StageEnd, Standing, System, Verdict,
    amount::{bytes, counted, duration, instant, number},
};

/// Differences that are listed below a check; the record holds up to a hundred.
const DIFFERENCES: usize = 5;
const TRACK: usize = 40;

pub(super) fn headline(page: &mut Page, record: &Record) {
    let badge = format!(" {} ", record.verdict.to_string().to_uppercase());
    let leaked = if record.leaked() { " LEAKED " } else { "" };
    let indent = badge.len() + leaked.len() + 2;
    let lead = format!(
        "{}{}  ",
        page.paint(Style::Badge(record.verdict), &badge),
        page.paint(Style::Badge(Verdict::Failed), leaked)
    );
    page.hanging(&lead, indent, &record.scenario.title, Some(Style::Strong));
    page.hanging(&" ".repeat(indent), indent, &record.because, None);
    if record.verdict == Verdict::Aborted && !record.checks.is_empty() {
        page.hanging(&" ".repeat(indent), indent, "What its checks saw is kept; it claims nothing.", Some(Style::Dim));
    }
}

pub(super) fn facts(page: &mut Page, record: &Record) {
    page.blank();
    let scenario = &record.scenario;
    let words = format!("{} · owner {} · criticality {}", scenario.name, scenario.owner, scenario.criticality);
    page.entry("scenario", &words);
    let took = record.run_secs().map_or(String::new(), |secs| format!(" · took {}", duration(secs)));
    page.entry("run", &format!("{} · {}{took}", record.run, instant(record.started_at)));
    record.systems().for_each(|system| backup_of(page, system));
}

fn backup_of(page: &mut Page, system: System<'_>) {
    let label = system.name.unwrap_or("backup");
    let Some(backup) = system.backup else {
        return page.entry(label, "none was completed");
    };
    if let Some(adopted) = &backup.adopted {
        let words = format!("{} · taken {} · {}", backup.snapshot, instant(backup.taken_at), backup.selected);
        page.entry(label, &words);
        let about: String = adopted.about.iter().map(|(name, value)| format!(" · {name} {value}")).collect();
        page.entry("taken by", &format!("{}{about}", adopted.tool));
        return page.entry("rests in", &backup.location);
    }
    let sizes = &backup.segments;
    let words = format!(
        "{} · taken {} · {} in {}, sealed {}",
        backup.snapshot,
        instant(backup.taken_at),
        bytes(sizes.plain_bytes),
        counted(usize::try_from(sizes.count).unwrap_or(usize::MAX), "segment"),
        bytes(sizes.sealed_bytes)
    );
    page.entry(label, &words);
    if system.name.is_none() {
        page.entry("vault", &backup.location);
    }
}

pub(super) fn objectives(page: &mut Page, record: &Record) {
    if record.objectives.is_empty() {
        return;
    }
    page.title("Promised and achieved");
    for objective in &record.objectives {
        objective_line(page, objective);
    }
}

fn objective_line(page: &mut Page, objective: &Objective) {
    let target = objective.target_secs as f64;
    let achieved = objective.achieved_secs.map_or("not measured".to_owned(), duration);
    let (mark, style, says) = match objective.met {
        Some(true) => ("✔", Style::Good, "met"),
        Some(false) => ("✘", Style::Bad, "not met"),
        None if objective.achieved_secs.is_some() => ("·", Style::Dim, "unclaimed"),
        None => ("?", Style::Doubtful, "not known"),
    };
    let promise = padded(&format!("of {}", duration(target)), 14);
    let verdict = page.paint(style, &format!("{mark} {}", padded(says, 9)));
    let track =
        objective.achieved_secs.map_or(String::new(), |secs| objective_track(page, style, secs / target.max(0.001)));
    page.line(&format!(
        "  {}{} {promise}{verdict} {track}",
        padded(&objective.title(), 16),
        padded_left(&achieved, 12)
    ));
}

/// The achieved part of the target as a bar, the target as a stroke across it, what is left as a thin line.
fn objective_track(page: &Page, style: Style, part: f64) -> String {
    let scale = part.max(1.0);
    let mark = ((TRACK - 1) as f64 / scale).round() as usize;
    let bar = bar(0.0, part / scale, TRACK);
    let filled = bar.trim_end().chars().count();
    let cell = |(column, character)| match character {
        _ if column == mark => '┃',
        ' ' => '─',
        full => full,
    };
    let (used, left): (Vec<_>, Vec<_>) = bar.chars().enumerate().partition(|(column, _)| *column < filled);
    let draw = |cells: Vec<(usize, char)>| cells.into_iter().map(cell).collect::<String>();
    format!("{}{}", page.paint(style, &draw(used)), page.paint(Style::Dim, &draw(left)))
}

pub(super) fn ladder(page: &mut Page, record: &Record) {
    page.title("What was proved");
    for rung in record.ladder() {
        let (mark, style, says) = standing_words(rung.standing);
        let mark = page.paint(style, mark);
        let level = padded(&rung.level.to_string(), 24);
        if rung.checks == 0 {
            let says = page.paint(style, says);
            page.line(&format!("  {mark} {level} {says}"));
        } else {
            let says = page.paint(style, &padded(says, 22));
            page.line(&format!("  {mark} {level} {says} {} of {} passed", rung.passed, rung.checks));
        }
    }
}

fn standing_words(standing: Standing) -> (&'static str, Style, &'static str) {
    match standing {
        Standing::Proved => ("✔", Style::Good, "proved"),
        Standing::Unclaimed => ("·", Style::Dim, "passed, not claimed"),
        Standing::Failed => ("✘", Style::Bad, "failed"),
        Standing::Unknown => ("?", Style::Doubtful, "could not be judged"),
        Standing::Unchecked => ("–", Style::Dim, "not checked"),
    }
}

pub(super) fn checks(page: &mut Page, record: &Record) {
    page.title("Checks");
    if record.checks.is_empty() {
        page.line("  none ran");
    }
    for check in &record.checks {
        check_lines(page, check);
    }
}

fn check_lines(page: &mut Page, check: &CheckResult) {
    let (mark, style) = match check.outcome {
        Outcome::Passed => ("✔", Style::Good),
        Outcome::Failed => ("✘", Style::Bad),
        Outcome::Inconclusive => ("?", Style::Doubtful),
    };
    // A check of the scenario goes by its title; only those of every run have a short id beside it.
    let id = if check.id == check.title { String::new() } else { format!("{} ", padded(&check.id, 18)) };
    let lead = format!("  {} {} {id}", page.paint(style, mark), check.level.label());
    let tries = if check.attempts > 1 { format!(", {} tries", check.attempts) } else { String::new() };
    page.hanging(&lead, 7 + id.chars().count(), &format!("{} · {}{tries}", check.title, duration(check.secs)), None);
    if check.outcome != Outcome::Passed {
        page.hanging("       expected  ", 17, &check.expected, None);
        page.hanging("       observed  ", 17, &check.observed, None);
    }
    differences(page, check);
}

fn differences(page: &mut Page, check: &CheckResult) {
    for Difference { subject, statement, accepted } in check.differences.iter().take(DIFFERENCES) {
        let (mark, style) = if accepted.is_some() { ("≈", Style::Dim) } else { ("≠", Style::Bad) };
        let accepted = accepted.as_ref().map_or(String::new(), |by| format!(" — accepted by {by}"));
        let lead = format!("       {} ", page.paint(style, mark));
        page.hanging(&lead, 9, &format!("{subject}: {statement}{accepted}"), None);
    }
    let shown = check.differences.len().min(DIFFERENCES) as u64;
    let more = check.differences_total.saturating_sub(shown);
    if more > 0 {
        let words = page.paint(Style::Dim, &format!("       … and {} more", number(more)));
        page.line(&words);
    }
}

pub(super) fn findings(page: &mut Page, record: &Record) {
    if record.findings.is_empty() {
        return;
    }
    page.title("Findings");
    for finding in &record.findings {
        let style = match finding.severity {
            Severity::Critical | Severity::Major => Style::Bad,
            Severity::Warning => Style::Doubtful,
            Severity::Info => Style::Dim,
        };
        let severity = page.paint(style, &padded(&finding.severity.to_string(), 8));
        // A statement that names its subject itself stands alone.
        let named = finding.statement.contains(&format!("`{}`", finding.subject));
        let subject = if named { String::new() } else { format!("{}: ", finding.subject) };
        page.hanging(&format!("  {severity}  "), 12, &format!("{subject}{}", finding.statement), None);
        if let Some(hint) = &finding.hint {
            let lead = format!("            {} ", page.paint(Style::Good, "→"));
            page.hanging(&lead, 14, hint, None);
        }
    }
}

pub(super) fn uncovered(page: &mut Page, record: &Record) {
    let scope = &record.scope;
    if scope.excluded.is_empty() && scope.sampling.is_none() {
        return;
    }
    page.title("Not covered");
    for excluded in &scope.excluded {
        page.hanging("  – ", 4, excluded, None);
    }
    if let Some(sampling) = &scope.sampling {
        page.hanging("  – ", 4, &format!("Only a sample was compared: {sampling}"), None);
    }
}

pub(super) fn stages(page: &mut Page, record: &Record) {
    let ends = record.stages.iter().map(|time| time.start_ms as f64 / 1000.0 + time.secs.unwrap_or(0.0));
    let total = ends.fold(0.001, f64::max);
    page.title("Stages");
    if record.stages.is_empty() {
        page.line("  none began");
    }
    for time in &record.stages {
        let (style, says) = end_words(time.end.as_ref());
        let from = time.start_ms as f64 / 1000.0;
        let track = bar(from / total, (from + time.secs.unwrap_or(0.0)) / total, TRACK);
        let secs = time.secs.map_or("?".to_owned(), duration);
        let name = padded(&time.stage.to_string(), 10);
        let says = page.paint(style, says);
        let track = page.paint(style, &track);
        page.line(&format!("  {name} {} {track}  {says}", padded_left(&secs, 12)));
    }
    phases(page, record);
}

fn end_words(end: Option<&StageEnd>) -> (Style, &'static str) {
    match end {
        Some(StageEnd::Done) => (Style::Good, "done"),
        Some(StageEnd::Error { .. }) => (Style::Bad, "could not do its work"),
        Some(StageEnd::TimedOut) => (Style::Bad, "deadline passed"),
        Some(StageEnd::Interrupted) => (Style::Doubtful, "interrupted"),
        None => (Style::Doubtful, "never ended"),
    }
}

fn phases(page: &mut Page, record: &Record) {
    let phases: Vec<_> =
        record.measurements.phases.iter().map(|time| format!("{} {}", time.phase, duration(time.secs))).collect();
    if !phases.is_empty() {
        let words = format!("Busy in the recovery, overlapping: {}", phases.join(" · "));
        page.hanging("  ", 2, &words, Some(Style::Dim));
    }
}

pub(super) fn release(page: &mut Page, record: &Record) {
    let release = &record.release;
    page.title("Released");
    let removed = counted(release.removed.len(), "thing");
    let by = if release.swept { ", by a later sweep" } else { "" };
    page.line(&format!("  ✔ {removed} removed{by}"));
    for kept in &release.kept {
        page.hanging("  · ", 4, &format!("kept: {kept}"), None);
    }
    for held in &release.held {
        page.hanging("  · ", 4, &format!("stays until {}: {}", instant(held.until), held.what), None);
    }
    for leaked in &release.leaked {
        let lead = format!("  {} ", page.paint(Style::Bad, "✘"));
        page.hanging(&lead, 4, &format!("left behind: {leaked}"), None);
    }
}
