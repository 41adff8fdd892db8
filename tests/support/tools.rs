//! Repositories of other backup tools, made by those tools.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{World, files_below, must};

/// A repository of restic or Borg in a world, and its password.
pub struct Repository<'a> {
    world: &'a World,
    tool: &'static str,
}

impl<'a> Repository<'a> {
    pub const PASSWORD: &'static str = "the-password-of-the-repository";

    /// A new one, in the world's folder `repository`.
    pub fn new(world: &'a World, tool: &'static str) -> Self {
        let repository = Self { world, tool };
        match tool {
            "restic" => must(repository.command().arg("init")),
            _ => must(repository.command().args(["init", "--encryption", "repokey"])),
        };
        repository
    }

    pub fn folder(&self) -> PathBuf {
        self.world.path("repository")
    }

    /// The tool, about to be started.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.tool);
        command.current_dir(self.world.path("")).env("TZ", "UTC");
        command.env("RESTIC_REPOSITORY", self.folder()).env("RESTIC_PASSWORD", Self::PASSWORD);
        command.env("RESTIC_CACHE_DIR", self.world.path("home/restic"));
        command
            .env("BORG_REPO", self.folder())
            .env("BORG_PASSPHRASE", Self::PASSWORD)
            .env("BORG_BASE_DIR", self.world.path("home"));
        command
    }

    /// Takes a backup of `input`, as if at this time (`2026-11-01T03:00:00`), of this name.
    pub fn backup(&self, name: &str, at: &str) {
        let mut command = self.command();
        match self.tool {
            "restic" => {
                command.args(["backup", "input", "--host", "web", "--tag", name, "--time", &at.replace('T', " ")])
            }
            _ => command.args(["create", "--timestamp", at, &format!("::{name}"), "input"]),
        };
        must(&mut command);
    }

    /// Every file of the repository with its content, and the times of every file and folder: a lock that comes and goes changes
    /// those of its folder.
    pub fn content(&self) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64)> {
        let files = files_below(&self.folder());
        let folders = files.iter().flat_map(|path| path.ancestors().skip(1));
        let inside = folders.filter(|path| path.starts_with(self.folder())).map(Path::to_owned);
        let empty = fs::read_dir(self.folder()).expect("a repository").flatten().map(|entry| entry.path());
        let all: BTreeSet<PathBuf> = files.iter().cloned().chain(inside).chain(empty).collect();
        all.into_iter().map(|path| (path.clone(), state(&path))).collect()
    }

    /// The biggest file that holds data.
    pub fn data_file(&self) -> PathBuf {
        let files = files_below(&self.folder().join("data")).into_iter();
        files.max_by_key(|path| fs::metadata(path).expect("a file").len()).expect("data")
    }

    /// Changes a byte in the middle of a file.
    pub fn damage(&self, file: &Path) {
        let mut bytes = fs::read(file).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        let mut writable = fs::metadata(file).expect("a file").permissions();
        #[allow(clippy::permissions_set_readonly_false, reason = "the file is the test's own")]
        writable.set_readonly(false);
        fs::set_permissions(file, writable).expect("mode");
        fs::write(file, bytes).expect("damaged");
    }
}

fn state(path: &Path) -> (Vec<u8>, i64, i64) {
    let meta = fs::metadata(path).expect("a file");
    let bytes = if meta.is_dir() { Vec::new() } else { fs::read(path).expect("a file") };
    (bytes, meta.mtime() * 1_000_000_000 + meta.mtime_nsec(), meta.ctime() * 1_000_000_000 + meta.ctime_nsec())
}
