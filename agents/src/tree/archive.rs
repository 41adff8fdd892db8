//! Writes a POSIX tar archive (pax) that GNU tar, bsdtar and drillctl unpack alike.
//!
//! What stands before each member's content is in `head.rs`.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;

use bytes::Bytes;

use super::content::{Content, Regular};
use super::extent::Extent;
use super::head::{Head, Map};
use crate::digest::Digest;
use crate::{Context, Entry, EntryKind, PathText, Result, SealWriter, Sha256};

/// tar counts in blocks of this size.
pub(super) const BLOCK: usize = 512;
/// The end of an archive is filled up to a multiple of this.
const RECORD: u64 = 10_240;

/// A file that was stored.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Its entry.
    pub(crate) entry: Entry,
    /// It ended before its size; zeros were stored for what was missing.
    pub(crate) short: bool,
}

/// An archive that is being written.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    cx: &'a Context,
    out: &'a mut SealWriter,
    began: u64,
}

impl<'a> Archive<'a> {
    /// An archive that begins here.
    pub(crate) fn new(cx: &'a Context, out: &'a mut SealWriter) -> Self {
        let began = out.written();
        Self { cx, out, began }
    }

    /// Writes a regular file: the entry says how much of it. Returns the entry with the digest of what was stored.
    ///
    /// # Errors
    /// As for [`SealWriter::write`]; what reading the file says.
    pub(crate) fn store(&mut self, mut entry: Entry, file: &OwnedFd, content: &mut Content<'_>) -> Result<Stored> {
        let EntryKind::File { size, .. } = entry.kind else { unreachable!("only regular files have content") };
        let path = entry.path.to_path_buf();
        let regular = Regular::new(&path, file, size)?;
        self.member(&entry, regular.extents.as_deref())?;
        let held = content.read(&regular, |bytes| self.data(bytes))?;
        self.end_of_file()?;
        entry.kind = EntryKind::File { size, sha256: held.sha256 };
        Ok(Stored { entry, short: held.short })
    }

    /// Writes a regular file whose content is at hand, without its holes.
    ///
    /// # Errors
    /// As for [`SealWriter::write`].
    pub(super) fn put(&mut self, entry: &Entry, extents: Option<&[Extent]>, data: &[u8]) -> Result<()> {
        self.member(entry, extents)?;
        self.data(data)?;
        self.end_of_file()
    }

    /// Writes a regular file with this content, or a folder, which has none.
    ///
    /// # Errors
    /// As for [`SealWriter::write`].
    pub(crate) fn put_whole(&mut self, entry: &Entry, content: &[u8]) -> Result<()> {
        self.put(entry, None, content)
    }

    /// Writes a regular file whose content comes piece by piece from elsewhere, as many bytes as the entry says. Returns its digest.
    ///
    /// # Errors
    /// As for [`SealWriter::write`]; what `next` says.
    pub(crate) fn pour(&mut self, entry: &Entry, mut next: impl FnMut() -> Result<Bytes>) -> Result<Sha256> {
        let EntryKind::File { size, .. } = entry.kind else { unreachable!("only regular files have content") };
        self.member(entry, None)?;
        let (mut digest, mut left) = (Digest::default(), size);
        while left > 0 {
            self.cx.go_on()?;
            let piece = next()?;
            digest.update(&piece);
            self.data(&piece)?;
            left = left.checked_sub(piece.len() as u64).expect("pieces of a file are no more than it");
        }
        self.end_of_file()?;
        Ok(digest.finish())
    }

    /// Writes a regular file that drillctl itself made, for its maker's eyes only.
    ///
    /// # Errors
    /// As for [`SealWriter::write`].
    pub(crate) fn put_own(&mut self, path: &Path, mtime_ns: i64, content: &[u8]) -> Result<()> {
        let kind = EntryKind::File { size: content.len() as u64, sha256: Sha256::UNREAD };
        let (path, xattrs) = (PathText::new(path), BTreeMap::new());
        self.put(&Entry { path, kind, mode: 0o600, uid: 0, gid: 0, mtime_ns, xattrs }, None, content)
    }

    /// Writes what stands before the content of this path; for all but regular files that is the whole member.
    ///
    /// # Errors
    /// As for [`SealWriter::write`].
    pub(super) fn member(&mut self, entry: &Entry, extents: Option<&[Extent]>) -> Result<()> {
        let map = match (&entry.kind, extents) {
            (EntryKind::File { size, .. }, Some(extents)) => Some(Map::new(*size, extents)),
            _ => None,
        };
        self.data(&Head::of(entry, map.as_ref()).bytes())?;
        map.map_or(Ok(()), |map| self.data(&map.text))
    }

    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        self.cx.progress.add(bytes.len() as u64);
        self.out.write_blocking(bytes)
    }

    /// Fills the content of a file up to the next block.
    fn end_of_file(&mut self) -> Result<()> {
        let over = (self.out.written() - self.began) % BLOCK as u64;
        if over > 0 { self.zeros(BLOCK as u64 - over) } else { Ok(()) }
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// As for [`SealWriter::write`].
    pub(crate) fn finish(mut self) -> Result<()> {
        let length = self.out.written() - self.began + 2 * BLOCK as u64;
        self.zeros(length.next_multiple_of(RECORD) - length + 2 * BLOCK as u64)
    }

    fn zeros(&mut self, count: u64) -> Result<()> {
        let zeros = [0; BLOCK];
        for at in (0..count).step_by(BLOCK) {
            let now = usize::try_from(count - at).map_or(BLOCK, |left| left.min(BLOCK));
            self.data(&zeros[..now])?;
        }
        Ok(())
    }
}
