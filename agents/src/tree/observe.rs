//! Looks at a tree as it is on the disk now. Every file is read in full, by several threads: this is what proves a restore.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use drill_scenarios::Level;
use rustix::fs::FileType;

use super::attributes::{self, On};
use super::content::{Content, Regular};
use super::entry::{FirstNames, entry, special};
use super::open;
use super::walk::{Found, Rules, Swapped, Walk, reading, restless};
use crate::{Context, Entry, EntryKind, Result};

/// Files that wait to be read.
const WAITING: usize = 64;
/// Threads that read.
const READERS: usize = 8;

/// Every path below `root`, ordered by its bytes. At [`Level::Count`] nothing is read: digests and extended attributes are
/// empty.
///
/// # Errors
/// I/O errors; [`crate::Kind::Interrupted`].
pub(crate) fn observe(cx: &Context, root: Arc<OwnedFd>, level: Level) -> Result<Vec<Entry>> {
    let rules = Rules { restored: true, ..Rules::default() };
    let (queue, waiting) = sync_channel(WAITING);
    let waiting = Mutex::new(waiting);
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(READERS));
    let mut entries = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads).map(|_| scope.spawn(|| read_files(cx, &waiting))).collect();
        let mut observing = Observing { first_names: FirstNames::default(), level, entries: Vec::new() };
        let mut walk = Walk::new(cx, root, &rules);
        let walked = observing.all(&mut walk, |found| queue.send(found).expect("readers take all that is sent"));
        drop(queue);
        let read =
            readers.into_iter().map(|reader| reader.join().unwrap_or_else(|died| std::panic::resume_unwind(died)));
        let read: Vec<Result<Vec<Entry>>> = read.collect();
        walk.narrow()?;
        walked?;
        for entries in read {
            observing.entries.append(&mut entries?);
        }
        Ok(observing.entries)
    })?;
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

struct Observing {
    first_names: FirstNames,
    level: Level,
    entries: Vec<Entry>,
}

impl Observing {
    /// Describes all there is; files that must be read are handed on.
    fn all(&mut self, walk: &mut Walk<'_>, mut read: impl FnMut(Found)) -> Result<()> {
        while let Some(found) = walk.next()? {
            match self.described(&found) {
                Ok(Some(entry)) => self.entries.push(entry),
                Ok(None) => read(found),
                Err(swapped) => return Err(unsteady(&found.path, swapped)),
            }
        }
        Ok(())
    }

    /// The entry of a path; `None` if it must be read for that.
    fn described(&mut self, found: &Found) -> std::result::Result<Option<Entry>, Swapped> {
        let regular = found.file_type() == FileType::RegularFile;
        let link = if found.folder.is_none() { self.first_names.of(&found.path, &found.stat) } else { None };
        let kind = match (link, &found.folder, self.level) {
            (Some(link), ..) => return Ok(Some(entry(&found.path, &found.stat, link, BTreeMap::new()))),
            (None, Some(_), _) => EntryKind::Directory,
            (None, None, Level::Content) if regular => return Ok(None),
            (None, None, Level::Count) if regular => {
                EntryKind::File { size: found.stat.st_size.unsigned_abs(), sha256: String::new() }
            }
            _ => special(found)?,
        };
        let xattrs = match (self.level, &found.folder) {
            (Level::Count, _) => BTreeMap::new(),
            (Level::Content, Some(folder)) => attributes::read(On::Open(folder))?,
            (Level::Content, None) => attributes::read(On::Named(&found.parent, &found.name))?,
        };
        Ok(Some(entry(&found.path, &found.stat, kind, xattrs)))
    }
}

/// Reads files until there are no more to come; after a failure it only takes what comes, so that nobody waits for it.
fn read_files(cx: &Context, waiting: &Mutex<Receiver<Found>>) -> Result<Vec<Entry>> {
    let mut content = Content::new(cx);
    let mut entries = Ok(Vec::new());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(found) = next() {
        if let Ok(read) = &mut entries {
            match read_file(cx, &mut content, &found) {
                Ok(entry) => read.push(entry),
                Err(error) => entries = Err(error),
            }
        }
    }
    entries
}

fn read_file(cx: &Context, content: &mut Content<'_>, found: &Found) -> Result<Entry> {
    let wrong = |cause| reading(&found.path, cause);
    let file =
        open::file(&found.parent, &found.name, &found.stat, true).map_err(|e| unsteady(&found.path, e.into()))?;
    let stat = rustix::fs::fstat(&file).map_err(|error| wrong(error.into()))?;
    let size = stat.st_size.unsigned_abs();
    let held = content.read(&Regular::new(&found.path, &file, size)?, |bytes| {
        cx.progress.add(bytes.len() as u64);
        Ok(())
    })?;
    let xattrs = attributes::read(On::Open(&file)).map_err(wrong)?;
    Ok(entry(&found.path, &stat, EntryKind::File { size, sha256: held.sha256 }, xattrs))
}

fn unsteady(path: &Path, swapped: Swapped) -> crate::Error {
    match swapped {
        Swapped::Failed(cause) => reading(path, cause),
        Swapped::Gone | Swapped::Turned => restless(path),
    }
}
