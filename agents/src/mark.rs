//! The ownership mark: a file that says which run a folder belongs to. What does not carry it is never removed.

use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::tree::remove_tree;
use crate::{Error, Kind, Result};

const FILE: &str = ".drillctl-run.json";

/// What became of a thing that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It was there and is gone.
    Removed,
    /// It was not there.
    Absent,
}

/// The mark of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Run id.
    pub run: String,
}

impl Mark {
    /// The mark of this run.
    pub fn of(run: &str) -> Self {
        Self { run: run.into() }
    }

    /// Makes `folder` (its parents must be there) and marks it. A folder that is there already must be empty: anything in it is
    /// somebody else's.
    ///
    /// # Errors
    /// [`Kind::Refused`] if it isn't empty; I/O errors.
    pub fn make_folder(&self, folder: &Path) -> Result<()> {
        let wrong = |cause| Error::io("making scratch folder", folder.display(), cause);
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => require_empty(folder)?,
            other => other.map_err(wrong)?,
        }
        let mut file = std::fs::File::create_new(file_of(folder)).map_err(wrong)?;
        let text = serde_json::to_string(self).expect("a mark is plain JSON");
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong)
    }

    /// Whether `folder` carries this very mark.
    pub fn is_on(&self, folder: &Path) -> bool {
        std::fs::read(file_of(folder))
            .is_ok_and(|bytes| serde_json::from_slice::<Self>(&bytes).is_ok_and(|m| m == *self))
    }

    /// Removes `folder` with everything below it, following no link. Removing an absent folder is success, and so is
    /// an empty one that was never marked: a run that died between making and marking it left just that.
    ///
    /// # Errors
    /// [`Kind::Refused`] if it carries another mark or none; I/O errors.
    pub fn remove_folder(&self, folder: &Path) -> Result<Removal> {
        let wrong = |cause| Error::io("removing scratch folder", folder.display(), cause);
        match std::fs::symlink_metadata(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Removal::Absent),
            Err(error) => return Err(wrong(error)),
            Ok(meta) if !meta.is_dir() => return Err(self.not_ours(folder)),
            Ok(_) => {}
        }
        if !self.is_on(folder) {
            return match std::fs::remove_dir(folder) {
                Ok(()) => Ok(Removal::Removed),
                Err(_) => Err(self.not_ours(folder)),
            };
        }
        if let Some(mount) = mounted_below(folder).map_err(wrong)? {
            return Err(Error::new(
                Kind::Refused,
                format!("something is mounted in the scratch, at {}", mount.display()),
            )
            .hint("Unmount it, then run `drillctl sweep`: what is mounted there may be anybody's."));
        }
        self.empty_then_remove(folder).map_err(wrong)?;
        Ok(Removal::Removed)
    }

    /// The mark goes last, so that a removal that is cut short can be taken up again.
    fn empty_then_remove(&self, folder: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name() == FILE {
                continue;
            }
            if entry.file_type()?.is_dir() {
                remove_tree(&entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        std::fs::remove_file(file_of(folder))?;
        std::fs::remove_dir(folder)
    }

    fn not_ours(&self, folder: &Path) -> Error {
        Error::new(Kind::Refused, format!("{} does not carry the mark of run {}", folder.display(), self.run))
            .hint("Look at what is in it; drillctl removes only what it made itself.")
    }
}

/// Fails unless `folder` is absent or an empty folder.
///
/// # Errors
/// [`Kind::Refused`] if something is in it or it is no folder; I/O errors.
pub(crate) fn require_empty(folder: &Path) -> Result<()> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("looking into scratch folder", folder.display(), error)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::new(Kind::Refused, format!("scratch folder {} is not empty", folder.display()))
                .hint("Name a folder that is absent or empty: everything in a scratch is removed after the run.")),
        },
    }
}

/// The first place below `folder` where something is mounted: removing would go on into it.
fn mounted_below(folder: &Path) -> std::io::Result<Option<PathBuf>> {
    let folder = folder.canonicalize()?;
    let mounts = std::fs::read("/proc/self/mountinfo")?;
    let places = mounts.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    let mut places = places.map(|place| PathBuf::from(std::ffi::OsString::from_vec(unescaped(place))));
    Ok(places.find(|place| *place != folder && place.starts_with(&folder)))
}

/// The kernel writes blanks and backslashes as three octal digits.
fn unescaped(mut text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        let digits = rest.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        let coded = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(coded.unwrap_or(first));
        text = if coded.is_some() { &rest[3..] } else { rest };
    }
    plain
}

fn file_of(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_marked_and_removed() {
        let home = tempfile::tempdir().expect("tempdir");
        let (folder, mark) = (home.path().join("env"), Mark::of("run-1"));
        mark.make_folder(&folder).expect("make");
        std::fs::create_dir_all(folder.join("a/b")).expect("content");
        std::os::unix::fs::symlink("/", folder.join("a/root")).expect("link");
        assert!(mark.is_on(&folder));
        assert_eq!(mark.remove_folder(&folder).expect("remove"), Removal::Removed);
        assert_eq!(mark.remove_folder(&folder).expect("again"), Removal::Absent);
    }

    #[test]
    fn a_folder_without_this_runs_mark_is_left_alone() {
        let home = tempfile::tempdir().expect("tempdir");
        let folder = home.path().join("env");
        Mark::of("run-1").make_folder(&folder).expect("make");
        let refused = Mark::of("run-2").remove_folder(&folder).expect_err("another run's");
        assert_eq!(refused.kind(), Kind::Refused);
        std::fs::remove_file(folder.join(FILE)).expect("unmark");
        std::fs::write(folder.join("precious"), "x").expect("content");
        assert_eq!(Mark::of("run-1").remove_folder(&folder).expect_err("no mark").kind(), Kind::Refused);
        assert!(folder.join("precious").exists());
    }

    #[test]
    fn places_of_mounts_are_read_as_the_kernel_writes_them() {
        assert_eq!(unescaped(br"/a\040b\134c\9"), br"/a b\c\9");
        assert_eq!(mounted_below(Path::new("/proc/self")).expect("looked"), None);
        assert!(mounted_below(Path::new("/")).expect("looked").is_some());
    }

    #[test]
    fn a_folder_with_something_in_it_is_never_made_ours() {
        let home = tempfile::tempdir().expect("tempdir");
        std::fs::write(home.path().join("precious"), "x").expect("content");
        let refused = Mark::of("run-1").make_folder(home.path()).expect_err("not empty");
        assert_eq!(refused.kind(), Kind::Refused);
        assert!(!Mark::of("run-1").is_on(home.path()));
    }
}
