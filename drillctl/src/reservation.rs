//! Reservations of room on disks, so that two runs don't count on the same.
//!
//! A run's reservation lies in its folder and holds while the run's lock is held: that of a run that died counts no more. It shrinks
//! as the run writes, because what is written is missing from what is free.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drill_agents::Progress;
use drill_reports::{Entry, Event, Stage};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::monitor::Monitor;
use crate::space::{Purpose, Space, admit};
use crate::store::{RunFolder, Store};

/// The reservation, in the folder of a run; and its next version, while that is written.
pub(crate) const FILES: [&str; 2] = ["space.json", "space.json.new"];
/// Between two looks at how much of it is used.
const TICK: Duration = Duration::from_secs(1);

/// What a run at work has reserved and not written yet.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reserved {
    /// The run.
    pub(crate) run: String,
    /// By purpose.
    pub(crate) parts: Vec<Part>,
}

/// What is reserved for one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// What for.
    pub(crate) purpose: Purpose,
    /// Where.
    pub(crate) folder: PathBuf,
    /// Device of the file system.
    pub(crate) device: u64,
    /// Bytes.
    pub(crate) bytes: u64,
}

/// What the runs at work in this state folder have reserved, but for that of `except`.
pub(crate) fn reserved(store: &Store, except: &str) -> Result<Vec<Reserved>, Failure> {
    let mut all = Vec::new();
    for folder in store.runs()?.into_iter().filter(|folder| folder.run != except) {
        // What is there first and then at work was at work while it was read.
        if let Some(parts) = read(&folder)
            && folder.is_at_work()?
        {
            all.push(Reserved { run: folder.run, parts });
        }
    }
    Ok(all)
}

fn read(folder: &RunFolder) -> Option<Vec<Part>> {
    let bytes = std::fs::read(folder.path.join(FILES[0])).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The reservation of a run in this process.
pub(crate) struct Reservation {
    folder: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    /// What was asked for.
    whole: Vec<Part>,
    /// What is not written yet.
    left: Vec<Part>,
    stage: Option<Stage>,
}

impl Reservation {
    /// Reserves what this run needs, unless others have reserved too much of what is free. No two runs of a state folder decide at once.
    pub(crate) async fn make(store: &Store, run: &RunFolder, space: &mut [Space]) -> Result<Arc<Self>, Failure> {
        let _deciding = store.lock_admission().await?;
        space.iter_mut().try_for_each(Space::look_again)?;
        admit(space, &reserved(store, &run.run)?)?;
        let whole: Vec<Part> = space.iter().map(Space::part).collect();
        let inner = Inner { left: whole.clone(), whole, stage: None };
        let reservation = Self { folder: run.path.clone(), inner: Mutex::new(inner) };
        let written = reservation.write(&reservation.inner().left);
        written.map_err(|cause| Failure::io("reserving space in", run.path.display(), cause))?;
        Ok(Arc::new(reservation))
    }

    /// Takes off what is written, now and again, until the run is over.
    pub(crate) async fn follow(self: Arc<Self>, progress: Arc<Progress>) {
        loop {
            tokio::time::sleep(TICK).await;
            let (done, total) = progress.read();
            self.change(|inner| inner.wrote(done, total));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner();
        let before = inner.left.clone();
        change(&mut inner);
        if inner.left != before {
            // On a disk that is full the old one stays, which reserves too much.
            let _ = self.write(&inner.left);
        }
    }

    /// Whole or not at all; what it says is worth nothing after a crash, so nobody waits for the disk.
    fn write(&self, parts: &[Part]) -> std::io::Result<()> {
        let [file, next] = FILES.map(|name| self.folder.join(name));
        if parts.iter().all(|part| part.bytes == 0) {
            return std::fs::remove_file(file);
        }
        std::fs::write(&next, serde_json::to_vec(parts)?)?;
        std::fs::rename(next, file)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Of what the stage at hand writes, `done` of `total` bytes are written.
    fn wrote(&mut self, done: u64, total: u64) {
        let Some(stage) = self.stage.filter(|_| total > 0) else { return };
        for (left, whole) in self.left.iter_mut().zip(&self.whole) {
            if left.purpose.is_written_in(stage) && left.purpose != Purpose::Copy {
                let written = u128::from(whole.bytes) * u128::from(done.min(total)) / u128::from(total);
                let written = u64::try_from(written).unwrap_or(whole.bytes);
                left.bytes = left.bytes.min(whole.bytes.saturating_sub(written));
            }
        }
    }

    /// What comes after this stage takes nothing more for these purposes.
    fn over(&mut self, is_over: impl Fn(Purpose) -> bool) {
        self.left.iter_mut().filter(|part| is_over(part.purpose)).for_each(|part| part.bytes = 0);
    }
}

impl Monitor for Reservation {
    fn saw(&self, entry: &Entry) {
        match &entry.event {
            Event::StageStarted { stage: Stage::Release, .. } => self.change(|inner| inner.over(|_| true)),
            Event::StageStarted { stage, .. } => self.change(|inner| inner.stage = Some(*stage)),
            Event::StageEnded { stage, .. } => self.change(|inner| {
                inner.stage = None;
                inner.over(|purpose| purpose.last_stage() == *stage);
            }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(purpose: Purpose, device: u64, bytes: u64) -> Part {
        Part { purpose, folder: "/f".into(), device, bytes }
    }

    #[test]
    fn what_is_written_is_no_longer_reserved_and_never_reserved_again() {
        let whole = vec![part(Purpose::Vault, 1, 100), part(Purpose::Restore, 1, 200)];
        let mut inner = Inner { left: whole.clone(), whole, stage: Some(Stage::Restore) };
        let mut left = |done, total| {
            inner.wrote(done, total);
            [inner.left[0].bytes, inner.left[1].bytes]
        };
        assert_eq!(left(0, 0), [100, 200], "nothing is known");
        assert_eq!(left(3, 10), [100, 140]);
        assert_eq!(left(1, 10), [100, 140], "another count begins");
        assert_eq!(left(20, 10), [100, 0], "there was more than thought");
        inner.over(|purpose| purpose == Purpose::Vault);
        assert_eq!(inner.left[0].bytes, 0);
    }
}
