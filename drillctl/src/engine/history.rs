//! The check `history`: the backup is held against those that earlier runs of the scenario passed with. What it found goes into the
//! journal in full, so that the record folds without theirs.

use drill_agents::{EntryKind, Index, Note};
use drill_reports::history::{Tolerance, Trend, trend};
use drill_reports::{Assurance, CheckResult, Counts, Event, amount};
use drill_scenarios::History;

use super::checks::compared;
use super::results::{judged, passed};
use super::{Engine, Stop};
use crate::failure::Failure;
use crate::plan::System;

/// Tables whose rows are kept in the record.
const MOST_TABLES: usize = 1_000;

/// Writes down what was counted, and holds it against earlier runs if there are any.
pub(super) fn hold(engine: &Engine<'_>, system: &System, observed: &Index) -> Result<(), Stop> {
    if let Some(counts) = counts(system, observed) {
        engine.journal.append(Event::Counted(Box::new(counts)))?;
    }
    if system.name.is_none() {
        unreadable(engine, system)?;
    }
    let began = engine.cx.clock.elapsed();
    let now = drill_reports::fold(&engine.journal.entries()).map_err(|error| Failure::errored(error.to_string()))?;
    let history = &engine.plan.scenario().history;
    let now = (&now, system.name.as_deref());
    let trend = trend(now, &engine.earlier.records, tolerance(history), |table| history.ignores(table));
    if trend.backups == 0 {
        return Ok(());
    }
    let notable = trend.notable.iter().cloned().map(|(subject, statement)| Note { subject, statement });
    engine.note(system, &notable.collect::<Vec<_>>())?;
    let mut check = check(engine, system, trend);
    check.secs = (engine.cx.clock.elapsed() - began).as_secs_f64();
    Ok(engine.journal.append(Event::Checked(Box::new(check)))?)
}

/// A look at the content, which proves no more than what else is known of the content.
fn check(engine: &Engine<'_>, system: &System, trend: Trend) -> CheckResult {
    let history = &engine.plan.scenario().history;
    let level = if compared(engine, system) { Assurance::ContentEqual } else { Assurance::Restores };
    let expected = format!("no table gone or empty, and nothing more than {} below the least before", history.may_fall);
    let observed = format!("held against {}", amount::counted(trend.backups, "earlier backup"));
    let check = passed(system, "history", "The backup holds no less than those before it", level, &expected);
    judged(engine, check, trend.falls, &observed)
}

fn tolerance(history: &History) -> Tolerance {
    Tolerance {
        may_fall_percent: history.may_fall.percent(),
        newest_may_stand_secs: history.newest_may_stand.map(|span| span.duration().as_secs()),
    }
}

/// What was observed, in numbers; nothing if nothing was.
fn counts(system: &System, observed: &Index) -> Option<Counts> {
    let rows = observed.rows();
    let sizes = observed.entries.iter().filter_map(|entry| match entry.kind {
        EntryKind::File { size, .. } => Some(size),
        _ => None,
    });
    let (files, bytes) = sizes.fold((0, 0), |(files, bytes): (u64, u64), size| (files + 1, bytes.saturating_add(size)));
    let known = (!observed.entries.is_empty()).then_some((files, bytes));
    let counts = Counts {
        system: system.name.clone(),
        more_tables: rows.len().saturating_sub(MOST_TABLES) as u64,
        tables: rows.into_iter().take(MOST_TABLES).collect(),
        files: known.map(|(files, _)| files),
        bytes: known.map(|(_, bytes)| bytes),
    };
    let empty = Counts { system: counts.system.clone(), ..Counts::default() };
    (counts != empty).then_some(counts)
}

/// Of which runs nothing is known.
fn unreadable(engine: &Engine<'_>, system: &System) -> Result<(), Failure> {
    let statement = |run: &String| format!("The journal of run {run} can't be read: nothing is held against it.");
    let note = |run| Note { subject: "history".into(), statement: statement(run) };
    engine.note(system, &engine.earlier.unreadable.iter().map(note).collect::<Vec<_>>())
}
