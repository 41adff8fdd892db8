//! What is inside a file, by the ends of its name: `.age` is opened, `.gz` and `.zst` are unpacked.

use std::io::{self, Read};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use crate::seal::Keys;
use crate::{Context, Error, Kind, OpenReader, Result};

/// Pieces that wait to be taken.
const WAITING: usize = 8;
/// Bytes of a piece.
const PIECE: usize = 1 << 20;

/// How a file is packed, from the inside out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed {
    /// Sealed with age.
    pub(super) sealed: bool,
    compression: Option<Compression>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstd,
}

impl Packed {
    /// By the ends of a file's name.
    pub(super) fn of(name: &str) -> Self {
        let (inner, sealed) = name.strip_suffix(".age").map_or((name, false), |inner| (inner, true));
        let compression = match inner.rsplit_once('.').map(|(_, end)| end) {
            Some("gz" | "tgz") => Some(Compression::Gzip),
            Some("zst" | "tzst") => Some(Compression::Zstd),
            _ => None,
        };
        Self { sealed, compression }
    }

    /// Whether a check of its own would tell damage: that of each chunk of age, or the sum at the end of a compressed file.
    pub(super) fn vouches(self) -> Option<&'static str> {
        match (self.sealed, self.compression) {
            (true, _) => Some("age authenticated every chunk of the file"),
            (false, Some(Compression::Gzip)) => Some("the file has the CRC-32 that gzip wrote into it"),
            (false, _) => None,
        }
    }

    /// What is inside, as a stream that is read on a thread of its own. `subject` names the file in errors.
    pub(super) fn stream(self, cx: &Context, keys: Option<&Keys>, subject: &str, mut packed: OpenReader) -> OpenReader {
        if self == Packed::of("") {
            return packed;
        }
        let (reader, queue) = OpenReader::new(WAITING);
        let (cx, keys, subject) = (cx.clone(), keys.cloned(), subject.to_owned());
        tokio::task::spawn_blocking(move || {
            let plain = self.unpack(keys.as_ref(), &subject, packed.blocking());
            let handed = plain.and_then(|plain| hand_on(&cx, &subject, plain, &queue));
            // That the file could not be read to its end is the cause of what the unpacking made of that.
            if let Some(error) = packed.take_error().or(handed.err()) {
                let _ = queue.blocking_send(Err(error));
            }
        });
        reader
    }

    fn unpack<'a>(self, keys: Option<&Keys>, subject: &str, packed: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
        let opened: Box<dyn Read + 'a> = match (self.sealed, keys) {
            (false, _) => Box::new(packed),
            (true, Some(keys)) => keys.read_foreign(packed, subject)?,
            (true, None) => return Err(Error::new(Kind::WrongKey, format!("no identity at hand opens {subject}"))),
        };
        Ok(match self.compression {
            None => opened,
            // Several members in a row are one file for gzip, as several frames are for zstd.
            Some(Compression::Gzip) => Box::new(flate2::read::MultiGzDecoder::new(opened)),
            Some(Compression::Zstd) => {
                Box::new(zstd::Decoder::new(opened).map_err(|cause| unreadable(subject, cause))?)
            }
        })
    }
}

/// Hands the plain bytes on, piece by piece, until there are no more or nobody wants them.
fn hand_on(cx: &Context, subject: &str, mut plain: impl Read, queue: &Sender<Result<Bytes>>) -> Result<()> {
    loop {
        cx.go_on()?;
        let mut piece = Vec::with_capacity(PIECE);
        let read = plain.by_ref().take(PIECE as u64).read_to_end(&mut piece);
        if read.map_err(|cause| unreadable(subject, cause))? == 0 || queue.blocking_send(Ok(piece.into())).is_err() {
            return Ok(());
        }
    }
}

fn unreadable(subject: &str, cause: io::Error) -> Error {
    Error::new(Kind::Corrupt, format!("{subject} does not unpack")).because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_how_files_are_packed() {
        let packed = |name| (Packed::of(name).sealed, Packed::of(name).compression);
        assert_eq!(packed("a.dump"), (false, None));
        assert_eq!(packed("a.tar.gz"), (false, Some(Compression::Gzip)));
        assert_eq!(packed("a.tgz.age"), (true, Some(Compression::Gzip)));
        assert_eq!(packed("a.sql.zst.age"), (true, Some(Compression::Zstd)));
        assert_eq!(packed("age"), (false, None));
    }
}
