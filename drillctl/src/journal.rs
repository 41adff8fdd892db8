//! The journal of one run: an event a line, on disk and synced before what it announces is done.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drill_agents::{Clock, Secrets};
use drill_reports::{Entry, Event};
use rustix::fs::FallocateFlags;

use crate::failure::Failure;
use crate::monitor::Monitor;

/// Room reserved on the disk, so that a disk that something else fills up does not cost the journal its end.
const RESERVE: u64 = 1 << 20;

/// The journal of one run, open for appending.
#[derive(Clone)]
pub(crate) struct Journal {
    inner: Arc<Mutex<Inner>>,
    clock: Clock,
    secrets: Arc<Secrets>,
    monitor: Arc<dyn Monitor>,
}

struct Inner {
    file: File,
    length: u64,
    entries: Vec<Entry>,
    timed: bool,
}

impl Journal {
    /// Begins the journal of a new run.
    pub(crate) fn create(
        path: &Path,
        clock: Clock,
        secrets: Arc<Secrets>,
        monitor: Arc<dyn Monitor>,
    ) -> Result<Self, Failure> {
        let wrong = |cause| Failure::io("creating journal", path.display(), cause);
        let file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(wrong)?;
        // Not every file system can reserve; then the journal is as exposed as any file.
        let _ = rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, RESERVE);
        sync_parent(path).map_err(wrong)?;
        let inner = Inner { file, length: 0, entries: Vec::new(), timed: true };
        Ok(Self { inner: Arc::new(Mutex::new(inner)), clock, secrets, monitor })
    }

    /// Takes up the journal of a run that died. A line that was cut off in mid-write is removed: what it announced was never
    /// begun.
    pub(crate) fn take_up(
        path: &Path,
        clock: Clock,
        secrets: Arc<Secrets>,
        monitor: Arc<dyn Monitor>,
    ) -> Result<Self, Failure> {
        let wrong = |cause| Failure::io("opening journal", path.display(), cause);
        let bytes = std::fs::read(path).map_err(wrong)?;
        let read =
            drill_reports::journal::read(&bytes).map_err(|e| Failure::errored(format!("{}: {e}", path.display())))?;
        let length = read.whole_bytes as u64;
        let file = File::options().write(true).open(path).map_err(wrong)?;
        file.set_len(length).map_err(wrong)?;
        let inner = Inner { file, length, entries: read.entries, timed: false };
        Ok(Self { inner: Arc::new(Mutex::new(inner)), clock, secrets, monitor })
    }

    /// Writes an event down and syncs it. Secrets that were looked up are taken out of its texts.
    pub(crate) fn append(&self, event: Event) -> Result<(), Failure> {
        let entry = {
            let mut inner = self.inner();
            let elapsed = u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
            let (seq, elapsed_ms) = (inner.entries.len() as u64, inner.timed.then_some(elapsed));
            let entry = self.scrubbed(Entry { seq, at: self.clock.now(), elapsed_ms, event });
            inner.write(&entry).map_err(|cause| Failure::io("writing", "journal", cause))?;
            inner.entries.push(entry.clone());
            entry
        };
        self.monitor.saw(&entry);
        Ok(())
    }

    /// Everything written so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.inner().entries.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scrubbed(&self, entry: Entry) -> Entry {
        let mut value = serde_json::to_value(&entry).expect("an entry is plain data");
        scrub(&mut value, &self.secrets);
        serde_json::from_value(value).unwrap_or(entry)
    }
}

impl Inner {
    /// Appends one line whole, or leaves the file as it was.
    fn write(&mut self, entry: &Entry) -> std::io::Result<()> {
        use std::os::unix::fs::FileExt;
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let done = self.file.write_all_at(&line, self.length).and_then(|()| self.file.sync_data());
        match done {
            Ok(()) => self.length += line.len() as u64,
            Err(_) => self.file.set_len(self.length)?,
        }
        done
    }
}

/// Takes secrets out of every text of a value. Keys are drillctl's own.
fn scrub(value: &mut serde_json::Value, secrets: &Secrets) {
    match value {
        serde_json::Value::String(text) => *text = secrets.scrub(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| scrub(item, secrets)),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(|field| scrub(field, secrets)),
        _ => {}
    }
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_parent(path)
}
