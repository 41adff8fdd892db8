//! Release: removes what leases name, the last taken first, and nothing that doesn't carry this run's mark. What it needs it
//! opens from the scenario again, so that a sweep does just the same for a run that died.

use std::path::PathBuf;
use std::time::Duration;

use drill_agents::{Context, Error, Kind, Place, Removal, Sandbox, Vault, process, repositories, scratches, sources};
use drill_reports::{Lease, LeaseEnd};
use drill_scenarios::Scenario;

use super::leases::{CANARY, CONTAINERS, ENVIRONMENT, Leases, PROCESS, SANDBOX, SNAPSHOT};
use crate::failure::Failure;

/// How often a removal is tried: what was just stopped may still be writing its last.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Releases everything that is leased. What can't be removed is in the journal as stuck; only a journal that can't be
/// written, or a copy of plain data that can't be removed from the run's folder, is an error; even then everything is
/// released.
pub(crate) async fn release_all(cx: &Context, scenario: &Scenario, leases: &mut Leases) -> Result<(), Failure> {
    let mut written = Ok(());
    for lease in leases.to_release() {
        let end = insistently(cx, scenario, &lease).await;
        written = written.and(leases.settle(&lease.id, end));
    }
    let written = written.and(outliving(cx, leases).await);
    let written = written.and(repositories::remove_notes(&cx.folder).map_err(Failure::from));
    written.and(drill_agents::remove_copies(&cx.folder).map_err(Failure::from))
}

/// Stops what programs of the source or of checks have left running on their own: nobody knew of it before.
async fn outliving(cx: &Context, leases: &mut Leases) -> Result<(), Failure> {
    if !process::any_marked(&cx.run) {
        return Ok(());
    }
    let taken = leases.take(PROCESS, None, "processes that outlived the program that started them".into(), &cx.run);
    let end = process::stop_marked(&cx.run).await.map(|_| LeaseEnd::Removed);
    leases.settle(&taken?, end)
}

async fn insistently(cx: &Context, scenario: &Scenario, lease: &Lease) -> drill_agents::Result<LeaseEnd> {
    for _ in 1..TRIES {
        match release(cx, scenario, lease).await {
            Err(error) if error.kind() != Kind::Refused => tokio::time::sleep(PAUSE).await,
            settled => return settled,
        }
    }
    release(cx, scenario, lease).await
}

async fn release(cx: &Context, scenario: &Scenario, lease: &Lease) -> drill_agents::Result<LeaseEnd> {
    let cx = &cx.of_system(lease.system.as_deref());
    let missing = || Error::new(Kind::Config, format!("the scenario has no system of lease {}", lease.id));
    let system = scenario.system(lease.system.as_deref()).ok_or_else(missing)?;
    match lease.kind.as_str() {
        PROCESS => {
            let count = process::stop_marked(&cx.run).await?;
            Ok(if count > 0 { LeaseEnd::Removed } else { LeaseEnd::Absent })
        }
        ENVIRONMENT => {
            let place: Place = serde_json::from_value(lease.spec.clone()).map_err(|error| unreadable(lease, error))?;
            scratches::open(system.scratch, &scenario.verify)?.release(cx, &place).await.map(end)
        }
        SANDBOX => {
            let groups: Vec<PathBuf> =
                serde_json::from_value(lease.spec.clone()).map_err(|error| unreadable(lease, error))?;
            Sandbox::release(&cx.run, &groups).await.map(end)
        }
        CONTAINERS => {
            let socket: PathBuf =
                serde_json::from_value(lease.spec.clone()).map_err(|error| unreadable(lease, error))?;
            Sandbox::release_containers(cx, &socket).await.map(end)
        }
        CANARY => sources::open(system.source, &cx.secrets)?.unplant(cx, &cx.run).await.map(end),
        SNAPSHOT => {
            let id: String = serde_json::from_value(lease.spec.clone()).map_err(|error| unreadable(lease, error))?;
            let missing = || Error::new(Kind::Config, "the scenario names no vault");
            let vault = Vault::open(scenario.vault.as_ref().ok_or_else(missing)?, &cx.secrets)?.within(cx);
            // A run can die after its snapshot is whole and before it wrote that down.
            if vault.exists(&id).await? { Ok(LeaseEnd::Kept) } else { vault.remove_incomplete(&id, cx).await.map(end) }
        }
        other => Err(Error::new(Kind::Config, format!("lease {} is of unknown kind {other}", lease.id))
            .hint("It was taken by a newer drillctl; sweep with that one.")),
    }
}

/// How a removal ends a lease.
pub(super) fn end(removal: Removal) -> LeaseEnd {
    match removal {
        Removal::Removed => LeaseEnd::Removed,
        Removal::Absent => LeaseEnd::Absent,
    }
}

fn unreadable(lease: &Lease, error: serde_json::Error) -> Error {
    Error::new(Kind::Config, format!("lease {} can't be read", lease.id)).because(error)
}
