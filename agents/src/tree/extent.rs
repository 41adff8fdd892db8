//! Where a file holds data, and where only holes.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// What tar counts in; parts of a sparse file begin at its multiples.
const BLOCK: u64 = 512;

/// Holes in files shorter than this aren't looked for: they spare less than the looking costs.
const SMALLEST: u64 = 16 << 10;

/// A part of a file that holds data: from `offset`, `length` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Extent {
    /// The lengths of the pieces of at most `most` bytes that it comes in.
    pub(super) fn pieces(self, most: usize) -> impl Iterator<Item = usize> {
        let (whole, rest) = (self.length / most as u64, self.length % most as u64);
        let rest = usize::try_from(rest).expect("less than a piece");
        (0..whole).map(move |_| most).chain((rest > 0).then_some(rest))
    }

    /// Where it ends, unless that is beyond all numbers.
    pub(super) fn end(self) -> Option<u64> {
        self.offset.checked_add(self.length)
    }
}

/// The parts of a file of `size` bytes that hold data, in order, each beginning at a multiple of a tar block. `None` if there is no hole in
/// it, or if the file system doesn't tell.
pub(super) fn data_of(file: &OwnedFd, size: u64) -> io::Result<Option<Vec<Extent>>> {
    if size < SMALLEST || rustix::fs::fstat(file)?.st_blocks.unsigned_abs() * BLOCK >= size {
        return Ok(None);
    }
    let mut extents: Vec<Extent> = Vec::new();
    let mut at = 0;
    while at < size {
        let begin = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(begin) => begin.min(size) / BLOCK * BLOCK,
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(begin.max(at))).unwrap_or(size);
        let end = end.next_multiple_of(BLOCK).clamp(begin, size);
        at = end.max(at + 1);
        match extents.last_mut() {
            Some(last) if last.offset + last.length >= begin => last.length = end - last.offset,
            _ if end > begin => extents.push(Extent { offset: begin, length: end - begin }),
            _ => {}
        }
    }
    let whole = matches!(extents[..], [Extent { offset: 0, length }] if length == size);
    Ok((!whole).then_some(extents))
}
