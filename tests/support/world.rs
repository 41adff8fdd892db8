//! The folder that a test runs drillctl in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder with state, vault, identity and input.
pub struct World {
    folder: tempfile::TempDir,
}

/// A drillctl that ended.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// A new one, with an identity.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("drill").tempdir().expect("a temporary folder");
        // Throw-away servers run as another account below it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("mode");
        let world = Self { folder };
        world.write("input/data", "data");
        let made = world.run(&["keys", "new", "identity.txt"]);
        assert_eq!(made.code, Some(0), "{made:?}");
        world
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in it, with the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the world")).expect("folders");
        fs::write(&path, content).expect("file");
        path
    }

    /// Writes an executable script in it.
    pub fn script(&self, name: &str, content: &str) -> PathBuf {
        let path = self.write(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        path
    }

    /// Writes a scenario with these parts; what isn't given is a directory drill of `input`.
    pub fn scenario(&self, parts: &[(&str, &str)]) -> PathBuf {
        let mut all = vec![
            ("version", "1"),
            ("name", "test"),
            ("title", "A drill of the tests"),
            ("owner", "tests"),
            ("criticality", "low"),
            ("source", "{directory: {path: input}}"),
            ("vault", "{fs: {path: vault}}"),
            ("seal", "{identities: [{file: identity.txt}]}"),
            ("scratch", "{directory: {}}"),
            ("checks", "[{name: it is there, probe: {file: {path: .}}, expect: {exists: {equals: true}}}]"),
            ("objectives", "{rto: 1h, promised_in: the tests}"),
        ];
        for part in parts {
            match all.iter_mut().find(|(key, _)| *key == part.0) {
                Some(known) => *known = *part,
                None => all.push(*part),
            }
        }
        let said = all.iter().filter(|(_, value)| !value.is_empty());
        let text: String = said.map(|(key, value)| format!("{key}: {value}\n")).collect();
        self.write("scenario.yaml", text)
    }

    /// Writes a scenario that restores what another tool took, with further parts.
    pub fn adopting(&self, source: &str, parts: &[(&str, &str)]) -> PathBuf {
        self.scenario(&[&[("source", source), ("vault", ""), ("seal", "")], parts].concat())
    }

    /// drillctl with these arguments, about to be started in the world.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drillctl"));
        command.args(args).current_dir(self.folder.path()).env("DRILLCTL_STATE", self.path("state"));
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs drillctl with these arguments.
    pub fn run(&self, args: &[&str]) -> Finished {
        self.finish(self.command(args))
    }

    /// Runs this drillctl to its end.
    pub fn finish(&self, mut command: Command) -> Finished {
        let output = command.output().expect("drillctl starts");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the scenario; returns how it ended and the record.
    pub fn drill(&self) -> (Finished, Value) {
        self.drill_with(&[])
    }

    /// Runs the scenario with further arguments; returns how it ended and the record.
    pub fn drill_with(&self, args: &[&str]) -> (Finished, Value) {
        let all: Vec<&str> = ["run", "scenario.yaml", "--json"].into_iter().chain(args.iter().copied()).collect();
        let finished = self.run(&all);
        let record = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("no record ({error}): {}\n{}", finished.stdout, finished.stderr));
        (finished, record)
    }

    /// Runs the scenario, which must end with this exit code; returns the record.
    pub fn drill_ends(&self, code: i32) -> Value {
        let (finished, record) = self.drill();
        assert_eq!(finished.code, Some(code), "{}\n{record:#}", finished.stderr);
        record
    }

    /// Starts the scenario and leaves it running, in a process group of its own.
    pub fn start(&self) -> Child {
        let mut command = self.command(&["run", "scenario.yaml", "--quiet"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().expect("drillctl starts")
    }

    /// Waits until the journal of the newest run holds `text`.
    pub fn wait_for(&self, text: &str) {
        let since = Instant::now();
        while !self.newest_journal().contains(text) {
            assert!(
                since.elapsed() < Duration::from_secs(120),
                "the journal never said {text}: {}",
                self.newest_journal()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Folders of the runs, oldest first.
    pub fn runs(&self) -> Vec<PathBuf> {
        let entries =
            fs::read_dir(self.path("state/runs")).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
        let mut runs: Vec<PathBuf> = entries.unwrap_or_default();
        runs.sort();
        runs
    }

    /// The journal of the newest run, as far as it is written.
    pub fn newest_journal(&self) -> String {
        let newest = self.runs().pop().map(|run| run.join("journal.ndjson"));
        newest.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default()
    }

    /// The record of the newest run.
    pub fn newest_record(&self) -> Value {
        let newest = self.runs().pop().expect("a run");
        let bytes = fs::read(newest.join("record.json")).expect("a record");
        serde_json::from_slice(&bytes).expect("a record is JSON")
    }

    /// Folder of the newest snapshot in the vault.
    pub fn newest_snapshot(&self) -> PathBuf {
        let entries = fs::read_dir(self.path("vault/snapshots")).expect("a vault");
        entries.flatten().map(|entry| entry.path()).max().expect("a snapshot")
    }

    /// Whatever a run may have left outside its journal and reports.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let below = |run: PathBuf| fs::read_dir(run).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_scratch =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("scratch"));
        let mut left: Vec<PathBuf> = self.runs().into_iter().flat_map(below).filter(is_scratch).collect();
        let snapshots =
            fs::read_dir(self.path("vault/snapshots")).map(|entries| entries.flatten().map(|e| e.path()).collect());
        let snapshots: Vec<PathBuf> = snapshots.unwrap_or_default();
        left.extend(snapshots.into_iter().filter(|snapshot| !snapshot.join("snapshot.json").exists()));
        left
    }
}

/// The check of this id in a record.
pub fn check<'a>(record: &'a Value, id: &str) -> &'a Value {
    let checks = record["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no check {id} in {record:#}"))
}

/// Every file below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
