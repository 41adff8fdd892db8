//! `drillctl vault`: the snapshots in a scenario's vault.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use drill_agents::seal::{self, Keys, locate};
use drill_agents::{Clock, Context, Header, Limits, Vault, fetch};
use drill_reports::amount::{bytes, instant};
use drill_reports::shown;
use owo_colors::OwoColorize;
use serde::Serialize;

use super::console::Console;
use super::{Ended, Options, say, say_json};
use crate::failure::Failure;
use crate::scenario_file::ScenarioFile;

/// A snapshot is damaged, or no key opens it.
const DAMAGED: u8 = 1;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the snapshots, the newest first
    List(ListArguments),
    /// Read a whole snapshot and compare every digest; with the scenario's identities, open it too
    Verify(VerifyArguments),
    /// Restore a snapshot into an empty folder
    Fetch(FetchArguments),
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// The scenario file
    scenario: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// The scenario file
    scenario: PathBuf,
    /// The snapshot's id, as `drillctl vault list` tells it
    snapshot: String,
    /// Compare digests only: no key is needed
    #[arg(long)]
    sealed: bool,
}

#[derive(Debug, Args)]
pub(super) struct FetchArguments {
    /// The scenario file
    scenario: PathBuf,
    /// The snapshot's id, as `drillctl vault list` tells it
    snapshot: String,
    /// The folder; absent or empty
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// What is told of a snapshot.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    state: &'static str,
    #[serde(flatten)]
    header: Option<Header>,
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct Verified {
    id: String,
    opened_with: Option<String>,
    damage: Vec<String>,
    strangers: Vec<String>,
}

pub(super) async fn vault(options: &Options, command: &Command) -> Ended {
    match command {
        Command::List(arguments) => list(options, arguments).await,
        Command::Verify(arguments) => verify(options, arguments).await,
        Command::Fetch(arguments) => fetch_into(options, arguments).await,
    }
}

/// A scenario's vault, and a context to reach it in.
struct Reached {
    file: ScenarioFile,
    cx: Context,
    vault: Vault,
}

fn reach(options: &Options, scenario: &std::path::Path) -> Result<Reached, Failure> {
    let file = ScenarioFile::read(scenario)?;
    let secrets = file.secrets();
    let clock = Clock::system();
    let limits = Limits::new(&file.scenario.limits, &clock);
    let mut cx = Context::new("vault", &options.state_folder()?, clock, secrets.clone()).limited(limits);
    cx.low_memory = options.low_memory;
    let vault = Vault::open(file.own()?.0, &secrets).map_err(|error| Failure::from(error).scrubbed(&secrets))?;
    Ok(Reached { file, vault: vault.within(&cx), cx })
}

async fn list(options: &Options, arguments: &ListArguments) -> Ended {
    let Reached { cx, vault, .. } = reach(options, &arguments.scenario)?;
    let listing = vault.list().await.map_err(|error| Failure::from(error).scrubbed(&cx.secrets))?;
    let whole = listing.snapshots.into_iter().map(|header| Row {
        id: header.id.clone(),
        state: "whole",
        header: Some(header),
        problem: None,
    });
    let damaged = listing.damaged.into_iter().map(|(id, error)| Row {
        id,
        state: "damaged",
        header: None,
        problem: Some(error.chain()),
    });
    let incomplete =
        listing.incomplete.into_iter().map(|id| Row { id, state: "incomplete", header: None, problem: None });
    let rows: Vec<Row> = whole.chain(damaged).chain(incomplete).collect();
    if options.json {
        say_json(&rows);
    } else {
        rows.iter().for_each(|row| say(line(row)));
    }
    Ok(0)
}

fn line(row: &Row) -> String {
    match (&row.header, &row.problem) {
        (Some(header), _) => {
            let (taken, plain, sealed) =
                (instant(header.taken_at), bytes(header.stream_bytes()), bytes(header.sealed_bytes()));
            format!("{}  {taken}  {:<9} {plain:>10} {sealed:>10} sealed", row.id, shown(&header.source))
        }
        (None, Some(problem)) => format!("{}  {} {}", row.id, row.state.red().bold(), shown(problem)),
        (None, None) => format!("{}  {}", row.id, row.state.yellow()),
    }
}

async fn verify(options: &Options, arguments: &VerifyArguments) -> Ended {
    let Reached { file, cx, vault } = reach(options, &arguments.scenario)?;
    let scrubbed = |error| Failure::from(error).scrubbed(&cx.secrets);
    let keys = match arguments.sealed {
        true => None,
        false => Some(Keys::open(file.own()?.1, &cx.secrets).map_err(scrubbed)?),
    };
    let console = Console::new(options);
    let work = seal::verify(&cx, &vault, keys.as_ref(), &arguments.snapshot);
    let verified = console.during(&cx.progress, work).await.map_err(scrubbed)?;
    let verified = Verified {
        id: verified.header.id,
        opened_with: verified.opened_with,
        damage: verified.damage.iter().map(drill_agents::Error::chain).collect(),
        strangers: verified.strangers,
    };
    if options.json {
        say_json(&verified);
    } else {
        tell_verified(&verified);
    }
    Ok(if verified.damage.is_empty() && verified.strangers.is_empty() { 0 } else { DAMAGED })
}

fn tell_verified(verified: &Verified) {
    verified.damage.iter().for_each(|damage| say(format_args!("{} {}", "✘".red().bold(), shown(damage))));
    verified
        .strangers
        .iter()
        .for_each(|name| say(format_args!("{} {} does not belong to the snapshot", "✘".red().bold(), shown(name))));
    if verified.damage.is_empty() {
        say(format_args!("{} every sealed file of {} has its recorded SHA-256", "✔".green(), verified.id));
        if let Some(key) = &verified.opened_with {
            say(format_args!("{} opens with {key}", "✔".green()));
        }
    }
}

async fn fetch_into(options: &Options, arguments: &FetchArguments) -> Ended {
    let Reached { file, cx, vault } = reach(options, &arguments.scenario)?;
    let console = Console::new(options);
    let seal = file.own()?.1;
    let work = async {
        let keys = Keys::open(seal, &cx.secrets)?;
        let located = locate(&cx, &vault, &keys, &arguments.snapshot, None).await?;
        fetch(&cx, located.index(), located.stream(&cx), &arguments.to).await
    };
    let fetched = console.during(&cx.progress, work).await;
    let notes = fetched.map_err(|error| Failure::from(error).scrubbed(&cx.secrets))?;
    notes.iter().for_each(|note| super::tell(format_args!("{}: {}", shown(&note.subject), shown(&note.statement))));
    say(arguments.to.display());
    Ok(0)
}
