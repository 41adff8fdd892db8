//! Accounts of the host, to run servers as somebody who isn't root.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::{Error, Kind, Result};

/// An account of the host, by its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
}

impl Account {
    /// The account of this name in `/etc/passwd`.
    pub fn named(name: &str) -> Option<Self> {
        accounts().find(|account| account.name == name)
    }

    /// The account that this process runs as.
    pub fn current() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let name =
            accounts().find(|account| account.uid == uid).map_or_else(|| uid.to_string(), |account| account.name);
        Self { name, uid, gid }
    }

    /// Whether this is root.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// The account that a throw-away server runs as: the current one, or the first of `names` that is there in place of root.
    ///
    /// # Errors
    /// [`Kind::Config`] if there is none of them.
    pub(crate) fn for_server(names: &[&str]) -> Result<Self> {
        let current = Self::current();
        if !current.is_root() {
            return Ok(current);
        }
        names.iter().find_map(|name| Self::named(name)).ok_or_else(|| {
            Error::new(Kind::Config, format!("there is no account `{}` to run a server as", names.join("` or `"))).hint(
                "Install the server from packages, which makes the account, or run drillctl as somebody who is not root.",
            )
        })
    }

    /// The first folder above `path` that it may not pass through.
    pub(crate) fn barrier(&self, path: &Path) -> Option<PathBuf> {
        let closed = |folder: &&Path| {
            std::fs::metadata(folder).is_ok_and(|meta| {
                let bit = match () {
                    () if meta.uid() == self.uid => 0o100,
                    () if meta.gid() == self.gid => 0o010,
                    () => 0o001,
                };
                meta.mode() & bit == 0
            })
        };
        path.ancestors().skip(1).find(closed).map(Path::to_owned)
    }

    /// Refuses a folder for its server that it could not get to.
    ///
    /// # Errors
    /// [`Kind::Refused`], with the first folder that is closed to it.
    pub(crate) fn must_reach(&self, path: &Path) -> Result<()> {
        let Some(folder) = self.barrier(path) else { return Ok(()) };
        let message =
            format!("account {}, which runs the scratch server, may not enter {}", self.name, folder.display());
        Err(Error::new(Kind::Refused, message).hint(
            "Give the scratch a `path` that every account may pass through, or run drillctl as an ordinary user.",
        ))
    }
}

fn accounts() -> impl Iterator<Item = Account> {
    let text = std::fs::read(OsStr::new("/etc/passwd")).unwrap_or_default();
    let lines: Vec<Account> = String::from_utf8_lossy(&text).lines().filter_map(account).collect();
    lines.into_iter()
}

fn account(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { name, uid, gid })
}
