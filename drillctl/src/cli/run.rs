//! `drillctl run`: a drill, from scenario file to report.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use drill_agents::{Account, Clock, Context, Limits, Vault};
use drill_reports::text::{Paint, text};
use drill_reports::{Event, Record, Trigger, TriggerKind};

use drill_scenarios::{Name, Select, System};

use super::console::Console;
use super::stop::Signals;
use super::{Ended, Options, say, tell};
use crate::engine::{self, Circumstances, Earlier};
use crate::failure::Failure;
use crate::journal::{Journal, write_whole};
use crate::monitor::Monitor;
use crate::plan::{Choice, Plan, Wanted};
use crate::reservation::Reservation;
use crate::scenario_file::ScenarioFile;
use crate::store::{RunFolder, Store, is_run_id};
use crate::{host, publish};

#[derive(Debug, Args)]
#[command(after_help = super::AFTER)]
pub(super) struct Arguments {
    /// The scenario file
    scenario: PathBuf,
    /// Restore this snapshot of the vault, or `newest`, instead of taking a backup; or this backup of the tool that took it, instead of
    /// the one that the scenario selects
    #[arg(long, value_name = "ID")]
    snapshot: Option<String>,
    /// Who asked for this run, for the record [default: the account]
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

pub(super) async fn run(options: &Options, arguments: &Arguments) -> Ended {
    let store = options.store()?;
    let file = ScenarioFile::read(&arguments.scenario)?;
    let secrets = file.secrets();
    let mut signals = Signals::catch()?;
    let clock = Clock::system();
    let (folder, _lock) = store.begin(&clock)?;
    let limits = Limits::new(&file.scenario.limits, &clock);
    let mut cx = Context::new(&folder.run, &folder.path, clock, secrets.clone())
        .limited(limits)
        .walled(file.scenario.sandbox.clone());
    cx.low_memory = options.low_memory;
    let nonce = host::nonce::<16>();
    cx.seed.clone_from(&nonce);
    let prepared = tokio::select! {
        prepared = prepare(&cx, &store, file, arguments) => prepared,
        by = signals.next() => Err(Failure::interrupted(by)),
    };
    let (plan, reservation) = prepared.map_err(|failure| {
        // Nothing was done, so nothing is to be remembered.
        let _ = std::fs::remove_dir_all(&folder.path);
        failure.scrubbed(&secrets)
    })?;
    let about = circumstances(&cx, &plan, &store, (arguments, nonce)).await?;
    let executed = execute(options, &cx, &plan, about, (reservation, signals)).await;
    let record = executed.map_err(|failure| failure.scrubbed(&secrets))?;
    conclude(options, &folder, &record);
    Ok(record.exit_code())
}

/// The plan, with the room that it needs reserved.
async fn prepare(
    cx: &Context,
    store: &Store,
    file: ScenarioFile,
    arguments: &Arguments,
) -> Result<(Plan, Arc<Reservation>), Failure> {
    let folder = RunFolder { run: cx.run.clone(), path: cx.folder.clone() };
    let wanted = wanted(cx, store, &file, arguments.snapshot.as_deref()).await?;
    let mut plan = Plan::build(cx, file, wanted).await?;
    let reservation = Reservation::make(store, &folder, &mut plan.forecast.space).await?;
    Ok((plan, reservation))
}

/// What is to be restored of each system: what the scenario says, but for what `named` names of its own. The snapshots of one run belong
/// together, so that those of the other systems follow.
async fn wanted(cx: &Context, store: &Store, file: &ScenarioFile, named: Option<&str>) -> Result<Vec<Wanted>, Failure> {
    let own = match (file.scenario.source.select(), named) {
        (None, Some(name)) => Wanted::Own(select(file, cx, store, name).await?),
        (Some(_), Some("newest")) => Wanted::Adopted(Select::Newest),
        (Some(_), Some(id)) => Wanted::Adopted(Select::Id(id.to_owned())),
        (_, None) => Wanted::as_said(file.scenario.own_system()),
    };
    let mut wanted = vec![own];
    for system in file.scenario.systems().skip(1) {
        wanted.push(match &wanted[0] {
            Wanted::Own(Choice::Select { snapshot, .. }) if !system.source.is_adopted() => {
                Wanted::Own(together(file, store, system, snapshot)?)
            }
            _ => Wanted::as_said(system),
        });
    }
    Ok(wanted)
}

/// The snapshot of a further system that the same run took.
fn together(file: &ScenarioFile, store: &Store, system: System<'_>, own: &str) -> Result<Choice, Failure> {
    let run = own.strip_prefix(&format!("{}-", file.scenario.name)).unwrap_or(own);
    let snapshot = format!("{}-{run}", file.sealed_as(system.name.map(Name::as_str)));
    let location = Vault::open(file.own()?.0, &file.secrets())?.location().to_owned();
    let header_sha256 = recorded(store, &location)?.get(&snapshot).cloned();
    let unknown = if header_sha256.is_none() { "; no run of this installation recorded it" } else { "" };
    Ok(Choice::Select { how: format!("taken with {own}{unknown}"), snapshot, header_sha256 })
}

/// The snapshot that `name` names, with the digest of its header if a run of this installation recorded it.
async fn select(file: &ScenarioFile, cx: &Context, store: &Store, name: &str) -> Result<Choice, Failure> {
    let vault = Vault::open(file.own()?.0, &cx.secrets)?.within(cx);
    let recorded = recorded(store, vault.location())?;
    let (snapshot, mut how) = match name {
        "newest" => newest(file, &vault, &recorded).await?,
        name => (name.to_owned(), "named by whoever started the run".into()),
    };
    let header_sha256 = recorded.get(&snapshot).cloned();
    if header_sha256.is_none() {
        how.push_str("; no run of this installation recorded it");
    }
    Ok(Choice::Select { snapshot, how, header_sha256 })
}

/// The newest snapshot of the scenario, and how it was found. One that is damaged, or recorded and gone, counts: taking an older
/// one in its place would hide the loss. Newer ones without a header may never have been whole; they are told.
async fn newest(
    file: &ScenarioFile,
    vault: &Vault,
    recorded: &BTreeMap<String, String>,
) -> Result<(String, String), Failure> {
    let listing = vault.list().await?;
    let prefix = format!("{}-", file.scenario.name);
    let whole = listing.snapshots.into_iter().map(|header| header.id);
    let damaged = listing.damaged.into_iter().map(|(id, _)| id);
    let all = whole.chain(damaged).chain(recorded.keys().cloned());
    let is_ours = |id: &String| id.strip_prefix(&prefix).is_some_and(is_run_id);
    let newest = all.filter(is_ours).max().ok_or_else(|| {
        Failure::usage(format!("there is no snapshot of {} in {}", file.scenario.name, vault.location()))
            .hint("Run the drill without --snapshot to take one.")
    })?;
    let newer = listing.incomplete.iter().filter(|id| is_ours(id) && **id > newest).count();
    let how = match newer {
        0 => "newest in the vault".into(),
        newer => format!("newest whole one in the vault, which holds {newer} newer without a header"),
    };
    Ok((newest, how))
}

/// What the runs of this installation wrote down about the snapshots in this vault: the digest of each one's header.
fn recorded(store: &Store, location: &str) -> Result<BTreeMap<String, String>, Failure> {
    let mut recorded = BTreeMap::new();
    for run in store.runs()? {
        for entry in run.entries()? {
            if let Event::BackupStored(backup) = entry.event
                && backup.location == location
            {
                recorded.insert(backup.snapshot, backup.header_sha256);
            }
        }
    }
    Ok(recorded)
}

async fn execute(
    options: &Options,
    cx: &Context,
    plan: &Plan,
    about: Circumstances,
    (reservation, signals): (Arc<Reservation>, Signals),
) -> Result<Record, Failure> {
    let folder = RunFolder { run: cx.run.clone(), path: cx.folder.clone() };
    let path = folder.scenario();
    write_whole(&path, plan.file.text.as_bytes()).map_err(|cause| Failure::io("writing", path.display(), cause))?;
    let console = Console::new(options);
    let monitors: Arc<dyn Monitor> = Arc::new(vec![console.clone() as Arc<dyn Monitor>, reservation.clone()]);
    let journal = Journal::create(&folder.journal(), cx.clock.clone(), cx.secrets.clone(), monitors)?;
    let watching = tokio::spawn(signals.watch(cx.clone(), journal.clone()));
    let following = tokio::spawn(reservation.follow(cx.progress.clone()));
    let result = console.during(&cx.progress, engine::run(cx, plan, &journal, about)).await;
    watching.abort();
    following.abort();
    let record = result.map_err(Failure::in_a_run)?;
    publish::publish(&folder, &record).map_err(Failure::in_a_run)?;
    Ok(record)
}

async fn circumstances(
    cx: &Context,
    plan: &Plan,
    store: &Store,
    (arguments, nonce): (&Arguments, String),
) -> Result<Circumstances, Failure> {
    let by = arguments.by.clone().unwrap_or_else(|| Account::current().name);
    let (records, unreadable) = store.earlier(plan.scenario().name.as_str())?;
    Ok(Circumstances {
        tool: host::tool(),
        host: host::host(),
        trigger: Trigger { kind: TriggerKind::Manual, by, due: None, nonce },
        git_revision: host::git_revision(cx, &plan.file.path).await,
        earlier: Earlier { records, unreadable },
    })
}

fn conclude(options: &Options, folder: &RunFolder, record: &Record) {
    if options.json {
        say(drill_reports::to_json(record));
    } else {
        say(text(record, Paint::Ansi));
    }
    if !options.quiet {
        tell(format_args!("report  {}", folder.path.join(publish::REPORT).display()));
        tell(format_args!("record  {}", folder.path.join(publish::RECORD).display()));
    }
}
