//! The environment of a run that ended as the scenario says is kept: it is laid to rest, and its lease is prolonged. Nothing runs in it
//! until somebody enters it.

use drill_agents::{Context, Environment, Error, Kind, Place};
use drill_reports::{Entry, Event, Lease, Room, Severity, Stage, StageEnd, Verdict};
use drill_scenarios::Span;

use super::Engine;
use super::leases::ENVIRONMENT;
use crate::failure::Failure;

/// What whoever enters the environment needs to know of it.
pub(super) fn room(environment: &dyn Environment) -> Room {
    Room { root: environment.root().display().to_string(), facts: environment.facts() }
}

/// Keeps the environments if they are to be kept. One that can't be laid to rest is released like any other.
pub(super) async fn keep(engine: &mut Engine<'_>, cx: &Context) -> Result<(), Failure> {
    let Some(span) = stay(engine)? else { return Ok(()) };
    for lease in engine.leases.of_kind(ENVIRONMENT) {
        if let Some(room) = engine.rooms.get(&lease.system).cloned() {
            keep_one(engine, cx, lease, room, span).await?;
        }
    }
    Ok(())
}

async fn keep_one(engine: &mut Engine<'_>, cx: &Context, lease: Lease, room: Room, span: Span) -> Result<(), Failure> {
    let place: Place = serde_json::from_value(lease.spec).expect("a place that this process wrote down");
    let system = engine.plan.systems.iter().find(|system| system.name == lease.system);
    let scratch = &system.expect("a system that this process planned").scratch;
    match scratch.rest(&cx.of_system(lease.system.as_deref()), &place).await.and_then(|()| end_of(cx, span)) {
        Ok(until) => engine.leases.prolong(&lease.id, until, room),
        Err(error) => {
            let statement = format!("It was to be kept and can't be: {}.", error.chain());
            engine.journal.append(Event::Noted {
                severity: Severity::Warning,
                subject: "environment".into(),
                statement,
            })
        }
    }
}

fn end_of(cx: &Context, span: Span) -> drill_agents::Result<jiff::Timestamp> {
    let end = cx.clock.now().checked_add(span.duration());
    end.map_err(|cause| Error::new(Kind::Config, format!("keeping it for {span}")).because(cause))
}

/// How long the environment is to stay. An aborted run's never does: whoever stopped it wants nothing of it.
fn stay(engine: &Engine<'_>) -> Result<Option<Span>, Failure> {
    let keep = &engine.plan.scenario().keep;
    if !keep.is_wanted() {
        return Ok(None);
    }
    Ok(match verdict(engine)? {
        Verdict::Passed => keep.passed,
        Verdict::Failed => keep.failed,
        Verdict::Errored => keep.errored,
        Verdict::Aborted => None,
    })
}

/// The verdict that this run will have unless the journal says more: the release that has just begun changes none.
fn verdict(engine: &Engine<'_>) -> Result<Verdict, Failure> {
    let mut entries = engine.journal.entries();
    let end = StageEnd::Done;
    for event in [Event::StageEnded { stage: Stage::Release, end, secs: 0.0 }, Event::RunEnded] {
        let elapsed_ms = u64::try_from(engine.cx.clock.elapsed().as_millis()).ok();
        entries.push(Entry { seq: entries.len() as u64, at: engine.cx.clock.now(), elapsed_ms, event });
    }
    let record = drill_reports::fold(&entries).map_err(|error| Failure::errored(error.to_string()))?;
    Ok(record.verdict)
}
