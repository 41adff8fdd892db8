//! Opens what is in an open folder, to be read: never through a link, never waiting for a pipe's other end.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};

const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Opens a file; where that is allowed, reading leaves no trace in its access time.
pub(super) fn file(parent: &OwnedFd, name: &OsStr, stat: &Stat, restored: bool) -> Result<OwnedFd> {
    match rustix::fs::openat(parent, name, FILE.union(OFlags::NOATIME), Mode::empty()) {
        Err(Errno::PERM) => anyway(parent, name, stat, restored),
        Err(Errno::ACCESS) if restored => anyway(parent, name, stat, restored),
        other => other,
    }
}

/// A restored tree has the modes of its source, by which its owner, if that isn't root, may be kept from reading it: then a file's
/// is widened for the moment of opening.
fn anyway(parent: &OwnedFd, name: &OsStr, stat: &Stat, restored: bool) -> Result<OwnedFd> {
    match rustix::fs::openat(parent, name, FILE, Mode::empty()) {
        Err(Errno::ACCESS) if restored && stat.st_uid == rustix::process::geteuid().as_raw() => {
            let mode = Mode::from_raw_mode(stat.st_mode);
            rustix::fs::chmodat(parent, name, mode | Mode::RUSR, AtFlags::empty())?;
            let opened = rustix::fs::openat(parent, name, FILE, Mode::empty());
            rustix::fs::chmodat(parent, name, mode, AtFlags::empty())?;
            opened
        }
        other => other,
    }
}

/// The same for a folder, for as long as what is in it is read. Returns the mode that it must have again, if it was widened.
pub(super) fn widen(parent: &OwnedFd, name: &OsStr, stat: &Stat) -> Result<Option<Mode>> {
    let (mode, needed) = (Mode::from_raw_mode(stat.st_mode), Mode::RUSR | Mode::XUSR);
    let account = rustix::process::geteuid();
    if account.is_root() || stat.st_uid != account.as_raw() || mode.contains(needed) {
        return Ok(None);
    }
    rustix::fs::chmodat(parent, name, mode | needed, AtFlags::empty())?;
    Ok(Some(mode))
}
