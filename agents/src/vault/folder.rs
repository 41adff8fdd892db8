//! What only a vault in a folder needs: room, names that are given once, and a store that survives a loss of
//! power.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Bytes that an unprivileged writer can still put there; the folder itself may not be there yet.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|ancestor| ancestor.exists())?;
    let room = rustix::fs::statvfs(there).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Puts the names in `folder` and in each folder from `top` down to it on stable storage. The bytes of the files are there
/// already: OpenDAL syncs a file before it closes it, but not the folder that names it.
pub(super) fn sync(top: &Path, folder: &Path) -> io::Result<()> {
    for folder in folder.ancestors().take_while(|ancestor| ancestor.starts_with(top)) {
        File::open(folder)?.sync_all()?;
    }
    match top.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Folders on the way to `folder` that are not there, the deepest first.
pub(super) fn absent(folder: &Path) -> Vec<PathBuf> {
    folder.ancestors().take_while(|ancestor| !ancestor.exists()).map(Path::to_owned).collect()
}

/// Removes these folders, as far as they are empty.
pub(super) fn remove_empty(folders: &[PathBuf]) {
    for folder in folders {
        // One that is not empty has come into use meanwhile.
        let _ = std::fs::remove_dir(folder);
    }
}

/// Gives the file `from` the name `to`, unless something has it: then `from` goes away. Whether the name was free.
pub(super) fn name_new(from: &Path, to: &Path) -> io::Result<bool> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => return Ok(true),
        // File systems that can't, NFS among them, mostly can make a second name.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        Err(Errno::EXIST) => return std::fs::remove_file(from).map(|()| false),
        Err(error) => return Err(error.into()),
    }
    let free = match std::fs::hard_link(from, to) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        // What has neither, FAT on a stick, is nobody's shared vault: there looking first must do.
        Err(_) if !to.try_exists()? => return std::fs::rename(from, to).map(|()| true),
        Err(_) => false,
    };
    std::fs::remove_file(from).map(|()| free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_never_taken_again() {
        let home = tempfile::tempdir().expect("tempdir");
        let path = |name: &str| home.path().join(name);
        for (content, free) in [("first", true), ("second", false)] {
            std::fs::write(path("partial"), content).expect("written");
            assert_eq!(name_new(&path("partial"), &path("header")).expect("named"), free);
            assert_eq!(std::fs::read_to_string(path("header")).expect("header"), "first");
            assert!(!path("partial").exists());
        }
    }
}
