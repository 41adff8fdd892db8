//! The container of the app: made of the image that the scenario names, on the restored data, in the network of the sandbox.

use std::path::PathBuf;

use drill_scenarios::{App, Container, Sandbox as Rules};
use serde::Deserialize;
use serde_json::{Value, json};

use super::confined::{Mount, confined};
use super::told::{Told, own_root};
use super::{Engine, Found, container_name, labels};
use crate::probes::{Outfit, Within};
use crate::{Account, Error, Kind, Result};

/// What an app's container is made from.
pub(crate) struct Outline<'a> {
    pub(crate) app: &'a App,
    pub(crate) container: &'a Container,
    pub(crate) image: &'a Found,
    pub(crate) rules: &'a Rules,
    /// Folders of everything that was restored.
    pub(crate) folders: &'a [PathBuf],
    /// The container whose network it has.
    pub(crate) network: &'a str,
}

/// A container that was started.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) id: String,
    /// Its first process, unless that has ended already.
    pub(crate) pid: Option<i32>,
}

/// What an engine tells of how a container is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State {
    #[serde(rename = "OOMKilled", default)]
    pub(crate) oom_killed: bool,
    pub(crate) running: bool,
    #[serde(default)]
    pub(crate) exit_code: i32,
    pub(crate) pid: i32,
}

/// How a container is.
///
/// # Errors
/// [`Kind::NotFound`] if it is gone; those of the engine.
pub(crate) async fn state(engine: &Engine, id: &str) -> Result<State> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Told {
        state: State,
    }
    Ok(engine.get::<Told>(&format!("/containers/{id}/json"), &[]).await?.state)
}

/// Makes a container of this description and starts it.
///
/// # Errors
/// [`Kind::Refused`] if another has its name; [`Kind::Config`] if it can't be started; those of the engine.
pub(crate) async fn start(engine: &Engine, name: &str, description: &Value) -> Result<Started> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Created {
        id: String,
    }
    let created = engine.post("/containers/create", &[("name", name)], Some(description)).await?;
    let Created { id } = serde_json::from_value(created)
        .map_err(|cause| Error::new(Kind::Unavailable, "an answer of the container engine").because(cause))?;
    match engine.post(&format!("/containers/{id}/start"), &[], None).await {
        // The engine says so of a program that the image lacks.
        Err(error) if error.kind() == Kind::NotFound => return Err(Error::new(Kind::Config, error.chain())),
        started => started?,
    };
    let pid = Some(state(engine, &id).await?.pid).filter(|pid| *pid > 0);
    Ok(Started { id, pid })
}

/// Refuses an account whose files could not be removed afterwards.
///
/// # Errors
/// [`Kind::Refused`].
pub(crate) fn admit_user(container: &Container) -> Result<()> {
    let current = Account::current();
    let own = format!("{}:{}", current.uid, current.gid);
    match &container.user {
        Some(user) if !current.is_root() && *user != own => Err(Error::new(
            Kind::Refused,
            format!("an app that runs as {user} would leave files that {} can't remove", current.name),
        )
        .hint(format!("Run drillctl as root, or write `user: \"{own}\"` or nothing."))),
        _ => Ok(()),
    }
}

impl Outline<'_> {
    /// Its name.
    pub(crate) fn name(run: &str) -> String {
        container_name(run, "app")
    }

    /// The description that the engine is given.
    ///
    /// # Errors
    /// [`Kind::Config`] for a fact or a secret that isn't there.
    pub(crate) fn describe(&self, within: Within<'_>) -> Result<Value> {
        let (told, root) = (Told::in_container(self.container, within), own_root(within));
        let App { argv, folder, env, secrets, .. } = self.app;
        let outfit = Outfit { argv, folder: folder.as_deref(), env, secrets };
        let beside = self.folders.iter().filter(|folder| **folder != root).map(|folder| Mount::same(folder));
        let data = Mount { from: &root, to: &told.data, writable: true };
        let mounts: Vec<_> = [data].into_iter().chain(beside.map(Mount::writable)).collect();
        let mut confinement = confined(self.rules, &mounts, &self.in_memory());
        confinement["NetworkMode"] = format!("container:{}", self.network).into();
        let mut description = json!({
            "Image": self.image.id,
            "Env": told.variables(outfit)?,
            "Labels": labels(&within.cx.run),
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": confinement,
        });
        if !argv.is_empty() {
            description["Cmd"] = told.words(outfit)?.into();
        }
        if let Some(user) = self.user() {
            description["User"] = user.into();
        }
        if let Some(folder) = told.folder(outfit)? {
            description["WorkingDir"] = folder.display().to_string().into();
        }
        Ok(description)
    }

    /// As whom it runs, if not as whom the image says.
    fn user(&self) -> Option<String> {
        let current = Account::current();
        let own = || (!current.is_root()).then(|| format!("{}:{}", current.uid, current.gid));
        self.container.user.clone().or_else(own)
    }

    /// Folders in memory: those of the scenario, and what the image wants to be a volume, which else would be on the engine's disk.
    fn in_memory(&self) -> Vec<String> {
        let named = self.container.memory.iter().map(|folder| folder.display().to_string());
        named.chain(self.image.volumes.iter().cloned()).collect()
    }
}
