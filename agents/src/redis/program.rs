//! The server program of this host, and whether it understands what another server wrote.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{self, Program};
use crate::version::minor;
use crate::{Context, Error, Kind, Result};

/// The program if the scenario doesn't name one.
const USUAL: &str = "redis-server";
const LIMIT: Duration = Duration::from_secs(20);

/// A server program that was asked for its version.
#[derive(Debug, Clone)]
pub(crate) struct ServerProgram {
    path: PathBuf,
    version: String,
}

impl ServerProgram {
    /// The program that is named, or the usual one. It must be as new as the server that wrote the RDB, whose version is `source`.
    ///
    /// # Errors
    /// [`Kind::Config`] if there is none, or it is too old.
    pub(crate) async fn find(cx: &Context, named: Option<&Path>, source: &str) -> Result<Self> {
        let name = named.map_or_else(|| USUAL.into(), |path| path.display().to_string());
        let path = process::find(&name, cx.secrets.base()).ok_or_else(|| {
            Error::new(Kind::Config, format!("there is no program {name} on this host"))
                .hint("Install it (`apt-get install redis-server`), or name another with `program` of the scratch.")
        })?;
        let ended = Program::new(&path).arg("--version").run(cx, LIMIT, 4096).await?;
        ended.success(Kind::Config)?;
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let version = said.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or_default().to_owned();
        match (minor(&version), minor(source)) {
            (Some(own), Some(theirs)) if own < theirs => Err(too_old(&name, &version, source)),
            _ => Ok(Self { path, version }),
        }
    }

    /// Its version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The program, about to be started.
    pub(super) fn program(&self) -> Program {
        Program::new(&self.path)
    }
}

fn too_old(name: &str, version: &str, source: &str) -> Error {
    Error::new(
        Kind::Config,
        format!("{name} {version} is older than the source, which is {source}: it may not read its RDB"),
    )
    .hint("Install a server that is as new as the source, or name one with `program` of the scratch.")
}
