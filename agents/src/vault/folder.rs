//! What only a vault in a folder needs: room, and a store that survives a loss of power.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

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
