//! `drillctl plan`: what a run would do.

use std::path::PathBuf;

use clap::Args;
use drill_agents::{Clock, Context, Limits};
use drill_reports::amount::bytes;
use serde::Serialize;

use super::{Ended, Options, say, say_json};
use crate::failure::Failure;
use crate::plan::{Choice, Forecast, Plan, ScenarioFile};

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
    let cx = Context::new("planned", &folder, clock, secrets.clone()).limited(limits);
    let plan = Plan::build(&cx, file, Choice::Capture).await.map_err(|failure| failure.scrubbed(&secrets))?;
    let planned = Planned { scenario: plan.scenario().name.as_str(), steps: steps(&plan), forecast: &plan.forecast };
    if options.json {
        say_json(&planned);
    } else {
        say(format_args!("{} ({})", plan.scenario().title, planned.scenario));
        planned.steps.iter().enumerate().for_each(|(at, step)| say(format_args!("{:>3}. {step}", at + 1)));
        planned.forecast.space.iter().for_each(|space| {
            let (needed, free) = (bytes(space.needed), bytes(space.free));
            say(format_args!(
                "     space for the {}: {needed} of {free} free in {}",
                space.purpose,
                space.folder.display()
            ));
        });
        plan.keys
            .warnings()
            .iter()
            .for_each(|note| say(format_args!("     note: {}: {}", note.subject, note.statement)));
    }
    Ok(0)
}

/// What would happen, in sentences.
fn steps(plan: &Plan) -> Vec<String> {
    let scenario = plan.scenario();
    let forecast = &plan.forecast;
    let recipients = plan.keys.recipients().join(", ");
    let mut steps = vec![
        format!(
            "Capture the {} source: about {}, {} items",
            scenario.source.kind(),
            bytes(forecast.stream_bytes),
            forecast.items
        ),
        format!("Seal it to {recipients} and store it in {}", plan.vault.location()),
        format!("Provision a {} scratch in {}", scenario.scratch.kind(), plan.place.folder.display()),
        format!("Restore: about {}", bytes(forecast.restored_bytes)),
        format!(
            "Verify: compare {}",
            match scenario.verify.level {
                drill_scenarios::Level::Count => "names and numbers",
                drill_scenarios::Level::Content => "everything",
            }
        ),
    ];
    if let Some(app) = &scenario.app {
        steps.push(format!("Start the app {}", app.argv.join(" ")));
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
