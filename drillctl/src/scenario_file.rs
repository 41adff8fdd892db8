//! A scenario file as it stands on the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use drill_agents::Secrets;
use drill_scenarios::{Scenario, Seal};

use crate::failure::Failure;
use crate::host;

/// A scenario file that was read and found right.
#[derive(Debug, Clone)]
pub(crate) struct ScenarioFile {
    /// Where it is, absolute.
    pub(crate) path: PathBuf,
    /// Its bytes as read: the record names their digest.
    pub(crate) text: String,
    /// What it says.
    pub(crate) scenario: Scenario,
}

impl ScenarioFile {
    /// Reads a scenario.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |cause| {
            Failure::usage(format!("reading scenario {}: {cause}", path.display()))
                .hint("Name a scenario file, such as scenarios/quickstart.yaml.")
        };
        let bytes = std::fs::read(path).map_err(wrong)?;
        let absolute = path.canonicalize().map_err(wrong)?;
        let scenario = drill_scenarios::parse_bytes(&path.display().to_string(), &bytes).map_err(|problems| {
            let text = problems.to_string();
            // Each problem is headed `error:`, as every failure will be.
            Failure::usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end())
        })?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Self { path: absolute, text, scenario })
    }

    /// The folder that its relative paths start from.
    pub(crate) fn base(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// SHA-256 of its bytes.
    pub(crate) fn sha256(&self) -> String {
        host::sha256(self.text.as_bytes())
    }

    /// The vault and the seal of its own snapshots.
    ///
    /// # Errors
    /// If it restores what another tool took.
    pub(crate) fn own(&self) -> Result<(&drill_scenarios::Vault, &Seal), Failure> {
        self.scenario.vault.as_ref().zip(self.scenario.seal.as_ref()).ok_or_else(|| {
            let message = format!("scenario {} has no vault: it restores what another tool took", self.scenario.name);
            Failure::usage(message).hint(format!("Use {} itself to look at its backups.", self.scenario.source.kind()))
        })
    }

    /// As what the snapshots of a system are sealed: the scenario's name, with that of a further system after a dot.
    pub(crate) fn sealed_as(&self, system: Option<&str>) -> String {
        match system {
            None => self.scenario.name.to_string(),
            Some(system) => format!("{}.{system}", self.scenario.name),
        }
    }

    /// Where its secrets are looked up.
    pub(crate) fn secrets(&self) -> Arc<Secrets> {
        Arc::new(Secrets::relative_to(self.base()))
    }
}
