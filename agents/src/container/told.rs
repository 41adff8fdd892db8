//! What programs of the image are told: the facts as they are in their container, where the restored data is at another path.

use std::collections::BTreeMap;
use std::path::PathBuf;

use drill_scenarios::Container;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::Result;
use crate::probes::{Outfit, Within, fill};

/// The fact that is another in a container.
const ROOT: &str = "DRILL_ROOT";

/// What programs in a container are told.
pub(super) struct Told<'a> {
    within: Within<'a>,
    /// Where the restored data of the scenario's own system is in it. That of others is where it is outside.
    pub(super) data: PathBuf,
    facts: BTreeMap<String, String>,
}

impl<'a> Told<'a> {
    pub(super) fn in_container(container: &Container, within: Within<'a>) -> Self {
        let mut facts = within.facts.clone();
        let data = container.data.clone().unwrap_or_else(|| own_root(within));
        facts.insert(ROOT.into(), data.display().to_string());
        Self { within, data, facts }
    }

    /// Program and arguments.
    pub(super) fn words(&self, outfit: Outfit<'_>) -> Result<Vec<String>> {
        outfit.argv.iter().map(|word| fill(word, &self.facts)).collect()
    }

    /// The facts, then the scenario's variables, then its secrets.
    pub(super) fn variables(&self, outfit: Outfit<'_>) -> Result<Vec<String>> {
        let mut variables = self.facts.clone();
        for (name, value) in outfit.env {
            variables.insert(name.clone(), fill(value, &self.facts)?);
        }
        for (name, reference) in outfit.secrets {
            variables.insert(name.clone(), self.within.cx.secrets.resolve(reference)?.expose_secret().to_owned());
        }
        Ok(variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
    }

    /// The folder to start in, if one is named.
    pub(super) fn folder(&self, outfit: Outfit<'_>) -> Result<Option<PathBuf>> {
        outfit.folder.map(|folder| Ok(self.data.join(fill(folder, &self.facts)?))).transpose()
    }
}

/// Folder of the restored data of the scenario's own system, outside.
pub(super) fn own_root(within: Within<'_>) -> PathBuf {
    within.facts.get(ROOT).map_or_else(|| within.env.root().to_owned(), PathBuf::from)
}

/// The description of a program that is to run beside the app, in the restored data.
///
/// # Errors
/// [`crate::Kind::Config`] for a fact or a secret that isn't there.
pub(crate) fn beside(container: &Container, outfit: Outfit<'_>, within: Within<'_>) -> Result<Value> {
    let (told, root) = (Told::in_container(container, within), within.env.root());
    let folder = if root == own_root(within) { &told.data } else { root };
    Ok(json!({
        "AttachStdout": true,
        "AttachStderr": true,
        "Cmd": told.words(outfit)?,
        "Env": told.variables(outfit)?,
        "WorkingDir": folder,
    }))
}
