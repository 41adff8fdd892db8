//! Provision and Restore: what a recovery is. The snapshot is located, an environment is made for it, and it is restored from
//! what the vault returns.

use std::time::Duration;

use drill_agents::seal::{Located, locate};
use drill_agents::{Environment, Error, Index, Kind, Lack, Restored};
use drill_reports::{CheckResult, EnvironmentFacts, Event, Phase, amount};

use super::adopted::{self, Found};
use super::backup::Stored;
use super::leases::ENVIRONMENT;
use super::results::{blamed, intact, is_accepted, judged, opens, restores};
use super::{Engine, Stop, keep, sandbox, told};
use crate::failure::Failure;
use crate::plan::Own;

/// A backup that is there.
pub(super) enum There<'a> {
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

/// Opens the backup, and makes an environment that fits it.
pub(super) async fn provision<'a>(
    engine: &mut Engine<'a>,
    there: There<'a>,
) -> Result<(Backup<'a>, Box<dyn Environment>), Stop> {
    let (cx, plan) = (engine.cx, engine.plan);
    let backup = match there {
        There::Own(own, stored) => Backup::Own(Box::new(open(engine, own, &stored).await?)),
        There::Adopted(found) => Backup::Adopted(found),
    };
    let began = cx.clock.elapsed();
    let what = format!("{} environment in {}", plan.scenario().scratch.kind(), plan.place.folder.display());
    engine.leases.take(ENVIRONMENT, what, &plan.place)?;
    let environment = plan.scratch.provision(cx, &plan.place, backup.index()).await?;
    engine.timed(Phase::Provision, cx.clock.elapsed() - began)?;
    let identity = environment.identity();
    if identity.is_same_as(&plan.source_identity) {
        return Err(Error::new(Kind::Refused, "the scratch is the source itself").into());
    }
    let mut isolation = environment.isolation();
    isolation.extend(sandbox::enclose(engine, &*environment).await?);
    let facts = EnvironmentFacts { kind: plan.scenario().scratch.kind().into(), identity: told(&identity), isolation };
    engine.journal.append(Event::EnvironmentReady(Box::new(facts)))?;
    engine.room = Some(keep::room(&*environment));
    must_not_lack(engine, environment.lacks(cx, backup.index()).await?)?;
    Ok((backup, environment))
}

/// Finds the snapshot and opens its index.
async fn open(engine: &Engine<'_>, own: &Own, stored: &Stored) -> Result<Located, Stop> {
    let cx = engine.cx;
    let began = cx.clock.elapsed();
    let located = locate(cx, &own.vault, &own.keys, &stored.snapshot, Some(&stored.header_sha256)).await;
    let located = located.map_err(|error| blamed(engine, error))?;
    engine.timed(Phase::Locate, cx.clock.elapsed() - began)?;
    engine.journal.append(Event::OpenedWith { identity: located.opened_with().to_owned() })?;
    Ok(located)
}

/// Restores the backup from where it rests.
pub(super) async fn restore(
    engine: &mut Engine<'_>,
    backup: &Backup<'_>,
    environment: &mut dyn Environment,
) -> Result<(), Stop> {
    let restored = match backup {
        Backup::Own(located) => own(engine, located, environment).await,
        Backup::Adopted(found) => adopted::restore(engine, found, environment).await,
    };
    engine.room = Some(keep::room(environment));
    let (restored, took) = restored?;
    engine.note(&restored.notes)?;
    must_not_lack(engine, lacking(environment, &restored))?;
    complaints(engine, &restored, took.as_secs_f64())
}

/// Restores what the vault returns.
async fn own(
    engine: &Engine<'_>,
    located: &Located,
    environment: &mut dyn Environment,
) -> Result<(Restored, Duration), Stop> {
    let cx = engine.cx;
    let began = cx.clock.elapsed();
    let stream = located.stream(cx);
    let restored = environment.restore(cx, located.index(), stream).await;
    let restored = restored.map_err(|error| blamed(engine, engine.with_room(error)))?;
    let took = cx.clock.elapsed() - began;
    for (phase, time) in [Phase::Fetch, Phase::Open, Phase::Load].into_iter().zip(cx.timings.read()) {
        engine.timed(phase, time)?;
    }
    proved(engine, located, took.as_secs_f64())?;
    Ok((restored, took))
}

/// Every segment was read, so the levels below the restore are proved.
fn proved(engine: &Engine<'_>, located: &Located, secs: f64) -> Result<(), Failure> {
    let header = located.header();
    let (count, sealed) = (amount::counted(header.segments.len(), "segment"), amount::bytes(header.sealed_bytes()));
    let intact = CheckResult {
        observed: format!("{count}, {sealed}, and the index, each with its recorded SHA-256"),
        secs,
        ..intact(engine)
    };
    let opens = CheckResult { observed: format!("opened with {}", located.opened_with()), secs, ..opens(engine) };
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
fn must_not_lack(engine: &Engine<'_>, lacks: Vec<Lack>) -> Result<(), Stop> {
    let open: Vec<Lack> = lacks.into_iter().filter(|lack| !is_accepted(engine, &lack.subject)).collect();
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
fn complaints(engine: &Engine<'_>, restored: &Restored, secs: f64) -> Result<(), Stop> {
    let complaints =
        restored.complaints.iter().map(|line| (format!("restore:{line}"), "was reported while restoring".into()));
    let check = CheckResult { secs, ..restores() };
    let check = judged(engine, check, complaints.collect(), "restored without complaint");
    Ok(engine.journal.append(Event::Checked(Box::new(check)))?)
}

impl Engine<'_> {
    /// A scratch that is full is told with the place that needs room.
    pub(super) fn with_room(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Exhausted => {
                let place = self.plan.place.folder.display();
                error.hint(format!("Free some space where the scratch is, in {place}, or give it a `path` elsewhere."))
            }
            _ => error,
        }
    }
}
