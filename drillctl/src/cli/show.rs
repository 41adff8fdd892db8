//! `drillctl show`: a run's report.

use clap::Args;
use drill_reports::text::{Paint, text};

use super::{Ended, Options, say, tell};
use crate::failure::Failure;
use crate::publish::{RECORD, REPORT};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The beginning of the run's id, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// Print another view
    #[arg(long, value_enum, default_value_t = View::Text)]
    view: View,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum View {
    /// For people
    Text,
    /// The record
    Json,
    /// A self-contained page
    Html,
    /// For CI systems
    Junit,
}

pub(super) fn show(options: &Options, arguments: &Arguments) -> Ended {
    let folder = options.store()?.find(&arguments.run)?;
    let record = folder.record()?;
    let view = if options.json { View::Json } else { arguments.view };
    say(match view {
        View::Text => text(&record, Paint::Ansi),
        View::Json => drill_reports::to_json(&record),
        View::Html => drill_reports::html(&record),
        View::Junit => drill_reports::junit(&record),
    });
    if view == View::Text && !options.quiet {
        tell(format_args!("report  {}", folder.path.join(REPORT).display()));
    }
    // Another version may fold the same journal to more.
    let comparable = record.tool.version == env!("CARGO_PKG_VERSION");
    match folder.published()? {
        Some(published) if comparable && published != record => Err(Failure::errored(format!(
            "{} does not say what the run's journal says: one of them was changed",
            folder.path.join(RECORD).display()
        ))
        .hint("What is shown is folded from the journal. Compare both with a copy.")),
        _ => Ok(0),
    }
}
