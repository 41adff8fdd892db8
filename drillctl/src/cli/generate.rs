//! What is generated from the program itself: schemas, completions, man pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::{Cli, Ended, say_json};
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    /// Of what
    #[arg(value_enum, default_value_t = Format::Scenario)]
    of: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Scenario files
    Scenario,
    /// Site files
    Site,
    /// `record.json`
    Record,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// The folder
    folder: PathBuf,
}

pub(super) fn schema(arguments: &SchemaArguments) -> Ended {
    say_json(&match arguments.of {
        Format::Scenario => drill_scenarios::schema(),
        Format::Site => drill_scenarios::site_schema(),
        Format::Record => drill_reports::record_schema(),
    });
    Ok(0)
}

pub(super) fn completions(arguments: &CompletionsArguments) -> Ended {
    clap_complete::generate(arguments.shell, &mut Cli::command(), "drillctl", &mut std::io::stdout());
    Ok(0)
}

pub(super) fn man(arguments: &ManArguments) -> Ended {
    let wrong = |cause| Failure::io("writing man pages to", arguments.folder.display(), cause);
    std::fs::create_dir_all(&arguments.folder).map_err(wrong)?;
    clap_mangen::generate_to(Cli::command(), &arguments.folder).map_err(wrong)?;
    Ok(0)
}
