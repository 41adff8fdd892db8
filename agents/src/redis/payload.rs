//! The bytes of an RDB on a connection that doesn't end with it. A server that knows the length tells it before; one that sends while it
//! writes ends with a mark that it announced: forty random bytes.

use std::io::{self, Read};
use std::ops::Range;

use super::connection::Connection;

const MARK: usize = 40;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// An RDB and where it ends.
#[derive(Debug)]
pub(super) enum Payload<R> {
    Sized(io::Take<R>),
    Marked(Marked<R>),
}

/// Bytes up to a mark. As many as could be the mark are held back.
#[derive(Debug)]
pub(super) struct Marked<R> {
    from: R,
    mark: Vec<u8>,
    buffer: Vec<u8>,
    /// What of the buffer came and was not given yet.
    held: Range<usize>,
    ended: bool,
}

impl Payload<io::BufReader<super::patient::Patient>> {
    /// What this line announces: `$1234` or `$EOF:` with the mark.
    pub(super) fn announced(line: &str, connection: Connection) -> Option<Self> {
        Self::of(line, || connection.into_stream())
    }
}

impl<R: Read> Payload<R> {
    fn of(line: &str, from: impl FnOnce() -> R) -> Option<Self> {
        let announced = line.strip_prefix('$')?;
        match announced.strip_prefix("EOF:") {
            Some(mark) if mark.len() == MARK => Some(Self::Marked(Marked {
                from: from(),
                mark: mark.into(),
                buffer: vec![0; PIECE + MARK],
                held: 0..0,
                ended: false,
            })),
            Some(_) => None,
            None => announced.parse().ok().map(|length| Self::Sized(from().take(length))),
        }
    }
}

impl<R: Read> Read for Payload<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Sized(bytes) => bytes.read(buffer),
            Self::Marked(bytes) => bytes.read(buffer),
        }
    }
}

impl<R: Read> Marked<R> {
    /// How many bytes are known not to be the mark.
    fn free(&self) -> usize {
        if self.ended { self.held.len() } else { self.held.len().saturating_sub(MARK) }
    }

    /// Reads more behind what is held, which is no longer than the mark.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.held.clone(), 0);
        self.held = 0..self.held.len();
        let read = self.from.read(&mut self.buffer[self.held.end..])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.held.end += read;
        if self.buffer[self.held.clone()].ends_with(&self.mark) {
            self.held.end -= MARK;
            self.ended = true;
        }
        Ok(())
    }
}

impl<R: Read> Read for Marked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.free() == 0 && !self.ended {
            self.fill()?;
        }
        let now = self.free().min(buffer.len());
        let given = self.held.start..self.held.start + now;
        buffer[..now].copy_from_slice(&self.buffer[given]);
        self.held.start += now;
        Ok(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what it holds in pieces of this size, as a network may.
    struct InPieces<'a>(&'a [u8], usize);

    impl Read for InPieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    fn read(line: &str, sent: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut payload = Payload::of(line, || InPieces(sent, piece)).expect("announced");
        let mut bytes = Vec::new();
        payload.read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn what_stands_before_the_mark_is_given_however_it_is_cut_and_nothing_else() {
        let mark = "0123456789abcdef0123456789abcdef01234567";
        let line = format!("$EOF:{mark}");
        for content in [&b""[..], b"x", &b"REDIS".repeat(50_000)] {
            let sent = [content, mark.as_bytes()].concat();
            for piece in [1, 39, 40, 41, 1 << 20] {
                assert!(read(&line, &sent, piece).expect("whole") == content, "{} in pieces of {piece}", content.len());
            }
            let cut = read(&line, &sent[..sent.len() - 1], 7).expect_err("the mark is cut off");
            assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn what_has_a_length_ends_there_and_other_words_announce_nothing() {
        assert_eq!(read("$4", b"abcdefg", 3).expect("whole"), b"abcd");
        for line in ["$", "$EOF:short", "+OK", "$-1"] {
            assert!(Payload::of(line, io::empty).is_none(), "{line}");
        }
    }
}
