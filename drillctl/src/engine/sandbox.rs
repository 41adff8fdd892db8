//! The sandbox of a run: made and proved before anything is restored, and left when the line is over. What its programs tried to reach
//! is noted then, however the run ends.

use std::path::{Path, PathBuf};

use drill_agents::{Context, Note, Outside, Sandbox};
use drill_scenarios::{Reference, Scenario};

use super::leases::{CONTAINERS, SANDBOX};
use super::recovery::Placed;
use super::{Engine, Stop};
use crate::failure::Failure;
use crate::plan::Origin;

/// Makes the sandbox that the scenario asks for, and proves that it holds. How, in sentences.
pub(super) async fn enclose(engine: &mut Engine<'_>, placed: &[Placed<'_>]) -> Result<Vec<String>, Stop> {
    let (cx, plan) = (engine.cx, engine.plan);
    let Some(rules) = &plan.scenario().sandbox else { return Ok(Vec::new()) };
    let container = plan.scenario().container();
    match container {
        None => {
            let groups = Sandbox::groups(&cx.run);
            engine.leases.take(SANDBOX, None, named(&groups), &groups)?;
        }
        Some(container) => {
            let socket = Sandbox::engine(container)?;
            let what = format!("containers by the engine at {}", socket.display());
            engine.leases.take(CONTAINERS, None, what, &socket)?;
        }
    }
    let outside = outside(engine).await;
    let folders = placed.iter().flat_map(|placed| placed.environment.folders()).collect();
    let sandbox = Sandbox::start(cx, rules, container, folders, &outside).await?;
    let began = cx.clock.elapsed();
    let proof = sandbox.prove(cx, &outside).await?;
    engine.aside += cx.clock.elapsed() - began;
    let sentences = sandbox.isolation().into_iter().chain(proof).collect();
    engine.sandbox = Some(sandbox);
    Ok(sentences)
}

fn named(groups: &[PathBuf]) -> String {
    match groups {
        [] => "sandbox".into(),
        groups => {
            let groups: Vec<_> = groups.iter().map(|group| group.display().to_string()).collect();
            format!("sandbox with the control groups {}", groups.join(", "))
        }
    }
}

/// The context of what is started and looked at on the restored data.
pub(super) fn inside(engine: &Engine<'_>) -> Context {
    match &engine.sandbox {
        Some(sandbox) => engine.cx.clone().inside(sandbox.clone()),
        None => engine.cx.clone(),
    }
}

/// Ends the sandbox, and writes down what was tried in it. `whole`: the line came to its end, so that a limit that was reached
/// stands nowhere yet.
pub(super) async fn leave(engine: &mut Engine<'_>, whole: bool) -> Result<(), Failure> {
    let Some(sandbox) = engine.sandbox.take() else { return Ok(()) };
    let note = |statement: String| Note { subject: "sandbox".into(), statement };
    let mut notes = match sandbox.tried().await {
        Ok(notes) => notes,
        Err(error) => vec![note(format!("What its programs tried to reach is not known: {}.", error.chain()))],
    };
    if whole && let Err(reached) = sandbox.must_be_well().await {
        notes.push(note(format!("The checks passed, but {}.", reached.chain())));
    }
    engine.note(engine.plan.own(), &notes)
}

/// What it must keep its programs from.
async fn outside(engine: &Engine<'_>) -> Outside {
    let (cx, plan) = (engine.cx, engine.plan);
    // What a link leads to counts.
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let named = |what: &str, path: &Path| (format!("{what} {}", real(path).display()), real(path));
    let mut paths = vec![named("the run's folder", &cx.folder)];
    paths.extend(cx.folder.parent().map(|runs| named("other runs in", runs)));
    paths.extend(keys(plan.scenario(), plan.file.base()).map(|path| named("the key", &path)));
    let mut addresses = Vec::new();
    for system in &plan.systems {
        match &system.origin {
            Origin::Own(own) => {
                let source = own.source.whereabouts().await;
                paths.extend(own.vault.folder().map(|folder| named("the vault", folder)));
                paths.extend(source.paths.iter().map(|path| named("the source", path)));
                addresses.extend(source.addresses);
            }
            Origin::Adopted(adoption) => {
                let path = Path::new(adoption.repository.location());
                paths.extend(path.exists().then(|| named("the repository", path)));
            }
        }
    }
    paths.dedup();
    Outside { addresses, paths }
}

/// Files with which snapshots are opened.
fn keys(scenario: &Scenario, base: &Path) -> impl Iterator<Item = PathBuf> {
    let seal = scenario.seal.iter();
    let references = seal.flat_map(|seal| seal.identities.iter().chain(&seal.passphrase));
    references.filter_map(|reference| match reference {
        Reference::File(path) => Some(base.join(path)),
        Reference::Env(_) | Reference::Credential(_) => None,
    })
}
