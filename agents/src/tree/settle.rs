//! Gives what was restored its owner, mode, extended attributes and time, in the order in which none undoes another: changing
//! the owner takes set-uid bits and capabilities away, and all of it changes times.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::Mutex;

use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid};

use super::attributes::{self, On};
use super::notes::Notes;
use super::unpack::Member;

/// Owner, mode, extended attributes and time of a member.
#[derive(Debug)]
pub(super) struct Attributes {
    mode: Mode,
    owner: [u32; 2],
    mtime: Timestamps,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Attributes {
    /// Those of this member.
    pub(super) fn of(member: &mut Member) -> Self {
        let (secs, nanos) = (member.mtime_ns.div_euclid(1_000_000_000), member.mtime_ns.rem_euclid(1_000_000_000));
        Self {
            mode: Mode::from_raw_mode(member.mode),
            owner: member.owner,
            mtime: Timestamps {
                last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
                last_modification: Timespec { tv_sec: secs, tv_nsec: nanos },
            },
            xattrs: std::mem::take(&mut member.xattrs),
        }
    }
}

/// Gives attributes; what this account may not give is told.
#[derive(Debug)]
pub(super) struct Settle {
    account: [u32; 2],
    notes: Mutex<Notes>,
}

impl Settle {
    /// As this process's account.
    pub(super) fn new() -> Self {
        let account = [rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()];
        Self { account, notes: Mutex::default() }
    }

    /// Gives them to an open file or folder.
    pub(super) fn open(&self, path: &Path, file: &OwnedFd, attributes: &Attributes) -> io::Result<()> {
        if self.owns(path, attributes.owner) {
            let [uid, gid] = attributes.owner;
            rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        rustix::fs::fchmod(file, attributes.mode)?;
        self.xattrs(path, On::Open(file), attributes)?;
        Ok(rustix::fs::futimens(file, &attributes.mtime)?)
    }

    /// Gives them to a name in a folder: of a link to the link itself, which has no mode.
    pub(super) fn named(
        &self,
        path: &Path,
        parent: &OwnedFd,
        name: &OsStr,
        attributes: &Attributes,
        link: bool,
    ) -> io::Result<()> {
        if self.owns(path, attributes.owner) {
            let [uid, gid] = attributes.owner.map(Some);
            let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
            rustix::fs::chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if !link {
            rustix::fs::chmodat(parent, name, attributes.mode, AtFlags::empty())?;
        }
        self.xattrs(path, On::Named(parent, name), attributes)?;
        Ok(rustix::fs::utimensat(parent, name, &attributes.mtime, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Says something of a path.
    pub(super) fn note(&self, path: &Path, statement: &'static str) {
        self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(path, statement);
    }

    /// What people should know.
    pub(super) fn finish(self) -> Notes {
        self.notes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether an owner is given: only root may.
    fn owns(&self, path: &Path, owner: [u32; 2]) -> bool {
        let root = self.account[0] == 0;
        if !root && owner != self.account {
            self.note(path, "Its owner was neither restored nor compared, since drillctl does not run as root.");
        }
        root
    }

    fn xattrs(&self, path: &Path, on: On<'_>, attributes: &Attributes) -> io::Result<()> {
        for (name, value) in &attributes.xattrs {
            match attributes::write(on, &OsString::from_vec(name.clone()), value) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.note(path, "This account may not give it all of its extended attributes.");
                }
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    self.note(path, "The scratch's file system does not keep all of its extended attributes.");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
