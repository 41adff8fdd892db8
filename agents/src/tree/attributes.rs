//! Extended attributes, ACLs among them: the kernel shows an ACL as the attribute `system.posix_acl_access` or `…_default`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::PathText;

/// The longest list and the longest value that Linux knows.
const LONGEST: usize = 64 << 10;

/// Access ACL, and the ACL that a folder hands down.
pub(super) const ACLS: [&str; 2] = ["system.posix_acl_access", "system.posix_acl_default"];

/// What an attribute is on.
#[derive(Debug, Clone, Copy)]
pub(super) enum On<'a> {
    /// An open file or folder.
    Open(&'a OwnedFd),
    /// A name in an open folder that can't or shouldn't be opened: a link, a pipe, a device.
    Named(&'a OwnedFd, &'a OsStr),
}

/// All attributes that tell about the thing itself, as they stand in an index. What the file system makes up (`system.nfs4_acl`,
/// …) is left out.
pub(super) fn read(on: On<'_>) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for name in list(on)?.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = OsStr::from_bytes(name);
        if name.as_bytes().starts_with(b"system.") && !ACLS.iter().any(|acl| name == *acl) {
            continue;
        }
        match value(on, name) {
            Ok(value) => drop(found.insert(PathText::new(name).to_string(), hex::encode(value))),
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// The attributes of an index as bytes.
pub(super) fn plain(xattrs: &BTreeMap<String, String>) -> impl Iterator<Item = (OsString, Vec<u8>)> {
    xattrs.iter().filter_map(|(name, value)| {
        let name = PathText::try_from(name.clone()).ok()?.to_path_buf().into_os_string();
        Some((name, hex::decode(value).ok()?))
    })
}

/// Sets one attribute.
pub(super) fn write(on: On<'_>, name: &OsStr, value: &[u8]) -> io::Result<()> {
    Ok(match on {
        On::Open(fd) => rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()),
        On::Named(folder, file) => rustix::fs::lsetxattr(by_proc(folder, file), name, value, XattrFlags::empty()),
    }?)
}

/// Takes away ACLs that a new folder was handed down by its parent.
pub(super) fn drop_inherited(folder: &OwnedFd) -> io::Result<()> {
    for acl in ACLS {
        match rustix::fs::fremovexattr(folder, acl) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn list(on: On<'_>) -> io::Result<Vec<u8>> {
    let into = |room: usize| {
        let mut names = vec![0; room];
        let length = match on {
            On::Open(fd) => rustix::fs::flistxattr(fd, &mut names[..]),
            On::Named(folder, file) => rustix::fs::llistxattr(by_proc(folder, file), &mut names[..]),
        }?;
        names.truncate(length);
        Ok(names)
    };
    match into(512) {
        Err(Errno::RANGE) => Ok(into(LONGEST)?),
        Err(Errno::OPNOTSUPP) => Ok(Vec::new()),
        other => Ok(other?),
    }
}

fn value(on: On<'_>, name: &OsStr) -> Result<Vec<u8>, Errno> {
    let into = |room: usize| {
        let mut value = vec![0; room];
        let length = match on {
            On::Open(fd) => rustix::fs::fgetxattr(fd, name, &mut value[..]),
            On::Named(folder, file) => rustix::fs::lgetxattr(by_proc(folder, file), name, &mut value[..]),
        }?;
        value.truncate(length);
        Ok(value)
    };
    match into(512) {
        Err(Errno::RANGE) => into(LONGEST),
        other => other,
    }
}

/// A path that leads through the open folder, whatever its name is by now.
fn by_proc(folder: &OwnedFd, name: &OsStr) -> PathBuf {
    let mut path = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.as_bytes());
    PathBuf::from(OsString::from_vec(path))
}
