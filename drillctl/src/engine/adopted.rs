//! Select and Restore of a backup that another tool took: it is found, the tool lists what is in it, and the tool restores it.

use std::time::Duration;

use drill_agents::{Described, Environment, Error, Recovered, Repository, Restored, Supply};
use drill_reports::{Assurance, Backup, CheckResult, Event, Outcome, Phase, Segments};

use super::recovery::with_room;
use super::results::{blamed, intact, judged, opens, passed};
use super::{Engine, Stop};
use crate::plan::{Adoption, Pick, System};
use crate::selection::Chosen;

/// A backup that was found in its repository.
pub(super) struct Found<'a> {
    repository: &'a dyn Repository,
    chosen: &'a Chosen,
    pub(super) described: Described,
}

/// Finds the backup, has the tool check its repository where the scenario asks for it, and list what is in the backup.
pub(super) async fn select<'a>(
    engine: &mut Engine<'a>,
    system: &'a System,
    adoption: &'a Adoption,
) -> Result<Found<'a>, Stop> {
    let repository = &*adoption.repository;
    let chosen = match &adoption.pick {
        Pick::Chosen(chosen) => chosen,
        Pick::Denied { kind, why } => return Err(blamed(engine, system, Error::new(*kind, why))),
        Pick::Nothing => {
            let observed = format!("{} holds none that fits", repository.location());
            let (title, expected) = ("There is a backup to restore", "at least one that fits");
            let check = passed(system, "backup-there", title, Assurance::BytesIntact, expected);
            let check = CheckResult { outcome: Outcome::Failed, observed, ..check };
            engine.journal.append(Event::Checked(Box::new(check)))?;
            return Err(Stop::Failed);
        }
    };
    engine.journal.append(Event::BackupStored(Box::new(backup(system, repository, chosen))))?;
    own_check(engine, system, repository).await?;
    let described = repository.describe(&system.cx, &chosen.backup).await;
    let described = described.map_err(|error| blamed(engine, system, error))?;
    engine.note(system, &described.notes)?;
    Ok(Found { repository, chosen, described })
}

/// What the tool itself says of its repository.
async fn own_check(engine: &Engine<'_>, system: &System, repository: &dyn Repository) -> Result<(), Stop> {
    let began = engine.cx.clock.elapsed();
    let verification = repository.check(&system.cx).await.map_err(|error| blamed(engine, system, error))?;
    let Some(verification) = verification else {
        return Ok(());
    };
    let title = "The tool finds its own repository sound";
    let mut check = passed(system, "repository", title, Assurance::BytesIntact, &verification.command);
    check.secs = (engine.cx.clock.elapsed() - began).as_secs_f64();
    let complaints = verification.complaints.into_iter();
    let complaints = complaints.map(|line| (format!("repository:{line}"), "was reported by its check".into()));
    let check = judged(engine, check, complaints.collect(), "nothing to complain of");
    Ok(engine.journal.append(Event::Checked(Box::new(check)))?)
}

/// Has the tool restore it, or restores what the repository hands out. Returns how long that took.
pub(super) async fn restore(
    engine: &Engine<'_>,
    system: &System,
    found: &Found<'_>,
    environment: &mut dyn Environment,
) -> Result<(Restored, Duration), Stop> {
    let (cx, index) = (&system.cx, &found.described.index);
    let began = cx.clock.elapsed();
    let restored = match found.repository.supply(cx, &found.chosen.backup).await {
        Ok(Supply::Stream(stream)) => environment.restore(cx, index, stream).await,
        Ok(Supply::Tool(tool)) => environment.adopt(cx, index, &*tool).await,
        Err(error) => Err(error),
    };
    let restored = restored.map_err(|error| blamed(engine, system, with_room(system, error)))?;
    let took = cx.clock.elapsed() - began;
    engine.timed(Phase::Load, took)?;
    vouched(engine, system, found, (&restored, took))?;
    recovered(engine, system, environment)?;
    Ok((restored, took))
}

/// What the tool proved below the restore. Where it complained, what it read was not as it was stored.
fn vouched(
    engine: &Engine<'_>,
    system: &System,
    found: &Found<'_>,
    (restored, took): (&Restored, Duration),
) -> Result<(), Stop> {
    let vouched = &found.described.vouched;
    let is_whole = restored.complaints.is_empty();
    let intact = vouched.intact.iter().filter(|_| is_whole).map(|told| (intact(system), told));
    let opened = vouched.opened.iter().map(|told| (opens(system), told));
    for (check, told) in intact.chain(opened) {
        let check = CheckResult { observed: told.clone(), secs: took.as_secs_f64(), ..check };
        engine.journal.append(Event::Checked(Box::new(check)))?;
    }
    Ok(())
}

/// How far a server recovered, where it was told how far.
fn recovered(engine: &Engine<'_>, system: &System, environment: &dyn Environment) -> Result<(), Stop> {
    let Some(Recovered { wanted, reached, .. }) = environment.recovered() else { return Ok(()) };
    let title = "The server recovered as far as it was to";
    let check = passed(system, "recovered-to", title, Assurance::Restores, wanted);
    Ok(engine.journal.append(Event::Checked(Box::new(CheckResult { observed: reached.clone(), ..check })))?)
}

fn backup(system: &System, repository: &dyn Repository, chosen: &Chosen) -> Backup {
    let Chosen { backup, how, candidates, newest_taken_at } = chosen;
    Backup {
        snapshot: backup.id.clone(),
        system: system.name.clone(),
        location: repository.location().into(),
        taken_at: backup.taken_at,
        newest_at: None,
        header_sha256: String::new(),
        segments: Segments::default(),
        recipients: Vec::new(),
        selected: how.clone(),
        content: std::collections::BTreeMap::new(),
        adopted: Some(drill_reports::Adopted {
            tool: backup.tool.clone(),
            about: backup.about.clone(),
            candidates: *candidates as u64,
            newest_taken_at: *newest_taken_at,
        }),
    }
}
