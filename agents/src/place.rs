//! Where an environment is, before it is made.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Account, Context, Error, Identity, Kind, Mark, Removal, Result};

/// Where sockets are: the path of a socket must be shorter than 108 bytes.
const SOCKETS: &str = "/tmp";
/// Where a server's files are that can't be in the run's folder, since its account may not go there.
const ELSEWHERE: &str = "/var/tmp";

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
        let folder =
            given.map_or_else(|| cx.folder.join(of_system("scratch", cx)), |path| cx.secrets.base().join(path));
        Self { folder, also: Vec::new() }
    }

    /// The same for a throw-away server that runs as this account, with a folder for its socket.
    pub(crate) fn of_server(given: Option<&Path>, cx: &Context, account: Result<Account>) -> Self {
        let mut place = Self::given_or_in_run(given, cx);
        let name = of_system(&format!("drillctl-{}", short(&cx.run)), cx);
        let closed = account.is_ok_and(|account| account.barrier(&place.folder).is_some());
        if given.is_none() && closed {
            place.folder = Path::new(ELSEWHERE).join(&name);
        }
        place.also.push(Path::new(SOCKETS).join(name));
        place
    }

    /// Folder for sockets of a server.
    pub(crate) fn sockets(&self) -> PathBuf {
        self.also.first().cloned().unwrap_or_else(|| self.folder.join("socket"))
    }

    /// Makes the folders of a server, for this run alone: its own, the one for sockets, and below its own those for `data`, which
    /// nobody but its account may enter.
    ///
    /// The one for sockets must not be there yet: it lies where everybody may put things, so what is there already may be
    /// somebody's trap.
    ///
    /// # Errors
    /// [`crate::Kind::Refused`] where something is there already; I/O errors.
    pub(crate) fn make_for_server(&self, cx: &Context, account: &Account, data: &[&Path]) -> Result<()> {
        let wrong = |path: &Path, cause| Error::io("making scratch folder", path.display(), cause);
        let private =
            |path: &Path| std::fs::DirBuilder::new().mode(0o700).create(path).map_err(|cause| wrong(path, cause));
        let (mark, sockets) = (Mark::of(&cx.run), self.sockets());
        mark.make_folder(&self.folder)?;
        let mode = if account.uid == Account::current().uid { 0o700 } else { 0o711 };
        std::fs::set_permissions(&self.folder, std::fs::Permissions::from_mode(mode))
            .map_err(|cause| wrong(&self.folder, cause))?;
        private(&sockets)?;
        mark.make_folder(&sockets)?;
        data.iter().try_for_each(|folder| private(folder))?;
        for own in data.iter().copied().chain([sockets.as_path()]) {
            chown(own, Some(account.uid), Some(account.gid)).map_err(|cause| wrong(own, cause))?;
        }
        if cx.walls.is_some() && account.uid != Account::current().uid {
            // In a sandbox root has no right to what isn't its own: it gets to the socket as the folder's group, which the socket inherits.
            chown(&sockets, None, Some(Account::current().gid)).map_err(|cause| wrong(&sockets, cause))?;
            let shared = std::fs::Permissions::from_mode(0o2750);
            std::fs::set_permissions(&sockets, shared).map_err(|cause| wrong(&sockets, cause))?;
        }
        Ok(())
    }

    /// Refuses a place that is a source or lies in it, whatever it is called. It can't contain the source, since it is empty.
    ///
    /// # Errors
    /// [`crate::Kind::Refused`]; I/O errors.
    pub fn must_be_apart_from(&self, source: &Identity) -> Result<()> {
        let wrong = |cause| Error::io("looking at scratch folder", self.folder.display(), cause);
        let there = self.folder.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
        let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        for ancestor in there.canonicalize().map_err(wrong)?.ancestors() {
            let meta = std::fs::metadata(ancestor).map_err(wrong)?;
            let same = |name: &str, value: u64| source.values.get(name).is_some_and(|told| *told == value.to_string());
            if same("device", meta.dev()) && same("inode", meta.ino()) {
                let message = format!("scratch folder {} is the source or lies in it", self.folder.display());
                return Err(Error::new(Kind::Refused, message).hint("Name a place outside of the source in `scratch`."));
            }
        }
        Ok(())
    }

    /// Removes every folder of it that carries the mark of this run.
    ///
    /// # Errors
    /// [`crate::Kind::Refused`] for one that carries another mark or none; I/O errors.
    pub(crate) fn remove(&self, run: &str) -> Result<Removal> {
        let mark = Mark::of(run);
        let folders = self.also.iter().chain([&self.folder]);
        let removed: Vec<Result<Removal>> = folders.map(|folder| mark.remove_folder(folder)).collect();
        let removed: Result<Vec<Removal>> = removed.into_iter().collect();
        Ok(if removed?.contains(&Removal::Removed) { Removal::Removed } else { Removal::Absent })
    }
}

/// A name that no other system of the run has.
fn of_system(name: &str, cx: &Context) -> String {
    match &cx.system {
        Some(system) => format!("{name}-{system}"),
        None => name.to_owned(),
    }
}

/// The last letters of a run id, which tell runs apart.
fn short(run: &str) -> String {
    let plain: Vec<char> = run.chars().filter(char::is_ascii_alphanumeric).collect();
    plain[plain.len().saturating_sub(12)..].iter().collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_told_apart_by_the_end_of_their_ids() {
        assert_eq!(short("20261123-101500-AbCdEf"), "101500abcdef");
    }
}
