//! The folders from a root down to the one at hand. Each was opened in the one above it, following no link, so the one at
//! hand is below the root whatever its names point to by now.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use super::attributes;
use crate::{Error, Kind, PathText, Result};

/// How many folders are held open at once. Those further up are let go and opened again, from the root down, when they are
/// returned to: a tree may be deeper than a process may hold files open.
const HELD: usize = 32;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The folders from a root down to the one at hand.
#[derive(Debug)]
pub(crate) struct Descent {
    root: Arc<OwnedFd>,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    name: OsString,
    held: Option<Arc<OwnedFd>>,
}

/// Opens the folder that a tree is rooted at. This is the one step that follows links.
pub(crate) fn open_root(path: &Path) -> io::Result<Arc<OwnedFd>> {
    Ok(Arc::new(rustix::fs::open(path, FOLDER, Mode::empty())?))
}

/// Makes the folder that a tree is restored into: nobody else may enter it, and nothing in it is handed down from above.
pub(crate) fn make_root(path: &Path) -> io::Result<()> {
    rustix::fs::mkdir(path, Mode::RWXU)?;
    attributes::drop_inherited(&*open_root(path)?)
}

/// Whether what is in this folder is kept in memory only: then there is no disk to read it back from.
pub(crate) fn is_in_memory(path: &Path) -> io::Result<bool> {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    Ok([TMPFS, RAMFS].contains(&rustix::fs::statfs(path)?.f_type.cast_unsigned()))
}

/// The path of a regular file below a root, if no link lies on the way to it.
pub(crate) fn file_below(root: &Path, path: &Path) -> Result<PathBuf> {
    let wrong = |cause: io::Error| Error::io("looking for", PathText::new(path), cause);
    let name = path.file_name().ok_or_else(|| wrong(io::ErrorKind::InvalidInput.into()))?;
    let mut descent = Descent::new(open_root(root).map_err(wrong)?);
    let parent = descent.go_to(path.parent().unwrap_or(Path::new(""))).map_err(wrong)?;
    let stat = rustix::fs::statat(&*parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| wrong(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Error::new(Kind::Refused, format!("{} is no regular file", PathText::new(path))));
    }
    Ok(root.join(path))
}

/// Opens a folder in a folder, following no link.
pub(super) fn open_folder(parent: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(parent, name, FOLDER.union(OFlags::NOFOLLOW), Mode::empty())?)
}

impl Descent {
    /// Begins at this root.
    pub(crate) fn new(root: Arc<OwnedFd>) -> Self {
        Self { root, levels: Vec::new() }
    }

    /// The folder at hand.
    pub(crate) fn folder(&mut self) -> io::Result<Arc<OwnedFd>> {
        let Some(top) = self.levels.last() else { return Ok(self.root.clone()) };
        if let Some(held) = &top.held {
            return Ok(held.clone());
        }
        self.open_again()
    }

    /// Steps down into the folder of this name, which was opened in the one at hand.
    pub(super) fn enter_opened(&mut self, name: &OsStr, folder: Arc<OwnedFd>) {
        self.levels.push(Level { name: name.to_owned(), held: Some(folder) });
        if let Some(far) = self.levels.len().checked_sub(HELD + 1) {
            self.levels[far].held = None;
        }
    }

    /// Steps up again.
    pub(crate) fn leave(&mut self) {
        self.levels.pop();
    }

    /// Goes to the folder at `path` below the root, by as few steps as possible.
    ///
    /// # Errors
    /// I/O errors, and [`io::ErrorKind::InvalidInput`] for a path that doesn't only lead down.
    pub(crate) fn go_to(&mut self, path: &Path) -> io::Result<Arc<OwnedFd>> {
        self.go_making(path, |parent, name| open_folder(parent, name))
    }

    /// The same, with folders that aren't held yet opened by `open`.
    pub(super) fn go_making(
        &mut self,
        path: &Path,
        mut open: impl FnMut(&OwnedFd, &OsStr) -> io::Result<OwnedFd>,
    ) -> io::Result<Arc<OwnedFd>> {
        let names = names(path)?;
        let shared = self.levels.iter().zip(&names).take_while(|(level, name)| level.name == **name).count();
        self.levels.truncate(shared);
        for name in &names[shared..] {
            let parent = self.folder()?;
            let folder = Arc::new(open(&parent, name)?);
            self.enter_opened(name, folder);
        }
        self.folder()
    }

    /// Opens the folder at hand again after it was let go, and keeps those on the way that will be returned to next.
    fn open_again(&mut self) -> io::Result<Arc<OwnedFd>> {
        let from = self.levels.len().saturating_sub(HELD);
        let mut folder = self.root.clone();
        for (depth, level) in self.levels.iter_mut().enumerate() {
            folder = Arc::new(open_folder(&folder, &level.name)?);
            level.held = (depth >= from).then(|| folder.clone());
        }
        Ok(folder)
    }
}

/// The names along a path that only leads down.
fn names(path: &Path) -> io::Result<Vec<&OsStr>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path leads out of the tree")),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_deeper_than_what_is_held_open_is_gone_down_and_up_again() {
        let home = tempfile::tempdir().expect("tempdir");
        let deep: std::path::PathBuf = (0..100).map(|n| format!("d{n}")).collect();
        std::fs::create_dir_all(home.path().join(&deep)).expect("folders");
        let mut descent = Descent::new(open_root(home.path()).expect("root"));
        descent.go_to(&deep).expect("down");
        for ancestor in deep.ancestors() {
            let stat = rustix::fs::fstat(&*descent.folder().expect("at hand")).expect("stat");
            let meta = std::fs::metadata(home.path().join(ancestor)).expect("meta");
            assert_eq!(stat.st_ino, std::os::unix::fs::MetadataExt::ino(&meta));
            assert!(descent.levels.iter().filter(|level| level.held.is_some()).count() <= 2 * HELD);
            descent.leave();
        }
    }

    #[test]
    fn neither_a_link_nor_dots_lead_out() {
        let home = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir_all(home.path().join("root/a")).expect("folders");
        std::os::unix::fs::symlink("..", home.path().join("root/a/up")).expect("link");
        let mut descent = Descent::new(open_root(&home.path().join("root")).expect("root"));
        for path in ["a/up", "..", "a/../..", "/etc"] {
            descent.go_to(Path::new(path)).expect_err(path);
        }
        descent.go_to(Path::new("./a/.")).expect("plain");
    }
}
