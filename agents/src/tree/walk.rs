//! Walks a tree: every path once, a folder before what is in it, names in the order of their bytes.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use super::descent::{Descent, open_folder};
use super::exclude::Exclusions;
use super::notes::Notes;
use super::open;
use crate::{Context, Error, Kind, PathText, Result};

/// Paths that are handed on at once, and bytes of files after which no more is added to them.
const CHUNK: (usize, u64) = (64, 1 << 20);

/// How often a path that turns into another thing while it is opened is looked at again.
pub(super) const TRIES: u32 = 16;

/// What of a tree is walked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// What the scenario leaves out.
    pub(crate) exclude: Exclusions,
    /// What is left out for another reason, told elsewhere.
    pub(crate) left_out: BTreeSet<PathBuf>,
    /// Folders on another file system are not entered.
    pub(crate) one_file_system: bool,
    /// The tree is one that drillctl restored: what its owner may not read is read all the same.
    pub(crate) restored: bool,
}

/// A path that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The path below the root; empty for the root itself.
    pub(crate) path: PathBuf,
    /// The folder that it is in; for the root, the root.
    pub(crate) parent: Arc<OwnedFd>,
    /// Its name in that folder.
    pub(crate) name: OsString,
    /// What it is.
    pub(crate) stat: Stat,
    /// Itself, if it is a folder.
    pub(crate) folder: Option<Arc<OwnedFd>>,
}

impl Found {
    /// Its file type.
    pub(crate) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }
}

/// A walk through a tree.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    cx: &'a Context,
    rules: &'a Rules,
    root: Option<Arc<OwnedFd>>,
    descent: Descent,
    path: PathBuf,
    /// For the root and each folder down to the one at hand: the names in it that are still to come.
    pending: Vec<std::vec::IntoIter<OsString>>,
    device: u64,
    excluded: Vec<u64>,
    /// Folders whose modes were widened, and what they must be again.
    widened: Vec<(PathBuf, Mode)>,
    /// What people should know.
    pub(crate) notes: Notes,
}

impl<'a> Walk<'a> {
    /// A walk through the tree below this root.
    pub(crate) fn new(cx: &'a Context, root: Arc<OwnedFd>, rules: &'a Rules) -> Self {
        Self {
            cx,
            rules,
            descent: Descent::new(root.clone()),
            root: Some(root),
            path: PathBuf::new(),
            pending: Vec::new(),
            device: 0,
            excluded: vec![0; rules.exclude.patterns().len()],
            widened: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// The next path.
    ///
    /// # Errors
    /// [`Kind::Denied`] for a folder that may not be read; [`Kind::Interrupted`]; I/O errors.
    pub(crate) fn next(&mut self) -> Result<Option<Found>> {
        if let Some(root) = self.root.take() {
            return self.begin(root).map(Some).map_err(|cause| reading(Path::new("."), cause));
        }
        while let Some(names) = self.pending.last_mut() {
            match names.next() {
                Some(name) => {
                    self.cx.go_on()?;
                    if let Some(found) = self.visit(name)? {
                        return Ok(Some(found));
                    }
                }
                None => {
                    self.pending.pop();
                    self.descent.leave();
                    self.path.pop();
                }
            }
        }
        Ok(None)
    }

    /// The next paths: as many as are worth handing to another thread at once. None at the end.
    ///
    /// # Errors
    /// As for [`Walk::next`].
    pub(super) fn chunk(&mut self) -> Result<Vec<Found>> {
        let (mut chunk, mut bytes) = (Vec::with_capacity(CHUNK.0), 0);
        while chunk.len() < CHUNK.0 && bytes < CHUNK.1 {
            let Some(found) = self.next()? else { break };
            bytes += found.stat.st_size.unsigned_abs();
            chunk.push(found);
        }
        Ok(chunk)
    }

    /// Gives folders that were widened their modes again, what is deeper first. Nothing may be read below them any more.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn narrow(&mut self) -> Result<()> {
        while let Some((path, mode)) = self.widened.pop() {
            let folder = self.descent.go_to(&path).and_then(|folder| Ok(rustix::fs::fchmod(&*folder, mode)?));
            folder.map_err(|cause| reading(&path, cause))?;
        }
        Ok(())
    }

    /// What people should know after the walk, with what each pattern left out.
    pub(crate) fn finish(mut self) -> Notes {
        for (pattern, count) in self.rules.exclude.patterns().iter().zip(&self.excluded) {
            let told = match count {
                0 => format!("Nothing matched the exclusion `{pattern}`."),
                1 => format!("1 path was left out by the exclusion `{pattern}`, with everything below it."),
                _ => format!("{count} paths were left out by the exclusion `{pattern}`, with everything below them."),
            };
            self.notes.say(pattern, told);
        }
        self.notes
    }

    fn begin(&mut self, root: Arc<OwnedFd>) -> io::Result<Found> {
        let stat = rustix::fs::fstat(&root)?;
        self.device = stat.st_dev;
        self.pending.push(names_in(&root)?.into_iter());
        Ok(Found { path: PathBuf::new(), parent: root.clone(), name: ".".into(), stat, folder: Some(root) })
    }

    fn visit(&mut self, name: OsString) -> Result<Option<Found>> {
        let path = self.path.join(&name);
        if let Some(pattern) = self.rules.exclude.excluded(&path, &name) {
            self.excluded[pattern] += 1;
            return Ok(None);
        }
        if self.rules.left_out.contains(&path) {
            return Ok(None);
        }
        for _ in 0..TRIES {
            match self.look(&path, &name) {
                Ok(found) => return Ok(found),
                Err(Swapped::Gone) => {
                    self.notes.add(&path, "It vanished while the tree was read.");
                    return Ok(None);
                }
                Err(Swapped::Turned) => {}
                Err(Swapped::Failed(cause)) => return Err(reading(&path, cause)),
            }
        }
        Err(restless(&path))
    }

    fn look(&mut self, path: &Path, name: &OsStr) -> std::result::Result<Option<Found>, Swapped> {
        let parent = self.descent.folder().map_err(Swapped::Failed)?;
        let mut stat = rustix::fs::statat(&*parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mut folder = None;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let narrow = if self.rules.restored { open::widen(&parent, name, &stat)? } else { None };
                self.widened.extend(narrow.map(|mode| (path.to_owned(), mode)));
                let opened = Arc::new(open_folder(&parent, name)?);
                if narrow.is_none() {
                    stat = rustix::fs::fstat(&opened)?;
                }
                if self.rules.one_file_system && stat.st_dev != self.device {
                    self.notes.add(path, "It is on another file system; what is in it was left out.");
                } else {
                    let names = names_in(&opened)?;
                    self.descent.enter_opened(name, opened.clone());
                    self.pending.push(names.into_iter());
                    self.path.push(name);
                }
                folder = Some(opened);
            }
            FileType::Socket => {
                self.notes
                    .add(path, "It is a socket, which only the program that listens on it can make; it was left out.");
                return Ok(None);
            }
            _ => {}
        }
        Ok(Some(Found { path: path.into(), parent, name: name.into(), stat, folder }))
    }
}

/// Why a path could not be looked at.
pub(super) enum Swapped {
    /// It is no longer there.
    Gone,
    /// It is no longer what it was a moment ago.
    Turned,
    /// The system says no.
    Failed(io::Error),
}

impl From<Errno> for Swapped {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT => Self::Gone,
            Errno::NOTDIR | Errno::LOOP => Self::Turned,
            other => Self::Failed(other.into()),
        }
    }
}

impl From<io::Error> for Swapped {
    fn from(error: io::Error) -> Self {
        Errno::from_io_error(&error).map_or(Self::Failed(error), Self::from)
    }
}

/// An error while a path of a tree was read. What may not be read is never left out silently.
pub(super) fn reading(path: &Path, cause: io::Error) -> Error {
    let error = Error::io("reading", PathText::new(path), cause);
    match error.kind() {
        Kind::Denied => error.hint("Run drillctl with the right to read it, or leave it out with `exclude`."),
        _ => error,
    }
}

/// The error for a path that turned into another thing each time it was looked at.
pub(super) fn restless(path: &Path) -> Error {
    Error::new(Kind::Unavailable, format!("{} is replaced again and again while it is read", PathText::new(path)))
        .hint("Stop what replaces it while the backup is taken, or leave it out with `exclude`.")
}

/// What is in a folder, in the order of the names' bytes.
pub(super) fn names_in(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut buffer = vec![MaybeUninit::uninit(); 32 << 10];
    let mut entries = rustix::fs::RawDir::new(folder, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    Ok(names)
}
