//! Single files in a vault: written whole, read whole, and the one loop that tries again.
//!
//! OpenDAL's own retrying goes on with a writer that has failed, which can close well with a part missing. Here every attempt
//! begins the whole file anew, has a deadline by its size, and compares the length that the vault then tells.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use opendal::ErrorKind;
use opendal::options::ReaderOptions;

use super::{HEADER_NAME, Vault, folder, snapshot_folder};
use crate::buffers::Buffers;
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
/// Bytes that are read from a folder at once.
const PIECE: usize = 1 << 20;
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
            let (from, to) = (self.at(&partial), self.at(&path));
            self.attempt("naming", &path, 0, || self.operator.rename(&from, &to)).await?;
        } else {
            self.write(&path, bytes).await?;
        }
        self.sync(id).await
    }

    /// Length of one file of a snapshot, if it is there.
    pub(crate) async fn length(&self, id: &str, name: &str) -> Result<Option<u64>> {
        let path = format!("{}{name}", snapshot_folder(id)?);
        let at = self.at(&path);
        match self.attempt("looking for", &path, 0, || self.operator.stat(&at)).await {
            Ok(meta) if meta.is_file() => Ok(Some(meta.content_length())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads one file of a snapshot that is `length` bytes long.
    pub(crate) async fn fetch(&self, id: &str, name: &str, length: u64, buffers: &Buffers) -> Result<Bytes> {
        self.read(&format!("{}{name}", snapshot_folder(id)?), length, buffers).await
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
            Some(length) => self.fetch(id, name, length, &Buffers::default()).await.map(Some),
        }
    }

    pub(super) async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let (length, at) = (bytes.len() as u64, self.at(path));
        self.attempt("storing", path, length, || async {
            self.operator.write(&at, bytes.clone()).await?;
            let stored = self.operator.stat(&at).await?.content_length();
            if stored == length {
                return Ok(());
            }
            let what = format!("{stored} of {length} bytes were stored");
            Err(opendal::Error::new(ErrorKind::Unexpected, what).set_temporary())
        })
        .await
    }

    pub(super) async fn read(&self, path: &str, length: u64, buffers: &Buffers) -> Result<Bytes> {
        let at = self.at(path);
        self.attempt("reading", path, length, || self.read_once(&at, length, buffers)).await
    }

    async fn read_once(&self, at: &str, length: u64, buffers: &Buffers) -> opendal::Result<Bytes> {
        let mut bytes = buffers.take();
        if length > 0 {
            // A folder is read in pieces; from elsewhere the pieces come as the network brings them, in one request.
            let options = ReaderOptions { chunk: self.folder.is_some().then_some(PIECE), ..ReaderOptions::default() };
            let mut pieces = self.operator.reader_options(at, options).await?.into_stream(0..length).await?;
            while let Some(piece) = pieces.try_next().await? {
                piece.for_each(|part| bytes.extend_from_slice(&part));
            }
        }
        if bytes.len() as u64 == length {
            return Ok(buffers.share(bytes));
        }
        let what = format!("{} of {length} bytes came", bytes.len());
        Err(opendal::Error::new(ErrorKind::Unexpected, what).set_temporary())
    }

    pub(super) async fn remove(&self, path: &str) -> Result<()> {
        let at = self.at(path);
        self.attempt("removing", path, 0, || self.operator.delete(&at)).await
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
            return io_error(doing, &format!("{path} in {}", self.location), io);
        }
        let (kind, temporary) = match cause.kind() {
            ErrorKind::NotFound => (Kind::NotFound, false),
            ErrorKind::PermissionDenied => (Kind::Denied, false),
            ErrorKind::ConfigInvalid | ErrorKind::Unsupported => (Kind::Config, false),
            ErrorKind::RateLimited => (Kind::Unavailable, true),
            _ => (Kind::Unavailable, cause.is_temporary()),
        };
        let mut error = Error::new(kind, words).because(told(cause));
        if kind == Kind::Denied {
            error = error.hint("See to it that the vault's keys are right and may read, write, list and delete there.");
        }
        if temporary { error.temporary() } else { error }
    }

    async fn sync(&self, id: &str) -> Result<()> {
        let Some(top) = self.folder.clone() else { return Ok(()) };
        let snapshot = top.join(snapshot_folder(id)?);
        let synced = on_thread(move || folder::sync(&top, &snapshot)).await;
        synced.map_err(|cause| Error::io("syncing", &self.location, cause))
    }
}

fn io_error(doing: &str, subject: &str, cause: &io::Error) -> Error {
    let told = cause.raw_os_error().map_or_else(|| cause.kind().into(), io::Error::from_raw_os_error);
    if matches!(told.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists) {
        return Error::new(Kind::Config, format!("{doing} {subject}"))
            .because(told)
            .hint("Something that is no folder is in the way; name another folder.");
    }
    let error = Error::io(doing, subject, told);
    match error.kind() {
        Kind::Exhausted => error.hint("Make room in the vault, or name another one."),
        Kind::Unavailable => error.temporary(),
        _ => error,
    }
}

/// The I/O error at the root, if there is one with a number or a kind of its own.
fn io_cause(error: &opendal::Error) -> Option<&io::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>().filter(|io| io.raw_os_error().is_some()) {
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
    let message = plain(error.message());
    root.map_or_else(|| message.clone(), |root| format!("{message}: {root}"))
}

/// An answer of S3 as OpenDAL prints it, `S3Error { code: "NoSuchBucket", message: "…", … }`, as code and message; any other
/// message as it is.
fn plain(message: &str) -> String {
    let field = |name: &str| {
        let (_, rest) = message.split_once(&format!("{name}: \""))?;
        rest.split_once("\", ").map(|(value, _)| value).filter(|value| !value.is_empty())
    };
    match (message.starts_with("S3Error {"), field("code"), field("message")) {
        (true, Some(code), Some(words)) => format!("{code}: {words}"),
        (true, Some(code), None) => code.to_owned(),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn an_answer_of_s3_is_told_by_its_code_and_message() {
        let answer = |message| {
            format!("S3Error {{ code: \"NoSuchBucket\", message: \"{message}\", resource: \"/x\", request_id: \"\" }}")
        };
        assert_eq!(plain(&answer("no bucket \\\"x\\\" here")), "NoSuchBucket: no bucket \\\"x\\\" here");
        assert_eq!(plain(&answer("")), "NoSuchBucket");
        assert_eq!(plain("connection reset"), "connection reset");
    }
}
