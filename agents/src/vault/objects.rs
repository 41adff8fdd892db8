//! Single files in a vault: written whole, read whole, and the one loop that tries again.
//!
//! OpenDAL's own retrying goes on with a writer that has failed, which can close well with a part missing. Here every attempt
//! begins the whole file anew, has a deadline by its size, and compares the length that the vault then tells.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use opendal::ErrorKind;

use super::{HEADER_NAME, Vault, folder, snapshot_folder};
use crate::stream::on_thread;
use crate::{Error, Kind, Result};

/// How often one file is tried.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// What an attempt may take whatever its size.
const DEADLINE: Duration = Duration::from_secs(60);
/// The slowest store that is waited for, bytes a second.
const SLOWEST: u64 = 64 << 10;
/// Bytes of a file that is read without knowing its length, at most.
const LARGEST_SMALL: u64 = 256 << 20;

impl Vault {
    /// Stores one file of a snapshot.
    ///
    /// # Errors
    /// [`Kind::Exhausted`] if there is no room, [`Kind::Denied`], [`Kind::Unavailable`], [`Kind::TimedOut`].
    pub(crate) async fn store(&self, id: &str, name: &str, bytes: Bytes) -> Result<()> {
        let path = format!("{}{name}", snapshot_folder(id)?);
        self.write(&path, bytes).await
    }

    /// Stores the header of a snapshot: everything before it is on stable storage first, and it appears whole or not at all.
    pub(crate) async fn store_header(&self, id: &str, bytes: Bytes) -> Result<()> {
        let path = format!("{}{HEADER_NAME}", snapshot_folder(id)?);
        self.sync(id).await?;
        if self.operator.info().capability().rename {
            let partial = format!("{path}.partial");
            self.write(&partial, bytes).await?;
            self.attempt("naming", &path, 0, || self.operator.rename(&partial, &path)).await?;
        } else {
            self.write(&path, bytes).await?;
        }
        self.sync(id).await
    }

    /// Length of one file of a snapshot, if it is there.
    pub(crate) async fn length(&self, id: &str, name: &str) -> Result<Option<u64>> {
        let path = format!("{}{name}", snapshot_folder(id)?);
        match self.attempt("looking for", &path, 0, || self.operator.stat(&path)).await {
            Ok(meta) if meta.is_file() => Ok(Some(meta.content_length())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads one file of a snapshot that is `length` bytes long.
    pub(crate) async fn fetch(&self, id: &str, name: &str, length: u64) -> Result<Bytes> {
        self.read(&format!("{}{name}", snapshot_folder(id)?), length).await
    }

    /// Reads one small file of a snapshot, if it is there.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] if it is too large to be what it should be.
    pub(super) async fn fetch_small(&self, id: &str, name: &str) -> Result<Option<Bytes>> {
        match self.length(id, name).await? {
            None => Ok(None),
            Some(length) if length > LARGEST_SMALL => {
                Err(Error::new(Kind::Corrupt, format!("{name} of snapshot {id} is {length} bytes long")))
            }
            Some(length) => self.fetch(id, name, length).await.map(Some),
        }
    }

    pub(super) async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let length = bytes.len() as u64;
        self.attempt("storing", path, length, || async {
            self.operator.write(path, bytes.clone()).await?;
            let stored = self.operator.stat(path).await?.content_length();
            if stored == length {
                return Ok(());
            }
            let what = format!("{stored} of {length} bytes were stored");
            Err(opendal::Error::new(ErrorKind::Unexpected, what).set_temporary())
        })
        .await
    }

    pub(super) async fn read(&self, path: &str, length: u64) -> Result<Bytes> {
        let read = || async { Ok(self.operator.read_with(path).range(0..length).await?.to_bytes()) };
        if length == 0 {
            return Ok(Bytes::new());
        }
        self.attempt("reading", path, length, read).await
    }

    pub(super) async fn remove(&self, path: &str) -> Result<()> {
        self.attempt("removing", path, 0, || self.operator.delete(path)).await
    }

    /// Tries until it succeeds, fails in a way that trying again can't help, or has failed often enough.
    pub(super) async fn attempt<T, F>(&self, doing: &str, path: &str, bytes: u64, act: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = opendal::Result<T>>,
    {
        let deadline = DEADLINE + Duration::from_secs(bytes / SLOWEST);
        let mut tried = 1;
        loop {
            let error = match tokio::time::timeout(deadline, act()).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(cause)) => self.error(doing, path, &cause),
                Err(_) => {
                    let words = format!("{doing} {path} in {} took over {}s", self.location, deadline.as_secs());
                    Error::new(Kind::TimedOut, words).temporary()
                }
            };
            if tried == ATTEMPTS || !error.is_temporary() {
                return Err(error);
            }
            tracing::warn!(attempt = tried, error = error.chain(), "trying again");
            tokio::time::sleep(PAUSE * 2_u32.pow(tried - 1)).await;
            tried += 1;
        }
    }

    /// An error of OpenDAL in our words: its own context may quote addresses and headers.
    fn error(&self, doing: &str, path: &str, cause: &opendal::Error) -> Error {
        let words = format!("{doing} {path} in {}", self.location);
        if let Some(io) = io_cause(cause) {
            let told = io.raw_os_error().map_or_else(|| io.kind().into(), std::io::Error::from_raw_os_error);
            let error = Error::io(doing, format_args!("{path} in {}", self.location), told);
            return match error.kind() {
                Kind::Exhausted => error.hint("Make room in the vault, or name another one."),
                Kind::Unavailable if cause.is_temporary() => error.temporary(),
                _ => error,
            };
        }
        let (kind, temporary) = match cause.kind() {
            ErrorKind::NotFound => (Kind::NotFound, false),
            ErrorKind::PermissionDenied => (Kind::Denied, false),
            ErrorKind::ConfigInvalid | ErrorKind::Unsupported => (Kind::Config, false),
            ErrorKind::RateLimited => (Kind::Unavailable, true),
            _ => (Kind::Unavailable, cause.is_temporary()),
        };
        let error = Error::new(kind, words).because(told(cause));
        if temporary { error.temporary() } else { error }
    }

    async fn sync(&self, id: &str) -> Result<()> {
        let Some(top) = self.folder.clone() else { return Ok(()) };
        let snapshot = top.join(snapshot_folder(id)?);
        let synced = on_thread(move || folder::sync(&top, &snapshot)).await;
        synced.map_err(|cause| Error::io("syncing", &self.location, cause))
    }
}

/// The I/O error at the root, if there is one with a number or a kind of its own.
fn io_cause(error: &opendal::Error) -> Option<&std::io::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>().filter(|io| io.raw_os_error().is_some()) {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

/// What it says and the last of its causes, in one line.
fn told(error: &opendal::Error) -> String {
    let mut root = None;
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        root = Some(error.to_string());
        cause = error.source();
    }
    root.map_or_else(|| error.message().to_owned(), |root| format!("{}: {root}", error.message()))
}
