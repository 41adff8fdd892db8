//! Reads the content of a file once, for its digest and for whoever stores it.

use std::io;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::Advice;
use rustix::io::ReadWriteFlags;

use super::extent::{self, Extent};
use super::walk::reading;
use crate::digest::Digest;
use crate::{Context, Result, Sha256};

/// Bytes that are read at a time: few enough that they are still in the processor's cache when they are digested.
const PIECE: usize = 256 << 10;

/// Bytes of a file that are asked for before it is read; from there on the system reads ahead by itself.
const READ_AHEAD: u64 = 256 << 10;

/// Files of this size and more are read gently.
const BIG: u64 = 1 << 20;

/// Reads files one after the other into one buffer.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    cx: &'a Context,
    buffer: Vec<u8>,
}

/// An open regular file that is to be read.
#[derive(Debug)]
pub(super) struct Regular<'a> {
    path: &'a Path,
    file: &'a OwnedFd,
    pub(super) size: u64,
    /// The parts of it that hold data, if not all of it does.
    pub(super) extents: Option<Vec<Extent>>,
}

impl<'a> Regular<'a> {
    /// The first `size` bytes of this file.
    ///
    /// # Errors
    /// What looking for holes says.
    pub(super) fn new(path: &'a Path, file: &'a OwnedFd, size: u64) -> Result<Self> {
        let extents = extent::data_of(file, size).map_err(|cause| reading(path, cause))?;
        Ok(Self { path, file, size, extents })
    }
}

/// What a file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// SHA-256 of the bytes, holes as zeros.
    pub(super) sha256: Sha256,
    /// The file ended before its size; zeros were taken for what was missing.
    pub(super) short: bool,
}

impl<'a> Content<'a> {
    /// A reader with a buffer of its own.
    pub(crate) fn new(cx: &'a Context) -> Self {
        Self { cx, buffer: vec![0; PIECE] }
    }

    /// Reads a file. What is in it, but not its holes, is given to `each`.
    ///
    /// # Errors
    /// What reading says; what `each` says; [`crate::Kind::Interrupted`].
    pub(super) fn read(&mut self, regular: &Regular<'_>, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<Held> {
        let whole = [Extent { offset: 0, length: regular.size }];
        let mut digest = Digest::default();
        let (mut at, mut short) = (0, false);
        for extent in regular.extents.as_deref().unwrap_or(&whole) {
            digest.zeros(self.cx, extent.offset - at)?;
            at = extent.offset;
            let end = extent.offset + extent.length;
            while at < end {
                self.cx.go_on()?;
                let room = usize::try_from(end - at).map_or(PIECE, |left| left.min(PIECE));
                let filled = fill(regular.file, &mut self.buffer[..room], at);
                let filled = filled.map_err(|cause| reading(regular.path, cause))?;
                self.buffer[filled..room].fill(0);
                short |= filled < room;
                digest.update(&self.buffer[..room]);
                each(&self.buffer[..room])?;
                at += room as u64;
            }
        }
        digest.zeros(self.cx, regular.size - at)?;
        Ok(Held { sha256: digest.finish(), short })
    }
}

/// Fills the buffer from this place of the file on; less only where the file ends.
fn fill(file: &OwnedFd, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match rustix::io::pread(file, &mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}

/// Makes the cache forget a file, and begins to read it from the disk. Whether it did: what is mapped or only in memory stays.
pub(super) fn read_anew(file: &OwnedFd) -> bool {
    let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
    let forgotten = !is_cached(file);
    let _ = rustix::fs::fadvise(file, 0, NonZero::new(READ_AHEAD), Advice::WillNeed);
    forgotten
}

/// Keeps a production system's cache as it was: a big file that wasn't in the cache before it was read is dropped from it again.
#[derive(Debug)]
pub(super) struct Gently<'a> {
    file: &'a OwnedFd,
    drop_again: bool,
}

impl<'a> Gently<'a> {
    /// Says that the file will be read from begin to end. Advice that isn't taken changes nothing.
    pub(super) fn read(file: &'a OwnedFd, size: u64) -> Self {
        let big = size >= BIG;
        if big {
            let _ = rustix::fs::fadvise(file, 0, None, Advice::Sequential);
        }
        Self { file, drop_again: big && !is_cached(file) }
    }
}

impl Drop for Gently<'_> {
    fn drop(&mut self) {
        if self.drop_again {
            let _ = rustix::fs::fadvise(self.file, 0, None, Advice::DontNeed);
        }
    }
}

/// Whether the file's first byte can be had without reading from the disk.
fn is_cached(file: &OwnedFd) -> bool {
    let mut byte = [0];
    let mut into = [io::IoSliceMut::new(&mut byte)];
    rustix::io::preadv2(file, &mut into, 0, ReadWriteFlags::NOWAIT) == Ok(1)
}
