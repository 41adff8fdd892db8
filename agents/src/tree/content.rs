//! Reads the content of a file once, for its digest and for whoever stores it.

use std::io;
use std::os::fd::OwnedFd;

use aws_lc_rs::digest;
use rustix::fs::Advice;
use rustix::io::ReadWriteFlags;

use super::extent::Extent;
use crate::{Context, Result};

/// Bytes that are read at a time: few enough that they are still in the processor's cache when they are digested.
const PIECE: usize = 256 << 10;

/// Files of this size and more are read gently.
const BIG: u64 = 1 << 20;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Reads files one after the other into one buffer.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    cx: &'a Context,
    buffer: Vec<u8>,
}

/// What a file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// SHA-256 of the bytes, holes as zeros, hexadecimal.
    pub(super) sha256: String,
    /// The file ended before its size; zeros were taken for what was missing.
    pub(super) short: bool,
}

impl<'a> Content<'a> {
    /// A reader with a buffer of its own.
    pub(crate) fn new(cx: &'a Context) -> Self {
        Self { cx, buffer: vec![0; PIECE] }
    }

    /// Reads the `size` bytes of a file of which only `extents` hold data (`None`: all of it). The data is given to `each`.
    ///
    /// # Errors
    /// What reading says, put into words by `wrong`; what `each` says; [`crate::Kind::Interrupted`].
    pub(super) fn read(
        &mut self,
        file: &OwnedFd,
        size: u64,
        extents: Option<&[Extent]>,
        wrong: impl Fn(io::Error) -> crate::Error,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Held> {
        let whole = [Extent { offset: 0, length: size }];
        let mut digest = digest::Context::new(&digest::SHA256);
        let (mut at, mut short) = (0, false);
        for extent in extents.unwrap_or(&whole) {
            self.zeros(&mut digest, extent.offset - at)?;
            at = extent.offset;
            let end = extent.offset + extent.length;
            while at < end {
                self.cx.go_on()?;
                let room = usize::try_from(end - at).map_or(PIECE, |left| left.min(PIECE));
                let filled = fill(file, &mut self.buffer[..room], at).map_err(&wrong)?;
                self.buffer[filled..room].fill(0);
                short |= filled < room;
                digest.update(&self.buffer[..room]);
                each(&self.buffer[..room])?;
                at += room as u64;
            }
        }
        self.zeros(&mut digest, size - at)?;
        Ok(Held { sha256: hex::encode(digest.finish()), short })
    }

    fn zeros(&self, digest: &mut digest::Context, mut count: u64) -> Result<()> {
        while count > 0 {
            let now = usize::try_from(count).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            digest.update(&ZEROS[..now]);
            count -= now as u64;
            self.cx.go_on()?;
        }
        Ok(())
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
