//! The canary in etcd: one key, named after the run. Facts leave it out on both sides.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::connection::Connection;
use super::message::{Bytes, Compare, Done, Found, KeyValue, Operation, Range, Transaction};
use crate::mark::Removal;
use crate::{Canary, CanarySeen, Error, Kind, Result};

/// What the names of all canaries begin with.
const PREFIX: &str = "drillctl-canary-";

/// What it holds.
#[derive(Debug, Serialize, Deserialize)]
struct Planted {
    run: String,
    nonce: String,
    planted_at: Timestamp,
}

/// Whether a key is a canary, whichever run's.
pub(super) fn is_canary(name: &[u8]) -> bool {
    name.starts_with(PREFIX.as_bytes())
}

/// Plants it.
///
/// # Errors
/// [`Kind::Refused`] if there is such a key; those of [`Connection::ask`].
pub(crate) async fn plant(connection: &mut Connection, canary: &Canary) -> Result<()> {
    let planted = Planted { run: canary.run.clone(), nonce: canary.nonce.clone(), planted_at: canary.planted_at };
    let (key, value) = (name(&canary.run), serde_json::to_vec(&planted).expect("a canary is plain JSON"));
    let transaction = Transaction {
        compare: [Compare::Create { key: key.clone(), create_revision: 0 }],
        success: [Operation::RequestPut { key, value: Bytes(value) }],
    };
    let Done { succeeded } = connection.ask("kv/txn", &transaction).await?;
    if succeeded {
        return Ok(());
    }
    Err(Error::new(Kind::Refused, format!("key {PREFIX}{} is there already", canary.run)))
}

/// Removes it, if it is there and is this run's.
///
/// # Errors
/// [`Kind::Refused`] if it is somebody else's; those of [`Connection::ask`].
pub(crate) async fn unplant(connection: &mut Connection, run: &str) -> Result<Removal> {
    let Some(held) = held(connection, run).await? else { return Ok(Removal::Absent) };
    if planted(&held).is_none_or(|planted| planted.run != run) {
        return Err(Error::new(Kind::Refused, format!("key {PREFIX}{run} does not carry the mark of run {run}"))
            .hint("Look at what it holds; drillctl removes only what it made itself."));
    }
    let transaction = Transaction {
        compare: [Compare::Mod { key: held.key.clone(), mod_revision: held.mod_revision }],
        success: [Operation::RequestDeleteRange { key: held.key }],
    };
    let Done { succeeded } = connection.ask("kv/txn", &transaction).await?;
    if succeeded {
        return Ok(Removal::Removed);
    }
    Err(Error::new(Kind::Unavailable, format!("key {PREFIX}{run} was changed while it was removed")).temporary())
}

/// The canary of this run, if it is there.
///
/// # Errors
/// Those of [`Connection::ask`].
pub(crate) async fn find(connection: &mut Connection, run: &str) -> Result<Option<CanarySeen>> {
    let found = held(connection, run).await?.as_ref().and_then(planted);
    Ok(found.map(|Planted { nonce, planted_at, .. }| CanarySeen { nonce, planted_at }))
}

async fn held(connection: &mut Connection, run: &str) -> Result<Option<KeyValue>> {
    let found: Found = connection.ask("kv/range", &Range { key: name(run), ..Range::default() }).await?;
    Ok(found.kvs.into_iter().next())
}

fn planted(held: &KeyValue) -> Option<Planted> {
    serde_json::from_slice(&held.value.0).ok()
}

fn name(run: &str) -> Bytes {
    Bytes(format!("{PREFIX}{run}").into_bytes())
}
