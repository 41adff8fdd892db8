//! A plan: a scenario whose parts are all built and checked, with nothing done yet. What can't work, or could harm, is
//! refused here.

mod system;

use std::path::Path;

use drill_agents::seal::Keys;
use drill_agents::{Context, Note, Sandbox};
use drill_scenarios::{Scenario, Span};
use serde::Serialize;

pub(crate) use self::system::{Adoption, Choice, Origin, Own, Pick, System, Wanted, told};
use crate::failure::Failure;
use crate::scenario_file::ScenarioFile;
use crate::space::Space;

/// A scenario whose parts are all built and checked.
pub(crate) struct Plan {
    pub(crate) file: ScenarioFile,
    /// The scenario's own system, then those that are restored with it: in the order in which they are captured.
    pub(crate) systems: Vec<System>,
    pub(crate) forecast: Forecast,
}

/// What a run will take, before anything is done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Forecast {
    /// Bytes of the plain streams, roughly.
    pub(crate) stream_bytes: u64,
    /// Bytes that the restored data takes, roughly.
    pub(crate) restored_bytes: u64,
    /// Files or tables.
    pub(crate) items: u64,
    /// Whether that is known at all: not every program says beforehand how much it writes.
    pub(crate) known: bool,
    /// By folder: bytes needed and bytes free.
    pub(crate) space: Vec<Space>,
}

impl Forecast {
    async fn of(systems: &[System]) -> Result<Self, Failure> {
        let mut forecast = Self { stream_bytes: 0, restored_bytes: 0, items: 0, known: true, space: Vec::new() };
        for system in systems {
            let estimate = &system.estimate;
            forecast.stream_bytes = forecast.stream_bytes.saturating_add(estimate.stream_bytes);
            forecast.restored_bytes = forecast.restored_bytes.saturating_add(estimate.restored_bytes);
            forecast.items = forecast.items.saturating_add(estimate.items);
            forecast.known &= estimate.is_known();
            forecast.space.extend(system.space().await?);
        }
        Ok(forecast)
    }

    /// What is to be said if nothing is known.
    pub(crate) fn note(&self) -> Option<Note> {
        let statement = "How much there is wasn't known beforehand, so only a margin of 16 MiB was looked for on disks. A `command` source \
                         can say it with `expected_bytes`.";
        (!self.known).then(|| Note { subject: "space".into(), statement: statement.into() })
    }
}

impl Plan {
    /// Builds and checks every part of a drill, but the room on disks. `wanted`: what is to be restored of each system, in their order.
    pub(crate) async fn build(cx: &Context, file: ScenarioFile, wanted: Vec<Wanted>) -> Result<Self, Failure> {
        let mut systems = Vec::new();
        for (said, wanted) in file.scenario.systems().zip(wanted) {
            systems.push(System::open(cx, &file, said, wanted).await?);
        }
        must_be_apart(&systems)?;
        for system in &systems {
            system.admit().await?;
            for other in &systems {
                system.place.must_be_apart_from(&other.source_identity)?;
            }
            if file.scenario.keep.is_wanted() && !system.scratch.keeps() {
                return Err(not_kept(system.scratch_kind));
            }
        }
        if file.scenario.sandbox.is_some() {
            Sandbox::admit(cx, file.scenario.container()).await?;
        }
        for system in &mut systems {
            system.measure(&file).await?;
        }
        let forecast = Forecast::of(&systems).await?;
        Ok(Self { file, systems, forecast })
    }

    /// The scenario.
    pub(crate) fn scenario(&self) -> &Scenario {
        &self.file.scenario
    }

    /// The keys of the backups that it takes itself.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        self.systems.iter().find_map(|system| match &system.origin {
            Origin::Own(own) => Some(&own.keys),
            Origin::Adopted(_) => None,
        })
    }

    /// The scenario's own system.
    pub(crate) fn own(&self) -> &System {
        self.systems.first().expect("a scenario has a system of its own")
    }
}

/// No system is restored into what another is restored into.
fn must_be_apart(systems: &[System]) -> Result<(), Failure> {
    let folder = |system: &System| {
        let folder = &system.place.folder;
        folder.canonicalize().unwrap_or_else(|_| folder.clone())
    };
    for (at, system) in systems.iter().enumerate() {
        let touches = |other: &&System| are_nested(&folder(other), &folder(system));
        if let Some(other) = systems.iter().take(at).find(touches) {
            let (place, other_place) = (system.place.folder.display(), other.place.folder.display());
            let message =
                format!("{} would be restored into {place}, and {} into {other_place}", system.label(), other.label());
            return Err(Failure::usage(message).hint("Give each scratch a `path` of its own, or none."));
        }
    }
    Ok(())
}

fn are_nested(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn not_kept(kind: &str) -> Failure {
    Failure::usage(format!(
        "the environment of a {kind} scratch can't be kept: what it holds is gone when it is stopped"
    ))
    .hint("Take `keep` out of the scenario.")
}

/// How long a stage may take.
pub(crate) fn deadline(scenario: &Scenario, stage: drill_reports::Stage) -> Span {
    use drill_reports::Stage;
    let deadlines = &scenario.deadlines;
    match stage {
        Stage::Capture => deadlines.capture,
        Stage::Store => deadlines.store,
        Stage::Provision => deadlines.provision,
        Stage::Restore => deadlines.restore,
        Stage::Verify => deadlines.verify,
        Stage::Probe => deadlines.probe,
        Stage::Release => deadlines.release,
    }
}
