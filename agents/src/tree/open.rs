//! Opens what is in an open folder, to be read: never through a link, never waiting for a pipe's other end.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};

const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::DIRECTORY);

/// Opens a file; where that is allowed, reading leaves no trace in its access time.
pub(super) fn file(parent: &OwnedFd, name: &OsStr, stat: &Stat, restored: bool) -> Result<OwnedFd> {
    match rustix::fs::openat(parent, name, FILE.union(OFlags::NOATIME), Mode::empty()) {
        Err(Errno::PERM) => anyway(parent, name, stat, restored, FILE),
        Err(Errno::ACCESS) if restored => anyway(parent, name, stat, restored, FILE),
        other => other,
    }
}

/// Opens a folder.
pub(super) fn folder(parent: &OwnedFd, name: &OsStr, stat: &Stat, restored: bool) -> Result<OwnedFd> {
    anyway(parent, name, stat, restored, FOLDER)
}

/// A restored tree has the modes of its source, by which its owner, if that isn't root, may be kept from reading it: then they are
/// widened for the moment of opening.
fn anyway(parent: &OwnedFd, name: &OsStr, stat: &Stat, restored: bool, flags: OFlags) -> Result<OwnedFd> {
    match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) if restored && stat.st_uid == rustix::process::geteuid().as_raw() => {
            let mode = Mode::from_raw_mode(stat.st_mode);
            rustix::fs::chmodat(parent, name, mode | Mode::RUSR | Mode::XUSR, AtFlags::empty())?;
            let opened = rustix::fs::openat(parent, name, flags, Mode::empty());
            rustix::fs::chmodat(parent, name, mode, AtFlags::empty())?;
            opened
        }
        other => other,
    }
}
