//! Single files in a vault, written whole and read whole.
//!
//! OpenDAL's own retrying goes on with a writer that has failed, which can close well with a part missing. Here every attempt to
//! write begins the whole file anew, and compares the length that the vault then tells. Reading goes on where it was cut.

use std::ops::Range;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::lock::Mutex;
use opendal::ErrorKind;
use opendal::options::{ReaderOptions, WriteOptions};

use super::attempt::Act;
use super::{Vault, snapshot_folder};
use crate::buffers::Buffers;
use crate::{Error, Kind, Result};

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

    /// Length of one file of a snapshot, if it is there.
    pub(crate) async fn length(&self, id: &str, name: &str) -> Result<Option<u64>> {
        let path = format!("{}{name}", snapshot_folder(id)?);
        let at = self.at(&path);
        match self.attempt(&Act::new("looking for", &path), || self.operator.stat(&at)).await {
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

    /// Stores one file under this path.
    pub(crate) async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let (at, options) = (self.at(path), WriteOptions::default());
        let act = Act::new("storing", path).of(bytes.len() as u64);
        self.attempt(&act, || self.write_once(&at, &bytes, &options)).await
    }

    /// Writes only where nothing is yet, as far as the store honours that. Whether it was written.
    pub(super) async fn write_new(&self, path: &str, bytes: Bytes) -> Result<bool> {
        let (at, options) = (self.at(path), WriteOptions { if_not_exists: true, ..WriteOptions::default() });
        let act = Act::new("storing", path).of(bytes.len() as u64);
        let once = || async {
            match self.write_once(&at, &bytes, &options).await {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == ErrorKind::ConditionNotMatch => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.attempt(&act, once).await
    }

    async fn write_once(&self, at: &str, bytes: &Bytes, options: &WriteOptions) -> opendal::Result<()> {
        match &self.limits.vault {
            Some(pace) if !self.is_http() => {
                let mut writer = self.operator.writer_options(at, options.clone()).await?;
                let mut rest = bytes.clone();
                while !rest.is_empty() {
                    let piece = rest.split_to(pace.piece().min(rest.len()));
                    pace.pass(piece.len()).await;
                    writer.write(piece).await?;
                }
                writer.close().await?;
            }
            _ => _ = self.operator.write_options(at, bytes.clone(), options.clone()).await?,
        }
        let (stored, length) = (self.operator.stat(at).await?.content_length(), bytes.len() as u64);
        if stored == length {
            return Ok(());
        }
        Err(again(format!("{stored} of {length} bytes were stored")))
    }

    pub(super) async fn read(&self, path: &str, length: u64, buffers: &Buffers) -> Result<Bytes> {
        self.read_part(path, 0..length, buffers).await
    }

    /// Reads these bytes of a file.
    pub(super) async fn read_part(&self, path: &str, part: Range<u64>, buffers: &Buffers) -> Result<Bytes> {
        Ok(buffers.share(self.read_version(path, part, None, buffers.take()).await?))
    }

    /// The same into an empty buffer, and of the version with this entity tag only, where one is given.
    pub(crate) async fn read_version(
        &self,
        path: &str,
        part: Range<u64>,
        etag: Option<&str>,
        buffer: Vec<u8>,
    ) -> Result<Vec<u8>> {
        let (at, act) = (self.at(path), Act::new("reading", path).of(part.end - part.start));
        let begin = Begin { at: &at, byte: part.start, etag };
        // It outlasts an attempt that is cut, and the next one goes on with it.
        let read = Mutex::new(buffer);
        self.attempt(&act, || async { self.read_on(&act, begin, &mut *read.lock().await).await }).await?;
        Ok(read.into_inner())
    }

    /// Reads what is not in `read` yet of what begins there.
    async fn read_on(&self, act: &Act<'_>, begin: Begin<'_>, read: &mut Vec<u8>) -> opendal::Result<()> {
        let (from, length) = (read.len() as u64, act.bytes);
        if from == length {
            return Ok(());
        }
        let asked = self.read_rest(act, begin, read).await;
        let came = read.len() as u64;
        if came > length {
            // It was not the rest that came, and nothing of it can be told from what belongs there.
            read.clear();
        }
        match asked {
            Ok(()) if came == length => Ok(()),
            Ok(()) => Err(again(format!("{came} of {length} bytes came"))),
            // Once something has come, the request was right, and only its end was missed.
            Err(error) if came > from => Err(error.set_temporary()),
            Err(error) => Err(error),
        }
    }

    /// Appends the bytes from there on, asked for in one request.
    async fn read_rest(&self, act: &Act<'_>, begin: Begin<'_>, read: &mut Vec<u8>) -> opendal::Result<()> {
        // A folder is read in pieces; from elsewhere the pieces come as the network brings them.
        let chunk = self.folder.is_some().then_some(PIECE);
        let if_match = begin.etag.filter(|_| self.operator.info().capability().read_with_if_match).map(str::to_owned);
        let options = ReaderOptions { chunk, if_match, ..ReaderOptions::default() };
        let rest = begin.byte + read.len() as u64..begin.byte + act.bytes;
        let mut pieces = self.operator.reader_options(begin.at, options).await?.into_stream(rest).await?;
        if let Some(etag) = begin.etag
            && pieces.metadata().await?.etag() != Some(etag)
        {
            return Err(opendal::Error::new(ErrorKind::ConditionNotMatch, "another version came"));
        }
        while let Some(piece) = pieces.try_next().await? {
            if let Some(pace) = &self.limits.vault {
                pace.pass(piece.len()).await;
            }
            piece.for_each(|part| read.extend_from_slice(&part));
            act.reach(read.len() as u64);
        }
        Ok(())
    }

    /// Removes the file under this path; one that isn't there is none.
    pub(crate) async fn remove(&self, path: &str) -> Result<()> {
        let at = self.at(path);
        self.attempt(&Act::new("removing", path), || self.operator.delete(&at)).await
    }
}

/// Where bytes of a file are read from.
#[derive(Debug, Clone, Copy)]
struct Begin<'a> {
    /// Its path, for OpenDAL.
    at: &'a str,
    /// The first byte.
    byte: u64,
    /// The entity tag of the only version that will do.
    etag: Option<&'a str>,
}

/// An error that may not come again.
pub(super) fn again(what: String) -> opendal::Error {
    opendal::Error::new(ErrorKind::Unexpected, what).set_temporary()
}
