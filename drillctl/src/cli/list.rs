//! `drillctl list`: the runs.

use clap::Args;
use drill_reports::Verdict;
use owo_colors::OwoColorize;

use super::{Ended, Options, say, say_json, tell};
use crate::catalogue::{Catalogue, Summary};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only runs of this scenario
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// At most this many, the newest first
    #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
    most: usize,
}

pub(super) fn list(options: &Options, arguments: &Arguments) -> Ended {
    let catalogue = Catalogue::of(&options.store()?)?;
    for (run, failure) in catalogue.unreadable()? {
        tell(format_args!("{run}: {failure}"));
    }
    let rows = catalogue.newest(arguments.scenario.as_deref(), arguments.most)?;
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

fn line(row: &Summary, wide: usize) -> String {
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
