//! The place of a throw-away cluster: its folders, made for one run. No server runs yet.

use std::path::PathBuf;

use crate::{Account, Context, Place, Result};

/// The place of a throw-away cluster.
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

    /// The folder that nobody but the server's account may enter.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The snapshot, until it is restored.
    pub(crate) fn snapshot(&self) -> PathBuf {
        self.data().join("snapshot.db")
    }

    /// The folder that it is restored into.
    pub(super) fn restored(&self) -> PathBuf {
        self.data().join("restored")
    }

    /// The server's socket. etcd 3.4 makes it in the folder that the server works in, and wants what looks like a port in its name.
    pub(crate) fn socket(&self) -> PathBuf {
        self.sockets.join(CLIENT)
    }

    /// What the server writes.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// What it has written.
    pub(super) fn logged(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log()).unwrap_or_default()).into_owned()
    }
}

/// Names of the sockets for clients and for other members, of which there are none.
pub(super) const CLIENT: &str = "client:0";
pub(super) const PEER: &str = "peer:0";

/// The account that servers run as: nobody who may do much.
///
/// # Errors
/// As for [`Account::for_server`].
pub(crate) fn account() -> Result<Account> {
    Account::for_server(&["etcd", "nobody"])
}
