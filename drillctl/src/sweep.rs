//! Cleans up after runs that died: releases what their journals left leased, and closes the journals.

use std::sync::Arc;

use drill_agents::{Clock, Context, Secrets};
use drill_reports::{Event, Record};

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
    let ended = entries.iter().any(|entry| matches!(entry.event, Event::RunEnded | Event::Swept));
    let record = folder.record()?;
    let published = folder.path.join(crate::publish::RECORD).exists();
    if ended && record.release.leaked.is_empty() {
        if !published {
            publish(folder, &record)?;
        }
        return Ok(Swept::Nothing);
    }
    release(folder, &record, monitor, ended).await.map(|record| Swept::Cleaned(Box::new(record)))
}

async fn release(
    folder: &RunFolder,
    record: &Record,
    monitor: &Arc<dyn Monitor>,
    ended: bool,
) -> Result<Record, Failure> {
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
    let clock = Clock::system();
    let journal = Journal::take_up(&folder.journal(), clock.clone(), secrets.clone(), monitor.clone())?;
    let cx = Context::new(&folder.run, &folder.path, clock, secrets);
    let mut leases = Leases::left_open(journal.clone(), &journal.entries());
    engine::release_all(&cx, &scenario, &mut leases).await?;
    if !ended {
        journal.append(Event::Swept)?;
    }
    let record = drill_reports::fold(&journal.entries()).map_err(|error| Failure::errored(error.to_string()))?;
    publish(folder, &record)?;
    Ok(record)
}
