//! What became of the outside things that a run made: an account of its leases.

use jiff::Timestamp;

use crate::{Held, Lease, LeaseEnd, Release};

/// Every lease of a run and where it stands, in the order they were taken.
#[derive(Debug, Default)]
pub(crate) struct Leases(Vec<(Lease, Standing)>);

#[derive(Debug)]
enum Standing {
    Open,
    Stuck(String),
    Prolonged(Timestamp),
    Over(LeaseEnd),
}

impl Leases {
    /// False: a lease of this id was taken before.
    pub(crate) fn take(&mut self, lease: &Lease) -> bool {
        let new = self.0.iter().all(|(known, _)| known.id != lease.id);
        if new {
            self.0.push((lease.clone(), Standing::Open));
        }
        new
    }

    /// False: no such lease was taken. Ending one twice is no contradiction, since release may be repeated.
    pub(crate) fn end(&mut self, id: &str, how: LeaseEnd) -> bool {
        self.put(id, Standing::Over(how))
    }

    /// False: no such lease was taken.
    pub(crate) fn stick(&mut self, id: &str, error: &str) -> bool {
        self.put(id, Standing::Stuck(error.to_owned()))
    }

    /// False: no such lease was taken.
    pub(crate) fn prolong(&mut self, id: &str, until: Timestamp) -> bool {
        self.put(id, Standing::Prolonged(until))
    }

    fn put(&mut self, id: &str, standing: Standing) -> bool {
        let found = self.0.iter_mut().find(|(lease, _)| lease.id == id);
        found.map(|(_, old)| *old = standing).is_some()
    }

    /// Whatever is still open has leaked.
    pub(crate) fn release(self, swept: bool) -> Release {
        let mut release = Release { swept, ..Release::default() };
        for (Lease { what, .. }, standing) in self.0 {
            match standing {
                Standing::Over(LeaseEnd::Removed) => release.removed.push(what),
                Standing::Over(LeaseEnd::Absent) => release.removed.push(format!("{what} (was already gone)")),
                Standing::Over(LeaseEnd::Kept) => release.kept.push(what),
                Standing::Prolonged(until) => release.held.push(Held { what, until }),
                Standing::Stuck(error) => release.leaked.push(format!("{what}: {error}")),
                Standing::Open => release.leaked.push(format!("{what}: its removal was never tried")),
            }
        }
        release
    }
}
