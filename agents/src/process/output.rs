//! What a program writes, read as fast as it comes and kept within bounds.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::task::JoinHandle;

use crate::Secrets;

/// Lines that are kept, and bytes of each.
const TAIL: (usize, usize) = (200, 2_000);
/// A longer line is read in pieces of this many bytes.
const LONGEST_LINE: u64 = 64 << 10;
/// How long reading goes on after the program's end: a pipe holds little, but a daemon may hold the pipe open for ever.
pub(super) const DRAIN: Duration = Duration::from_secs(1);

/// Reads to the end, keeping the first `most` bytes; what goes beyond is dropped.
pub(super) async fn collect(mut from: impl AsyncRead + Unpin, most: usize, kept: &mut Vec<u8>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let room = most.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
}

/// Waits for `end`, while `reading` goes on beside it and for a moment longer.
pub(super) async fn beside<T>(end: impl Future<Output = T>, reading: impl Future<Output = ()>) -> T {
    let (mut end, mut reading) = (pin!(end), pin!(reading));
    let ended = tokio::select! {
        ended = &mut end => ended,
        () = &mut reading => return end.await,
    };
    let _ = tokio::time::timeout(DRAIN, reading).await;
    ended
}

/// Hands every line on, without its newline and with secrets scrubbed; a line that is too long comes in pieces.
pub(crate) async fn each_line(from: impl AsyncRead + Unpin, secrets: &Secrets, mut take: impl FnMut(String)) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut from).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line);
        take(secrets.scrub(text.trim_end_matches(['\n', '\r'])));
        line.clear();
    }
}

/// The last lines of a stream that is being read. Reading ends with the stream or when this is dropped.
#[derive(Debug)]
pub(super) struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    reading: JoinHandle<()>,
}

impl Tail {
    /// Begins to read.
    pub(super) fn of(from: impl AsyncRead + Unpin + Send + 'static, secrets: Arc<Secrets>) -> Self {
        let lines = Arc::<Mutex<VecDeque<String>>>::default();
        let kept = Arc::clone(&lines);
        let reading = tokio::spawn(async move {
            each_line(from, &secrets, |line| keep(&mut kept.lock().unwrap_or_else(PoisonError::into_inner), line))
                .await;
        });
        Self { lines, reading }
    }

    /// The last lines, once the stream has ended or a moment has passed.
    pub(super) async fn lines(mut self) -> Vec<String> {
        let _ = tokio::time::timeout(DRAIN, &mut self.reading).await;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *lines).into()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

fn keep(lines: &mut VecDeque<String>, mut line: String) {
    if lines.len() == TAIL.0 {
        lines.pop_front();
    }
    line.truncate(line.floor_char_boundary(TAIL.1));
    lines.push_back(line);
}
