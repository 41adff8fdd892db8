//! What an index says of a path, from what the system says of it.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

use super::walk::{Found, Swapped};
use crate::{Entry, EntryKind, PathText};

/// The entry of a path below the root; the root itself is `.`.
pub(crate) fn entry(path: &Path, stat: &Stat, kind: EntryKind, xattrs: BTreeMap<String, String>) -> Entry {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    Entry {
        path: PathText::new(path),
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime_ns: mtime_ns(stat),
        xattrs,
    }
}

/// Modification time in nanoseconds since 1970; the years before 1677 and after 2262 count as those.
pub(crate) fn mtime_ns(stat: &Stat) -> i64 {
    let nanos = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// What a path is that is neither file nor folder.
pub(super) fn special(found: &Found) -> Result<EntryKind, Swapped> {
    let stat = &found.stat;
    Ok(match found.file_type() {
        FileType::Symlink => {
            let target =
                rustix::fs::readlinkat(&*found.parent, &found.name, Vec::new()).map_err(|error| match error {
                    rustix::io::Errno::INVAL => Swapped::Turned,
                    other => other.into(),
                })?;
            EntryKind::Symlink(PathText::new(std::ffi::OsString::from_vec(target.into_bytes())))
        }
        FileType::Fifo => EntryKind::Fifo,
        kind @ (FileType::BlockDevice | FileType::CharacterDevice) => EntryKind::Device {
            block: kind == FileType::BlockDevice,
            major: rustix::fs::major(stat.st_rdev),
            minor: rustix::fs::minor(stat.st_rdev),
        },
        _ => return Err(Swapped::Turned),
    })
}

/// The first names of files that have several.
#[derive(Debug, Default)]
pub(super) struct FirstNames(HashMap<(u64, u64), PathBuf>);

impl FirstNames {
    /// The name under which this file was met before; if it wasn't, `path` is that name from now on.
    pub(super) fn of(&mut self, path: &Path, stat: &Stat) -> Option<EntryKind> {
        if stat.st_nlink < 2 {
            return None;
        }
        match self.0.entry((stat.st_dev, stat.st_ino)) {
            std::collections::hash_map::Entry::Occupied(first) => Some(EntryKind::Hardlink(PathText::new(first.get()))),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(path.into());
                None
            }
        }
    }
}
