//! `drillctl doctor`: what is missing on this host for these scenarios, and how to get it.

use std::path::{Path, PathBuf};

use clap::Args;
use drill_agents::seal::Keys;
use drill_agents::{
    Clock, Context, Error, Identity, Kind, Limits, Note, Sandbox, Secrets, Vault, repositories, scratches, sources,
};
use drill_reports::amount;
use drill_scenarios::{Name, Scenario, Seal, Source, System};
use owo_colors::OwoColorize;
use rustix::fs::Access;
use serde::Serialize;

use super::{Ended, Options, say, say_json};
use crate::failure::{Failure, USAGE};
use crate::reservation::Reserved;
use crate::scenario_file::ScenarioFile;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Scenario files
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    about: String,
    well: bool,
    found: String,
}

pub(super) async fn doctor(options: &Options, arguments: &Arguments) -> Ended {
    let mut findings = vec![host(options)];
    findings.extend(options.reserved()?.iter().flat_map(reserved));
    for path in &arguments.scenarios {
        match ScenarioFile::read(path) {
            Ok(file) => scenario(options, file, &mut findings).await?,
            Err(failure) => findings.push(Finding::new(path.display().to_string(), Err(failure))),
        }
    }
    if options.json {
        say_json(&findings);
    } else {
        findings.iter().for_each(|finding| say(finding.line()));
    }
    Ok(if findings.iter().all(|finding| finding.well) { 0 } else { USAGE })
}

/// What every scenario needs.
fn host(options: &Options) -> Finding {
    let found = options.state_folder().and_then(|folder| {
        let runs = folder.join("runs");
        let there = runs.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
        rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| Failure::io("writing to", there.display(), error.into()))?;
        Ok(format!("{} can be written", folder.display()))
    });
    Finding::new("state folder".into(), found)
}

/// What a run at work has reserved.
fn reserved(reserved: &Reserved) -> impl Iterator<Item = Finding> {
    let parts = reserved.parts.iter().filter(|part| part.bytes > 0);
    parts.map(|part| {
        let (bytes, purpose) = (amount::bytes(part.bytes), part.purpose.words());
        let found = format!("run {} has reserved {bytes} for the {purpose} in {}", reserved.run, part.folder.display());
        Finding::new("space".into(), Ok(found))
    })
}

/// Looks at every part of a scenario, whatever the others say.
async fn scenario(options: &Options, file: ScenarioFile, findings: &mut Vec<Finding>) -> Result<(), Failure> {
    let secrets = file.secrets();
    let folder = std::path::absolute(options.state_folder()?.join("runs").join("planned"))
        .map_err(|cause| Failure::io("finding", "the state folder", cause))?;
    let (scenario, clock) = (&file.scenario, Clock::system());
    let limits = Limits::new(&scenario.limits, &clock);
    let cx = Context::new("planned", &folder, clock, secrets.clone()).limited(limits);
    let mut look = |part: &str, found: Result<String, Failure>| {
        let found = found.map_err(|failure| failure.scrubbed(&secrets));
        findings.push(Finding::new(format!("{}: {part}", scenario.name), found));
    };
    if let Some(seal) = &scenario.seal {
        look("seal", sound(seal, &secrets).map_err(Failure::from));
    }
    look("limits", cx.limits.prove().map(|()| "can be kept".into()).map_err(Failure::from));
    if let Some(vault) = &scenario.vault {
        look("vault", writable(&cx, vault).await.map_err(Failure::from));
    }
    for system in scenario.systems() {
        let name = system.name.map(Name::as_str);
        let cx = cx.of_system(name);
        let part = |part: &str| name.map_or_else(|| part.to_owned(), |name| format!("{part} of {name}"));
        let identity = identity(&cx, system.source).await;
        repositories::remove_notes(&folder)?;
        let known = identity.as_ref().cloned().unwrap_or_default();
        look(&part("source"), identity.map(|found| found.to_string()).map_err(Failure::from));
        look(&part("scratch"), can_be_made(&cx, scenario, system, &known).await.map_err(Failure::from));
    }
    if scenario.sandbox.is_some() {
        let found = Sandbox::admit(&cx, scenario.container()).await.map(|()| "can be made".into());
        look("sandbox", found.map_err(Failure::from));
    }
    Ok(())
}

/// Who the source is, or the repository of the tool that takes the backups.
async fn identity(cx: &Context, source: &Source) -> Result<Identity, Error> {
    if source.is_adopted() {
        repositories::open(source, &cx.secrets)?.identity(cx).await
    } else {
        sources::open(source, &cx.secrets)?.identity(cx).await
    }
}

async fn can_be_made(
    cx: &Context,
    scenario: &Scenario,
    system: System<'_>,
    source: &Identity,
) -> Result<String, Error> {
    let scratch = scratches::open(system.scratch, &scenario.verify)?;
    let place = scratch.place(cx);
    scratch.admit(cx, &place, source, &sources::format(system.source)).await?;
    Ok(format!("{} can be made", place.folder.display()))
}

async fn writable(cx: &Context, vault: &drill_scenarios::Vault) -> Result<String, Error> {
    let vault = Vault::open(vault, &cx.secrets)?.within(cx);
    vault.probe_write(cx).await?;
    let honours = vault.capabilities().conditional_writes;
    let but = if honours { "" } else { ", but honours no condition on a write" };
    Ok(format!("{} can be written{but}", vault.location()))
}

/// Opens what it seals, with keys that nobody else can read.
fn sound(seal: &Seal, secrets: &Secrets) -> Result<String, Error> {
    let keys = Keys::open(seal, secrets)?;
    let opens = keys.prove()?;
    match keys.warnings().first() {
        None => Ok(opens),
        Some(Note { subject, statement }) => Err(Error::new(Kind::Config, format!("{subject}: {statement}"))),
    }
}

impl Finding {
    fn new(about: String, found: Result<String, Failure>) -> Self {
        Self { about, well: found.is_ok(), found: found.unwrap_or_else(|failure| failure.to_string()) }
    }

    fn line(&self) -> String {
        let mark = if self.well { "✔".green().to_string() } else { "✘".red().bold().to_string() };
        format!("{mark} {}: {}", self.about.bold(), self.found)
    }
}
