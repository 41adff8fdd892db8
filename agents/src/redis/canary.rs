//! The canary in Redis: one key in the first database, named after the run. Facts leave it out on both sides.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::connection::{Answer, Connection};
use crate::mark::Removal;
use crate::{Canary, CanarySeen, Error, Kind, Result};

/// What the names of all canaries begin with.
const PREFIX: &str = "drillctl:canary:";

/// What it holds.
#[derive(Debug, Serialize, Deserialize)]
struct Planted {
    run: String,
    nonce: String,
    planted_at: Timestamp,
}

/// Whether a key is a canary, whichever run's.
pub(super) fn is_canary(database: u64, name: &[u8]) -> bool {
    database == 0 && name.starts_with(PREFIX.as_bytes())
}

/// Plants it.
pub(crate) fn plant(connection: &mut Connection, canary: &Canary) -> Result<()> {
    let planted = Planted { run: canary.run.clone(), nonce: canary.nonce.clone(), planted_at: canary.planted_at };
    let text = serde_json::to_string(&planted).expect("a canary is plain JSON");
    let name = name(&canary.run);
    match connection.ask(&["SET", &name, &text, "NX"])? {
        Answer::Nothing => Err(Error::new(Kind::Refused, format!("key {name} is there already"))),
        _ => Ok(()),
    }
}

/// Removes it, if it is there and is this run's.
pub(crate) fn unplant(connection: &mut Connection, run: &str) -> Result<Removal> {
    let name = name(run);
    match held(connection, &name)? {
        None => return Ok(Removal::Absent),
        Some(text) if planted(&text).is_some_and(|planted| planted.run == run) => {}
        Some(_) => {
            return Err(Error::new(Kind::Refused, format!("key {name} does not carry the mark of run {run}"))
                .hint("Look at what it holds; drillctl removes only what it made itself."));
        }
    }
    let removed = connection.ask(&["DEL", &name])?;
    Ok(if removed == Answer::Number(1) { Removal::Removed } else { Removal::Absent })
}

/// The canary of this run, if it is there.
pub(crate) fn find(connection: &mut Connection, run: &str) -> Result<Option<CanarySeen>> {
    let text = held(connection, &name(run))?;
    let found = text.and_then(|text| planted(&text));
    Ok(found.map(|Planted { nonce, planted_at, .. }| CanarySeen { nonce, planted_at }))
}

fn held(connection: &mut Connection, name: &str) -> Result<Option<Vec<u8>>> {
    match connection.ask(&["GET", name])? {
        Answer::Text(text) => Ok(Some(text)),
        _ => Ok(None),
    }
}

fn planted(text: &[u8]) -> Option<Planted> {
    serde_json::from_slice(text).ok()
}

fn name(run: &str) -> String {
    format!("{PREFIX}{run}")
}
