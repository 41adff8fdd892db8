//! The snapshot of a member: its database as it was at one instant, with its SHA-256 behind it. It comes as lines of JSON.

use reqwest::Response;

use super::connection::Connection;
use super::message::{Line, Piece};
use super::refused::Refusal;
use crate::digest::Digest;
use crate::{Context, Error, Kind, Result};

const PATH: &str = "maintenance/snapshot";
/// Bytes of the digest at the end.
const SUM: usize = 32;
/// Bytes of one line at most; members send pieces of some ten thousand bytes.
const LONGEST_LINE: usize = 64 << 20;
/// How often the beginning is tried again where somebody wrote meanwhile.
const TRIES: usize = 20;

/// A snapshot that has begun: it is of a revision between two that are known.
#[derive(Debug)]
pub(crate) struct Snapshot {
    lines: Response,
    /// What came and was not given yet.
    buffer: Vec<u8>,
    first: Option<Vec<u8>>,
    sum: Sum,
    /// Revision of the store before it was asked for, and after it had begun.
    pub(crate) revisions: (i64, i64),
}

impl Snapshot {
    /// Asks for it, again and again until nobody writes while it begins. Where somebody always does, what was written between the two
    /// revisions may be in it or not.
    ///
    /// # Errors
    /// Those of [`Connection::ask`].
    pub(crate) async fn begin(cx: &Context, connection: &mut Connection) -> Result<Self> {
        let mut snapshot = Self::once(connection).await?;
        for _ in 1..TRIES {
            if snapshot.revisions.0 == snapshot.revisions.1 {
                break;
            }
            cx.go_on()?;
            snapshot = Self::once(connection).await?;
        }
        Ok(snapshot)
    }

    async fn once(connection: &mut Connection) -> Result<Self> {
        let before = connection.revision().await?;
        let lines = connection.stream(PATH).await?;
        let mut snapshot =
            Self { lines, buffer: Vec::new(), first: None, sum: Sum::default(), revisions: (before, before) };
        // The member has fixed what it sends before it sends the first of it.
        snapshot.first = snapshot.piece(connection).await?;
        snapshot.revisions.1 = connection.revision().await?;
        Ok(snapshot)
    }

    /// The next piece; nothing after the last one.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the stream broke off or is not what the member digested.
    pub(crate) async fn next(&mut self, connection: &Connection) -> Result<Option<Vec<u8>>> {
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.piece(connection).await?,
        };
        match &next {
            Some(piece) => self.sum.push(piece),
            None if std::mem::take(&mut self.sum).fits() => {}
            None => {
                let message = "the snapshot that the member of etcd sent broke off, or is not what its SHA-256 says";
                return Err(Error::new(Kind::Unavailable, message));
            }
        }
        Ok(next)
    }

    async fn piece(&mut self, connection: &Connection) -> Result<Option<Vec<u8>>> {
        let Some(line) = self.line(connection).await? else { return Ok(None) };
        let line: Line = serde_json::from_slice(&line).map_err(|cause| {
            Error::new(Kind::Unavailable, format!("{}: no piece of a snapshot", connection.doing(PATH))).because(cause)
        })?;
        match line {
            Line { error: Some(error), .. } => Err(Refusal::of_stream(&error).error(&connection.doing(PATH))),
            Line { result, .. } => Ok(Some(result.map(|Piece { blob }| blob.0).unwrap_or_default())),
        }
    }

    async fn line(&mut self, connection: &Connection) -> Result<Option<Vec<u8>>> {
        let mut looked_at = 0;
        loop {
            if let Some(end) = self.buffer[looked_at..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(looked_at + end + 1);
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
            looked_at = self.buffer.len();
            let came = self.lines.chunk().await.map_err(|cause| connection.broken(PATH, cause))?;
            match came {
                Some(bytes) if looked_at + bytes.len() <= LONGEST_LINE => self.buffer.extend_from_slice(&bytes),
                None if self.buffer.is_empty() => return Ok(None),
                _ => {
                    return Err(Error::new(
                        Kind::Unavailable,
                        format!("{}: a line has no end", connection.doing(PATH)),
                    ));
                }
            }
        }
    }
}

/// The digest of all but the last bytes, which must be that digest.
#[derive(Debug, Default)]
struct Sum {
    digest: Digest,
    last: Vec<u8>,
}

impl Sum {
    fn push(&mut self, piece: &[u8]) {
        self.last.extend_from_slice(piece);
        let known = self.last.len().saturating_sub(SUM);
        self.digest.update(&self.last[..known]);
        self.last.drain(..known);
    }

    fn fits(self) -> bool {
        self.digest.bytes()[..] == self.last[..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(content: &[u8], piece: usize) -> bool {
        let mut sum = Sum::default();
        content.chunks(piece).for_each(|piece| sum.push(piece));
        sum.fits()
    }

    #[test]
    fn the_last_bytes_must_be_the_digest_of_all_others_however_they_come() {
        let content: Vec<u8> = (0..1000_u32).flat_map(u32::to_le_bytes).collect();
        let mut digest = Digest::default();
        digest.update(&content);
        let mut whole = [&content[..], &digest.bytes()].concat();
        for piece in [1, 31, 32, 33, 10_000] {
            assert!(fits(&whole, piece), "in pieces of {piece}");
            assert!(!fits(&whole[..whole.len() - 1], piece) && !fits(&whole[..40], piece));
        }
        whole[7] ^= 1;
        assert!(!fits(&whole, 100) && !fits(b"short", 2) && !fits(b"", 1));
    }
}
