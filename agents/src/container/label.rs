//! What of an engine's things is a run's: the label, the names that go with it, and the removal of what carries it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Engine;
use crate::{Error, Kind, Removal, Result};

/// The label, whose value is the run.
const LABEL: &str = "drillctl.run";
/// Repository of the image that a sandbox is made of.
const REPOSITORY: &str = "drillctl-sandbox";

/// The labels of everything that is this run's.
pub(crate) fn labels(run: &str) -> Value {
    json!({LABEL: run})
}

/// A name for people; it says nothing about whose a container is.
pub(crate) fn container_name(run: &str, part: &str) -> String {
    format!("drillctl-{run}-{part}")
}

/// Makes an image that holds only this archive, for this run, and returns its id: engines make different names of the one that they are
/// given.
///
/// # Errors
/// Those of the engine.
pub(crate) async fn empty_image(engine: &Engine, run: &str, archive: Vec<u8>) -> Result<String> {
    let label = format!("LABEL {LABEL}={run}");
    let query = [("fromSrc", "-"), ("repo", REPOSITORY), ("tag", run), ("changes", &label)];
    engine.import("/images/create", &query, archive).await?;
    let made = of_run(engine, "/images/json", run).await?.pop();
    made.ok_or_else(|| Error::new(Kind::Unavailable, "the container engine does not show the image that it has taken"))
}

/// One of an engine's things, as it lists them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    /// Nothing where it has none.
    labels: Option<BTreeMap<String, String>>,
}

/// Stops and removes every container and image with the label of this run.
///
/// # Errors
/// Those of the engine, such as that it can't be reached.
pub(crate) async fn release(run: &str, socket: &Path) -> Result<Removal> {
    let engine = Engine::at(socket)?;
    let mut removed = false;
    for id in of_run(&engine, "/containers/json", run).await? {
        removed |= engine.delete(&format!("/containers/{id}"), &[("force", "true"), ("v", "true")]).await?;
    }
    for id in of_run(&engine, "/images/json", run).await? {
        removed |= engine.delete(&format!("/images/{id}"), &[("force", "true")]).await?;
    }
    Ok(if removed { Removal::Removed } else { Removal::Absent })
}

async fn of_run(engine: &Engine, path: &str, run: &str) -> Result<Vec<String>> {
    let filters = json!({"label": [format!("{LABEL}={run}")]}).to_string();
    let listed: Vec<Listed> = engine.get(path, &[("all", "true"), ("filters", &filters)]).await?;
    let is_its = |one: &Listed| one.labels.as_ref().and_then(|labels| labels.get(LABEL)).is_some_and(|of| of == run);
    // An engine that passes a filter over lists everybody's.
    Ok(listed.into_iter().filter(is_its).map(|one| one.id).collect())
}
