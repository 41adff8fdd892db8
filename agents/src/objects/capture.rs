//! Takes the objects of a store into an archive. They are read by tasks that leave the process; the archive is written by one thread,
//! in the order of the keys.

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::found::nothing;
use super::gather::gather;
use crate::tree::{self, Archive, Exclusions};
use crate::{Captured, Context, Entry, EntryKind, Error, Format, Index, Kind, Result, SealWriter, Sha256, Vault};

/// Steps that wait to be written.
const WAITING: usize = 1;

/// Objects that are to be taken.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    /// Where they are.
    pub(crate) place: Vault,
    /// What the scenario leaves out.
    pub(crate) exclude: Exclusions,
}

/// What is written next.
#[derive(Debug)]
pub(super) enum Step {
    /// A folder, or a file with all that is in it.
    Whole(Entry, Bytes),
    /// A file whose content comes in pieces.
    Begin(Entry),
    /// The next piece of it.
    Piece(Bytes),
}

/// Writes the objects into `out`.
///
/// # Errors
/// As for [`gather`]; [`Kind::NotFound`] if there is no object.
pub(crate) async fn capture(cx: &Context, objects: &Objects, out: &mut SealWriter) -> Result<Captured> {
    let taken_at = cx.clock.now();
    let (queue, steps) = mpsc::channel(WAITING);
    let (writer, limits) = (cx.clone(), cx.limits.clone());
    // The objects are read at the pace of the source already.
    out.unpaced();
    let written = out.on_thread(&limits, move |out| write(&writer, steps, out));
    let (notes, mut entries) = futures::try_join!(gather(cx, objects, queue), written)?;
    if !entries.iter().any(|entry| matches!(entry.kind, EntryKind::File { .. })) {
        return Err(nothing(&objects.place));
    }
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let newest_at = tree::newest(&entries).filter(|time| *time > Timestamp::UNIX_EPOCH);
    Ok(Captured { index: Index { entries, ..Index::new(Format::Tar) }, taken_at, newest_at, notes: notes.finish() })
}

/// Writes until nothing more comes. A canary goes into the archive, but not into the index.
fn write(cx: &Context, mut steps: mpsc::Receiver<Step>, out: &mut SealWriter) -> Result<Vec<Entry>> {
    let (mut archive, mut entries) = (Archive::new(cx, out), Vec::new());
    while let Some(step) = steps.blocking_recv() {
        cx.go_on()?;
        let entry = match step {
            Step::Whole(entry, content) => {
                archive.put_whole(&entry, &content)?;
                entry
            }
            Step::Begin(entry) => {
                let sha256 = archive.pour(&entry, || match steps.blocking_recv() {
                    Some(Step::Piece(piece)) => Ok(piece),
                    _ => Err(broken_off(&entry)),
                })?;
                with_digest(entry, sha256)
            }
            Step::Piece(_) => unreachable!("pieces follow the beginning of their file"),
        };
        if !tree::is_canary(entry.path.as_path()) {
            entries.push(entry);
        }
    }
    archive.finish()?;
    Ok(entries)
}

fn with_digest(entry: Entry, sha256: Sha256) -> Entry {
    match entry.kind {
        EntryKind::File { size, .. } => Entry { kind: EntryKind::File { size, sha256 }, ..entry },
        _ => entry,
    }
}

/// Nobody reads this: whoever reads the objects says why.
fn broken_off(entry: &Entry) -> Error {
    Error::new(Kind::Unavailable, format!("reading object {} broke off", entry.path))
}
