//! Where a throw-away server lives: a folder of its own, one for its data, and a short one for its socket. They are made for one run, and
//! belong to the account that the server runs as, which is never root.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::mark::{Removal, require_empty};
use crate::{Account, Context, Error, Kind, Mark, Place, Result};

/// Where sockets are: the path of a socket must be shorter than 108 bytes.
const SOCKETS: &str = "/tmp";
/// Where a server is that can't be in the run's folder, since its account may not go there.
const ELSEWHERE: &str = "/var/tmp";

/// The folders of one throw-away server.
#[derive(Debug, Clone)]
pub(crate) struct Quarters {
    /// Everything but the socket is in here.
    pub(crate) folder: PathBuf,
    /// None but root and the account may enter it.
    pub(crate) sockets: PathBuf,
    /// Whom the server runs as.
    pub(crate) account: Account,
}

impl Quarters {
    /// Makes the folders, for this run alone.
    ///
    /// # Errors
    /// [`Kind::Refused`] where something is there already; I/O errors.
    pub(crate) fn make(cx: &Context, place: &Place, account: Account) -> Result<Self> {
        let quarters = Self::at(place, account);
        quarters.make_folders(&Mark::of(&cx.run))?;
        Ok(quarters)
    }

    /// The folders where they are or will be.
    pub(crate) fn at(place: &Place, account: Account) -> Self {
        let sockets = place.also.first().cloned().unwrap_or_else(|| place.folder.join("socket"));
        Self { folder: place.folder.clone(), sockets, account }
    }

    /// The folder of the server's data.
    pub(crate) fn data(&self) -> PathBuf {
        data(&self.folder)
    }

    /// The folder for sockets must not be there yet: it lies where everybody may put things, so what is there already may be
    /// somebody's trap.
    fn make_folders(&self, mark: &Mark) -> Result<()> {
        let wrong = |path: &Path, cause| Error::io("making scratch folder", path.display(), cause);
        let (account, sockets, data) = (&self.account, &self.sockets, self.data());
        mark.make_folder(&self.folder)?;
        let mode = if account.uid == Account::current().uid { 0o700 } else { 0o711 };
        std::fs::set_permissions(&self.folder, std::fs::Permissions::from_mode(mode))
            .map_err(|cause| wrong(&self.folder, cause))?;
        std::fs::DirBuilder::new().mode(0o700).create(sockets).map_err(|cause| wrong(sockets, cause))?;
        mark.make_folder(sockets)?;
        std::fs::DirBuilder::new().mode(0o700).create(&data).map_err(|cause| wrong(&data, cause))?;
        for own in [sockets, &data] {
            chown(own, Some(account.uid), Some(account.gid)).map_err(|cause| wrong(own, cause))?;
        }
        Ok(())
    }
}

/// The folder of the data of a server that lives in `folder`.
pub(crate) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Where a server of this run will live: where the scenario says, or in the run's folder if its account may go there.
pub(crate) fn place(cx: &Context, given: Option<&Path>, account: Option<&Account>) -> Place {
    let mut place = Place::given_or_in_run(given, cx);
    let name = format!("drillctl-{}", short(&cx.run));
    let closed = account.is_some_and(|account| account.barrier(&place.folder).is_some());
    if given.is_none() && closed {
        place.folder = Path::new(ELSEWHERE).join(&name);
    }
    place.also.push(Path::new(SOCKETS).join(name));
    place
}

/// Refuses a place that isn't empty, or that the account may not enter.
///
/// # Errors
/// [`Kind::Refused`]; I/O errors.
pub(crate) fn admit(place: &Place, account: &Account) -> Result<()> {
    for folder in place.also.iter().chain([&place.folder]) {
        require_empty(folder)?;
    }
    let Some(folder) = account.barrier(&place.folder) else { return Ok(()) };
    let message =
        format!("account {}, which runs the scratch server, may not enter {}", account.name, folder.display());
    Err(Error::new(Kind::Refused, message)
        .hint("Give the scratch a `path` that every account may pass through, or run drillctl as an ordinary user."))
}

/// Removes what of it carries the run's mark. No server runs in it any more.
///
/// # Errors
/// [`Kind::Refused`] for what carries another mark or none; I/O errors.
pub(crate) fn remove(cx: &Context, place: &Place) -> Result<Removal> {
    let mark = Mark::of(&cx.run);
    let folders = place.also.iter().chain([&place.folder]);
    let removed: Vec<Result<Removal>> = folders.map(|folder| mark.remove_folder(folder)).collect();
    let removed: Result<Vec<Removal>> = removed.into_iter().collect();
    Ok(if removed?.contains(&Removal::Removed) { Removal::Removed } else { Removal::Absent })
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
