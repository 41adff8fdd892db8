//! Files that something else has put where a vault could be: they are listed and read, and nothing more.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use globset::GlobMatcher;
use jiff::Timestamp;
use opendal::options::ListOptions;

use super::Vault;
use super::attempt::Act;
use crate::buffers::Buffers;
use crate::{Error, Kind, Result, SEGMENT_BYTES};

/// Files that are asked for their length at once.
const AT_ONCE: usize = 8;
/// Parts of a file that are read ahead.
const AHEAD: usize = 2;

/// A file that something else has put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its path, relative to the place.
    pub(crate) path: String,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// When it was last written, where the service tells that.
    pub(crate) modified: Option<Timestamp>,
}

impl Vault {
    /// The files below this place whose paths match, in no order.
    ///
    /// # Errors
    /// [`Kind::NotFound`] for a folder that isn't there; those of reaching it.
    pub(crate) async fn files_matching(&self, matching: &GlobMatcher) -> Result<Vec<Stored>> {
        if let Some(folder) = self.folder().filter(|folder| !folder.is_dir()) {
            return Err(Error::new(Kind::NotFound, format!("folder {} is not there", folder.display()))
                .hint("Name the folder that the backups are in, and see that its disk is mounted."));
        }
        let at = self.at("");
        let options = ListOptions { recursive: true, ..ListOptions::default() };
        let listing = || self.operator.list_options(&at, options.clone());
        let entries = self.attempt(&Act::new("listing", "/"), listing).await?;
        let below = |path: &str| path.strip_prefix(at.as_str()).map(str::to_owned);
        let paths = entries.iter().filter(|entry| entry.metadata().is_file()).filter_map(|entry| below(entry.path()));
        let paths: Vec<String> = paths.filter(|path| matching.is_match(path)).collect();
        stream::iter(paths).map(|path| self.stored(path)).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn stored(&self, path: String) -> Result<Stored> {
        let at = self.at(&path);
        let meta = self.attempt(&Act::new("looking at", &path), || self.operator.stat(&at)).await?;
        let modified = meta.last_modified().map(Timestamp::from);
        Ok(Stored { path, bytes: meta.content_length(), modified })
    }

    /// A small file, if it is there.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] if it has more bytes than `most`; those of reaching it.
    pub(crate) async fn small_file(&self, path: &str, most: u64) -> Result<Option<Bytes>> {
        match self.stored(path.to_owned()).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(stored) if stored.bytes > most => {
                Err(Error::new(Kind::Corrupt, format!("{path} has {} bytes, where {most} would be many", stored.bytes)))
            }
            Ok(stored) => self.read(path, stored.bytes, &Buffers::default()).await.map(Some),
        }
    }

    /// Hands a file on, part by part and in order.
    ///
    /// # Errors
    /// Those of reaching it, and those of whoever takes it.
    pub(crate) async fn each_part<F: Future<Output = Result<()>>>(
        &self,
        file: &Stored,
        buffers: &Buffers,
        mut take: impl FnMut(Bytes) -> F,
    ) -> Result<()> {
        let parts = (0..file.bytes).step_by(SEGMENT_BYTES);
        let part = |from: u64| -> Range<u64> { from..file.bytes.min(from + SEGMENT_BYTES as u64) };
        let read = stream::iter(parts).map(|from| self.read_part(&file.path, part(from), buffers));
        let mut read = std::pin::pin!(read.buffered(AHEAD));
        while let Some(bytes) = read.next().await {
            take(bytes?).await?;
        }
        Ok(())
    }
}
