//! Removes a tree, however deep it is and whatever its modes: a restored tree has those of its source.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Stat};
use rustix::io::Errno;

use super::descent::{Descent, open_folder};
use super::walk::names_in;

/// Removes the folder with everything below it. It follows no link and enters no other file system: what somebody mounted into the
/// tree isn't the tree's.
///
/// # Errors
/// I/O errors; [`io::ErrorKind::ResourceBusy`] for a file system that is mounted in it.
pub(crate) fn remove_tree(folder: &Path) -> io::Result<()> {
    let stat = rustix::fs::statat(CWD, folder, AtFlags::SYMLINK_NOFOLLOW)?;
    if rustix::fs::stat(folder.join(".."))?.st_dev != stat.st_dev {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    let root = Arc::new(enter(CWD, folder.as_os_str(), &stat)?);
    let mut descent = Descent::new(root.clone());
    let mut pending = vec![(OsString::new(), names_in(&root)?.into_iter())];
    while let Some((_, names)) = pending.last_mut() {
        let parent = descent.folder()?;
        let Some(name) = names.next() else {
            let (emptied, _) = pending.pop().expect("it was looked at");
            descent.leave();
            if !pending.is_empty() {
                rustix::fs::unlinkat(&*descent.folder()?, &emptied, AtFlags::REMOVEDIR)?;
            }
            continue;
        };
        match rustix::fs::unlinkat(&*parent, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR | Errno::PERM) => {
                let inner = rustix::fs::statat(&*parent, &name, AtFlags::SYMLINK_NOFOLLOW)?;
                if inner.st_dev != stat.st_dev {
                    return Err(io::ErrorKind::ResourceBusy.into());
                }
                let inner = Arc::new(enter(&*parent, &name, &inner)?);
                pending.push((name.clone(), names_in(&inner)?.into_iter()));
                descent.enter_opened(&name, inner);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(rustix::fs::unlinkat(CWD, folder, AtFlags::REMOVEDIR)?)
}

/// Opens a folder that is to be emptied.
fn enter(parent: impl std::os::fd::AsFd, name: &OsStr, stat: &Stat) -> io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(stat.st_mode);
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory && !mode.contains(Mode::RWXU) {
        rustix::fs::chmodat(&parent, name, Mode::RWXU, AtFlags::empty())?;
    }
    open_folder(parent, name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Deeper than a process may hold files open.
    fn deep(root: &Path) {
        let mut folder = open_folder(CWD, root.as_os_str()).expect("root");
        for _ in 0..3_000 {
            rustix::fs::mkdirat(&folder, "down", Mode::RWXU).expect("deeper");
            folder = open_folder(&folder, OsStr::new("down")).expect("deeper");
        }
    }

    #[test]
    fn a_tree_deeper_than_files_can_be_held_open_is_removed() {
        let home = tempfile::tempdir().expect("tempdir");
        let tree = home.path().join("tree");
        std::fs::create_dir_all(tree.join("locked/in")).expect("folders");
        deep(&tree);
        std::fs::set_permissions(tree.join("locked"), std::fs::Permissions::from_mode(0o000)).expect("mode");
        std::fs::write(home.path().join("outside"), "stays").expect("file");
        symlink("..", tree.join("up")).expect("link");
        remove_tree(&tree).expect("removed");
        assert!(!tree.exists() && home.path().join("outside").exists());
    }

    #[test]
    fn what_is_mounted_in_a_tree_is_left_alone() {
        let home = tempfile::tempdir().expect("tempdir");
        let mounted = home.path().join("tree/mounted");
        std::fs::create_dir_all(&mounted).expect("folders");
        let mount = std::process::Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&mounted).status();
        assert!(mount.expect("mount: apt-get install mount").success(), "this test must run as root");
        std::fs::write(mounted.join("precious"), "stays").expect("file");
        let refused = [remove_tree(&mounted), remove_tree(&home.path().join("tree"))];
        let kept = mounted.join("precious").exists();
        std::process::Command::new("umount").arg(&mounted).status().expect("unmounted");
        assert!(
            refused.iter().all(|refused| matches!(refused, Err(error) if error.kind() == io::ErrorKind::ResourceBusy))
        );
        assert!(kept);
    }
}
