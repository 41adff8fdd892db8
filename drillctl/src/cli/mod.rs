//! The command line: one file a command. Only here anything is printed: results to standard output, all else to standard
//! error.

mod check;
mod console;
mod doctor;
mod env;
mod forecast;
mod generate;
mod keys;
mod kinds;
mod list;
mod plan;
mod run;
mod show;
mod status;
mod stop;
mod sweep;
mod vault;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use owo_colors::OwoColorize;
use serde::Serialize;

use crate::failure::Failure;
use crate::reservation::{self, Reserved};
use crate::store::Store;

/// What a command ends with: an exit code, or why it could not do its work.
type Ended = Result<u8, Failure>;

const AFTER: &str = "\
Exit codes: 0 passed, 1 failed, 2 usage or scenario problem, 3 errored, 4 leaked, 130 interrupted.
A drill that failed found out that the backup does not do what was promised; one that errored could not find out.";

/// Backup and restore drills: takes a backup, restores it where it can't hurt anyone, and proves that it would have saved you.
#[derive(Debug, Parser)]
#[command(name = "drillctl", version, after_help = AFTER, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Options {
    /// Folder that holds the runs [default: $XDG_STATE_HOME/drillctl or ~/.local/state/drillctl]
    #[arg(long, global = true, value_name = "FOLDER", env = "DRILLCTL_STATE", hide_env_values = true)]
    state: Option<PathBuf>,
    /// Print facts as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Print results only: no progress, no advice
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Have less of the data in memory at once: under 128 MiB instead of 256, at the price of speed
    #[arg(long, global = true)]
    low_memory: bool,
    /// Log what is done, to standard error (twice: in detail)
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a drill, from scenario file to report
    Run(run::Arguments),
    /// Say everything that is wrong with scenario files
    Check(check::Arguments),
    /// Say what a run would do, with sizes and the space it needs, and change nothing
    Plan(plan::Arguments),
    /// Say what the schedules of scenarios lead to: what runs when, what doesn't, and why
    Forecast(forecast::Arguments),
    /// Say how each scenario stands: fresh, in need of verification, stale, never drilled or failing
    Status(status::Arguments),
    /// List runs
    List(list::Arguments),
    /// Show a run's report
    Show(show::Arguments),
    /// Remove what killed runs have left behind
    Sweep,
    /// List, enter and release the environments that stay for people to look at
    #[command(subcommand)]
    Env(env::Command),
    /// List the kinds of sources, vaults, scratches and probes, and their fields
    Kinds(kinds::Arguments),
    /// Print the JSON Schema of scenarios or site files, which editors use, or of records
    Schema(generate::SchemaArguments),
    /// Make and inspect identities
    #[command(subcommand)]
    Keys(keys::Command),
    /// List, verify and fetch the snapshots in a scenario's vault
    #[command(subcommand)]
    Vault(vault::Command),
    /// Say what is missing on this host for these scenarios, and how to get it
    Doctor(doctor::Arguments),
    /// Print completions for a shell
    Completions(generate::CompletionsArguments),
    /// Write man pages into a folder
    Man(generate::ManArguments),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    observe(cli.options.verbose);
    drill_agents::install_tls();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(dispatch(&cli));
            runtime.shutdown_timeout(std::time::Duration::from_secs(1));
            ended
        }
        Err(cause) => Err(Failure::io("starting", "the runtime", cause)),
    };
    let code = ended.unwrap_or_else(|failure| {
        complain(&failure);
        failure.exit_code()
    });
    ExitCode::from(code)
}

async fn dispatch(cli: &Cli) -> Ended {
    let options = &cli.options;
    match &cli.command {
        Command::Run(arguments) => run::run(options, arguments).await,
        Command::Check(arguments) => check::check(options, arguments),
        Command::Plan(arguments) => plan::plan(options, arguments).await,
        Command::Forecast(arguments) => forecast::forecast(options, arguments),
        Command::Status(arguments) => status::status(options, arguments),
        Command::List(arguments) => list::list(options, arguments),
        Command::Show(arguments) => show::show(options, arguments),
        Command::Sweep => sweep::sweep(options).await,
        Command::Env(command) => env::env(options, command).await,
        Command::Kinds(arguments) => kinds::kinds(options, arguments),
        Command::Schema(arguments) => generate::schema(arguments),
        Command::Keys(command) => keys::keys(options, command),
        Command::Vault(command) => vault::vault(options, command).await,
        Command::Doctor(arguments) => doctor::doctor(options, arguments).await,
        Command::Completions(arguments) => generate::completions(arguments),
        Command::Man(arguments) => generate::man(arguments),
    }
}

impl Options {
    /// The state folder, opened.
    fn store(&self) -> Result<Store, Failure> {
        Store::open(&self.state_folder()?)
    }

    /// The state folder, if it was ever made.
    fn existing(&self) -> Result<Option<Store>, Failure> {
        Store::existing(&self.state_folder()?)
    }

    /// What runs at work have reserved. Makes no folder.
    fn reserved(&self) -> Result<Vec<Reserved>, Failure> {
        match self.existing()? {
            Some(store) => reservation::reserved(&store, ""),
            None => Ok(Vec::new()),
        }
    }

    fn state_folder(&self) -> Result<PathBuf, Failure> {
        let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
        let xdg = || std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let by_default = || xdg().or_else(home).map(|folder| folder.join("drillctl"));
        self.state.clone().or_else(by_default).ok_or_else(|| {
            Failure::usage("there is no home folder to keep state in").hint("Give one with --state or DRILLCTL_STATE.")
        })
    }
}

/// Logging: nothing unless it is asked for, and never on standard output.
fn observe(verbose: u8) {
    let level = match verbose {
        0 => "off",
        1 => "info,drillctl=debug,drill_agents=debug",
        _ => "debug,drillctl=trace,drill_agents=trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("DRILLCTL_LOG").unwrap_or_else(|_| level.into());
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
}

/// Prints a result.
fn say(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Prints a fact as JSON.
fn say_json(fact: &impl Serialize) {
    say(serde_json::to_string_pretty(fact).expect("facts are plain data"));
}

/// Prints what is no result.
fn tell(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

fn complain(failure: &Failure) {
    tell(format_args!("{} {failure}", "error:".red().bold()));
}
