//! The state folder: one folder a run, named by the run's id, which sorts by time.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drill_agents::Clock;
use drill_reports::{Entry, Record};
use rustix::fs::FlockOperation;

use crate::catalogue::Catalogue;
use crate::failure::Failure;
use crate::host;
use crate::publish::RECORD;
use crate::reservation;

/// How often, and how long each time, a run waits for others that decide whether they have room.
const ADMISSION_WAITS: (u32, Duration) = (300, Duration::from_millis(100));
/// Earlier runs of a scenario that are looked at.
const EARLIER: usize = 100;

/// The state folder.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    runs: PathBuf,
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub(crate) struct RunFolder {
    /// Run id.
    pub(crate) run: String,
    /// The folder.
    pub(crate) path: PathBuf,
}

/// Held while a run is at work in this process; it goes with the process, however that ends.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

impl Store {
    /// The state in `folder`, which is made if it is absent.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let runs = folder.join("runs");
        make_private(&runs)?;
        let runs = runs.canonicalize().map_err(|cause| Failure::io("opening state folder", folder.display(), cause))?;
        Ok(Self { runs })
    }

    /// The state in `folder`, if it was ever made.
    pub(crate) fn existing(folder: &Path) -> Result<Option<Self>, Failure> {
        if folder.join("runs").exists() { Self::open(folder).map(Some) } else { Ok(None) }
    }

    /// Waits until no other run of this state decides whether it has room; none does while the file is held.
    pub(crate) async fn lock_admission(&self) -> Result<File, Failure> {
        let path = self.runs.with_file_name("admission.lock");
        let wrong = |cause| Failure::io("locking", path.display(), cause);
        let file = File::options().create(true).append(true).open(&path).map_err(wrong)?;
        for _ in 0..ADMISSION_WAITS.0 {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) => tokio::time::sleep(ADMISSION_WAITS.1).await,
                Err(error) => return Err(wrong(error.into())),
            }
        }
        Err(Failure::errored(format!("another run holds {} and does not go on", path.display())))
    }

    /// A folder for a new run, locked.
    pub(crate) fn begin(&self, clock: &Clock) -> Result<(RunFolder, RunLock), Failure> {
        let run = format!("{}-{}", clock.now().strftime("%Y%m%dT%H%M%S%3fZ"), host::nonce::<4>());
        let folder = self.folder(run);
        make_private(&folder.path.join("logs"))?;
        let lock = folder.try_lock()?.ok_or_else(|| Failure::errored(format!("run {} exists already", folder.run)))?;
        Ok((folder, lock))
    }

    /// Every run, newest first. What isn't a folder named like one is somebody else's.
    pub(crate) fn runs(&self) -> Result<Vec<RunFolder>, Failure> {
        let wrong = |cause| Failure::io("listing", self.runs.display(), cause);
        let mut runs = Vec::new();
        for entry in std::fs::read_dir(&self.runs).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let (name, path) = (entry.file_name(), entry.path());
            if let Some(run) = name.to_str().filter(|name| is_run_id(name))
                && entry.file_type().map_err(wrong)?.is_dir()
            {
                runs.push(RunFolder { run: run.to_owned(), path });
            }
        }
        runs.sort_by(|a, b| b.run.cmp(&a.run));
        Ok(runs)
    }

    /// Where the catalogue is.
    pub(crate) fn catalogue(&self) -> PathBuf {
        self.runs.with_file_name("catalogue.sqlite")
    }

    /// The records of runs of this scenario that passed, newest first, and the runs whose journals can't be read.
    pub(crate) fn earlier(&self, scenario: &str) -> Result<(Vec<Record>, Vec<String>), Failure> {
        let catalogue = Catalogue::of(self)?;
        let passed = catalogue.passed(scenario, EARLIER)?.into_iter();
        let records = passed.map(|run| self.folder(run).record()).collect::<Result<_, _>>()?;
        Ok((records, catalogue.unreadable()?.into_iter().map(|(run, _)| run).collect()))
    }

    fn folder(&self, run: String) -> RunFolder {
        RunFolder { path: self.runs.join(&run), run }
    }

    /// The run that `name` begins the id of, or the newest for `latest`.
    pub(crate) fn find(&self, name: &str) -> Result<RunFolder, Failure> {
        let runs = self.runs()?;
        let mut fits = runs.into_iter().filter(|run| name == "latest" || run.run.starts_with(name));
        let first = fits.next().ok_or_else(|| {
            Failure::usage(format!("there is no run {name}")).hint("`drillctl list` shows the runs there are.")
        })?;
        match fits.next() {
            Some(_) if name != "latest" && first.run != name => {
                Err(Failure::usage(format!("more than one run begins with {name}")).hint("Give more of its id."))
            }
            _ => Ok(first),
        }
    }
}

impl RunFolder {
    /// The journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal.ndjson")
    }

    /// The copy of the scenario.
    pub(crate) fn scenario(&self) -> PathBuf {
        self.path.join("scenario.yaml")
    }

    /// The lock, unless somebody holds it: the run is at work then.
    pub(crate) fn try_lock(&self) -> Result<Option<RunLock>, Failure> {
        let path = self.path.join("lock");
        let wrong = |cause| Failure::io("locking", path.display(), cause);
        let file = File::options().create(true).append(true).open(&path).map_err(wrong)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(RunLock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(wrong(error.into())),
        }
    }

    /// Whether the run is at work, in whichever process.
    pub(crate) fn is_at_work(&self) -> Result<bool, Failure> {
        Ok(self.try_lock()?.is_none())
    }

    /// Removes a run that never did anything: it has its lock and perhaps its copy of the scenario. Whatever else there is
    /// was made after its journal, which is lost then.
    pub(crate) fn remove_empty(&self) -> Result<(), Failure> {
        let wrong = |cause| Failure::io("removing", self.path.display(), cause);
        let mut beside = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(wrong)? {
            let name = entry.map_err(wrong)?.file_name();
            let mut begun = ["lock", "logs", "scenario.yaml", "journal.ndjson"].iter().chain(&reservation::FILES);
            if !begun.any(|begun| name == *begun) {
                beside.push(name.to_string_lossy().into_owned());
            }
        }
        if beside.is_empty() {
            return std::fs::remove_dir_all(&self.path).map_err(wrong);
        }
        beside.sort();
        let message = format!("run {} has lost its journal, but there is {}", self.run, beside.join(", "));
        Err(Failure::errored(message)
            .hint("Restore journal.ndjson from a copy; without it nothing that the run made can be found or removed."))
    }

    /// What the journal holds, up to a line that was cut off. A run that died before its first event has none.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let path = self.journal();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Failure::io("reading journal", path.display(), error)),
        };
        let read =
            drill_reports::journal::read(&bytes).map_err(|e| Failure::errored(format!("{}: {e}", path.display())))?;
        Ok(read.entries)
    }

    /// The record as it was published; none if the run died before.
    pub(crate) fn published(&self) -> Result<Option<Record>, Failure> {
        let path = self.path.join(RECORD);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io("reading", path.display(), error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| Failure::errored(format!("{}: {e}", path.display())))
    }

    /// The record, folded from the journal.
    pub(crate) fn record(&self) -> Result<Record, Failure> {
        let entries = self.entries()?;
        drill_reports::fold(&entries).map_err(|e| Failure::errored(format!("{}: {e}", self.journal().display())))
    }
}

/// Whether `text` has the form of a run id: `20261123T132749123Z-7f3a2c9b`.
pub(crate) fn is_run_id(text: &str) -> bool {
    let form = |(at, byte): (usize, u8)| match at {
        8 => byte == b'T',
        18 => byte == b'Z',
        19 => byte == b'-',
        20.. => byte.is_ascii_hexdigit(),
        _ => byte.is_ascii_digit(),
    };
    text.len() == 28 && text.bytes().enumerate().all(form)
}

/// Makes a folder that only its owner and those who know its names may enter: a throw-away server runs as another account
/// in a folder below.
fn make_private(folder: &Path) -> Result<(), Failure> {
    let wrong = |cause| Failure::io("making folder", folder.display(), cause);
    std::fs::DirBuilder::new().recursive(true).mode(0o711).create(folder).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_have_their_form_and_sort_by_time() {
        let home = tempfile::tempdir().expect("tempdir");
        let store = Store::open(home.path()).expect("store");
        let at = |millis| Clock::told_by(move || jiff::Timestamp::from_millisecond(millis).expect("a time"));
        let (first, _lock) = store.begin(&at(1_795_440_469_123)).expect("a run");
        let (second, _lock) = store.begin(&at(1_795_440_469_124)).expect("a run");
        assert!(is_run_id(&first.run) && is_run_id(&second.run), "{} {}", first.run, second.run);
        assert!(first.run < second.run);
        assert!(!is_run_id("2-20261123T132749123Z-7f3a2c9b") && !is_run_id(""));
        assert_eq!(store.find("latest").expect("the newest").run, second.run);
    }
}
