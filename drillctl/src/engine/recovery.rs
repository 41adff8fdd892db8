//! Provision and Restore: what a recovery is. The snapshot is located, an environment is made for it, and it is restored from
//! what the vault returns.

use std::iter::repeat;
use std::time::Duration;

use drill_agents::seal::{Located, locate};
use drill_agents::{Environment, Error, Index, Kind, Lack, Restored};
use drill_reports::{CheckResult, EnvironmentFacts, Event, Phase, amount};

use super::adopted::{self, Found};
use super::backup::Stored;
use super::leases::ENVIRONMENT;
use super::results::{blamed, intact, is_accepted, judged, opens, restores};
use super::{Engine, Stop, sandbox};
use crate::failure::Failure;
use crate::plan::{Own, System, told};

/// A backup of a system that is there.
pub(super) struct There<'a> {
    pub(super) system: &'a System,
    pub(super) rests: Rests<'a>,
}

/// Where a backup rests.
pub(super) enum Rests<'a> {
    /// In drillctl's own vault.
    Own(&'a Own, Stored),
    /// Where another tool keeps it.
    Adopted(Box<Found<'a>>),
}

/// A backup of which it is known what is in it.
pub(super) enum Backup<'a> {
    /// A snapshot of drillctl's own, opened.
    Own(Box<Located>),
    /// What another tool took.
    Adopted(Box<Found<'a>>),
}

impl Backup<'_> {
    /// What is in it.
    pub(super) fn index(&self) -> &Index {
        match self {
            Self::Own(located) => located.index(),
            Self::Adopted(found) => &found.described.index,
        }
    }
}

/// A backup, and the environment that was made for it.
pub(super) struct Placed<'a> {
    pub(super) system: &'a System,
    pub(super) backup: Backup<'a>,
    pub(super) environment: Box<dyn Environment>,
}

/// Opens the backups, and makes an environment for each.
pub(super) async fn provision<'a>(engine: &mut Engine<'a>, there: Vec<There<'a>>) -> Result<Vec<Placed<'a>>, Stop> {
    let mut placed = Vec::new();
    for There { system, rests } in there {
        placed.push(place(engine, system, rests).await?);
    }
    let enclosed = sandbox::enclose(engine, &placed).await?;
    for (Placed { system, environment, .. }, enclosed) in
        placed.iter().zip([enclosed].into_iter().chain(repeat(Vec::new())))
    {
        let isolation = environment.isolation().into_iter().chain(enclosed).collect();
        let (kind, identity) = (system.scratch_kind.into(), told(&environment.identity()));
        let facts = EnvironmentFacts { kind, system: system.name.clone(), identity, isolation };
        engine.journal.append(Event::EnvironmentReady(Box::new(facts)))?;
        engine.enter(system, &**environment);
    }
    for Placed { system, backup, environment } in &placed {
        must_not_lack(engine, system, environment.lacks(&system.cx, backup.index()).await?)?;
    }
    Ok(placed)
}

/// Opens a backup, and makes an environment that fits it.
async fn place<'a>(engine: &mut Engine<'a>, system: &'a System, rests: Rests<'a>) -> Result<Placed<'a>, Stop> {
    let cx = &system.cx;
    let backup = match rests {
        Rests::Own(own, stored) => Backup::Own(Box::new(open(engine, system, own, &stored).await?)),
        Rests::Adopted(found) => Backup::Adopted(found),
    };
    let began = cx.clock.elapsed();
    let what = format!("{} environment in {}", system.scratch_kind, system.place.folder.display());
    engine.leases.take(ENVIRONMENT, system.name.as_deref(), what, &system.place)?;
    let environment = system.scratch.provision(cx, &system.place, backup.index()).await?;
    engine.timed(Phase::Provision, cx.clock.elapsed() - began)?;
    let identity = environment.identity();
    if let Some(source) = engine.plan.systems.iter().find(|other| identity.is_same_as(&other.source_identity)) {
        let message = format!("the scratch is the source of {} itself", source.label());
        return Err(Error::new(Kind::Refused, message).into());
    }
    Ok(Placed { system, backup, environment })
}

/// Finds the snapshot and opens its index.
async fn open(engine: &Engine<'_>, system: &System, own: &Own, stored: &Stored) -> Result<Located, Stop> {
    let cx = &system.cx;
    let began = cx.clock.elapsed();
    let located = locate(cx, &own.vault, &own.keys, &stored.snapshot, Some(&stored.header_sha256)).await;
    let located = located.map_err(|error| blamed(engine, system, error))?;
    engine.timed(Phase::Locate, cx.clock.elapsed() - began)?;
    let (identity, system) = (located.opened_with().to_owned(), system.name.clone());
    engine.journal.append(Event::OpenedWith { identity, system })?;
    Ok(located)
}

/// Restores the backups from where they rest.
pub(super) async fn restore(engine: &mut Engine<'_>, placed: &mut [Placed<'_>]) -> Result<(), Stop> {
    for Placed { system, backup, environment } in placed {
        restore_one(engine, system, backup, &mut **environment).await?;
    }
    Ok(())
}

async fn restore_one(
    engine: &mut Engine<'_>,
    system: &System,
    backup: &Backup<'_>,
    environment: &mut dyn Environment,
) -> Result<(), Stop> {
    let restored = match backup {
        Backup::Own(located) => own(engine, system, located, environment).await,
        Backup::Adopted(found) => adopted::restore(engine, system, found, environment).await,
    };
    engine.enter(system, environment);
    let (restored, took) = restored?;
    engine.note(system, &restored.notes)?;
    must_not_lack(engine, system, lacking(environment, &restored))?;
    complaints(engine, system, &restored, took.as_secs_f64())
}

/// Restores what the vault returns.
async fn own(
    engine: &Engine<'_>,
    system: &System,
    located: &Located,
    environment: &mut dyn Environment,
) -> Result<(Restored, Duration), Stop> {
    let cx = &system.cx;
    let began = cx.clock.elapsed();
    let stream = located.stream(cx);
    let restored = environment.restore(cx, located.index(), stream).await;
    let restored = restored.map_err(|error| blamed(engine, system, with_room(system, error)))?;
    let took = cx.clock.elapsed() - began;
    for (phase, time) in [Phase::Fetch, Phase::Open, Phase::Load].into_iter().zip(cx.timings.read()) {
        engine.timed(phase, time)?;
    }
    proved(engine, system, located, took.as_secs_f64())?;
    Ok((restored, took))
}

/// Every segment was read, so the levels below the restore are proved.
fn proved(engine: &Engine<'_>, system: &System, located: &Located, secs: f64) -> Result<(), Failure> {
    let header = located.header();
    let (count, sealed) = (amount::counted(header.segments.len(), "segment"), amount::bytes(header.sealed_bytes()));
    let intact = CheckResult {
        observed: format!("{count}, {sealed}, and the index, each with its recorded SHA-256"),
        secs,
        ..intact(system)
    };
    let opens = CheckResult { observed: format!("opened with {}", located.opened_with()), secs, ..opens(system) };
    engine.journal.append(Event::Checked(Box::new(intact)))?;
    engine.journal.append(Event::Checked(Box::new(opens)))
}

/// Complaints that say only what this host lacks.
fn lacking(environment: &dyn Environment, restored: &Restored) -> Vec<Lack> {
    let lack = |line: &String| {
        let remedy = environment.remedy(line)?;
        Some(Lack { subject: format!("restore:{line}"), statement: line.clone(), remedy })
    };
    restored.complaints.iter().filter_map(lack).collect()
}

/// Where the host lacks something that nobody has accepted to be missing, what is missing in the restored data says nothing about the
/// backup: the drill ends without an answer.
fn must_not_lack(engine: &Engine<'_>, system: &System, lacks: Vec<Lack>) -> Result<(), Stop> {
    let open: Vec<Lack> = lacks.into_iter().filter(|lack| !is_accepted(engine, system, &lack.subject)).collect();
    if open.is_empty() {
        return Ok(());
    }
    let statements: Vec<&str> = open.iter().map(|lack| lack.statement.as_str()).collect();
    let mut remedies: Vec<&str> = open.iter().map(|lack| lack.remedy.as_str()).collect();
    remedies.dedup();
    let message = format!("this host lacks what the restored data needs: {}", statements.join("; "));
    Err(Error::new(Kind::Config, message).hint(remedies.join(" ")).into())
}

/// What the restoring program complained about is a difference, unless an exception covers it.
fn complaints(engine: &Engine<'_>, system: &System, restored: &Restored, secs: f64) -> Result<(), Stop> {
    let complaints =
        restored.complaints.iter().map(|line| (format!("restore:{line}"), "was reported while restoring".into()));
    let check = CheckResult { secs, ..restores(system) };
    let check = judged(engine, check, complaints.collect(), "restored without complaint");
    Ok(engine.journal.append(Event::Checked(Box::new(check)))?)
}

/// A scratch that is full is told with the place that needs room.
pub(super) fn with_room(system: &System, error: Error) -> Error {
    match error.kind() {
        Kind::Exhausted => {
            let place = system.place.folder.display();
            error.hint(format!("Free some space where the scratch is, in {place}, or give it a `path` elsewhere."))
        }
        _ => error,
    }
}
