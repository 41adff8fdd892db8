//! `drillctl env`: the environments that stay for people to look at.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use drill_agents::Clock;
use drill_reports::amount::{bytes, duration, instant};
use drill_reports::shown;
use jiff::Timestamp;
use owo_colors::OwoColorize;
use serde::Serialize;

use super::console::Console;
use super::stop::Signals;
use super::{Ended, Options, complain, say, say_json, tell};
use crate::failure::{ERRORED, Failure};
use crate::kept::{self, Kept};
use crate::monitor::Monitor;
use crate::sweep;

/// Variables of whoever enters an environment that go along, beside the facts.
const OWN: [&str; 5] = ["TERM", "COLORTERM", "HOME", "USER", "EDITOR"];
/// It could not be removed.
const LEAKED: u8 = 4;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the environments that stay
    List,
    /// Start what runs in an environment, and a shell or another program in it; all of it ends together
    Enter(EnterArguments),
    /// Remove an environment now
    Release(ReleaseArguments),
}

#[derive(Debug, Args)]
pub(super) struct EnterArguments {
    /// The beginning of the run's id, or `latest`
    run: String,
    /// A program and its arguments instead of `$SHELL`
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ReleaseArguments {
    /// The beginning of the run's id, or `latest`
    run: String,
}

#[derive(Debug, Serialize)]
struct Row {
    run: String,
    scenario: String,
    folder: PathBuf,
    root: PathBuf,
    until: Timestamp,
    overdue: bool,
    bytes: u64,
}

pub(super) async fn env(options: &Options, command: &Command) -> Ended {
    match command {
        Command::List => list(options),
        Command::Enter(arguments) => enter(options, arguments).await,
        Command::Release(arguments) => release(options, arguments).await,
    }
}

fn list(options: &Options) -> Ended {
    let (all, unreadable) = Kept::all(&options.store()?)?;
    unreadable.iter().for_each(complain);
    let now = Clock::system().now();
    let rows: Vec<Row> = all.iter().map(|kept| row(kept, now)).collect();
    if options.json {
        say_json(&rows);
    } else if rows.is_empty() {
        tell("no environment stays");
    } else {
        rows.iter().for_each(|row| say(line(row, now)));
    }
    Ok(if unreadable.is_empty() { 0 } else { ERRORED })
}

fn row(kept: &Kept, now: Timestamp) -> Row {
    Row {
        run: kept.folder.run.clone(),
        scenario: kept.scenario.clone(),
        folder: kept.place().to_owned(),
        root: kept.root(),
        until: kept.until(),
        overdue: kept.until() <= now,
        bytes: kept.bytes(),
    }
}

fn line(row: &Row, now: Timestamp) -> String {
    let left = duration(row.until.duration_since(now).as_secs_f64());
    let until = match row.overdue {
        true => "its time is over: `drillctl sweep`".yellow().to_string(),
        false => format!("until {} ({left})", instant(row.until)),
    };
    let (scenario, folder) = (shown(&row.scenario), row.folder.display().to_string());
    format!("{}  {scenario}  {until}  {:>10}  {}", row.run, bytes(row.bytes), shown(&folder))
}

fn find(options: &Options, run: &str) -> Result<Kept, Failure> {
    let folder = options.store()?.find(run)?;
    let run = folder.run.clone();
    Kept::of(folder)?.ok_or_else(|| {
        Failure::usage(format!("run {run} keeps no environment"))
            .hint("`drillctl env list` shows those that stay; `keep` in a scenario says after which runs one does.")
    })
}

async fn enter(options: &Options, arguments: &EnterArguments) -> Ended {
    let kept = find(options, &arguments.run)?;
    let argv = match arguments.program.as_slice() {
        [] => vec![shell()?],
        program => program.to_vec(),
    };
    let _held = kept.hold()?;
    // From here on an interrupt is the program's: what runs beside it is stopped once it has ended.
    let mut signals = Signals::catch()?;
    let own = OWN.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    let own: BTreeMap<String, String> = own.collect();
    if !options.quiet && arguments.program.is_empty() {
        tell(format_args!("in {}; leave with `exit`", kept.root().display()));
    }
    let entered = kept.enter(&argv, own, signals.next_but_interrupts());
    Ok(kept::exit_code(entered.await?))
}

fn shell() -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("a shell needs a terminal")
            .hint("Name the program to run: `drillctl env enter RUN -- PROGRAM ARGUMENT…`."));
    }
    Ok(std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".into()))
}

async fn release(options: &Options, arguments: &ReleaseArguments) -> Ended {
    let kept = find(options, &arguments.run)?;
    let _held = kept.hold()?;
    let monitor: Arc<dyn Monitor> = Console::new(options);
    let record = kept.folder.record()?;
    let record = sweep::release(&kept.folder, &record, &monitor, Timestamp::MAX).await?;
    if options.json {
        say_json(&record.release);
    } else {
        record.release.leaked.iter().for_each(|what| say(format_args!("LEAKED   {}", shown(what))));
        if !record.leaked() {
            say(format_args!("removed  {}", kept.place().display()));
        }
    }
    Ok(if record.leaked() { LEAKED } else { 0 })
}
