//! Digests of files, taken from what was written while they were restored. They prove what the restore did; what a reader would
//! get only reading proves.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;

use super::extent::Extent;
use crate::digest::Digest;
use crate::{Context, Result, Sha256};

/// Pieces of a big file that wait to be digested.
const WAITING: usize = 8;

/// Digests by path. Where an archive holds a path several times, the last member counts.
#[derive(Debug, Default)]
pub(crate) struct Written(Mutex<HashMap<PathBuf, (u64, Sha256)>>);

impl Written {
    /// Keeps the digest of the file that is the `member`th of the archive.
    pub(super) fn keep(&self, path: &Path, member: u64, digest: Sha256) {
        let mut digests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if digests.get(path).is_none_or(|(earlier, _)| *earlier <= member) {
            digests.insert(path.into(), (member, digest));
        }
    }

    /// The digest of what was written at this path.
    pub(super) fn of(&self, path: &Path) -> Option<Sha256> {
        let digests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        digests.get(path).map(|(_, digest)| *digest)
    }
}

/// The digest of a file that is written part by part, holes as zeros.
#[derive(Debug, Default)]
struct Writing {
    digest: Digest,
    at: u64,
}

impl Writing {
    /// Takes in data that was written at this offset.
    fn data(&mut self, cx: &Context, offset: u64, bytes: &[u8]) -> Result<()> {
        self.digest.zeros(cx, offset - self.at)?;
        self.digest.update(bytes);
        self.at = offset + bytes.len() as u64;
        Ok(())
    }

    /// The digest of the whole file of `size` bytes.
    fn finish(mut self, cx: &Context, size: u64) -> Result<Sha256> {
        self.digest.zeros(cx, size - self.at)?;
        Ok(self.digest.finish())
    }
}

/// What the thread is told that digests a big file.
enum Told {
    /// This was written at this offset.
    Data(u64, Vec<u8>),
    /// That was all of the file at this path: its number among the members of the archive, and its size.
    End(PathBuf, u64, u64),
}

/// Digests big files on a thread of its own, beside the one that writes them.
pub(super) struct Beside {
    told: SyncSender<Told>,
    buffers: Receiver<Vec<u8>>,
}

impl Beside {
    /// Starts the thread. It ends when this is dropped.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        cx: &'scope Context,
        written: &'scope Written,
    ) -> Self {
        let (told, queue) = sync_channel(WAITING);
        let (back, buffers) = channel();
        (0..=WAITING).for_each(|_| back.send(Vec::new()).expect("both ends are here"));
        // Asked to stop, it only takes what comes: whoever writes is asked too, and tells.
        scope.spawn(move || {
            let mut writing = Ok(Writing::default());
            while let Ok(told) = queue.recv() {
                match told {
                    Told::Data(offset, bytes) => {
                        writing = writing.and_then(|mut writing| {
                            writing.data(cx, offset, &bytes)?;
                            Ok(writing)
                        });
                        let _ = back.send(bytes);
                    }
                    Told::End(path, member, size) => {
                        let ended = std::mem::replace(&mut writing, Ok(Writing::default()));
                        if let Ok(digest) = ended.and_then(|writing| writing.finish(cx, size)) {
                            written.keep(&path, member, digest);
                        }
                    }
                }
            }
        });
        Self { told, buffers }
    }

    /// A buffer of this length to write from, once one is free.
    pub(super) fn buffer(&self, length: usize) -> Vec<u8> {
        let mut buffer = self.buffers.recv().expect("the thread gives all back");
        buffer.resize(length, 0);
        buffer
    }

    /// This was written at this offset.
    pub(super) fn data(&self, offset: u64, bytes: Vec<u8>) {
        self.told.send(Told::Data(offset, bytes)).expect("the thread takes all that is sent");
    }

    /// That was all of it.
    pub(super) fn end(&self, path: &Path, member: u64, size: u64) {
        self.told.send(Told::End(path.into(), member, size)).expect("the thread takes all that is sent");
    }
}

/// The digest of a file whose parts were all written from `data`.
pub(super) fn digest(cx: &Context, size: u64, extents: &[Extent], mut data: &[u8]) -> Result<Sha256> {
    let mut writing = Writing::default();
    for part in extents {
        let (now, later) = data.split_at(usize::try_from(part.length).expect("it is in memory"));
        writing.data(cx, part.offset, now)?;
        data = later;
    }
    writing.finish(cx, size)
}
