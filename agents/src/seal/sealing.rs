//! The way in: segments of a plain stream are sealed and stored, several at once, while the source still writes. The header is
//! stored last; without it there is no snapshot.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::envelope::{self, Sealed};
use super::keys::Lock;
use super::lanes::Lanes;
use super::restore_md::restore_md;
use super::{Keys, recipient::Recipient};
use crate::snapshot::{Contents, Header, INDEX_NAME, KEY_NAME, MOST_SEGMENTS, Part, SNAPSHOT_VERSION, segment_name};
use crate::{Captured, Context, Error, Kind, Result, SealWriter, Vault};

/// What the header says that the seal can't know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Name of the scenario.
    pub scenario: String,
    /// Kind of the source: `directory`, `sqlite`, `postgres`, `command`.
    pub source: String,
    /// Name and version of this program.
    pub tool: String,
}

/// A snapshot that is being stored. Dropping it stops the storing and leaves a snapshot without a header, which
/// [`Vault::remove_incomplete`] removes.
#[derive(Debug)]
pub struct Sealing {
    shelf: Shelf,
    key: Option<Part>,
    recipients: Vec<String>,
    segments: JoinHandle<Result<Vec<Part>>>,
    _stop: DropGuard,
}

/// A snapshot that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its header.
    pub header: Header,
    /// SHA-256 of the header as stored, hexadecimal. Kept in the record, it binds everything in the snapshot.
    pub header_sha256: String,
}

impl Sealing {
    /// Begins a snapshot under this id, and gives the writer for its stream.
    ///
    /// # Errors
    /// [`Kind::Refused`] if the vault has something under this id; those of reaching the vault.
    pub async fn begin(cx: &Context, vault: &Vault, keys: &Keys, id: &str) -> Result<(Self, SealWriter)> {
        vault.require_absent(id).await?;
        let locking = keys.clone();
        let lanes = Arc::new(Lanes::lowered(cx));
        let Lock { recipients, key } = lanes.compute(move || locking.lock()).await?;
        let shelf = Shelf { vault: vault.clone(), id: id.into(), recipients: recipients.into(), lanes };
        let key = match key {
            Some(sealed) => Some(shelf.put(KEY_NAME, sealed).await?),
            None => None,
        };
        let (writer, queue) = SealWriter::new(1, &cx.buffers);
        let writer = writer.paced(cx.limits.source.clone());
        let stop = cx.cancel.child_token();
        let segments = tokio::spawn(store_segments(shelf.clone(), queue, cx.clone(), stop.clone()));
        let recipients = keys.recipients();
        Ok((Self { shelf, key, recipients, segments, _stop: stop.drop_guard() }, writer))
    }

    /// Ends the stream, waits until all of it is stored, and stores index, instructions, digests and at last the header.
    ///
    /// # Errors
    /// Those of sealing and storing, whichever segment met them; [`Kind::Exhausted`] names a full vault.
    pub async fn complete(self, cx: &Context, writer: SealWriter, captured: Captured, about: About) -> Result<Stored> {
        let Self { shelf, key, recipients, segments, _stop } = self;
        let finished = writer.finish().await;
        // Why the writer was stopped is known to the segments only.
        let segments = joined(segments.await)?;
        let stream_bytes = finished?;
        let (format, contents) = ((&captured.index.format).into(), Contents::of(&captured.index, stream_bytes));
        let index = shelf.put_index(captured.index).await?;
        let header = Header {
            version: SNAPSHOT_VERSION,
            id: shelf.id.clone(),
            scenario: about.scenario,
            run: cx.run.clone(),
            source: about.source,
            format,
            taken_at: captured.taken_at,
            newest_at: captured.newest_at,
            stored_at: cx.clock.now(),
            recipients,
            segments,
            index,
            key,
            contents,
            tool: about.tool,
        };
        if header.stream_bytes() != stream_bytes {
            return Err(Error::new(Kind::Unavailable, format!("sealing snapshot {} lost a segment", shelf.id)));
        }
        shelf.put_header(header).await
    }

    /// Ends a capture that failed with `error`: waits until nothing is written to the vault any more, and tells the error that
    /// came first. When sealing or storing broke, that is theirs; the source saw only that its writer was stopped.
    pub async fn abandon(self, writer: SealWriter, error: Error) -> Error {
        drop(writer);
        match joined(self.segments.await) {
            Ok(_) => error,
            Err(cause) => cause,
        }
    }
}

/// Where the files of one snapshot are put.
#[derive(Clone)]
struct Shelf {
    vault: Vault,
    id: String,
    recipients: Arc<[Recipient]>,
    lanes: Arc<Lanes>,
}

impl Shelf {
    async fn put_segment(&self, at: usize, plain: Bytes) -> Result<Part> {
        if at >= MOST_SEGMENTS {
            return Err(Error::new(Kind::Exhausted, format!("snapshot {} has over {MOST_SEGMENTS} segments", self.id)));
        }
        let (recipients, buffers) = (Arc::clone(&self.recipients), self.lanes.buffers.clone());
        // Whoever waits for a core holds no second buffer yet.
        let sealed = self.lanes.compute(move || envelope::seal(&recipients, &plain, buffers.take())).await?;
        self.put(&segment_name(at), sealed).await
    }

    async fn put_index(&self, index: crate::Index) -> Result<Part> {
        let recipients = Arc::clone(&self.recipients);
        let sealing = move || {
            envelope::seal_stream(&recipients, |out| {
                let mut out = std::io::BufWriter::with_capacity(64 << 10, out);
                serde_json::to_writer(&mut out, &index)?;
                std::io::Write::flush(&mut out)
            })
        };
        let sealed = self.lanes.compute(sealing).await?;
        self.put(INDEX_NAME, sealed).await
    }

    async fn put(&self, name: &str, sealed: Sealed) -> Result<Part> {
        let Sealed { bytes, sha256, plain_bytes } = sealed;
        let part = Part { name: name.into(), size: bytes.len() as u64, sha256, plain_bytes };
        self.vault.store(&self.id, name, self.lanes.buffers.share(bytes)).await?;
        Ok(part)
    }

    async fn put_header(&self, header: Header) -> Result<Stored> {
        let instructions = restore_md(&header);
        let mut sums: String = header.parts().map(|part| format!("{}  {}\n", part.sha256, part.name)).collect();
        sums.push_str(&format!("{}  RESTORE.md\n", envelope::sha256(instructions.as_bytes())));
        self.vault.store(&self.id, "RESTORE.md", instructions.into()).await?;
        self.vault.store(&self.id, "SHA256SUMS", sums.into()).await?;
        let bytes = header.to_bytes();
        let header_sha256 = envelope::sha256(&bytes);
        self.vault.store_header(&self.id, bytes.into()).await?;
        Ok(Stored { header, header_sha256 })
    }
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("vault", &self.vault).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Seals and stores what comes, in order of the stream; ends at the first error, which makes the writer fail.
async fn store_segments(
    shelf: Shelf,
    mut queue: mpsc::Receiver<Bytes>,
    cx: Context,
    stop: CancellationToken,
) -> Result<Vec<Part>> {
    let lanes = shelf.lanes.count;
    let segments = stream::poll_fn(move |task| queue.poll_recv(task)).enumerate();
    let stored = segments.map(|(at, plain)| shelf.put_segment(at, plain));
    let all = stored.buffered(lanes).try_collect();
    stop.run_until_cancelled(all).await.unwrap_or_else(|| {
        cx.go_on()?;
        Err(Error::new(Kind::Interrupted, format!("storing snapshot {} was given up", shelf.id)))
    })
}

fn joined<T>(ended: std::result::Result<T, tokio::task::JoinError>) -> T {
    match ended {
        Ok(done) => done,
        Err(died) => std::panic::resume_unwind(died.into_panic()),
    }
}
