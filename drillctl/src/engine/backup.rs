//! Capture and Store: the source is read into the seal, and the snapshot exists once its header is in the vault. Or Select: an
//! existing snapshot is taken from the vault.

use drill_agents::seal::{self, About, Sealing};
use drill_agents::{Canary, Captured, Contents, EntryKind, Error, Format, Header, Kind};
use drill_reports::{Backup, Event, LeaseEnd, Segments};

use super::leases::{CANARY, SNAPSHOT};
use super::release::end;
use super::results::blamed;
use super::{Engine, Stop};
use crate::plan::{Choice, Own};

/// A backup that was read from its source and is not complete in the vault yet.
pub(super) struct Taken {
    sealing: Sealing,
    writer: drill_agents::SealWriter,
    captured: Captured,
    snapshot_lease: String,
    canary_lease: Option<String>,
}

/// A complete snapshot in the vault.
pub(super) struct Stored {
    pub(super) snapshot: String,
    pub(super) header_sha256: String,
}

/// Reads the source into the seal.
pub(super) async fn capture(engine: &mut Engine<'_>, own: &Own) -> Result<Taken, Stop> {
    let (cx, plan) = (engine.cx, engine.plan);
    cx.progress.begin(plan.forecast.stream_bytes);
    let canary_lease = plant(engine, own).await?;
    let snapshot = format!("{}-{}", plan.scenario().name, cx.run);
    let what = format!("snapshot {snapshot} in {}", own.vault.location());
    let snapshot_lease = engine.leases.take(SNAPSHOT, what, &snapshot)?;
    let (sealing, mut writer) = Sealing::begin(cx, &own.vault, &own.keys, &snapshot).await?;
    match own.source.capture(cx, &mut writer).await.and_then(holding_something) {
        Ok(captured) => {
            engine.note(&captured.notes)?;
            Ok(Taken { sealing, writer, captured, snapshot_lease, canary_lease })
        }
        Err(error) => Err(sealing.abandon(writer, error).await.into()),
    }
}

/// A tree without a single file is what a disk looks like that isn't mounted; a Redis without a single key is what one looks like
/// that was started anew.
fn holding_something(captured: Captured) -> drill_agents::Result<Captured> {
    let (index, empty) = (&captured.index, |what: &str, hint: &str| {
        Error::new(Kind::Unavailable, format!("there is not one {what} in the source")).hint(hint)
    });
    let file = |entry: &drill_agents::Entry| matches!(entry.kind, EntryKind::File { .. });
    match index.format {
        Format::Tar if !index.entries.iter().any(file) => Err(empty(
            "file",
            "An empty backup saves nobody: look whether the right folder is named, and whether its disk is mounted.",
        )),
        Format::Rdb if index.databases.iter().all(|database| database.keyspaces.is_empty()) => Err(empty(
            "key",
            "An empty backup saves nobody: look whether the right server is named, and whether it has lost its data.",
        )),
        _ => Ok(captured),
    }
}

/// Plants the canary where the scenario allows it.
async fn plant(engine: &mut Engine<'_>, own: &Own) -> Result<Option<String>, Stop> {
    let (cx, plan) = (engine.cx, engine.plan);
    if !plan.scenario().source.plants_canary() {
        return Ok(None);
    }
    let lease =
        engine.leases.take(CANARY, format!("canary in the {} source", plan.scenario().source.kind()), &cx.run)?;
    let canary = Canary { run: cx.run.clone(), nonce: engine.nonce.clone(), planted_at: cx.clock.now() };
    own.source.plant(cx, &canary).await?;
    Ok(Some(lease))
}

/// Completes the snapshot. The canary has done its duty then and leaves the source at once.
pub(super) async fn store(engine: &mut Engine<'_>, own: &Own, taken: Taken) -> Result<Stored, Stop> {
    let (cx, plan) = (engine.cx, engine.plan);
    let Taken { sealing, writer, captured, snapshot_lease, canary_lease } = taken;
    if let Some(lease) = canary_lease {
        engine.leases.settle(&lease, own.source.unplant(cx, &cx.run).await.map(end))?;
    }
    let about = About {
        scenario: plan.scenario().name.to_string(),
        source: plan.scenario().source.kind().into(),
        tool: concat!("drillctl ", env!("CARGO_PKG_VERSION")).into(),
    };
    let stored = sealing.complete(cx, writer, captured, about).await?;
    let backup = backup(own.vault.location(), &stored.header, &stored.header_sha256, "captured in this run");
    engine.journal.append(Event::BackupStored(Box::new(backup)))?;
    engine.leases.end(&snapshot_lease, LeaseEnd::Kept)?;
    Ok(Stored { snapshot: stored.header.id, header_sha256: stored.header_sha256 })
}

/// Takes an existing snapshot from the vault. One whose header is damaged is a failed check.
pub(super) async fn select(engine: &mut Engine<'_>, own: &Own) -> Result<Stored, Stop> {
    let Choice::Select { snapshot, how, header_sha256 } = &own.choice else {
        unreachable!("the line selects only where the plan does")
    };
    let (header, digest) = seal::header(engine.cx, &own.vault, snapshot, header_sha256.as_deref())
        .await
        .map_err(|error| blamed(engine, error))?;
    let backup = backup(own.vault.location(), &header, &digest, how);
    engine.journal.append(Event::BackupStored(Box::new(backup)))?;
    Ok(Stored { snapshot: snapshot.clone(), header_sha256: digest })
}

fn backup(location: &str, header: &Header, digest: &str, selected: &str) -> Backup {
    let Contents { files, bytes, tables, rows, keys } = header.contents;
    let content = [("files", files), ("bytes", bytes), ("tables", tables), ("rows", rows), ("keys", keys)];
    Backup {
        snapshot: header.id.clone(),
        location: location.into(),
        taken_at: header.taken_at,
        newest_at: header.newest_at,
        header_sha256: digest.into(),
        segments: Segments {
            count: header.segments.len() as u64,
            plain_bytes: header.stream_bytes(),
            sealed_bytes: header.sealed_bytes(),
        },
        recipients: header.recipients.clone(),
        selected: selected.into(),
        content: content
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (name.into(), count))
            .collect(),
        adopted: None,
    }
}
