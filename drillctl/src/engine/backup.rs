//! Capture and Store: the source is read into the seal, and the snapshot exists once its header is in the vault. Or Select: an
//! existing snapshot is taken from the vault.

use drill_agents::seal::{self, About, Sealing};
use drill_agents::{Canary, Captured, Contents, EntryKind, Error, Format, Header, Kind};
use drill_reports::{Backup, Event, LeaseEnd, Segments};

use super::leases::{CANARY, SNAPSHOT};
use super::recovery::{Rests, There};
use super::release::end;
use super::results::blamed;
use super::{Engine, Stop, adopted};
use crate::plan::{Choice, Origin, Own, System};

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

/// What there is of a system's backup once all were looked for or read.
pub(super) enum Found<'a> {
    /// It was read, and is not complete in the vault yet.
    Taken(&'a System, &'a Own, Box<Taken>),
    /// It is there.
    There(There<'a>),
}

/// Takes or chooses the backup of every system, in their order. If one can't be had, nothing is written of the others any more when
/// this returns.
pub(super) async fn find<'a>(engine: &mut Engine<'a>) -> Result<Vec<Found<'a>>, Stop> {
    let mut all = Vec::new();
    for system in &engine.plan.systems {
        match find_one(engine, system).await {
            Ok(found) => all.push(found),
            Err(stop) => {
                for found in all {
                    if let Found::Taken(_, _, taken) = found {
                        taken.abandon().await;
                    }
                }
                return Err(stop);
            }
        }
    }
    Ok(all)
}

async fn find_one<'a>(engine: &mut Engine<'a>, system: &'a System) -> Result<Found<'a>, Stop> {
    let own = match &system.origin {
        Origin::Own(own) => own,
        Origin::Adopted(adoption) => {
            let found = adopted::select(engine, system, adoption).await?;
            return Ok(Found::There(There { system, rests: Rests::Adopted(Box::new(found)) }));
        }
    };
    match &own.choice {
        Choice::Capture => Ok(Found::Taken(system, own, Box::new(capture(engine, system, own).await?))),
        Choice::Select { snapshot, how, header_sha256 } => {
            let stored = select(engine, system, own, (snapshot, how, header_sha256.as_deref())).await?;
            Ok(Found::There(There { system, rests: Rests::Own(own, stored) }))
        }
    }
}

/// The backups, if all of them are there already.
pub(super) fn resting(found: Vec<Found<'_>>) -> Result<Vec<There<'_>>, Vec<Found<'_>>> {
    if found.iter().any(|found| matches!(found, Found::Taken(..))) {
        return Err(found);
    }
    let there = found.into_iter().filter_map(|found| match found {
        Found::There(there) => Some(there),
        Found::Taken(..) => None,
    });
    Ok(there.collect())
}

/// Completes the snapshots that were read.
pub(super) async fn store_all<'a>(engine: &mut Engine<'a>, found: Vec<Found<'a>>) -> Result<Vec<There<'a>>, Stop> {
    let mut all = Vec::new();
    for found in found {
        all.push(match found {
            Found::There(there) => there,
            Found::Taken(system, own, taken) => {
                let stored = store(engine, system, own, *taken).await?;
                There { system, rests: Rests::Own(own, stored) }
            }
        });
    }
    Ok(all)
}

impl Taken {
    /// Gives it up, and waits until nothing is written to the vault any more.
    pub(super) async fn abandon(self) {
        self.sealing.abandon(self.writer, Error::new(Kind::Interrupted, "another system could not be captured")).await;
    }
}

/// Reads the source of a system into the seal.
async fn capture(engine: &mut Engine<'_>, system: &System, own: &Own) -> Result<Taken, Stop> {
    let (cx, name) = (&system.cx, system.name.as_deref());
    cx.progress.begin(system.estimate.stream_bytes);
    let canary_lease = plant(engine, system, own).await?;
    let snapshot = format!("{}-{}", engine.plan.file.sealed_as(name), cx.run);
    let what = format!("snapshot {snapshot} in {}", own.vault.location());
    let snapshot_lease = engine.leases.take(SNAPSHOT, name, what, &snapshot)?;
    let (sealing, mut writer) = Sealing::begin(cx, &own.vault, &own.keys, &snapshot).await?;
    match own.source.capture(cx, &mut writer).await.and_then(holding_something) {
        Ok(captured) => {
            engine.note(system, &captured.notes)?;
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
        Format::Rdb | Format::EtcdSnapshot if index.databases.iter().all(|database| database.keyspaces.is_empty()) => {
            Err(empty(
                "key",
                "An empty backup saves nobody: look whether the right server is named, and whether it has lost its data.",
            ))
        }
        _ => Ok(captured),
    }
}

/// Plants the canary where the scenario allows it.
async fn plant(engine: &mut Engine<'_>, system: &System, own: &Own) -> Result<Option<String>, Stop> {
    let cx = &system.cx;
    if !system.source.plants_canary() {
        return Ok(None);
    }
    let what = format!("canary in the {} source", system.source.kind());
    let lease = engine.leases.take(CANARY, system.name.as_deref(), what, &cx.run)?;
    let canary = Canary { run: cx.run.clone(), nonce: engine.nonce.clone(), planted_at: cx.clock.now() };
    own.source.plant(cx, &canary).await?;
    Ok(Some(lease))
}

/// Completes the snapshot. The canary has done its duty then and leaves the source at once.
async fn store(engine: &mut Engine<'_>, system: &System, own: &Own, taken: Taken) -> Result<Stored, Stop> {
    let cx = &system.cx;
    let Taken { sealing, writer, captured, snapshot_lease, canary_lease } = taken;
    if let Some(lease) = canary_lease {
        engine.leases.settle(&lease, own.source.unplant(cx, &cx.run).await.map(end))?;
    }
    let about = About {
        scenario: engine.plan.file.sealed_as(system.name.as_deref()),
        source: system.source.kind().into(),
        tool: concat!("drillctl ", env!("CARGO_PKG_VERSION")).into(),
    };
    let stored = sealing.complete(cx, writer, captured, about).await?;
    let backup = backup(system, own, (&stored.header, &stored.header_sha256), "captured in this run");
    engine.journal.append(Event::BackupStored(Box::new(backup)))?;
    engine.leases.end(&snapshot_lease, LeaseEnd::Kept)?;
    Ok(Stored { snapshot: stored.header.id, header_sha256: stored.header_sha256 })
}

/// Takes an existing snapshot from the vault. One whose header is damaged is a failed check.
async fn select(
    engine: &mut Engine<'_>,
    system: &System,
    own: &Own,
    (snapshot, how, header_sha256): (&str, &str, Option<&str>),
) -> Result<Stored, Stop> {
    let (header, digest) = seal::header(&system.cx, &own.vault, snapshot, header_sha256)
        .await
        .map_err(|error| blamed(engine, system, error))?;
    let backup = backup(system, own, (&header, &digest), how);
    engine.journal.append(Event::BackupStored(Box::new(backup)))?;
    Ok(Stored { snapshot: snapshot.to_owned(), header_sha256: digest })
}

fn backup(system: &System, own: &Own, (header, digest): (&Header, &str), selected: &str) -> Backup {
    let Contents { files, bytes, tables, rows, keys } = header.contents;
    let content = [("files", files), ("bytes", bytes), ("tables", tables), ("rows", rows), ("keys", keys)];
    Backup {
        snapshot: header.id.clone(),
        system: system.name.clone(),
        location: own.vault.location().into(),
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
