//! The straight line: Capture, Store, Provision, Restore, Verify, Probe, Release. Only this file knows their order.
//!
//! Each stage is a step that gets what the one before it made, so that a restore can't be written before there is a snapshot and
//! an environment. Whatever happens, Release is last.

mod adopted;
mod backup;
mod checks;
mod history;
mod keep;
mod leases;
mod probing;
mod recovery;
mod release;
mod results;
mod sandbox;

use std::collections::BTreeMap;
use std::time::Duration;

use drill_agents::seal::Keys;
use drill_agents::{Context, Environment, Error, Kind, Note, Sandbox};
use drill_reports::{
    Event, Host, Phase, Promises, Record, Room, RunStarted, ScenarioFacts, Scope, Severity, Stage, StageEnd, Tool,
    Trigger,
};
use drill_scenarios::Scenario;

use crate::failure::Failure;
use crate::journal::Journal;
use crate::plan::{self, Plan, System, told};

pub(crate) use leases::Leases;
pub(crate) use release::release_all;

/// How long a stage may take to notice that it is to stop.
const GRACE: Duration = Duration::from_secs(5);

/// One run at work.
pub(crate) struct Engine<'a> {
    cx: &'a Context,
    plan: &'a Plan,
    journal: &'a Journal,
    leases: Leases,
    nonce: String,
    earlier: Earlier,
    /// How to find the way in the environments that there are, by system.
    rooms: BTreeMap<Option<String>, Room>,
    /// What the app and the programs of probes run in, once it is made.
    sandbox: Option<Sandbox>,
    /// Time that the drill took for itself since the failure, and that is no part of the recovery.
    aside: Duration,
}

/// Why the line ended before its end. What there is to say is in the journal already.
#[derive(Debug)]
pub(crate) enum Halt {
    /// A check failed in a way that leaves nothing to go on with, or a stage could not do its work.
    Told,
    /// The journal itself can't be written.
    Journal(Failure),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Journal(failure)
    }
}

/// Who and what started a run, and where it executes.
pub(crate) struct Circumstances {
    pub(crate) tool: Tool,
    pub(crate) host: Host,
    pub(crate) trigger: Trigger,
    pub(crate) git_revision: Option<String>,
    /// What came before it.
    pub(crate) earlier: Earlier,
}

/// Earlier runs of the same scenario.
#[derive(Default)]
pub(crate) struct Earlier {
    /// Those that passed.
    pub(crate) records: Vec<Record>,
    /// Those of any scenario whose journals can't be read.
    pub(crate) unreadable: Vec<String>,
}

/// Runs the plan and returns the record folded from the journal.
pub(crate) async fn run(
    cx: &Context,
    plan: &Plan,
    journal: &Journal,
    mut about: Circumstances,
) -> Result<Record, Failure> {
    let (nonce, earlier) = (about.trigger.nonce.clone(), std::mem::take(&mut about.earlier));
    journal.append(Event::RunStarted(Box::new(started(cx, plan, about))))?;
    let mut engine = Engine {
        cx,
        plan,
        journal,
        leases: Leases::new(journal.clone()),
        nonce,
        earlier,
        rooms: BTreeMap::new(),
        sandbox: None,
        aside: Duration::ZERO,
    };
    let line = engine.line().await;
    cx.cancel.cancel();
    let left = sandbox::leave(&mut engine, line.is_ok()).await;
    let released = engine.release().await;
    if let Err(Halt::Journal(failure)) = line {
        return Err(failure);
    }
    left.and(released)?;
    journal.append(Event::RunEnded)?;
    drill_reports::fold(&journal.entries()).map_err(|error| Failure::errored(error.to_string()))
}

impl Engine<'_> {
    /// The order of the stages.
    async fn line(&mut self) -> Result<(), Halt> {
        self.note(self.plan.own(), self.cx.limits.note().as_slice())?;
        if let Some(Note { subject, statement }) = self.plan.forecast.note() {
            self.journal.append(Event::Noted { severity: Severity::Info, subject, statement })?;
        }
        self.note(self.plan.own(), self.plan.keys().map_or(&[], Keys::warnings))?;
        let found = self.stage(Stage::Capture, async |engine: &mut Self| backup::find(engine).await).await?;
        // Where all that is restored rests already, there is nothing to store.
        let there = match backup::resting(found) {
            Ok(there) => there,
            Err(found) => {
                self.stage(Stage::Store, async |engine: &mut Self| backup::store_all(engine, found).await).await?
            }
        };
        self.journal.append(Event::FailureDeclared)?;
        let mut placed =
            self.stage(Stage::Provision, async |engine: &mut Self| recovery::provision(engine, there).await).await?;
        self.stage(Stage::Restore, async |engine: &mut Self| recovery::restore(engine, &mut placed).await).await?;
        let began = self.cx.clock.elapsed();
        self.stage(Stage::Verify, async |engine: &mut Self| checks::verify(engine, &placed).await).await?;
        self.aside += self.cx.clock.elapsed() - began;
        self.stage(Stage::Probe, async |engine: &mut Self| probing::probe(engine, &placed).await).await
    }

    /// Runs one stage: its begin and end are in the journal, it ends at its deadline, and it is given a moment to end by itself
    /// when the run is asked to stop.
    async fn stage<T>(
        &mut self,
        stage: Stage,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Halt> {
        let deadline = plan::deadline(self.plan.scenario(), stage).duration();
        self.journal.append(Event::StageStarted { stage, deadline_secs: deadline.as_secs() })?;
        self.cx.progress.begin(0);
        let (cx, journal) = (self.cx, self.journal);
        let began = cx.clock.elapsed();
        let (end, result) = tokio::select! {
            result = work(self) => match result {
                Ok(done) => (StageEnd::Done, Ok(done)),
                Err(stop) => stop.told(cx),
            },
            () = tokio::time::sleep(deadline) => (StageEnd::TimedOut, Err(Halt::Told)),
            () = stopped(cx) => (StageEnd::Interrupted, Err(Halt::Told)),
        };
        let secs = (cx.clock.elapsed() - began).as_secs_f64();
        journal.append(Event::StageEnded { stage, end, secs })?;
        result
    }

    /// Release has a context of its own: it must work after the run was asked to stop, and also if nothing can be written down
    /// any more.
    async fn release(&mut self) -> Result<(), Failure> {
        let mut cx = self.cx.clone();
        cx.cancel = tokio_util::sync::CancellationToken::new();
        let deadline = plan::deadline(self.plan.scenario(), Stage::Release).duration();
        let told =
            self.journal.append(Event::StageStarted { stage: Stage::Release, deadline_secs: deadline.as_secs() });
        let began = cx.clock.elapsed();
        let work = async {
            keep::keep(self, &cx).await?;
            release_all(&cx, self.plan.scenario(), &mut self.leases).await
        };
        let end = match tokio::time::timeout(deadline, work).await {
            Ok(done) => told.and(done).map(|()| StageEnd::Done)?,
            Err(_) => {
                self.leases.all_stuck("the deadline of the release passed")?;
                StageEnd::TimedOut
            }
        };
        let secs = (cx.clock.elapsed() - began).as_secs_f64();
        self.journal.append(Event::StageEnded { stage: Stage::Release, end, secs })
    }

    /// Writes down how to find the way in the environment of a system.
    fn enter(&mut self, system: &System, environment: &dyn Environment) {
        self.rooms.insert(system.name.clone(), keep::room(environment));
    }

    /// Writes down what people should know of a system, as warnings.
    fn note(&self, system: &System, notes: &[Note]) -> Result<(), Failure> {
        notes.iter().try_for_each(|Note { subject, statement }| {
            let (subject, statement) = (results::id_of(system, subject), statement.clone());
            self.journal.append(Event::Noted { severity: Severity::Warning, subject, statement })
        })
    }

    /// Writes down how long a phase of the recovery was busy.
    fn timed(&self, phase: Phase, time: Duration) -> Result<(), Failure> {
        self.journal.append(Event::PhaseTimed { phase, secs: time.as_secs_f64() })
    }
}

/// What ends a stage before its work is done.
#[derive(Debug)]
enum Stop {
    /// It could not do its work.
    Error(Error),
    /// A check says that there is nothing to go on with; the check is in the journal.
    Failed,
    /// The journal can't be written.
    Journal(Failure),
}

impl Stop {
    fn told<T>(self, cx: &Context) -> (StageEnd, Result<T, Halt>) {
        match self {
            Self::Failed => (StageEnd::Done, Err(Halt::Told)),
            Self::Error(error) if error.kind() == Kind::Interrupted || cx.cancel.is_cancelled() => {
                (StageEnd::Interrupted, Err(Halt::Told))
            }
            Self::Error(error) => {
                let hint = error.next_step().map(str::to_owned);
                (StageEnd::Error { error: error.chain(), hint }, Err(Halt::Told))
            }
            Self::Journal(failure) => {
                let error = failure.to_string();
                (StageEnd::Error { error, hint: None }, Err(Halt::Journal(failure)))
            }
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Journal(failure)
    }
}

async fn stopped(cx: &Context) {
    cx.cancel.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

fn started(cx: &Context, plan: &Plan, about: Circumstances) -> RunStarted {
    let scenario = plan.scenario();
    let objectives = &scenario.objectives;
    RunStarted {
        run: cx.run.clone(),
        scenario: ScenarioFacts {
            name: scenario.name.to_string(),
            title: scenario.title.clone(),
            owner: scenario.owner.clone(),
            criticality: format!("{:?}", scenario.criticality).to_lowercase(),
            path: plan.file.path.display().to_string(),
            sha256: plan.file.sha256(),
            git_revision: about.git_revision,
        },
        tool: about.tool,
        host: about.host,
        trigger: about.trigger,
        scope: Scope {
            covered: scenario.systems().flat_map(|system| system.source.covers()).collect(),
            excluded: excluded(scenario),
            data_class: scenario.data_class.clone(),
            sampling: None,
        },
        promises: Promises {
            rto_secs: objectives.rto.map(|span| span.duration().as_secs()),
            rpo_secs: objectives.rpo.map(|span| span.duration().as_secs()),
            max_age_secs: scenario.source.max_age().map(|span| span.duration().as_secs()),
            promised_in: objectives.promised_in.clone(),
        },
        controls: scenario
            .controls
            .iter()
            .map(|(framework, ids)| (framework.as_str().to_owned(), ids.clone()))
            .collect(),
        kinds: plan.own().kinds(scenario.vault.as_ref()),
        source: told(&plan.own().source_identity),
        also: plan.systems.iter().filter_map(|system| system.facts(scenario.vault.as_ref())).collect(),
    }
}

/// What the scenario leaves out, in its own words and by its settings.
fn excluded(scenario: &Scenario) -> Vec<String> {
    let by_settings = scenario.systems().flat_map(|system| system.source.left_out());
    let by_settings = by_settings.chain(scenario.history.left_out());
    scenario.exclusions.iter().cloned().chain(by_settings).collect()
}
