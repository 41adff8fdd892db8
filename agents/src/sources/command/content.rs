//! Learns what is in a backup while it passes by.

use std::collections::BTreeMap;

use bytes::Bytes;
use drill_scenarios::Content;
use jiff::Timestamp;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;

use crate::digest::Digest;
use crate::{Account, Context, Entry, EntryKind, Error, Format, Index, Kind, OpenReader, PathText, Result, tree};

/// Pieces that wait to be looked at.
const WAITING: usize = 8;

/// What is being learned.
pub(crate) enum Survey {
    /// An archive, read on a thread of its own.
    Tar(Sender<Result<Bytes>>, JoinHandle<Result<Surveyed>>),
    /// One file.
    File { name: String, digest: Digest, size: u64 },
    /// A dump, which only its own server could read.
    Dump(Format),
}

/// What was learned.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) index: Index,
    pub(crate) newest_at: Option<Timestamp>,
}

impl Survey {
    /// Begins with nothing.
    pub(crate) fn of(content: &Content, cx: &Context) -> Self {
        match content {
            Content::Tar => Self::archive(cx.clone()),
            Content::File(name) => Self::File { name: name.clone(), digest: Digest::default(), size: 0 },
            Content::PgDump => Self::Dump(Format::PgDump),
            Content::MariadbDump => Self::Dump(Format::MariadbDump),
        }
    }

    fn archive(cx: Context) -> Self {
        let (mut reader, pieces) = OpenReader::new(WAITING);
        let reading = tokio::task::spawn_blocking(move || {
            let mut entries = tree::survey(&cx, reader.blocking())?;
            entries.retain(|entry| !tree::is_canary(entry.path.as_path()));
            let newest_at = tree::newest(&entries);
            Ok(Surveyed { index: Index { entries, ..Index::new(Format::Tar) }, newest_at })
        });
        Self::Tar(pieces, reading)
    }

    /// Looks at what comes next.
    ///
    /// # Errors
    /// [`crate::Kind::Unrestorable`] once it is clear that it is no archive.
    pub(crate) async fn add(&mut self, piece: Bytes) -> Result<()> {
        match self {
            Self::Tar(queue, reading) => {
                if queue.send(Ok(piece)).await.is_err() {
                    let stopped =
                        || Error::new(Kind::Unavailable, "looking into the archive has stopped before its end");
                    return joined(reading).await.and_then(|_| Err(stopped()));
                }
            }
            Self::File { digest, size, .. } => {
                digest.update(&piece);
                *size += piece.len() as u64;
            }
            Self::Dump(_) => {}
        }
        Ok(())
    }

    /// What it was, once all of it has passed.
    ///
    /// # Errors
    /// As for [`Survey::add`], and for an archive that is cut off.
    pub(crate) async fn finish(self) -> Result<Surveyed> {
        match self {
            Self::Tar(pieces, mut reading) => {
                drop(pieces);
                joined(&mut reading).await
            }
            Self::File { name, digest, size } => {
                let kind = EntryKind::File { size, sha256: digest.finish() };
                let index = Index { entries: vec![written(&name, kind)], ..Index::new(Format::File(name)) };
                Ok(Surveyed { index, newest_at: None })
            }
            Self::Dump(format) => Ok(Surveyed { index: Index::new(format), newest_at: None }),
        }
    }
}

async fn joined(reading: &mut JoinHandle<Result<Surveyed>>) -> Result<Surveyed> {
    match reading.await {
        Ok(surveyed) => surveyed,
        Err(died) => std::panic::resume_unwind(died.into_panic()),
    }
}

/// The file that the stream becomes: this account's own, for nobody else. A stream carries no time, so none is told: two captures of the
/// same bytes are the same.
fn written(name: &str, kind: EntryKind) -> Entry {
    let account = Account::current();
    let (path, xattrs) = (PathText::new(name), BTreeMap::new());
    Entry { path, kind, mode: 0o600, uid: account.uid, gid: account.gid, mtime_ns: 0, xattrs }
}
