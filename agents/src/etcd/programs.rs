//! The programs of etcd on this host, and whether they understand what another release wrote.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{self, Program};
use crate::version::minor;
use crate::{Context, Error, Kind, Result};

const SERVER: &str = "etcd";
/// What restores a snapshot: a program of its own since 3.5, before that the client.
const RESTORERS: [&str; 2] = ["etcdutl", "etcdctl"];
const LIMIT: Duration = Duration::from_secs(20);

/// The server, and what restores a snapshot for it.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    server: PathBuf,
    restorer: PathBuf,
}

impl Programs {
    /// Those in the folder that is named, or the installed ones. They must be as new as the member that sent the snapshot, whose version
    /// is `source`.
    ///
    /// # Errors
    /// [`Kind::Config`] if there are none, or they are too old.
    pub(crate) async fn find(cx: &Context, bin: Option<&Path>, source: &str) -> Result<Self> {
        let server = find(cx, bin, SERVER).ok_or_else(|| missing(bin, SERVER, "etcd-server"))?;
        let restorer = RESTORERS.iter().find_map(|name| find(cx, bin, name));
        let restorer = restorer.ok_or_else(|| missing(bin, "etcdutl or etcdctl", "etcd-client"))?;
        let ended = Program::new(&server).arg("--version").run(cx, LIMIT, 4096).await?;
        ended.success(Kind::Config)?;
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let version = said.lines().find_map(|line| line.strip_prefix("etcd Version: ")).unwrap_or_default().to_owned();
        match (minor(&version), minor(source)) {
            (Some(own), Some(theirs)) if own < theirs => Err(too_old(&version, source)),
            _ => Ok(Self { server, restorer }),
        }
    }

    /// The folder that the server is in.
    pub(super) fn folder(&self) -> &Path {
        self.server.parent().unwrap_or(Path::new("/"))
    }

    /// The server, about to be started.
    pub(super) fn server(&self) -> Program {
        Program::new(&self.server)
    }

    /// What restores a snapshot, about to be started.
    pub(super) fn restorer(&self) -> Program {
        // Clients before 3.4 speak an older API unless they are told.
        Program::new(&self.restorer).env("ETCDCTL_API", "3").args(["snapshot", "restore"])
    }
}

fn find(cx: &Context, bin: Option<&Path>, name: &str) -> Option<PathBuf> {
    match bin {
        Some(folder) => process::find(&folder.join(name).display().to_string(), cx.secrets.base()),
        None => process::find(name, cx.secrets.base()),
    }
}

fn missing(bin: Option<&Path>, names: &str, package: &str) -> Error {
    match bin {
        Some(folder) => Error::new(Kind::Config, format!("there is no {names} in {}", folder.display()))
            .hint("Correct `bin` of the scratch, or leave it out to use what is installed."),
        None => Error::new(Kind::Config, format!("there is no {names} on this host"))
            .hint(format!("Install it (`apt-get install {package}`), or name its folder as `bin` of the scratch.")),
    }
}

fn too_old(version: &str, source: &str) -> Error {
    Error::new(
        Kind::Config,
        format!("etcd {version} is older than the source, which is {source}: it may not read its database"),
    )
    .hint("Install an etcd that is as new as the source, or name its folder with `bin` of the scratch.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_the_command_that_installs_it() {
        let error = missing(None, SERVER, "etcd-server");
        assert!(error.next_step().is_some_and(|hint| hint.contains("apt-get install etcd-server")), "{error:?}");
        let error = missing(Some(Path::new("/nowhere")), SERVER, "etcd-server");
        assert!(error.next_step().is_some_and(|hint| !hint.contains("install etcd-server")), "{error:?}");
        assert!(minor("3.4.23") < minor("3.5.0") && minor("3.5.16") < minor("3.10.0") && minor("").is_none());
    }
}
