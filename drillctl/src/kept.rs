//! Environments that stay for people to look at: found in the journals, entered, and released.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use drill_agents::process::{self, Program};
use drill_agents::{Place, free_port, scratches};
use drill_reports::{Entry, Event, Lease, Room};
use jiff::Timestamp;

use crate::failure::Failure;
use crate::store::{RunFolder, RunLock, Store};
use crate::sweep;

/// An environment that stays.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Whose.
    pub(crate) folder: RunFolder,
    /// Name of the scenario.
    pub(crate) scenario: String,
    /// Where it is.
    pub(crate) place: Place,
    /// Until when it stays at least.
    pub(crate) until: Timestamp,
    room: Room,
}

impl Kept {
    /// That of this run, if it keeps one.
    pub(crate) fn of(folder: RunFolder) -> Result<Option<Self>, Failure> {
        let entries = folder.entries()?;
        let Some((lease, until, room)) = prolonged(&entries) else { return Ok(None) };
        let wrong =
            |cause| Failure::errored(format!("lease {} of run {} can't be read: {cause}", lease.id, folder.run));
        let place = serde_json::from_value(lease.spec.clone()).map_err(wrong)?;
        let scenario = match entries.first().map(|entry| &entry.event) {
            Some(Event::RunStarted(start)) => start.scenario.name.clone(),
            _ => String::new(),
        };
        Ok(Some(Self { scenario, place, until, room: room.clone(), folder }))
    }

    /// Every one, that of the newest run first, and what could not be read.
    pub(crate) fn all(store: &Store) -> Result<(Vec<Self>, Vec<Failure>), Failure> {
        let (mut all, mut unreadable) = (Vec::new(), Vec::new());
        for folder in store.runs()? {
            match Self::of(folder) {
                Ok(kept) => all.extend(kept),
                Err(failure) => unreadable.push(failure),
            }
        }
        Ok((all, unreadable))
    }

    /// Bytes on the disk, as far as they can be seen.
    pub(crate) fn bytes(&self) -> u64 {
        bytes_below(&self.place.folder)
    }

    /// Holds the run, so that nobody else enters or removes it meanwhile.
    pub(crate) fn hold(&self) -> Result<RunLock, Failure> {
        self.folder.try_lock()?.ok_or_else(|| {
            Failure::usage(format!("somebody is in the environment of run {}", self.folder.run))
                .hint("Wait until they have left it, or until the sweep that is at it is over.")
        })
    }

    /// Runs a program in it, with what runs in it started for as long; whatever it leaves running is stopped then. Returns how the program ended.
    /// It is given up when `ended` is.
    pub(crate) async fn enter(
        &self,
        argv: &[String],
        env: BTreeMap<String, String>,
        ended: impl Future<Output = &'static str>,
    ) -> Result<ExitStatus, Failure> {
        let (scenario, cx) = sweep::begun_with(&self.folder, &self.folder.record()?)?;
        let scratch = scratches::open(&scenario.scratch, &scenario.verify)?;
        let awake = scratch.wake(&cx, &self.place, &self.room.facts).await?;
        let (program, arguments) = argv.split_first().expect("there is a program to run");
        let facts = self.facts()?;
        let program = Program::new(program).args(arguments).folder(Path::new(&self.room.root));
        let program = env.into_iter().chain(facts).fold(program, |program, (name, value)| program.env(name, value));
        let left = tokio::select! {
            left = program.run_in_front(&cx) => left.map_err(Failure::from),
            by = ended => Err(Failure::interrupted(by)),
        };
        drop(awake);
        scratch.rest(&cx, &self.place).await?;
        process::stop_marked(&cx.run).await?;
        left
    }

    fn facts(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut facts = self.room.facts.clone();
        facts.insert("DRILL_ROOT".into(), self.room.root.clone());
        facts.insert("DRILL_RUN".into(), self.folder.run.clone());
        facts.insert("DRILL_PORT".into(), free_port()?.to_string());
        Ok(facts)
    }

    /// Folder of the restored data.
    pub(crate) fn root(&self) -> PathBuf {
        PathBuf::from(&self.room.root)
    }
}

/// The lease that was prolonged and has not ended.
fn prolonged(entries: &[Entry]) -> Option<(&Lease, Timestamp, &Room)> {
    let (id, until, room) = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::LeaseProlonged { id, until, room } => Some((id, *until, room)),
        _ => None,
    })?;
    let ended = entries.iter().any(|entry| matches!(&entry.event, Event::LeaseEnded { id: over, .. } if over == id));
    let lease = entries.iter().find_map(|entry| match &entry.event {
        Event::LeaseTaken { lease } if lease.id == *id => Some(lease),
        _ => None,
    })?;
    (!ended).then_some((lease, until, room))
}

/// What a program's end is as the end of drillctl: as a shell tells it.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let of_signal = || status.signal().map_or(1, |signal| 128 + signal);
    u8::try_from(status.code().unwrap_or_else(of_signal)).unwrap_or(1)
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    let sizes = sizes.map(|(path, meta)| meta.blocks() * 512 + if meta.is_dir() { bytes_below(&path) } else { 0 });
    sizes.sum()
}
