//! `drillctl plan`: what a run would do.

use std::path::PathBuf;

use clap::Args;
use drill_agents::seal::Keys;
use drill_agents::{Clock, Context, Estimate, Limits, repositories};
use drill_reports::amount::{bytes, instant};
use serde::Serialize;

use super::{Ended, Options, say, say_json};
use crate::failure::Failure;
use crate::host;
use crate::plan::{Adoption, Forecast, Origin, Pick, Plan, System, Wanted};
use crate::scenario_file::ScenarioFile;
use crate::space::{self, Space};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The scenario file
    scenario: PathBuf,
}

#[derive(Debug, Serialize)]
struct Planned<'a> {
    scenario: &'a str,
    steps: Vec<String>,
    forecast: &'a Forecast,
}

pub(super) async fn plan(options: &Options, arguments: &Arguments) -> Ended {
    let file = ScenarioFile::read(&arguments.scenario)?;
    let secrets = file.secrets();
    let folder = std::path::absolute(options.state_folder()?.join("runs").join("planned"))
        .map_err(|cause| Failure::io("finding", "the state folder", cause))?;
    let clock = Clock::system();
    let limits = Limits::new(&file.scenario.limits, &clock);
    let mut cx = Context::new("planned", &folder, clock, secrets.clone()).limited(limits);
    cx.seed = host::nonce::<16>();
    let plan = build(&cx, file).await.map_err(|failure| failure.scrubbed(&secrets));
    repositories::remove_notes(&folder)?;
    let mut plan = plan?;
    space::admit(&mut plan.forecast.space, &options.reserved()?)?;
    let planned = Planned { scenario: plan.scenario().name.as_str(), steps: steps(&plan), forecast: &plan.forecast };
    if options.json {
        say_json(&planned);
    } else {
        say(format_args!("{} ({})", plan.scenario().title, planned.scenario));
        planned.steps.iter().enumerate().for_each(|(at, step)| say(format_args!("{:>3}. {step}", at + 1)));
        planned.forecast.space.iter().for_each(|space| say(format_args!("     {}", room(space))));
        let warnings = plan.keys().map_or(&[] as &[_], Keys::warnings);
        let notes = warnings.iter().cloned().chain(plan.forecast.note());
        notes.for_each(|note| say(format_args!("     note: {}: {}", note.subject, note.statement)));
    }
    Ok(0)
}

async fn build(cx: &Context, file: ScenarioFile) -> Result<Plan, Failure> {
    let wanted = file.scenario.systems().map(Wanted::as_said).collect();
    Plan::build(cx, file, wanted).await
}

/// Where the backup comes from, in sentences.
fn origin(system: &System) -> Vec<String> {
    let kind = system.source.kind();
    match &system.origin {
        Origin::Own(own) => vec![
            format!("Capture the {kind} source{}: {}", of(system), extent(&system.estimate)),
            format!("Seal it to {} and store it in {}", own.keys.recipients().join(", "), own.vault.location()),
        ],
        Origin::Adopted(Adoption { repository, pick: Pick::Nothing }) => {
            vec![format!("Fail: {} holds no backup that fits", repository.location())]
        }
        Origin::Adopted(Adoption { pick: Pick::Denied { why, .. }, .. }) => vec![format!("Fail: {why}")],
        Origin::Adopted(Adoption { repository, pick: Pick::Chosen(chosen) }) => vec![format!(
            "Take the {kind} backup{} {} of {} from {}: {}",
            of(system),
            chosen.backup.id,
            instant(chosen.backup.taken_at),
            repository.location(),
            chosen.how
        )],
    }
}

/// ` of uploads`; nothing for the scenario's own.
fn of(system: &System) -> String {
    system.name.as_ref().map_or_else(String::new, |name| format!(" of {name}"))
}

fn extent(estimate: &Estimate) -> String {
    match estimate.is_known() {
        true => format!("about {}, {} items", bytes(estimate.stream_bytes), estimate.items),
        false => "how much there is isn't known beforehand".into(),
    }
}

fn room(space: &Space) -> String {
    let (needed, free, purpose) = (bytes(space.needed), bytes(space.free), space.purpose.words());
    let reserved = match space.reserved_by.as_slice() {
        [] => String::new(),
        runs => format!(", {} of it reserved by run {}", bytes(space.reserved), runs.join(" and run ")),
    };
    format!("space for the {purpose}: {needed} of {free} free in {}{reserved}", space.folder.display())
}

/// What would happen, in sentences.
fn steps(plan: &Plan) -> Vec<String> {
    let scenario = plan.scenario();
    let forecast = &plan.forecast;
    let mut steps: Vec<String> = plan.systems.iter().flat_map(origin).collect();
    steps.extend(plan.systems.iter().map(|system| {
        let (kind, folder) = (system.scratch_kind, system.place.folder.display());
        format!("Provision a {kind} scratch{} in {folder}", of(system))
    }));
    steps.extend([
        match forecast.known {
            true => format!("Restore: about {}", bytes(forecast.restored_bytes)),
            false => "Restore".into(),
        },
        format!(
            "Verify: compare {}",
            match scenario.verify.level {
                drill_scenarios::Level::Count => "names and numbers",
                drill_scenarios::Level::Content => "everything",
            }
        ),
    ]);
    if let Some(app) = &scenario.app {
        steps.push(format!("Start the app {}", app.what()));
    }
    steps.extend(
        scenario
            .checks
            .iter()
            .map(|check| format!("Check that {}: {}", check.name, drill_scenarios::describe(&check.expect))),
    );
    steps.push("Release everything".into());
    steps
}
