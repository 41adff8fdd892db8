//! Digests of files, taken from what was written while they were restored. They prove what the restore did; what a reader would
//! get only reading proves.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::extent::Extent;
use crate::digest::Digest;
use crate::{Context, Result, Sha256};

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
pub(super) struct Writing {
    digest: Digest,
    at: u64,
}

impl Writing {
    /// Takes in data that was written at this offset.
    pub(super) fn data(&mut self, cx: &Context, offset: u64, bytes: &[u8]) -> Result<()> {
        self.digest.zeros(cx, offset - self.at)?;
        self.digest.update(bytes);
        self.at = offset + bytes.len() as u64;
        Ok(())
    }

    /// The digest of the whole file of `size` bytes.
    pub(super) fn finish(mut self, cx: &Context, size: u64) -> Result<Sha256> {
        self.digest.zeros(cx, size - self.at)?;
        Ok(self.digest.finish())
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
