//! Takes a tree into an archive: one read a file, from which both the archive and the index are made. Small files are read ahead by
//! several threads; the archive is written by one, in the order of the walk.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Stat};

use super::ahead::{Ahead, Read, Turn};
use super::archive::Archive;
use super::attributes::{self, On};
use super::canary::is_canary;
use super::content::{Content, Gently, Held};
use super::entry::{FirstNames, entry, mtime_ns, special};
use super::notes::Notes;
use super::walk::{Found, Rules, Swapped, TRIES, Walk, reading, restless};
use super::{descent, open};
use crate::{Captured, Context, Entry, EntryKind, Format, Index, Kind, PathText, Result, SealWriter, Sha256, sqlite};

/// A tree that is to be taken.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// Its root.
    pub(crate) root: PathBuf,
    /// What of it is taken.
    pub(crate) rules: Rules,
    /// SQLite databases in it, each taken as a copy that SQLite makes.
    pub(crate) sqlite: BTreeSet<PathBuf>,
}

/// Writes the tree into `out`.
///
/// # Errors
/// [`Kind::Denied`] naming a path that may not be read; [`Kind::Config`] for a database that isn't there; I/O errors.
pub(crate) fn capture(cx: &Context, tree: &Tree, out: &mut SealWriter) -> Result<Captured> {
    let taken_at = cx.clock.now();
    let root = descent::open_root(&tree.root).map_err(|cause| reading(&tree.root, cause))?;
    let mut capture = Capture::new(cx, tree, Archive::new(cx, out));
    let mut walk = Walk::new(cx, root, &tree.rules);
    std::thread::scope(|scope| {
        let mut ahead = Ahead::start(scope, cx);
        while let Some(turns) = ahead.next(|| walk.chunk())? {
            turns.into_iter().try_for_each(|turn| capture.turn(turn, &mut walk.notes))?;
        }
        Ok(())
    })?;
    let mut index = capture.finish()?;
    index.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let newest_at = newest(&index.entries);
    Ok(Captured { index, taken_at, newest_at, notes: walk.finish().finish() })
}

/// The newest modification time of regular files.
pub(crate) fn newest(entries: &[Entry]) -> Option<Timestamp> {
    let files = entries.iter().filter(|entry| matches!(entry.kind, EntryKind::File { .. }));
    files.map(|file| file.mtime_ns).max().and_then(|nanos| Timestamp::from_nanosecond(nanos.into()).ok())
}

struct Capture<'a> {
    cx: &'a Context,
    tree: &'a Tree,
    archive: Archive<'a>,
    content: Content<'a>,
    first_names: FirstNames,
    index: Index,
}

impl<'a> Capture<'a> {
    fn new(cx: &'a Context, tree: &'a Tree, archive: Archive<'a>) -> Self {
        let (content, first_names) = (Content::new(cx), FirstNames::default());
        Self { cx, tree, archive, content, first_names, index: Index::new(Format::Tar) }
    }

    fn finish(self) -> Result<Index> {
        self.archive.finish()?;
        let taken: BTreeSet<_> = self.index.databases.iter().map(|database| database.name.as_str()).collect();
        match self.tree.sqlite.iter().find(|path| !taken.contains(PathText::new(path).to_string().as_str())) {
            Some(path) => Err(not_there(path)),
            None => Ok(self.index),
        }
    }

    fn turn(&mut self, (found, read): Turn, notes: &mut Notes) -> Result<()> {
        match read {
            Some(read) if !self.tree.sqlite.contains(&found.path) => self.read(&found.path, read, notes),
            _ => self.take(found, notes),
        }
    }

    /// Takes a file that was read already.
    fn read(&mut self, path: &Path, read: Read, notes: &mut Notes) -> Result<()> {
        let Held { sha256, short } = read.held;
        let kind = EntryKind::File { size: read.stat.st_size.unsigned_abs(), sha256 };
        let entry = entry(path, &read.stat, kind, read.xattrs);
        self.archive.put(&entry, read.extents.as_deref(), &read.data)?;
        remark(path, short, [&read.stat, &read.after], notes);
        self.list(entry);
        Ok(())
    }

    fn take(&mut self, mut found: Found, notes: &mut Notes) -> Result<()> {
        for _ in 0..TRIES {
            match self.member(&found, notes) {
                Ok(taken) => return taken,
                Err(Swapped::Gone) => {
                    notes.add(&found.path, "It vanished while the tree was read.");
                    return Ok(());
                }
                Err(Swapped::Failed(cause)) => return Err(reading(&found.path, cause)),
                Err(Swapped::Turned) => {
                    match rustix::fs::statat(&*found.parent, &found.name, AtFlags::SYMLINK_NOFOLLOW) {
                        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                            // As with all that comes after the walk has passed, it is too late for this one.
                            notes.add(&found.path, "A folder took its place while the tree was read; it was left out.");
                            return Ok(());
                        }
                        Ok(stat) => found.stat = stat,
                        Err(error) => return Err(reading(&found.path, error.into())),
                    }
                }
            }
        }
        Err(restless(&found.path))
    }

    /// The outer result says whether the path could be looked at, the inner one what became of taking it.
    fn member(&mut self, found: &Found, notes: &mut Notes) -> std::result::Result<Result<()>, Swapped> {
        match (&found.folder, found.file_type()) {
            (Some(folder), _) => {
                let xattrs = attributes::read(On::Open(folder))?;
                Ok(self.plain(entry(&found.path, &found.stat, EntryKind::Directory, xattrs)))
            }
            (None, FileType::RegularFile) => {
                let file = open::file(&found.parent, &found.name, &found.stat, false)?;
                let stat = rustix::fs::fstat(&file)?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                    return Err(Swapped::Turned);
                }
                if let Some(link) = self.first_names.of(&found.path, &stat) {
                    return Ok(self.plain(entry(&found.path, &stat, link, BTreeMap::new())));
                }
                let xattrs = attributes::read(On::Open(&file))?;
                let kind = EntryKind::File { size: stat.st_size.unsigned_abs(), sha256: Sha256::UNREAD };
                Ok(self.file(entry(&found.path, &stat, kind, xattrs), &file, &stat, notes))
            }
            _ => {
                let kind = special(found)?;
                if let Some(link) = self.first_names.of(&found.path, &found.stat) {
                    return Ok(self.plain(entry(&found.path, &found.stat, link, BTreeMap::new())));
                }
                let xattrs = attributes::read(On::Named(&found.parent, &found.name))?;
                Ok(self.plain(entry(&found.path, &found.stat, kind, xattrs)))
            }
        }
    }

    fn plain(&mut self, entry: Entry) -> Result<()> {
        self.archive.member(&entry, None)?;
        self.list(entry);
        Ok(())
    }

    fn file(&mut self, mut entry: Entry, file: &OwnedFd, stat: &Stat, notes: &mut Notes) -> Result<()> {
        let path = entry.path.to_path_buf();
        if self.tree.sqlite.contains(&path) {
            let copy = sqlite::copy(self.cx, &self.tree.root.join(&path), &entry.path.to_string())?;
            entry.kind = EntryKind::File { size: copy.size, sha256: Sha256::UNREAD };
            entry.mtime_ns = copy.mtime_ns;
            let stored = self.archive.store(entry, &copy.file, &mut self.content)?;
            self.index.databases.push(copy.database);
            self.list(stored.entry);
            return Ok(());
        }
        let _gently = Gently::read(file, stat.st_size.unsigned_abs());
        let stored = self.archive.store(entry, file, &mut self.content)?;
        let after = rustix::fs::fstat(file).map_err(|error| reading(&path, error.into()))?;
        remark(&path, stored.short, [stat, &after], notes);
        self.list(stored.entry);
        Ok(())
    }

    /// A canary goes into the archive, but not into the index.
    fn list(&mut self, entry: Entry) {
        if !is_canary(entry.path.as_path()) {
            self.index.entries.push(entry);
        }
    }
}

/// What is to be said of a file that somebody wrote to while it was read.
fn remark(path: &Path, short: bool, [before, after]: [&Stat; 2], notes: &mut Notes) {
    if short {
        notes.add(path, "It shrank while it was read; what was missing was stored as zeros.");
    } else if version(before) != version(after) {
        notes.add(path, "It changed while it was read; what was stored may be neither its old nor its new content.");
    }
}

/// What changes when a file's content changes.
fn version(stat: &Stat) -> (i64, i64, i128) {
    let ctime_ns = i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec);
    (stat.st_size, mtime_ns(stat), ctime_ns)
}

fn not_there(path: &Path) -> crate::Error {
    crate::Error::new(
        Kind::Config,
        format!("SQLite database {} is not among the files that are taken", PathText::new(path)),
    )
    .hint("Correct its path in `sqlite`, which starts from the folder, or the exclusion that leaves it out.")
}
