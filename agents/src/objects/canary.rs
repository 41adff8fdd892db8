//! The canary of objects: one below the prefix, named after the run, with the text of a tree's.

use bytes::Bytes;

use crate::mark::Removal;
use crate::{Canary, Error, Kind, Result, Vault, tree};

/// A canary is shorter than this.
const LONGEST: u64 = 4 << 10;

/// Plants a canary.
///
/// # Errors
/// [`Kind::Refused`] if there is one of this run already; those of reaching the store.
pub(crate) async fn plant(place: &Vault, canary: &Canary) -> Result<()> {
    let (key, text) = (key(&canary.run), Bytes::from(tree::canary_text(canary)));
    // Not every store knows conditions, so it is looked at first.
    if place.small_file(&key, LONGEST).await?.is_some() {
        let message = format!("there is a canary of run {} in {} already", canary.run, place.location());
        return Err(Error::new(Kind::Refused, message));
    }
    place.write(&key, text).await.map_err(read_only)
}

/// Removes this run's canary if it is there and says that it is this run's.
///
/// # Errors
/// [`Kind::Refused`] if the object of that name says something else; those of reaching the store.
pub(crate) async fn unplant(place: &Vault, run: &str) -> Result<Removal> {
    let key = key(run);
    match place.small_file(&key, LONGEST).await {
        Ok(None) => Ok(Removal::Absent),
        Ok(Some(text)) if tree::is_canary_text(&text, run) => {
            place.remove(&key).await?;
            Ok(Removal::Removed)
        }
        Err(error) if error.kind() != Kind::Corrupt => Err(error),
        _ => Err(Error::new(Kind::Refused, format!("{key} in {} is not the canary of run {run}", place.location()))
            .hint("Look at what is in it; drillctl removes only what it made itself.")),
    }
}

fn key(run: &str) -> String {
    tree::canary_path(run).to_string_lossy().into_owned()
}

fn read_only(error: Error) -> Error {
    match error.kind() {
        Kind::Denied => error.hint("Give keys that may write and delete there, or take `canary` out of the source."),
        _ => error,
    }
}
