//! Room on disks: what a run needs, what is free, and whether that is enough beside what others have reserved.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use drill_reports::{Stage, amount};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::reservation::{Part, Reserved};

/// What room is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// A copy of a database that is made to be captured, and is gone before anything is restored.
    Copy,
    /// The sealed snapshot.
    Vault,
    /// What is restored.
    Restore,
}

/// Room on one file system.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Space {
    /// What needs it.
    pub(crate) purpose: Purpose,
    /// Where.
    pub(crate) folder: PathBuf,
    /// Bytes that are needed, with a margin.
    pub(crate) needed: u64,
    /// Bytes that are free.
    pub(crate) free: u64,
    /// Bytes of those that other runs at work have reserved.
    pub(crate) reserved: u64,
    /// Those runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reserved_by: Vec<String>,
    /// Device of the file system, to add up what shares one.
    #[serde(skip)]
    device: u64,
}

impl Purpose {
    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Copy => "temporary copy",
            Self::Vault => "vault",
            Self::Restore => "restore",
        }
    }

    /// Whether this stage writes what it is for.
    pub(crate) fn is_written_in(self, stage: Stage) -> bool {
        match self {
            Self::Copy => stage == Stage::Capture,
            Self::Vault => matches!(stage, Stage::Capture | Stage::Store),
            Self::Restore => stage == Stage::Restore,
        }
    }

    /// The last stage that writes what it is for.
    pub(crate) fn last_stage(self) -> Stage {
        match self {
            Self::Copy => Stage::Capture,
            Self::Vault => Stage::Store,
            Self::Restore => Stage::Restore,
        }
    }
}

impl Space {
    /// What `bytes` and a margin of a tenth and 16 MiB need where `folder` is or will be.
    pub(crate) fn below(purpose: Purpose, folder: &Path, bytes: u64) -> Result<Self, Failure> {
        let there = existing(folder);
        let wrong = |cause| Failure::io("looking at the space of", there.display(), cause);
        let device = std::fs::metadata(there).map_err(wrong)?.dev();
        let needed = bytes.saturating_add(bytes / 10).saturating_add(16 << 20);
        let (free, folder) = (free(there)?, folder.into());
        Ok(Self { purpose, folder, needed, free, reserved: 0, reserved_by: Vec::new(), device })
    }

    /// Takes down anew what is free.
    pub(crate) fn look_again(&mut self) -> Result<(), Failure> {
        self.free = free(existing(&self.folder))?;
        Ok(())
    }

    /// What is reserved for it.
    pub(crate) fn part(&self) -> Part {
        Part { purpose: self.purpose, folder: self.folder.clone(), device: self.device, bytes: self.needed }
    }
}

/// The folder, or the nearest above it that is there.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"))
}

fn free(folder: &Path) -> Result<u64, Failure> {
    let stat = rustix::fs::statvfs(folder)
        .map_err(|error| Failure::io("looking at the space of", folder.display(), error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// What all of this takes at most at one time on a device: a copy is gone before the restore begins.
fn peak(parts: &[Part], device: u64) -> u64 {
    let of = |purpose| {
        let here = parts.iter().filter(|part| part.device == device && part.purpose == purpose);
        here.fold(0_u64, |sum, part| sum.saturating_add(part.bytes))
    };
    of(Purpose::Vault).saturating_add(of(Purpose::Copy).max(of(Purpose::Restore)))
}

/// Takes down what these runs have reserved, and refuses where what is left of a file system is less than all that goes there needs.
pub(crate) fn admit(space: &mut [Space], others: &[Reserved]) -> Result<(), Failure> {
    for one in space.iter_mut() {
        let here = others.iter().map(|other| (peak(&other.parts, one.device), other)).filter(|(bytes, _)| *bytes > 0);
        let here: Vec<_> = here.collect();
        one.reserved = here.iter().fold(0_u64, |sum, (bytes, _)| sum.saturating_add(*bytes));
        one.reserved_by = here.into_iter().map(|(_, other)| other.run.clone()).collect();
    }
    let parts: Vec<Part> = space.iter().map(Space::part).collect();
    let short = |one: &&Space| peak(&parts, one.device) > one.free.saturating_sub(one.reserved);
    match space.iter().find(short) {
        None => Ok(()),
        Some(one) => Err(too_little(one, peak(&parts, one.device))),
    }
}

fn too_little(space: &Space, needed: u64) -> Failure {
    let Space { purpose, folder, free, reserved, reserved_by, .. } = space;
    let [needed, free, reserved] = [needed, *free, *reserved].map(amount::bytes);
    let (of_others, wait) = match reserved_by.as_slice() {
        [] => (String::new(), "Free some space"),
        runs => {
            let runs = runs.join(" and run ");
            (format!(", of which run {runs} at work has reserved {reserved}"), "Wait for its end, free some space")
        }
    };
    let (purpose, folder) = (purpose.words(), folder.display());
    Failure::usage(format!("too little space for the {purpose} in {folder}: {needed} needed, {free} free{of_others}"))
        .hint(format!("{wait}, or name a `path` on another file system for the scratch or the vault."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(purpose: Purpose, device: u64, bytes: u64) -> Part {
        Part { purpose, folder: "/f".into(), device, bytes }
    }

    fn space(purpose: Purpose, needed: u64, free: u64) -> Space {
        Space { purpose, folder: "/f".into(), needed, free, reserved: 0, reserved_by: Vec::new(), device: 1 }
    }

    #[test]
    fn a_copy_and_the_restore_never_take_room_at_once() {
        let parts = [part(Purpose::Copy, 1, 30), part(Purpose::Vault, 1, 5), part(Purpose::Restore, 1, 20)];
        assert_eq!((peak(&parts, 1), peak(&parts, 2)), (35, 0));
    }

    #[test]
    fn what_others_have_reserved_on_the_same_device_is_not_free() {
        let other = |device| vec![Reserved { run: "r".into(), parts: vec![part(Purpose::Restore, device, 60)] }];
        let mut needs = [space(Purpose::Restore, 50, 100)];
        let refused = admit(&mut needs, &other(1)).expect_err("40 are left").to_string();
        assert!(refused.contains("50 B needed, 100 B free, of which run r at work has reserved 60 B"), "{refused}");
        admit(&mut needs, &other(2)).expect("another device");
        assert_eq!(needs[0].reserved, 0);
    }
}
