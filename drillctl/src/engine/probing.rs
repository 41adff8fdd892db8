//! Probe: the app is started on the restored data, and the scenario's checks are made.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use drill_agents::probes::{self, Seen, Within};
use drill_agents::{Context, Kind, Readiness, RunningApp};
use drill_reports::{Assurance, CheckResult, Event, Outcome, Phase, Room, amount};
use drill_scenarios::{Check, Judgement, Name, Probe, Scalar, describe};
use jiff::Timestamp;

use super::checks::compared;
use super::leases::PROCESS;
use super::recovery::Placed;
use super::results::passed;
use super::{Engine, Stop, sandbox};
use crate::{host, room};

/// Characters of an observed value that go into the record.
const SHOWN: usize = 120;

/// Starts the app, makes the checks, and stops the app.
pub(super) async fn probe(engine: &mut Engine<'_>, placed: &[Placed<'_>]) -> Result<(), Stop> {
    let facts = room::facts(rooms(engine), &engine.cx.run)?;
    let cx = &sandbox::inside(engine);
    if let Some(sandbox) = cx.sandbox() {
        sandbox.watch_room(cx).await;
    }
    let (scenario, failed_at) = (engine.plan.scenario(), failed_at(engine));
    let compared = placed.iter().map(|placed| compared(engine, placed.system)).collect();
    let look = Look { cx, placed, facts: &facts, failed_at, compared: &compared };
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
        look.own_fault().await?;
        let (title, expected) = ("The app runs until it is stopped", "it still runs after the last check");
        let check = passed(engine.plan.own(), "app-runs", title, Assurance::ApplicationHealthy, expected);
        let check = CheckResult { outcome: Outcome::Failed, observed: how, ..check };
        engine.journal.append(Event::Checked(Box::new(check)))?;
    }
    Ok(app.stop().await?)
}

/// Where checks look, and the instant that the drill took as the failure.
#[derive(Clone, Copy)]
struct Look<'a> {
    cx: &'a Context,
    placed: &'a [Placed<'a>],
    facts: &'a BTreeMap<String, String>,
    failed_at: Timestamp,
    /// Of which systems all of the content was compared with what was captured.
    compared: &'a Vec<bool>,
}

/// Where apps and probes are.
fn rooms<'a>(engine: &'a Engine<'_>) -> impl Iterator<Item = (Option<&'a str>, &'a Room)> {
    engine.rooms.iter().map(|(system, room)| (system.as_deref(), room))
}

/// Starts the app and waits until it is ready. An app that doesn't get ready is a failed check, after which the others have
/// nothing to look at.
async fn start(engine: &mut Engine<'_>, app: &drill_scenarios::App, look: Look<'_>) -> Result<RunningApp, Stop> {
    let cx = look.cx;
    let checked = engine.plan.scenario().checks.iter().map(|check| &check.probe);
    if cx.sandbox().is_none() {
        probes::require_free([&app.ready.probe].into_iter().chain(checked), look.facts).await?;
    }
    engine.leases.take(PROCESS, None, format!("app {}", app.what()), &cx.run)?;
    let began = cx.clock.elapsed();
    let started = match app.container {
        None => RunningApp::start(app, look.within(None, None)),
        Some(_) => RunningApp::start_contained(app, look.within(None, None)).await,
    };
    let (readiness, running) = match started {
        Ok(mut running) => {
            let readiness = running.ready(look.within(None, None), look.failed_at).await?;
            (readiness, Some(running))
        }
        Err(error) if error.kind() == Kind::Unrestorable => (Readiness::NotReady(error.chain()), None),
        Err(error) => return Err(error.into()),
    };
    let took = cx.clock.elapsed() - began;
    if !matches!(readiness, Readiness::Ready(_)) {
        look.own_fault().await?;
    }
    engine.timed(Phase::Ready, took)?;
    let expected = format!("ready within {}", app.ready.within);
    let title = "The app starts on the restored data";
    let mut check = passed(engine.plan.own(), "app-ready", title, Assurance::ApplicationHealthy, &expected);
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
    let (cx, within, mut attempts) = (look.cx, look.of(check), 0);
    let system = look.placed[look.at(check.system.as_ref())].system;
    let began = cx.clock.elapsed();
    let patience = check.within.map(drill_scenarios::Span::duration).unwrap_or_default();
    let (seen, judgement) = probes::until(cx, patience, async || {
        attempts += 1;
        let seen = probes::observe(&check.probe, within).await?;
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
        look.own_fault().await?;
    }
    let evidence_sha256 = match &seen {
        Seen::Values(values) => Some(host::sha256(&serde_json::to_vec(values).expect("an observation is plain data"))),
        Seen::Nothing(_) => None,
    };
    let secs = (cx.clock.elapsed() - began).as_secs_f64();
    let result = passed(system, "", &check.name, look.level(check), &describe(&check.expect));
    Ok(CheckResult { id: check.name.clone(), outcome, observed, attempts, secs, evidence_sha256, ..result })
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

/// What was seen that nothing is expected of, and that names what a number can't: the last line that a program wrote to each of its
/// outputs, the first file that is missing.
fn said(check: &Check, seen: &Seen) -> Vec<String> {
    let Seen::Values(values) = seen else { return Vec::new() };
    let unexpected = |name: &&str| !check.expect.contains_key(*name);
    let last_line = |name| {
        let text = values.get(name)?.to_string();
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(format!("{name} ends with {:?}", short(line)))
    };
    match &check.probe {
        Probe::Command(_) => ["stdout", "stderr"].into_iter().filter(unexpected).filter_map(last_line).collect(),
        Probe::References(_) => match values.get("first_unresolved").filter(|_| unexpected(&"first_unresolved")) {
            Some(Scalar::Text(first)) => vec![format!("the first: {}", short(first))],
            _ => Vec::new(),
        },
        Probe::Http(_) | Probe::Sql(_) | Probe::Tcp(_) | Probe::File(_) => Vec::new(),
    }
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
    async fn own_fault(&self) -> Result<(), Stop> {
        match self.cx.sandbox() {
            Some(sandbox) => Ok(sandbox.must_be_well().await?),
            None => Ok(()),
        }
    }

    /// Which system is meant.
    fn at(&self, system: Option<&Name>) -> usize {
        let wanted = system.map(Name::as_str);
        let found = self.placed.iter().position(|placed| placed.system.name.as_deref() == wanted);
        found.expect("the rules of the language let no other name pass")
    }

    /// Where a check looks.
    fn of(&self, check: &Check) -> Within<'_> {
        let to = match &check.probe {
            Probe::References(references) => references.to.as_ref(),
            _ => None,
        };
        self.within(check.system.as_ref(), to)
    }

    /// Into a system, with files of another that it may refer to.
    fn within(&self, system: Option<&Name>, to: Option<&Name>) -> Within<'_> {
        let environment = |system| &*self.placed[self.at(system)].environment;
        Within { cx: self.cx, env: environment(system), files: environment(to.or(system)), facts: self.facts }
    }

    /// An answer over the network is the application's; references to another system tie the two together; everything else is a look at the
    /// content. That some of it is right does not prove that all of it came back: where it was not compared, such a look proves a
    /// restore and no more.
    fn level(&self, check: &Check) -> Assurance {
        match &check.probe {
            Probe::Http(_) | Probe::Tcp(_) => Assurance::ApplicationHealthy,
            Probe::References(references)
                if references.to.as_ref().is_some_and(|to| Some(to) != check.system.as_ref()) =>
            {
                Assurance::SystemsAgree
            }
            Probe::Sql(_) | Probe::Command(_) | Probe::File(_) | Probe::References(_) => {
                if self.compared[self.at(check.system.as_ref())] {
                    Assurance::ContentEqual
                } else {
                    Assurance::Restores
                }
            }
        }
    }
}

/// The instant that the drill took as the failure.
fn failed_at(engine: &Engine<'_>) -> Timestamp {
    let declared = engine.journal.entries().into_iter().find(|entry| entry.event == Event::FailureDeclared);
    declared.map_or_else(|| engine.cx.clock.now(), |entry| entry.at)
}
