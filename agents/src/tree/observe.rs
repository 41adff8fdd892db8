//! Looks at a tree as it is on the disk now. Every file is read in full, by several threads and past the cache where the system allows
//! it: this is what proves a restore. Where digests were taken while it was written, files are only looked at.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use drill_scenarios::Level;
use rustix::fs::FileType;

use super::attributes::{self, On};
use super::content::{self, Content, Regular};
use super::entry::{FirstNames, entry, special};
use super::open;
use super::walk::{Found, Rules, Swapped, Walk, reading, restless};
use super::written::Written;
use crate::{Context, Entry, EntryKind, Result, Sha256};

/// Chunks of files that wait to be read.
const WAITING: usize = 4;
/// Files that are open at once, by each thread.
const AT_ONCE: usize = 32;
/// Threads that read.
const READERS: usize = 8;

/// What there is.
#[derive(Debug)]
pub(crate) struct Observed {
    /// Every path, ordered by its bytes.
    pub(crate) entries: Vec<Entry>,
    /// Files that were read from the cache, since it kept them though it was asked not to.
    pub(crate) cached: u64,
}

/// Every path below `root`. At [`Level::Count`] nothing is read: digests and extended attributes are empty. Files whose digests are in
/// `written` aren't read either.
///
/// # Errors
/// I/O errors; [`crate::Kind::Interrupted`].
pub(crate) fn observe(cx: &Context, root: Arc<OwnedFd>, level: Level, written: Option<&Written>) -> Result<Observed> {
    cx.buffers.trim();
    if level == Level::Content && written.is_none() {
        // Only what is on the disk can be dropped from the cache. Where syncing fails, reading will tell.
        let _ = rustix::fs::syncfs(&root);
    }
    let rules = Rules { restored: true, ..Rules::default() };
    let (queue, waiting) = sync_channel(WAITING);
    let waiting = Mutex::new(waiting);
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(READERS));
    let mut observed = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads).map(|_| scope.spawn(|| read_files(cx, &waiting))).collect();
        let mut observing = Observing { first_names: FirstNames::default(), level, written, entries: Vec::new() };
        let mut walk = Walk::new(cx, root, &rules);
        let walked = observing.all(&mut walk, |found| queue.send(found).expect("readers take all that is sent"));
        drop(queue);
        let read =
            readers.into_iter().map(|reader| reader.join().unwrap_or_else(|died| std::panic::resume_unwind(died)));
        let read: Vec<Result<Observed>> = read.collect();
        walk.narrow()?;
        walked?;
        let mut observed = Observed { entries: observing.entries, cached: 0 };
        for read in read {
            let mut read = read?;
            observed.entries.append(&mut read.entries);
            observed.cached += read.cached;
        }
        Ok::<_, crate::Error>(observed)
    })?;
    observed.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(observed)
}

struct Observing<'a> {
    first_names: FirstNames,
    level: Level,
    written: Option<&'a Written>,
    entries: Vec<Entry>,
}

impl Observing<'_> {
    /// Describes all there is; files that must be read are handed on.
    fn all(&mut self, walk: &mut Walk<'_>, mut read: impl FnMut(Vec<Found>)) -> Result<()> {
        loop {
            let mut chunk = walk.chunk()?;
            if chunk.is_empty() {
                return Ok(());
            }
            let mut unsteady_path = None;
            chunk.retain(|found| match self.described(found) {
                Ok(Some(entry)) => {
                    self.entries.push(entry);
                    false
                }
                Ok(None) => true,
                Err(swapped) => {
                    unsteady_path.get_or_insert_with(|| unsteady(&found.path, swapped));
                    false
                }
            });
            unsteady_path.map_or(Ok(()), Err)?;
            read(chunk);
        }
    }

    /// The entry of a path; `None` if it must be read for that.
    fn described(&mut self, found: &Found) -> std::result::Result<Option<Entry>, Swapped> {
        let regular = found.file_type() == FileType::RegularFile;
        let link = if found.folder.is_none() { self.first_names.of(&found.path, &found.stat) } else { None };
        let kind = match (link, &found.folder, self.level) {
            (Some(link), ..) => return Ok(Some(entry(&found.path, &found.stat, link, BTreeMap::new()))),
            (None, Some(_), _) => EntryKind::Directory,
            (None, None, Level::Content) if regular => match self.written.and_then(|written| written.of(&found.path)) {
                Some(sha256) => EntryKind::File { size: found.stat.st_size.unsigned_abs(), sha256 },
                None => return Ok(None),
            },
            (None, None, Level::Count) if regular => {
                EntryKind::File { size: found.stat.st_size.unsigned_abs(), sha256: Sha256::UNREAD }
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
fn read_files(cx: &Context, waiting: &Mutex<Receiver<Vec<Found>>>) -> Result<Observed> {
    let mut content = Content::new(cx);
    let mut observed = Ok(Observed { entries: Vec::new(), cached: 0 });
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(chunk) = next() {
        if let Ok(read) = &mut observed
            && let Err(error) = chunk.chunks(AT_ONCE).try_for_each(|files| read_together(cx, &mut content, files, read))
        {
            observed = Err(error);
        }
    }
    observed
}

/// Opens several files and asks for what is in them before the first is read: a disk that is asked for one after the other takes
/// many times as long.
fn read_together(cx: &Context, content: &mut Content<'_>, files: &[Found], into: &mut Observed) -> Result<()> {
    let opened = files.iter().map(|found| open::file(&found.parent, &found.name, &found.stat, true));
    let opened: Vec<_> = files
        .iter()
        .zip(opened)
        .map(|(found, opened)| opened.map_err(|error| unsteady(&found.path, error.into())))
        .collect::<Result<_>>()?;
    into.cached += opened.iter().map(|file| u64::from(!content::read_anew(file))).sum::<u64>();
    for (found, file) in files.iter().zip(&opened) {
        into.entries.push(read_file(cx, content, found, file)?);
    }
    Ok(())
}

fn read_file(cx: &Context, content: &mut Content<'_>, found: &Found, file: &OwnedFd) -> Result<Entry> {
    let wrong = |cause| reading(&found.path, cause);
    let stat = rustix::fs::fstat(file).map_err(|error| wrong(error.into()))?;
    let size = stat.st_size.unsigned_abs();
    let held = content.read(&Regular::new(&found.path, file, size)?, |bytes| {
        cx.progress.add(bytes.len() as u64);
        Ok(())
    })?;
    let xattrs = attributes::read(On::Open(file)).map_err(wrong)?;
    Ok(entry(&found.path, &stat, EntryKind::File { size, sha256: held.sha256 }, xattrs))
}

fn unsteady(path: &Path, swapped: Swapped) -> crate::Error {
    match swapped {
        Swapped::Failed(cause) => reading(path, cause),
        Swapped::Gone | Swapped::Turned => restless(path),
    }
}
