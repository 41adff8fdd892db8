//! Whether everything that a snapshot's header names is in the vault as it was stored, and whether the keys open it. Finds all
//! damage instead of stopping at the first.

use futures::{StreamExt, stream};

use super::Keys;
use super::located::{Files, interrupted};
use crate::snapshot::{Header, Part};
use crate::{Context, Error, Kind, Result, Vault};

/// What belongs in a snapshot's folder besides the parts.
const BESIDE: [&str; 3] = ["snapshot.json", "RESTORE.md", "SHA256SUMS"];

/// What was found out about a snapshot.
#[derive(Debug)]
pub struct Verified {
    /// Its header.
    pub header: Header,
    /// SHA-256 of the header, hexadecimal.
    pub header_sha256: String,
    /// Public key of the identity that opened it; absent without keys, and where none did.
    pub opened_with: Option<String>,
    /// Everything that is wrong: parts that are missing, changed or don't open ([`Kind::Corrupt`]), keys that don't fit
    /// ([`Kind::WrongKey`]).
    pub damage: Vec<Error>,
    /// Files in its folder that don't belong there.
    pub strangers: Vec<String>,
}

/// Reads every part of a snapshot and compares its digest; with keys, opens it too. It is written nowhere.
///
/// # Errors
/// What hinders finding out, and a header that can't be read: everything else stands in [`Verified::damage`].
pub async fn verify(cx: &Context, vault: &Vault, keys: Option<&Keys>, id: &str) -> Result<Verified> {
    let (files, header_sha256) = Files::find(cx, vault, id, None).await?;
    let strangers = strangers(vault, &files.header, id).await?;
    let header = files.header.as_ref().clone();
    let mut verified = Verified { header, header_sha256, opened_with: None, damage: Vec::new(), strangers };
    let work = check_parts(cx, &files, keys, &mut verified);
    cx.cancel.run_until_cancelled(work).await.unwrap_or_else(|| Err(interrupted()))?;
    Ok(verified)
}

async fn check_parts(cx: &Context, files: &Files, keys: Option<&Keys>, verified: &mut Verified) -> Result<()> {
    cx.progress.begin(files.header.sealed_bytes());
    let identity = match keys {
        Some(keys) => found(files.open_index(cx, keys).await, &mut verified.damage)?.map(|(identity, _)| identity),
        None => None,
    };
    verified.opened_with = identity.as_ref().map(|identity| identity.public.clone());
    // What was opened already, or seen not to open, is not looked at again.
    let (header, identity) = (&files.header, identity.as_ref());
    let parts = if keys.is_some() { header.segments.clone() } else { header.parts().cloned().collect() };
    let checked = stream::iter(parts).map(|part| async move {
        let done = match identity {
            Some(identity) => files.open(cx, &part, identity).await.map(drop),
            None => files.fetch(cx, &part).await.map(drop),
        };
        cx.progress.add(part.size);
        done
    });
    let mut checked = std::pin::pin!(checked.buffered(files.lanes.count));
    while let Some(done) = checked.next().await {
        found(done, &mut verified.damage)?;
    }
    Ok(())
}

/// Damage is what was to be found out; other errors hinder it.
fn found<T>(result: Result<T>, damage: &mut Vec<Error>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::WrongKey) => {
            damage.push(error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn strangers(vault: &Vault, header: &Header, id: &str) -> Result<Vec<String>> {
    let names = vault.files(id).await?;
    let belongs =
        |name: &String| BESIDE.contains(&name.as_str()) || header.parts().any(|part: &Part| part.name == *name);
    let mut strangers: Vec<_> = names.into_iter().filter(|name| !belongs(name)).collect();
    strangers.sort();
    Ok(strangers)
}
