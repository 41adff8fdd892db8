//! Where an environment is, before it is made.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Context;

/// Where an environment is, before it is made: what its lease says. Every folder carries the run's mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The environment's folder.
    pub folder: PathBuf,
    /// Further folders outside it that it needs (a short one for sockets).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<PathBuf>,
}

impl Place {
    /// The folder that the scenario gives, relative to its own; or one in the run's.
    pub(crate) fn given_or_in_run(given: Option<&Path>, cx: &Context) -> Self {
        let folder = given.map_or_else(|| cx.folder.join("scratch"), |path| cx.secrets.base().join(path));
        Self { folder, also: Vec::new() }
    }
}
