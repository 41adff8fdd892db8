//! Provision and Restore: what a recovery is. The snapshot is located, an environment is made for it, and it is restored from
//! what the vault returns.

use drill_agents::seal::{Located, locate};
use drill_agents::{Environment, Error, Kind, Restored};
use drill_reports::{CheckResult, EnvironmentFacts, Event, Phase, amount};

use super::backup::Stored;
use super::leases::ENVIRONMENT;
use super::results::{blamed, intact, judged, opens, restores};
use super::{Engine, Stop, told};
use crate::failure::Failure;

/// Finds the snapshot, and makes an environment that fits it.
pub(super) async fn provision(
    engine: &mut Engine<'_>,
    stored: &Stored,
) -> Result<(Located, Box<dyn Environment>), Stop> {
    let (cx, plan) = (engine.cx, engine.plan);
    let began = cx.clock.elapsed();
    let located = locate(cx, &plan.vault, &plan.keys, &stored.snapshot, Some(&stored.header_sha256)).await;
    let located = located.map_err(|error| blamed(engine, error))?;
    engine.timed(Phase::Locate, cx.clock.elapsed() - began)?;
    engine.journal.append(Event::OpenedWith { identity: located.opened_with().to_owned() })?;

    let began = cx.clock.elapsed();
    let what = format!("{} environment in {}", plan.scenario().scratch.kind(), plan.place.folder.display());
    engine.leases.take(ENVIRONMENT, what, &plan.place)?;
    let environment = plan.scratch.provision(cx, &plan.place, located.index()).await?;
    engine.timed(Phase::Provision, cx.clock.elapsed() - began)?;
    let identity = environment.identity();
    if identity.is_same_as(&plan.source_identity) {
        return Err(Error::new(Kind::Refused, "the scratch is the source itself").into());
    }
    let facts = EnvironmentFacts {
        kind: plan.scenario().scratch.kind().into(),
        identity: told(&identity),
        isolation: environment.isolation(),
    };
    engine.journal.append(Event::EnvironmentReady(Box::new(facts)))?;
    Ok((located, environment))
}

/// Restores what the vault returns.
pub(super) async fn restore(
    engine: &mut Engine<'_>,
    located: &Located,
    environment: &mut dyn Environment,
) -> Result<(), Stop> {
    let cx = engine.cx;
    let began = cx.clock.elapsed();
    let stream = located.stream(cx);
    let restored = environment.restore(cx, located.index(), stream).await;
    let restored = restored.map_err(|error| blamed(engine, with_room(engine, error)))?;
    let secs = (cx.clock.elapsed() - began).as_secs_f64();
    for (phase, time) in [Phase::Fetch, Phase::Open, Phase::Load].into_iter().zip(cx.timings.read()) {
        engine.timed(phase, time)?;
    }
    proved(engine, located, secs)?;
    engine.note(&restored.notes)?;
    complaints(engine, &restored, secs)
}

/// Every segment was read, so the levels below the restore are proved.
fn proved(engine: &Engine<'_>, located: &Located, secs: f64) -> Result<(), Failure> {
    let header = located.header();
    let (count, sealed) = (amount::counted(header.segments.len(), "segment"), amount::bytes(header.sealed_bytes()));
    let intact = CheckResult {
        observed: format!("{count}, {sealed}, and the index, each with its recorded SHA-256"),
        secs,
        ..intact()
    };
    let opens = CheckResult { observed: format!("opened with {}", located.opened_with()), secs, ..opens() };
    engine.journal.append(Event::Checked(Box::new(intact)))?;
    engine.journal.append(Event::Checked(Box::new(opens)))
}

/// What the restoring program complained about is a difference, unless an exception covers it.
fn complaints(engine: &Engine<'_>, restored: &Restored, secs: f64) -> Result<(), Stop> {
    let complaints =
        restored.complaints.iter().map(|line| (format!("restore:{line}"), "was reported while restoring".into()));
    let check = CheckResult { secs, ..restores() };
    let check = judged(engine, check, complaints.collect(), "restored without complaint");
    Ok(engine.journal.append(Event::Checked(Box::new(check)))?)
}

/// A scratch that is full is told with the place that needs room.
fn with_room(engine: &Engine<'_>, error: Error) -> Error {
    match error.kind() {
        Kind::Exhausted => {
            let place = engine.plan.place.folder.display();
            error.hint(format!("Free some space where the scratch is, in {place}, or give it a `path` elsewhere."))
        }
        _ => error,
    }
}
