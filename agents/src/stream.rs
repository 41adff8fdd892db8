//! The two ends of the seal, as the rest of the crate sees them: a writer that a source is handed, which lets nothing past it
//! unsealed, and a reader of what was opened. Both are bounded: whoever is faster waits.

use std::io;
use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::{Error, Kind, Result};

/// Plain bytes of one segment.
pub const SEGMENT_BYTES: usize = 16 << 20;

/// Takes the plain stream of a capture and hands it on in segments to be sealed.
///
/// It is made by the seal only. Dropping it without [`SealWriter::finish`] leaves the snapshot without a header, so that it does not exist.
#[derive(Debug)]
pub struct SealWriter {
    segments: mpsc::Sender<Bytes>,
    segment: Vec<u8>,
    written: u64,
}

impl SealWriter {
    /// A writer and the queue of its segments, `depth` of them at most.
    pub(crate) fn new(depth: usize) -> (Self, mpsc::Receiver<Bytes>) {
        let (segments, queue) = mpsc::channel(depth);
        (Self { segments, segment: Vec::new(), written: 0 }, queue)
    }

    /// Bytes written so far: the offset in the stream of what comes next.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if sealing or storing stopped; its own error says why.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let taken = self.take(&mut bytes);
            if let Some(full) = taken {
                self.segments.send(full).await.map_err(|_| stopped())?;
            }
        }
        Ok(())
    }

    /// The same, from a thread that may block.
    ///
    /// # Errors
    /// As for [`SealWriter::write`].
    pub fn write_blocking(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let taken = self.take(&mut bytes);
            if let Some(full) = taken {
                self.segments.blocking_send(full).map_err(|_| stopped())?;
            }
        }
        Ok(())
    }

    /// Runs `work` with this writer on a thread of its own that may block. Meanwhile there is a writer in its place that takes nothing:
    /// if nobody waits for the thread any more, nothing can be mistaken for the end of the stream.
    pub(crate) async fn on_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Self) -> T + Send + 'static,
    ) -> T {
        let mut writer = std::mem::replace(self, Self::new(1).0);
        let (writer, done) = on_thread(move || {
            let done = work(&mut writer);
            (writer, done)
        })
        .await;
        *self = writer;
        done
    }

    /// Hands the last, shorter segment on. Returns the length of the whole stream.
    ///
    /// # Errors
    /// As for [`SealWriter::write`].
    pub(crate) async fn finish(mut self) -> Result<u64> {
        if !self.segment.is_empty() {
            let last = std::mem::take(&mut self.segment);
            self.segments.send(last.into()).await.map_err(|_| stopped())?;
        }
        Ok(self.written)
    }

    /// Moves bytes into the segment at hand; returns it when it is full.
    fn take(&mut self, bytes: &mut &[u8]) -> Option<Bytes> {
        if self.segment.capacity() == 0 {
            self.segment.reserve_exact(SEGMENT_BYTES);
        }
        let room = SEGMENT_BYTES - self.segment.len();
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        self.segment.extend_from_slice(now);
        self.written += now.len() as u64;
        *bytes = later;
        (self.segment.len() == SEGMENT_BYTES).then(|| std::mem::take(&mut self.segment).into())
    }
}

/// For tar and whoever else writes: from a thread that may block.
impl io::Write for SealWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_blocking(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stopped() -> Error {
    Error::new(Kind::Unavailable, "sealing and storing has stopped")
}

/// Gives the plain stream of a snapshot back, checked and opened, in order.
#[derive(Debug)]
pub struct OpenReader {
    pieces: mpsc::Receiver<Result<Bytes>>,
    piece: Bytes,
    failed: Option<Error>,
}

impl OpenReader {
    /// A reader and the end at which pieces are put in, `depth` of them at most.
    pub(crate) fn new(depth: usize) -> (Self, mpsc::Sender<Result<Bytes>>) {
        let (queue, pieces) = mpsc::channel(depth);
        (Self { pieces, piece: Bytes::new(), failed: None }, queue)
    }

    /// The next piece; `None` at the end of the stream.
    ///
    /// # Errors
    /// What fetching or opening says: [`Kind::Corrupt`], [`Kind::WrongKey`], [`Kind::Unavailable`], ….
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.pieces.recv().await.transpose()
    }

    /// The stream as [`io::Read`], for a thread that may block. If reading fails, the error proper is kept: ask
    /// [`OpenReader::take_error`] before believing what the reader of the bytes made of it.
    pub fn blocking(&mut self) -> BlockingReader<'_> {
        BlockingReader { reader: self, waited: std::time::Duration::ZERO }
    }

    /// The error that ended a blocking read.
    pub fn take_error(&mut self) -> Option<Error> {
        self.failed.take()
    }
}

/// [`OpenReader`] as [`io::Read`].
#[derive(Debug)]
pub struct BlockingReader<'a> {
    reader: &'a mut OpenReader,
    waited: std::time::Duration,
}

impl BlockingReader<'_> {
    /// How long it waited for pieces: time that is not the reader's own work.
    pub fn waited(&self) -> std::time::Duration {
        self.waited
    }
}

impl io::Read for BlockingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.reader.piece.is_empty() {
            #[allow(clippy::disallowed_methods, reason = "a stretch of waiting, by the monotonic clock")]
            let before = Instant::now();
            let next = self.reader.pieces.blocking_recv();
            self.waited += before.elapsed();
            match next {
                None => return Ok(0),
                Some(Ok(piece)) => self.reader.piece = piece,
                Some(Err(error)) => {
                    let told = io::Error::other(error.chain());
                    self.reader.failed = Some(error);
                    return Err(told);
                }
            }
        }
        let now = buffer.len().min(self.reader.piece.len());
        buffer[..now].copy_from_slice(&self.reader.piece.split_to(now));
        Ok(now)
    }
}

/// Runs `work` on a thread of its own that may block, and waits for it.
///
/// # Errors
/// What `work` says; a panic in it is passed on.
pub(crate) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match Handle::current().spawn_blocking(work).await {
        Ok(done) => done,
        Err(died) => std::panic::resume_unwind(died.into_panic()),
    }
}
