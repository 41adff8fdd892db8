//! Environments that stay for people to look at: found in the journals, entered, and released.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use drill_agents::process::{self, Program};
use drill_agents::{Awake, Context, Place, Scratch, scratches};
use drill_reports::{Entry, Event, Lease, Room};
use drill_scenarios::Scenario;
use jiff::Timestamp;

use crate::failure::Failure;
use crate::store::{RunFolder, RunLock, Store};
use crate::{room, sweep};

/// The environments of a run that stay.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Whose.
    pub(crate) folder: RunFolder,
    /// Name of the scenario.
    pub(crate) scenario: String,
    /// One a system, the scenario's own first. Never empty.
    environments: Vec<Environment>,
}

/// One that stays.
#[derive(Debug, Clone)]
struct Environment {
    system: Option<String>,
    place: Place,
    until: Timestamp,
    room: Room,
}

impl Kept {
    /// Those of this run, if it keeps any.
    pub(crate) fn of(folder: RunFolder) -> Result<Option<Self>, Failure> {
        let entries = folder.entries()?;
        let mut environments =
            prolonged(&entries).map(|kept| Environment::of(kept, &folder)).collect::<Result<Vec<_>, _>>()?;
        if environments.is_empty() {
            return Ok(None);
        }
        environments.sort_by(|one, other| one.system.cmp(&other.system));
        let scenario = match entries.first().map(|entry| &entry.event) {
            Some(Event::RunStarted(start)) => start.scenario.name.clone(),
            _ => String::new(),
        };
        Ok(Some(Self { scenario, environments, folder }))
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

    fn own(&self) -> &Environment {
        self.environments.first().expect("there is one, or nothing is kept")
    }

    /// Until when they stay at least.
    pub(crate) fn until(&self) -> Timestamp {
        self.environments.iter().map(|environment| environment.until).min().expect("there is one, or nothing is kept")
    }

    /// Folder of the first.
    pub(crate) fn place(&self) -> &Path {
        &self.own().place.folder
    }

    /// Bytes on the disk, as far as they can be seen.
    pub(crate) fn bytes(&self) -> u64 {
        self.environments.iter().map(|environment| bytes_below(&environment.place.folder)).sum()
    }

    /// Holds the run, so that nobody else enters or removes it meanwhile.
    pub(crate) fn hold(&self) -> Result<RunLock, Failure> {
        self.folder.try_lock()?.ok_or_else(|| {
            Failure::usage(format!("somebody is in the environment of run {}", self.folder.run))
                .hint("Wait until they have left it, or until the sweep that is at it is over.")
        })
    }

    /// Runs a program in them, with what runs in them started for as long; whatever it leaves running is stopped then. Returns how the
    /// program ended. It is given up when `ended` is.
    pub(crate) async fn enter(
        &self,
        argv: &[String],
        env: BTreeMap<String, String>,
        ended: impl Future<Output = &'static str>,
    ) -> Result<ExitStatus, Failure> {
        let (scenario, cx) = sweep::begun_with(&self.folder, &self.folder.record()?)?;
        let rooms = self.environments.iter().map(|environment| (environment.system.as_deref(), &environment.room));
        let facts = room::facts(rooms, &self.folder.run)?;
        let mut awake = Vec::new();
        for environment in &self.environments {
            awake.push(environment.wake(&scenario, &cx).await?);
        }
        let (program, arguments) = argv.split_first().expect("there is a program to run");
        let program = Program::new(program).args(arguments).folder(&self.root());
        let program = env.into_iter().chain(facts).fold(program, |program, (name, value)| program.env(name, value));
        let left = tokio::select! {
            left = program.run_in_front(&cx) => left.map_err(Failure::from),
            by = ended => Err(Failure::interrupted(by)),
        };
        drop(awake);
        for environment in &self.environments {
            environment.rest(&scenario, &cx).await?;
        }
        process::stop_marked(&cx.run).await?;
        left
    }

    /// Folder of the restored data.
    pub(crate) fn root(&self) -> PathBuf {
        PathBuf::from(&self.own().room.root)
    }
}

impl Environment {
    fn of((lease, until, room): (&Lease, Timestamp, &Room), folder: &RunFolder) -> Result<Self, Failure> {
        let wrong =
            |cause| Failure::errored(format!("lease {} of run {} can't be read: {cause}", lease.id, folder.run));
        let place = serde_json::from_value(lease.spec.clone()).map_err(wrong)?;
        Ok(Self { system: lease.system.clone(), place, until, room: room.clone() })
    }

    fn scratch(&self, scenario: &Scenario) -> Result<Box<dyn Scratch>, Failure> {
        let missing = || Failure::errored("the scenario has no such system any more");
        let system = scenario.system(self.system.as_deref()).ok_or_else(missing)?;
        Ok(scratches::open(system.scratch, &scenario.verify)?)
    }

    async fn wake(&self, scenario: &Scenario, cx: &Context) -> Result<Awake, Failure> {
        let cx = cx.of_system(self.system.as_deref());
        Ok(self.scratch(scenario)?.wake(&cx, &self.place, &self.room.facts).await?)
    }

    async fn rest(&self, scenario: &Scenario, cx: &Context) -> Result<(), Failure> {
        let cx = cx.of_system(self.system.as_deref());
        Ok(self.scratch(scenario)?.rest(&cx, &self.place).await?)
    }
}

/// The leases that were prolonged and have not ended.
fn prolonged(entries: &[Entry]) -> impl Iterator<Item = (&Lease, Timestamp, &Room)> {
    let ended = |id: &String| {
        entries.iter().any(|entry| matches!(&entry.event, Event::LeaseEnded { id: over, .. } if over == id))
    };
    let lease = |wanted: &String| {
        entries.iter().find_map(|entry| match &entry.event {
            Event::LeaseTaken { lease } if lease.id == *wanted => Some(lease),
            _ => None,
        })
    };
    entries.iter().filter_map(move |entry| match &entry.event {
        Event::LeaseProlonged { id, until, room } if !ended(id) => Some((lease(id)?, *until, room)),
        _ => None,
    })
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
