//! The canary of a tree: a file in its root, named after the run.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::descent::open_root;
use crate::mark::Removal;
use crate::{Canary, CanarySeen, Error, Kind, Result};

const NEW: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const OLD: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
/// A canary is shorter than this.
const LONGEST: u64 = 4 << 10;

/// What the names of all canaries begin with.
const PREFIX: &str = ".drillctl-canary-";

/// What is in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    run: String,
    nonce: String,
    planted_at: Timestamp,
}

/// What is written into a canary.
pub(crate) fn canary_text(canary: &Canary) -> Vec<u8> {
    let text = Text { run: canary.run.clone(), nonce: canary.nonce.clone(), planted_at: canary.planted_at };
    serde_json::to_vec(&text).expect("a canary is plain JSON")
}

/// Whether this is what a run wrote into its canary.
pub(crate) fn is_canary_text(text: &[u8], run: &str) -> bool {
    matches!(Seen::of(text, run), Seen::Canary(_))
}

/// The name of a run's canary in the root of a tree.
pub(crate) fn canary_path(run: &str) -> PathBuf {
    PathBuf::from(format!("{PREFIX}{run}"))
}

/// Whether a path of a tree goes by the name of a canary, whichever run planted it. Those are no data: a snapshot may hold the
/// canary of the run that took it, and of another that was under way or was killed.
pub(crate) fn is_canary(path: &Path) -> bool {
    path.as_os_str().as_bytes().starts_with(PREFIX.as_bytes()) && path.components().count() == 1
}

/// Plants a canary.
///
/// # Errors
/// [`Kind::Refused`] if there is one of this run already; I/O errors.
pub(crate) fn plant_canary(root: &Path, canary: &Canary) -> Result<()> {
    let name = canary_path(&canary.run);
    let wrong = |cause| Error::io("planting the canary in", root.display(), cause);
    let folder = open_root(root).map_err(wrong)?;
    let file = match rustix::fs::openat(&*folder, &name, NEW, Mode::RUSR | Mode::WUSR) {
        Err(Errno::EXIST) => {
            let message = format!("there is a canary of run {} in {} already", canary.run, root.display());
            return Err(Error::new(Kind::Refused, message));
        }
        other => other.map_err(|error| wrong(error.into()))?,
    };
    let mut file = std::fs::File::from(file);
    file.write_all(&canary_text(canary)).and_then(|()| file.sync_all()).map_err(wrong)
}

/// Removes this run's canary if it is there and says that it is this run's.
///
/// # Errors
/// [`Kind::Refused`] if the file of that name says something else; I/O errors.
pub(crate) fn unplant_canary(root: &Path, run: &str) -> Result<Removal> {
    let wrong = |cause| Error::io("removing the canary from", root.display(), cause);
    let folder = match open_root(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Removal::Absent),
        other => other.map_err(wrong)?,
    };
    let name = canary_path(run);
    match read(&folder, run).map_err(wrong)? {
        Seen::Nothing => Ok(Removal::Absent),
        Seen::Other => {
            let path = root.join(name);
            Err(Error::new(Kind::Refused, format!("{} is not the canary of run {run}", path.display()))
                .hint("Look at what is in it; drillctl removes only what it made itself."))
        }
        Seen::Empty | Seen::Canary(_) => {
            rustix::fs::unlinkat(&*folder, &name, AtFlags::empty()).map_err(|error| wrong(error.into()))?;
            Ok(Removal::Removed)
        }
    }
}

/// This run's canary in the root of a tree, if there is a whole one.
///
/// # Errors
/// I/O errors.
pub(crate) fn seen_canary(root: &Path, run: &str) -> Result<Option<CanarySeen>> {
    let wrong = |cause| Error::io("looking for the canary in", root.display(), cause);
    let folder = open_root(root).map_err(wrong)?;
    match read(&folder, run).map_err(wrong)? {
        Seen::Canary(text) => Ok(Some(CanarySeen { nonce: text.nonce, planted_at: text.planted_at })),
        Seen::Nothing | Seen::Empty | Seen::Other => Ok(None),
    }
}

/// What is there under the name of a run's canary.
enum Seen {
    Nothing,
    /// What a run leaves that died between making and writing it.
    Empty,
    Other,
    Canary(Text),
}

impl Seen {
    fn of(text: &[u8], run: &str) -> Self {
        match serde_json::from_slice::<Text>(text) {
            _ if text.is_empty() => Self::Empty,
            Ok(text) if text.run == run => Self::Canary(text),
            _ => Self::Other,
        }
    }
}

fn read(folder: &OwnedFd, run: &str) -> std::io::Result<Seen> {
    let file = match rustix::fs::openat(folder, canary_path(run), OLD, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(Seen::Nothing),
        Err(Errno::LOOP) => return Ok(Seen::Other),
        other => std::fs::File::from(other?),
    };
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    Ok(Seen::of(&text, run))
}
