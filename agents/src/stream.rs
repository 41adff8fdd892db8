//! The two ends of the seal, as the rest of the crate sees them: a writer that a source is handed, which lets nothing past it
//! unsealed, and a reader of what was opened. Both are bounded: whoever is faster waits.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::buffers::{Buffers, SEGMENT_BYTES};
use crate::pace::Pace;
use crate::{Error, Kind, Limits, Result};

/// Takes the plain stream of a capture and hands it on in segments to be sealed.
///
/// It is made by the seal only. Dropping it unfinished leaves the snapshot without a header, so that it does not exist.
#[derive(Debug)]
pub struct SealWriter {
    segments: mpsc::Sender<Bytes>,
    segment: Option<Vec<u8>>,
    buffers: Buffers,
    written: u64,
    pace: Option<Pace>,
}

impl SealWriter {
    /// A writer and the queue of its segments, `depth` of them at most.
    pub(crate) fn new(depth: usize, buffers: &Buffers) -> (Self, mpsc::Receiver<Bytes>) {
        let (segments, queue) = mpsc::channel(depth);
        (Self { segments, segment: None, buffers: buffers.clone(), written: 0, pace: None }, queue)
    }

    /// The same, taking bytes at this pace: whoever reads the source for it is held back.
    pub(crate) fn paced(self, pace: Option<Pace>) -> Self {
        Self { pace, ..self }
    }

    /// Takes bytes as fast as they come: for one who reads the source at its pace already.
    pub(crate) fn unpaced(&mut self) {
        self.pace = None;
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
            let now = self.portion(&mut bytes);
            if let Some(pace) = &self.pace {
                pace.pass(now.len()).await;
                self.go_on()?;
            }
            if let Some(full) = self.take(now) {
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
            let now = self.portion(&mut bytes);
            if let Some(pace) = &self.pace {
                pace.pass_blocking(now.len());
                self.go_on()?;
            }
            if let Some(full) = self.take(now) {
                self.segments.blocking_send(full).map_err(|_| stopped())?;
            }
        }
        Ok(())
    }

    /// Runs `work` with this writer on a thread of its own that may block and stands behind others as the limits say. Meanwhile there
    /// is a writer in its place that takes nothing: if nobody waits for the thread any more, nothing can be mistaken for the end of the
    /// stream.
    ///
    /// # Errors
    /// What `work` says; those of lowering a thread.
    pub(crate) async fn on_thread<T: Send + 'static>(
        &mut self,
        limits: &Limits,
        work: impl FnOnce(&mut Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut writer = std::mem::replace(self, Self::new(1, &self.buffers).0);
        let limits = limits.clone();
        let (job, answer) = job(move || {
            let done = limits.lower_this_thread().and_then(|()| work(&mut writer));
            (writer, done)
        });
        std::thread::spawn(job);
        let (writer, done) = answer.await;
        *self = writer;
        done
    }

    /// Hands the last, shorter segment on; an empty stream has one empty segment, so that stock tools find something to open.
    /// Returns the length of the whole stream.
    ///
    /// # Errors
    /// As for [`SealWriter::write`].
    pub(crate) async fn finish(mut self) -> Result<u64> {
        let last = self.segment.take().or_else(|| (self.written == 0).then(Vec::new));
        if let Some(last) = last {
            self.segments.send(self.buffers.share(last)).await.map_err(|_| stopped())?;
        }
        Ok(self.written)
    }

    /// Splits off what the segment at hand has room for and the pace lets pass at once.
    fn portion<'a>(&self, bytes: &mut &'a [u8]) -> &'a [u8] {
        let room = SEGMENT_BYTES - self.segment.as_ref().map_or(0, Vec::len);
        let most = self.pace.as_ref().map_or(room, |pace| pace.piece().min(room));
        let (now, later) = bytes.split_at(most.min(bytes.len()));
        *bytes = later;
        now
    }

    /// Whoever is held back must notice that nobody takes the stream any more.
    fn go_on(&self) -> Result<()> {
        if self.segments.is_closed() { Err(stopped()) } else { Ok(()) }
    }

    /// Moves a portion into the segment at hand; returns it when it is full.
    fn take(&mut self, now: &[u8]) -> Option<Bytes> {
        let segment = self.segment.get_or_insert_with(|| self.buffers.take());
        segment.extend_from_slice(now);
        self.written += now.len() as u64;
        let full = self.segment.take_if(|segment| segment.len() == SEGMENT_BYTES)?;
        Some(self.buffers.share(full))
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

/// Gives the plain stream of a snapshot back, checked and opened, in order. It ends when all of it was given and never before:
/// a stream that breaks off is an error, however often it is asked.
#[derive(Debug)]
pub struct OpenReader {
    pieces: mpsc::Receiver<Result<Bytes>>,
    piece: Bytes,
    left: Option<u64>,
    failed: Option<Error>,
}

impl OpenReader {
    /// A reader of `total` bytes and the end at which pieces are put in, `depth` of them at most.
    pub(crate) fn of(total: u64, depth: usize) -> (Self, mpsc::Sender<Result<Bytes>>) {
        let (queue, pieces) = mpsc::channel(depth);
        (Self { pieces, piece: Bytes::new(), left: Some(total), failed: None }, queue)
    }

    /// A reader of whatever is put in: it ends when the other end is dropped.
    pub(crate) fn new(depth: usize) -> (Self, mpsc::Sender<Result<Bytes>>) {
        let (reader, queue) = Self::of(0, depth);
        (Self { left: None, ..reader }, queue)
    }

    /// The next piece; `None` at the end of the stream.
    ///
    /// # Errors
    /// What fetching or opening says: [`Kind::Corrupt`], [`Kind::WrongKey`], [`Kind::Unavailable`], ….
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let came = self.pieces.recv().await;
        self.count(came)
    }

    /// Counts what came, so that an end that comes too early is told from the end.
    fn count(&mut self, came: Option<Result<Bytes>>) -> Result<Option<Bytes>> {
        let piece = came.transpose()?;
        let Some(left) = &mut self.left else { return Ok(piece) };
        match &piece {
            Some(bytes) => *left = left.saturating_sub(bytes.len() as u64),
            None if *left > 0 => {
                return Err(Error::new(Kind::Unavailable, format!("the stream broke off with {left} bytes to come")));
            }
            None => {}
        }
        Ok(piece)
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
            let came = self.reader.pieces.blocking_recv();
            self.waited += before.elapsed();
            match self.reader.count(came) {
                Ok(None) => return Ok(0),
                Ok(Some(piece)) => self.reader.piece = piece,
                Err(error) => {
                    let told = io::Error::other(error.chain());
                    // The first error says what happened; those of reading on say only that it is over.
                    self.reader.failed.get_or_insert(error);
                    return Err(told);
                }
            }
        }
        let now = buffer.len().min(self.reader.piece.len());
        buffer[..now].copy_from_slice(&self.reader.piece.split_to(now));
        Ok(now)
    }
}

/// Work for a thread that is not the runtime's, and the wait for its answer. A panic in it is passed on to whoever waits.
pub(crate) fn job<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> (impl FnOnce() + Send + 'static, impl Future<Output = T> + Send) {
    let (done, answer) = oneshot::channel();
    let runtime = Handle::current();
    let job = move || {
        let _here = runtime.enter();
        // Nobody waits for the answer any more if the stream was given up.
        let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
    };
    let answer = async { answer.await.expect("each job is answered").unwrap_or_else(|panic| resume_unwind(panic)) };
    (job, answer)
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

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[tokio::test]
    async fn a_stream_that_breaks_off_never_looks_whole() {
        let (mut reader, queue) = OpenReader::of(10, 4);
        queue.send(Ok(Bytes::from_static(b"12345"))).await.expect("sent");
        drop(queue);
        assert_eq!(reader.next().await.expect("piece").expect("bytes").len(), 5);
        for _ in 0..2 {
            let error = reader.next().await.expect_err("broken off");
            assert_eq!(error.to_string(), "the stream broke off with 5 bytes to come");
        }
    }

    #[test]
    fn whoever_reads_on_after_an_error_gets_errors_and_the_first_is_kept() {
        let (mut reader, queue) = OpenReader::of(10, 4);
        queue.blocking_send(Err(Error::new(Kind::Corrupt, "segment 000000 is missing"))).expect("sent");
        drop(queue);
        for _ in 0..3 {
            reader.blocking().read(&mut [0; 4]).expect_err("an error each time");
        }
        assert_eq!(reader.take_error().expect("kept").kind(), Kind::Corrupt);
    }

    #[tokio::test]
    async fn a_paced_writer_holds_whoever_writes_back_and_notices_that_nobody_takes_it_any_more() {
        let clock = crate::Clock::system();
        let pace = || Some(Pace::new("8MiB/s".parse().expect("rate"), &clock));
        let (writer, mut queue) = SealWriter::new(4, &Buffers::default());
        let (mut writer, bytes) = (writer.paced(pace()), vec![7; 4 << 20]);
        let before = clock.elapsed();
        writer.write(&bytes).await.expect("written");
        writer.on_thread(&Limits::default(), move |writer| writer.write_blocking(&bytes)).await.expect("written");
        let took = clock.elapsed() - before;
        assert!(took >= std::time::Duration::from_millis(850), "8 MiB in {took:?}");
        assert_eq!(writer.finish().await.expect("finished"), 8 << 20);
        assert_eq!(queue.recv().await.map(|segment| segment.len()), Some(8 << 20), "in one segment all the same");

        let (writer, queue) = SealWriter::new(4, &Buffers::default());
        drop(queue);
        let error = writer.paced(pace()).write(&[7; SEGMENT_BYTES - 1]).await.expect_err("before the segment is full");
        assert_eq!(error.to_string(), "sealing and storing has stopped");
    }

    #[tokio::test]
    async fn segments_are_cut_where_they_are_full_and_an_empty_stream_has_one() {
        for (length, segments) in [(0, 1), (1, 1), (SEGMENT_BYTES, 1), (SEGMENT_BYTES + 1, 2)] {
            let (mut writer, mut queue) = SealWriter::new(4, &Buffers::default());
            writer.write(&vec![7; length]).await.expect("written");
            assert_eq!(writer.finish().await.expect("finished"), length as u64);
            let mut sizes = Vec::new();
            while let Some(segment) = queue.recv().await {
                sizes.push(segment.len());
            }
            assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (segments, length));
        }
    }
}
