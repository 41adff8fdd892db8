//! The container that the app runs in, where it is not a program of this host.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Image;

/// A container of an image, by Docker's engine. It has the network of the sandbox and a read-only root,
/// is not privileged and has no capability. The image must be on this host: nothing is pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// The image by its digest, which a tag isn't: `registry.example.org/wiki@sha256:…`, or `sha256:…` alone, the id of an image that
    /// was made on this host.
    pub image: Image,
    /// Where the restored data is in the container, which is its `${DRILL_ROOT}`. Absent: the same path as outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// The account in it: `1000:1000`, or a name that the image knows. Absent: the image's own where root runs the drill, else the
    /// account that runs the drill, which is then the only one that is allowed, since the restored data belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Folders in memory, empty when it starts: what the app writes besides its data and `/tmp` (`/run`, `/var/cache/nginx`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<PathBuf>,
    /// The engine's socket: `unix:///srv/engine/docker.sock`. Absent: what `DOCKER_HOST` says, or Docker's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^unix:///."))]
    pub engine: Option<String>,
}
