//! The leases of a run: each is on disk before the thing is made, and stays open until the thing is gone.

use drill_reports::{Entry, Event, Lease, LeaseEnd, Room};
use jiff::Timestamp;
use serde::Serialize;

use crate::failure::Failure;
use crate::journal::Journal;

/// Leases that are open, in the order in which they were taken.
pub(crate) struct Leases {
    journal: Journal,
    open: Vec<Lease>,
    taken: usize,
}

/// Kinds of leased things.
pub(crate) const SNAPSHOT: &str = "snapshot";
pub(crate) const CANARY: &str = "canary";
pub(crate) const ENVIRONMENT: &str = "environment";
pub(crate) const SANDBOX: &str = "sandbox";
pub(crate) const CONTAINERS: &str = "containers";
pub(crate) const PROCESS: &str = "process";

impl Leases {
    /// None yet.
    pub(crate) fn new(journal: Journal) -> Self {
        Self { journal, open: Vec::new(), taken: 0 }
    }

    /// Those that a journal left open, but for those that are prolonged beyond `now`.
    pub(crate) fn left_open(journal: Journal, entries: &[Entry], now: Timestamp) -> Self {
        let mut leases = Self::new(journal);
        for entry in entries {
            match &entry.event {
                Event::LeaseTaken { lease } => {
                    leases.taken += 1;
                    leases.open.push(lease.clone());
                }
                Event::LeaseProlonged { id, until, .. } if *until > now => leases.open.retain(|lease| lease.id != *id),
                Event::LeaseEnded { id, .. } => leases.open.retain(|lease| lease.id != *id),
                _ => {}
            }
        }
        leases
    }

    /// Takes a lease on a thing of a system, or of the run; when this returns, it is on disk. Returns its id.
    pub(crate) fn take(
        &mut self,
        kind: &str,
        system: Option<&str>,
        what: String,
        spec: &impl Serialize,
    ) -> Result<String, Failure> {
        self.taken += 1;
        let id = format!("{}-{kind}", self.taken);
        let spec = serde_json::to_value(spec).expect("a lease is plain data");
        let lease = Lease { id: id.clone(), system: system.map(str::to_owned), kind: kind.into(), what, spec };
        self.open.push(lease.clone());
        self.journal.append(Event::LeaseTaken { lease })?;
        Ok(id)
    }

    /// The duty is done.
    pub(crate) fn end(&mut self, id: &str, how: LeaseEnd) -> Result<(), Failure> {
        self.open.retain(|lease| lease.id != id);
        self.journal.append(Event::LeaseEnded { id: id.into(), how })
    }

    /// The thing stays until then; whoever sweeps after that removes it.
    pub(crate) fn prolong(&mut self, id: &str, until: Timestamp, room: Room) -> Result<(), Failure> {
        self.open.retain(|lease| lease.id != id);
        self.journal.append(Event::LeaseProlonged { id: id.into(), until, room })
    }

    /// The thing is gone, or it could not be removed: then the duty stays open.
    pub(crate) fn settle(&mut self, id: &str, end: drill_agents::Result<LeaseEnd>) -> Result<(), Failure> {
        match end {
            Ok(how) => self.end(id, how),
            Err(error) => self.journal.append(Event::LeaseStuck { id: id.into(), error: error.chain() }),
        }
    }

    /// The open leases of this kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<Lease> {
        self.open.iter().filter(|lease| lease.kind == kind).cloned().collect()
    }

    /// What is still open, the last taken first: the order of release.
    pub(crate) fn to_release(&self) -> Vec<Lease> {
        self.open.iter().rev().cloned().collect()
    }

    /// Whatever is open stays so.
    pub(crate) fn all_stuck(&self, why: &str) -> Result<(), Failure> {
        self.open
            .iter()
            .try_for_each(|lease| self.journal.append(Event::LeaseStuck { id: lease.id.clone(), error: why.into() }))
    }
}
