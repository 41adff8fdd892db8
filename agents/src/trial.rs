//! What tests in this crate share: a context in a folder of its own, and the seal's two ends joined by plain bytes in memory.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Captured, Clock, Context, Error, OpenReader, Result, SealWriter, Secrets, Source};

/// A context of run `run` in this folder.
pub(crate) fn context(folder: &Path) -> Context {
    Context::new("run-1", folder, Clock::system(), Arc::new(Secrets::relative_to(folder)))
}

/// What a source writes, and what it says about it.
pub(crate) async fn captured(source: &dyn Source, cx: &Context) -> Result<(Captured, Vec<u8>)> {
    let (mut out, mut queue) = SealWriter::new(2, &cx.buffers);
    let collect = tokio::spawn(async move {
        let mut stream = Vec::new();
        while let Some(segment) = queue.recv().await {
            stream.extend_from_slice(&segment);
        }
        stream
    });
    let captured = source.capture(cx, &mut out).await?;
    out.finish().await?;
    Ok((captured, collect.await.expect("collecting does not fail")))
}

/// A reader of these bytes, in pieces of odd sizes.
pub(crate) fn reader(stream: Vec<u8>) -> OpenReader {
    failing_reader(stream, None)
}

/// A reader of these bytes that fails at their end.
pub(crate) fn failing_reader(stream: Vec<u8>, failure: Option<Error>) -> OpenReader {
    let (reader, queue) = OpenReader::new(2);
    tokio::spawn(async move {
        let stream = Bytes::from(stream);
        let mut at = 0;
        for size in [1, 511, 513, 100_000, 1 << 20].into_iter().cycle() {
            let end = (at + size).min(stream.len());
            if at == end || queue.send(Ok(stream.slice(at..end))).await.is_err() {
                break;
            }
            at = end;
        }
        if let Some(error) = failure {
            let _ = queue.send(Err(error)).await;
        }
    });
    reader
}
