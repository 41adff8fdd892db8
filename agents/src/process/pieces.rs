//! What a program writes, piece by piece as it comes, for who takes all of it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::time::timeout;

use super::Running;
use crate::{Context, Error, Kind, Result};

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;
/// How long nothing may come of a program that has ended before its output counts as held open by somebody else.
const SILENCE: Duration = Duration::from_secs(1);

/// What a program writes to its standard output.
#[derive(Debug)]
pub(crate) struct Pieces {
    stdout: Option<ChildStdout>,
    buffer: BytesMut,
}

impl Pieces {
    /// All that this program writes from now on.
    pub(crate) fn of(running: &mut Running) -> Self {
        Self { stdout: running.stdout.take(), buffer: BytesMut::new() }
    }

    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if something that the program started keeps the output open after its end.
    pub(crate) async fn next(&mut self, cx: &Context, running: &mut Running) -> Result<Option<Bytes>> {
        let Some(stdout) = &mut self.stdout else { return Ok(None) };
        loop {
            cx.go_on()?;
            self.buffer.reserve(PIECE);
            match timeout(SILENCE, stdout.read_buf(&mut self.buffer)).await {
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(_)) => return Ok(Some(self.buffer.split().freeze())),
                Ok(Err(cause)) => return Err(Error::io("reading what is written by", running.name(), cause)),
                Err(_) if running.has_ended().is_some() => {
                    return Err(Error::new(
                        Kind::Unavailable,
                        format!("{} has ended, but something that it started still holds its output", running.name()),
                    )
                    .hint("Let it wait for all that it starts: the backup may not be whole."));
                }
                Err(_) => {}
            }
        }
    }
}
