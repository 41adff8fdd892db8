//! Cleans up after runs that died: releases what their journals left leased, and closes the journals.

use std::sync::Arc;

use drill_agents::{Clock, Context, Secrets, process};
use drill_reports::{Entry, Event, Record};
use drill_scenarios::Scenario;
use jiff::Timestamp;

use crate::engine::{self, Leases};
use crate::failure::Failure;
use crate::journal::Journal;
use crate::monitor::Monitor;
use crate::publish::publish;
use crate::store::{RunFolder, Store};

/// What became of one run that was looked at.
pub(crate) enum Swept {
    /// It is at work in another process, or there was nothing left to do.
    Nothing,
    /// It was cleaned up; the record says whether anything is left.
    Cleaned(Box<Record>),
    /// It died before its first event; it never did anything.
    Empty,
}

/// Looks at every run.
pub(crate) async fn sweep(
    store: &Store,
    monitor: &Arc<dyn Monitor>,
) -> Result<Vec<(RunFolder, Result<Swept, Failure>)>, Failure> {
    let mut all = Vec::new();
    for folder in store.runs()? {
        let swept = one(&folder, monitor).await;
        all.push((folder, swept));
    }
    Ok(all)
}

async fn one(folder: &RunFolder, monitor: &Arc<dyn Monitor>) -> Result<Swept, Failure> {
    let Some(_lock) = folder.try_lock()? else { return Ok(Swept::Nothing) };
    let entries = folder.entries()?;
    if entries.is_empty() {
        return folder.remove_empty().map(|()| Swept::Empty);
    }
    let ended = entries.iter().any(ends);
    let record = folder.record()?;
    let published = folder.path.join(crate::publish::RECORD).exists();
    let now = Clock::system().now();
    let held = &record.release.held;
    let due = held.iter().any(|held| held.until <= now) || !held.is_empty() && process::any_marked(&folder.run);
    if ended && record.release.leaked.is_empty() && !due {
        if !published {
            publish(folder, &record)?;
        }
        return Ok(Swept::Nothing);
    }
    release(folder, &record, monitor, now).await.map(|record| Swept::Cleaned(Box::new(record)))
}

/// Releases what the run of a locked folder left leased, unless it is to stay beyond `now`. A run that never came to its end has died.
pub(crate) async fn release(
    folder: &RunFolder,
    record: &Record,
    monitor: &Arc<dyn Monitor>,
    now: Timestamp,
) -> Result<Record, Failure> {
    let (scenario, cx) = begun_with(folder, record)?;
    let journal = Journal::take_up(&folder.journal(), cx.clock.clone(), cx.secrets.clone(), monitor.clone())?;
    let ended = journal.entries().iter().any(ends);
    let mut leases = Leases::left_open(journal.clone(), &journal.entries(), now);
    engine::release_all(&cx, &scenario, &mut leases).await?;
    if !ended {
        journal.append(Event::Swept)?;
    }
    let record = drill_reports::fold(&journal.entries()).map_err(|error| Failure::errored(error.to_string()))?;
    publish(folder, &record)?;
    Ok(record)
}

fn ends(entry: &Entry) -> bool {
    matches!(entry.event, Event::RunEnded | Event::Swept)
}

/// The scenario that a run began with, and a context to act for that run.
pub(crate) fn begun_with(folder: &RunFolder, record: &Record) -> Result<(Scenario, Context), Failure> {
    let origin = std::path::Path::new(&record.scenario.path);
    let secrets = Arc::new(Secrets::relative_to(origin.parent().unwrap_or(&folder.path)));
    let path = folder.scenario();
    let text = std::fs::read_to_string(&path).map_err(|cause| Failure::io("reading", path.display(), cause))?;
    if crate::host::sha256(text.as_bytes()) != record.scenario.sha256 {
        return Err(Failure::errored(format!("{} is not the scenario that the run began with", path.display()))
            .hint("Restore it from a copy: it says where what the run made is to be removed."));
    }
    let scenario = drill_scenarios::parse(&path.display().to_string(), &text)
        .map_err(|problems| Failure::usage(problems.to_string().trim_end()))?;
    let walls = scenario.sandbox.clone();
    Ok((scenario, Context::new(&folder.run, &folder.path, Clock::system(), secrets).walled(walls)))
}
