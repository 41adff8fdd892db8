//! The place of a throw-away server: its folders, made for one run. No server runs yet.

use std::path::{Path, PathBuf};

use crate::{Account, Context, Place, Result};

/// Name of the RDB in the data folder.
pub(super) const RDB: &str = "dump.rdb";

/// The place of a throw-away server.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    pub(crate) sockets: PathBuf,
    pub(crate) account: Account,
    /// Whether its server is walled in, and who uses it is in the run's sandbox.
    pub(crate) walled: bool,
}

impl Site {
    /// Makes the folders, for this run alone.
    ///
    /// # Errors
    /// [`crate::Kind::Refused`] where something is there already; I/O errors.
    pub(crate) fn make(cx: &Context, place: &Place) -> Result<Self> {
        let (folder, sockets, walled) = (place.folder.clone(), place.sockets(), cx.walls.is_some());
        let site = Self { folder, sockets, account: account()?, walled };
        place.make_for_server(cx, &site.account, &[&site.data()])?;
        Ok(site)
    }

    /// The folder that the server works in.
    pub(crate) fn data(&self) -> PathBuf {
        data(&self.folder)
    }

    /// The RDB that the server loads.
    pub(crate) fn rdb(&self) -> PathBuf {
        self.data().join(RDB)
    }

    /// Its socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.sockets.join("redis.sock")
    }

    /// What it writes.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// What it has written.
    pub(super) fn logged(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log()).unwrap_or_default()).into_owned()
    }
}

/// The folder that a server works in, below its own.
pub(crate) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// The account that servers run as: nobody who may do much.
///
/// # Errors
/// As for [`Account::for_server`].
pub(crate) fn account() -> Result<Account> {
    Account::for_server(&["redis", "nobody"])
}
