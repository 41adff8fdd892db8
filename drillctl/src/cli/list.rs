//! `drillctl list`: the runs.

use clap::Args;
use drill_reports::{Record, Verdict};
use owo_colors::OwoColorize;
use serde::Serialize;

use super::{Ended, Options, say, say_json, tell};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only runs of this scenario
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// At most this many, the newest first
    #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
    most: usize,
}

#[derive(Debug, Serialize)]
struct Row {
    run: String,
    scenario: String,
    verdict: Verdict,
    assurance: Option<drill_reports::Assurance>,
    started_at: String,
    recovery_secs: Option<f64>,
    recovery_point_secs: Option<f64>,
    leaked: bool,
    because: String,
}

pub(super) fn list(options: &Options, arguments: &Arguments) -> Ended {
    let mut rows = Vec::new();
    for folder in options.store()?.runs()? {
        if rows.len() == arguments.most {
            break;
        }
        match folder.record() {
            Ok(record) if arguments.scenario.as_ref().is_none_or(|name| *name == record.scenario.name) => {
                rows.push(row(record))
            }
            Ok(_) => {}
            Err(failure) => tell(format_args!("{}: {failure}", folder.run)),
        }
    }
    if options.json {
        say_json(&rows);
    } else if rows.is_empty() {
        tell("no runs yet");
    } else {
        let wide = rows.iter().map(|row| row.scenario.len()).max().unwrap_or_default();
        rows.iter().for_each(|row| say(line(row, wide)));
    }
    Ok(0)
}

fn row(record: Record) -> Row {
    Row {
        leaked: !record.release.leaked.is_empty(),
        started_at: record.started_at.to_string(),
        recovery_secs: record.measurements.recovery_secs,
        recovery_point_secs: record.measurements.recovery_point_secs,
        run: record.run,
        scenario: record.scenario.name,
        verdict: record.verdict,
        assurance: record.assurance,
        because: record.because,
    }
}

fn line(row: &Row, wide: usize) -> String {
    let word = format!("{:<8}", row.verdict.to_string());
    let word = match row.verdict {
        Verdict::Passed => word.green().to_string(),
        Verdict::Failed => word.red().bold().to_string(),
        Verdict::Errored | Verdict::Aborted => word.yellow().to_string(),
    };
    let level = row.assurance.map_or("--", |level| level.label());
    let recovery = row.recovery_secs.map_or_else(|| "not measured".into(), drill_reports::amount::duration);
    let leaked = if row.leaked { "  leaked" } else { "" };
    format!("{}  {word} {level}  {:<wide$}  recovery {recovery}{}", row.run, row.scenario, leaked.red())
}
