//! What the kernel tells of the app's container, whatever its engine says: that it has no right, is in the network of the sandbox, and
//! doesn't show what is kept from it.

use std::fs::{read_link, read_to_string};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, stat};
use rustix::io::Errno;

use super::trials::without_rights;

/// What is wrong with the container of this first process; nothing if it holds, or if the process has ended.
pub(super) fn breach(first: i32, of_sandbox: i32, hidden: &[PathBuf]) -> io::Result<Option<String>> {
    match look(first, of_sandbox, hidden) {
        Err(error) if error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(&error) == Some(Errno::SRCH) => {
            Ok(None)
        }
        looked => looked,
    }
}

fn look(first: i32, of_sandbox: i32, hidden: &[PathBuf]) -> io::Result<Option<String>> {
    let process = PathBuf::from(format!("/proc/{first}"));
    if !without_rights(&read_to_string(process.join("status"))?) {
        return Ok(Some("it has a capability, or can get one".into()));
    }
    // Where an ordinary account may not look at the first process of the sandbox, nothing is told.
    if let Ok(own) = read_link(format!("/proc/{of_sandbox}/ns/net"))
        && own != read_link(process.join("ns/net"))?
    {
        return Ok(Some("it is not in the network of the sandbox".into()));
    }
    let root = openat(CWD, process.join("root"), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for path in hidden {
        if is_seen(&root, path)? {
            return Ok(Some(format!("{} can be seen in it", path.display())));
        }
    }
    Ok(None)
}

/// Whether what is at this path here is at the same path there too. The image may well have something else there.
fn is_seen(root: &OwnedFd, path: &Path) -> io::Result<bool> {
    let Ok(here) = stat(path) else { return Ok(false) };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match openat2(root.as_fd(), path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS) {
        Ok(there) => Ok(is_same(&here, &fstat(there)?)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_the_same_path_of_another_root_is_seen_only_if_it_is_the_same_thing() {
        let home = tempfile::tempdir().expect("tempdir");
        let here = home.path().join("kept");
        std::fs::write(&here, "from the app").expect("file");
        let root = |path: &Path| openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("a root");
        assert!(is_seen(&root(Path::new("/")), &here).expect("looked"));
        let other = tempfile::tempdir().expect("tempdir");
        assert!(!is_seen(&root(other.path()), &here).expect("looked"));
        let inside = other.path().join(here.strip_prefix("/").expect("absolute"));
        std::fs::create_dir_all(inside.parent().expect("a folder")).expect("folders");
        std::fs::write(&inside, "the image's own").expect("file");
        assert!(!is_seen(&root(other.path()), &here).expect("looked"));
        std::fs::remove_file(&inside).expect("removed");
        std::fs::hard_link(&here, &inside).expect("the same thing");
        assert!(is_seen(&root(other.path()), &here).expect("looked"));
    }

    #[test]
    fn a_process_with_rights_or_in_another_network_is_told_and_one_that_has_ended_is_not() {
        let own = std::process::id().cast_signed();
        let mut ended = std::process::Command::new("true").spawn().expect("starts");
        ended.wait().expect("ends");
        assert_eq!(breach(ended.id().cast_signed(), own, &[]).expect("looked"), None);
        let said = breach(own, own, &[]).expect("looked").expect("this process may get rights");
        assert!(said.contains("a capability"), "{said}");
    }
}
