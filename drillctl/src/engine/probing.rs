//! Probe: the app is started on the restored data, and the scenario's checks are made.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use drill_agents::probes::{self, Seen};
use drill_agents::{Context, Environment, Kind, Readiness, RunningApp, Sandbox, free_port};
use drill_reports::{Assurance, CheckResult, Event, Outcome, Phase, amount};
use drill_scenarios::{Check, Judgement, Probe, describe};
use jiff::Timestamp;

use super::checks::compared;
use super::leases::PROCESS;
use super::results::passed;
use super::{Engine, Stop, sandbox};
use crate::host;

/// Characters of an observed value that go into the record.
const SHOWN: usize = 120;

/// Starts the app, makes the checks, and stops the app.
pub(super) async fn probe(engine: &mut Engine<'_>, environment: &dyn Environment) -> Result<(), Stop> {
    let facts = facts(engine, environment)?;
    let cx = &sandbox::inside(engine);
    if let Some(sandbox) = cx.sandbox() {
        sandbox.watch_room(cx).await;
    }
    let (scenario, failed_at) = (engine.plan.scenario(), failed_at(engine));
    let look = Look { cx, environment, facts: &facts, failed_at, compared: compared(engine) };
    let app = match &scenario.app {
        Some(app) => Some(start(engine, app, look).await?),
        None => None,
    };
    engine.journal.append(Event::ServiceOk { verify_secs: engine.aside.as_secs_f64() })?;
    for check in &scenario.checks {
        let result = make(check, look).await?;
        engine.journal.append(Event::Checked(Box::new(result)))?;
    }
    match app {
        Some(app) => finish(engine, app, look).await,
        None => Ok(()),
    }
}

/// Stops the app. One that ended by itself meanwhile has not served: what was seen before says nothing about it.
async fn finish(engine: &Engine<'_>, mut app: RunningApp, look: Look<'_>) -> Result<(), Stop> {
    if let Some(how) = app.has_ended() {
        look.own_fault()?;
        let (title, expected) = ("The app runs until it is stopped", "it still runs after the last check");
        let check = passed("app-runs", title, Assurance::ApplicationHealthy, expected);
        let check = CheckResult { outcome: Outcome::Failed, observed: how, ..check };
        engine.journal.append(Event::Checked(Box::new(check)))?;
    }
    Ok(app.stop().await?)
}

/// Where checks look, and the instant that the drill took as the failure.
#[derive(Clone, Copy)]
struct Look<'a> {
    cx: &'a Context,
    environment: &'a dyn Environment,
    facts: &'a BTreeMap<String, String>,
    failed_at: Timestamp,
    /// Whether all of the content was compared with what was captured.
    compared: bool,
}

/// What apps and probes are told about the environment.
fn facts(engine: &Engine<'_>, environment: &dyn Environment) -> Result<BTreeMap<String, String>, Stop> {
    let mut facts = environment.facts();
    facts.insert("DRILL_ROOT".into(), environment.root().display().to_string());
    facts.insert("DRILL_RUN".into(), engine.cx.run.clone());
    facts.insert("DRILL_PORT".into(), free_port()?.to_string());
    Ok(facts)
}

/// Starts the app and waits until it is ready. An app that doesn't get ready is a failed check, after which the others have
/// nothing to look at.
async fn start(engine: &mut Engine<'_>, app: &drill_scenarios::App, look: Look<'_>) -> Result<RunningApp, Stop> {
    let cx = look.cx;
    let checked = engine.plan.scenario().checks.iter().map(|check| &check.probe);
    if cx.sandbox().is_none() {
        probes::require_free([&app.ready.probe].into_iter().chain(checked), look.facts).await?;
    }
    engine.leases.take(PROCESS, format!("app {}", app.argv.join(" ")), &cx.run)?;
    let began = cx.clock.elapsed();
    let (readiness, running) = match RunningApp::start(app, cx, look.environment, look.facts) {
        Ok(mut running) => {
            let readiness = running.ready(cx, look.environment, look.failed_at).await?;
            (readiness, Some(running))
        }
        Err(error) if error.kind() == Kind::Unrestorable => (Readiness::NotReady(error.chain()), None),
        Err(error) => return Err(error.into()),
    };
    let took = cx.clock.elapsed() - began;
    if !matches!(readiness, Readiness::Ready(_)) {
        look.own_fault()?;
    }
    engine.timed(Phase::Ready, took)?;
    let expected = format!("ready within {}", app.ready.within);
    let mut check =
        passed("app-ready", "The app starts on the restored data", Assurance::ApplicationHealthy, &expected);
    check.secs = took.as_secs_f64();
    (check.outcome, check.observed) = match &readiness {
        Readiness::Ready(after) => (Outcome::Passed, format!("ready after {}", amount::duration(after.as_secs_f64()))),
        Readiness::NotReady(why) => (Outcome::Failed, why.clone()),
    };
    engine.journal.append(Event::Checked(Box::new(check)))?;
    running.filter(|_| matches!(readiness, Readiness::Ready(_))).ok_or(Stop::Failed)
}

/// Makes one check, again and again until it holds or its time is over.
async fn make(check: &Check, look: Look<'_>) -> Result<CheckResult, Stop> {
    let (cx, mut attempts) = (look.cx, 0);
    let began = cx.clock.elapsed();
    let within = check.within.map(drill_scenarios::Span::duration).unwrap_or_default();
    let (seen, judgement) = probes::until(cx, within, async || {
        attempts += 1;
        let seen = probes::observe(&check.probe, cx, look.environment, look.facts).await?;
        let judgement = seen.judge(&check.expect, look.failed_at);
        let holds = judgement == Judgement::Holds;
        Ok(if holds { ControlFlow::Break((seen, judgement)) } else { ControlFlow::Continue((seen, judgement)) })
    })
    .await?;
    let (outcome, observed) = match judgement {
        Judgement::Holds => (Outcome::Passed, shown(check, &seen)),
        Judgement::Fails(mut why) => {
            why.extend(said(check, &seen));
            (Outcome::Failed, why.join("; "))
        }
        Judgement::Unclear(why) => (Outcome::Inconclusive, why.join("; ")),
    };
    if outcome != Outcome::Passed {
        look.own_fault()?;
    }
    let evidence_sha256 = match &seen {
        Seen::Values(values) => Some(host::sha256(&serde_json::to_vec(values).expect("an observation is plain data"))),
        Seen::Nothing(_) => None,
    };
    let secs = (cx.clock.elapsed() - began).as_secs_f64();
    let check = passed(&check.name, &check.name, look.level(&check.probe), &describe(&check.expect));
    Ok(CheckResult { outcome, observed, attempts, secs, evidence_sha256, ..check })
}

/// The observed values that were expected something of, each cut to a length that a report can bear.
fn shown(check: &Check, seen: &Seen) -> String {
    let Seen::Values(values) = seen else { return String::new() };
    let pairs = check
        .expect
        .keys()
        .filter_map(|name| Some(format!("{name} is {}", short(values.get(name)?.to_string().trim_end()))));
    pairs.collect::<Vec<_>>().join(", ")
}

/// The last line that a program wrote to each of its outputs that nothing is expected of: it names what the exit code can't.
fn said(check: &Check, seen: &Seen) -> Vec<String> {
    let (Probe::Command(_), Seen::Values(values)) = (&check.probe, seen) else { return Vec::new() };
    let others = ["stdout", "stderr"].into_iter().filter(|name| !check.expect.contains_key(*name));
    let ends = others.filter_map(|name| {
        let text = values.get(name)?.to_string();
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(format!("{name} ends with {:?}", short(line)))
    });
    ends.collect()
}

/// A text cut to what a report can bear.
fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl Look<'_> {
    /// Fails if the sandbox may be what went wrong: then nothing is known about the backup.
    fn own_fault(&self) -> Result<(), Stop> {
        Ok(self.cx.sandbox().map_or(Ok(()), Sandbox::must_be_well)?)
    }

    /// An answer over the network is the application's; everything else is a look at the content. That some of it is right does
    /// not prove that all of it came back: where it was not compared, such a look proves a restore and no more.
    fn level(&self, probe: &Probe) -> Assurance {
        match probe {
            Probe::Http(_) | Probe::Tcp(_) => Assurance::ApplicationHealthy,
            Probe::Sql(_) | Probe::Command(_) | Probe::File(_) if self.compared => Assurance::ContentEqual,
            Probe::Sql(_) | Probe::Command(_) | Probe::File(_) => Assurance::Restores,
        }
    }
}

/// The instant that the drill took as the failure.
fn failed_at(engine: &Engine<'_>) -> Timestamp {
    let declared = engine.journal.entries().into_iter().find(|entry| entry.event == Event::FailureDeclared);
    declared.map_or_else(|| engine.cx.clock.now(), |entry| entry.at)
}
