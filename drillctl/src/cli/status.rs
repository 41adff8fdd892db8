//! `drillctl status`: how each scenario stands.

use std::path::PathBuf;

use clap::Args;
use drill_agents::Clock;
use drill_reports::amount::{counted, duration};
use drill_reports::shown;
use drill_scenarios::{Standing, State};
use jiff::Timestamp;
use owo_colors::OwoColorize;
use serde::Serialize;

use super::forecast::local;
use super::{Ended, Options, say, say_json, tell};
use crate::fleet::Fleet;
use crate::past::{Past, basis_now, pasts};
use crate::scenario_file::ScenarioFile;

/// A scenario isn't fresh.
const NOT_FRESH: u8 = 1;

const AFTER: &str = "\
States: fresh (it passed, and that still proves something) · needs verification (what the proof rests on has changed) · stale (it passed too
long ago) · never (nothing was ever found out) · failing (the last drill that found anything out failed).
Exit codes: 0 every scenario is fresh, 1 one is not, 2 usage or scenario problem.";

#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct Arguments {
    /// Scenario files, or folders of them
    #[arg(default_value = ".", value_name = "FOLDER|SCENARIO")]
    scenarios: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Row {
    scenario: String,
    file: PathBuf,
    owner: String,
    #[serde(flatten)]
    standing: Standing,
    next_due: Option<Timestamp>,
}

pub(super) fn status(options: &Options, arguments: &Arguments) -> Ended {
    let fleet = Fleet::read(&arguments.scenarios, None)?;
    let (pasts, unreadable) = pasts(options.existing()?.as_ref())?;
    for run in unreadable {
        tell(format_args!("the journal of run {run} can't be read: it counts for nothing here"));
    }
    let now = Clock::system().now();
    let mut rows: Vec<_> =
        fleet.files.iter().map(|file| (row(file, pasts.get(file.scenario.name.as_str()), now), file)).collect();
    // The worst first.
    rows.sort_by(|(a, _), (b, _)| b.standing.state.cmp(&a.standing.state).then_with(|| a.scenario.cmp(&b.scenario)));
    if options.json {
        say_json(&rows.iter().map(|(row, _)| row).collect::<Vec<_>>());
    } else {
        let wide = rows.iter().map(|(row, _)| row.scenario.len()).max().unwrap_or_default();
        rows.iter().for_each(|(row, file)| show(row, file, wide, now));
        say(format_args!("\n{}", summary(rows.iter().map(|(row, _)| row.standing.state))));
    }
    Ok(if rows.iter().all(|(row, _)| row.standing.state == State::Fresh) { 0 } else { NOT_FRESH })
}

fn row(file: &ScenarioFile, past: Option<&Past>, now: Timestamp) -> Row {
    let schedule = file.scenario.schedule.as_ref();
    let runs = past.map_or(&[][..], |past| &past.runs);
    Row {
        scenario: file.scenario.name.to_string(),
        file: file.path.clone(),
        owner: file.scenario.owner.clone(),
        standing: Standing::of(schedule, runs, &basis_now(file), now),
        next_due: schedule.and_then(|schedule| schedule.next_after(now)),
    }
}

fn show(row: &Row, file: &ScenarioFile, wide: usize, now: Timestamp) {
    let word = format!("{:<18}", row.standing.state);
    let word = match row.standing.state {
        State::Fresh => word.green().to_string(),
        State::NeedsVerification | State::Stale | State::Never => word.yellow().to_string(),
        State::Failing => word.red().bold().to_string(),
    };
    let passed = row
        .standing
        .passed_at
        .map_or("never passed".into(), |at| format!("passed {} ago", duration(now.duration_since(at).as_secs_f64())));
    say(format_args!("{word} {:<wide$}  {passed}", row.scenario));
    let zone = file.scenario.schedule.as_ref().map(|schedule| schedule.zone());
    let next = row.next_due.zip(zone).map(|(at, zone)| format!(" Next due {}.", local(at, &zone)));
    let text = format!("{}{}", shown(&row.standing.because), next.unwrap_or_default());
    say(format_args!("    {}", text.dimmed()));
}

fn summary(states: impl Iterator<Item = State>) -> String {
    let states: Vec<State> = states.collect();
    let counts = State::ALL.into_iter().filter_map(|state| {
        let count = states.iter().filter(|one| **one == state).count();
        (count > 0).then(|| format!("{count} {state}"))
    });
    format!("{}: {}", counted(states.len(), "scenario"), counts.collect::<Vec<_>>().join(", "))
}
