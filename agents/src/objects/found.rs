//! What is listed in a store, with the paths that it will have, and how much it is.

use std::collections::BTreeSet;

use futures::{Stream, StreamExt, TryStreamExt, stream};

use super::capture::Objects;
use super::excluded::Excluded;
use super::keys::Keys;
use super::taken::Found;
use crate::vault::{Kept, Pages};
use crate::{Context, Error, Estimate, Kind, Result, Vault};

/// Keys that an error names.
const NAMED: usize = 10;

/// Bytes that a path takes in an archive beside its content.
const HEADERS: u64 = 2_048;
/// File systems and archives give content out in pieces of about this size.
const PIECE: u64 = 4_096;

/// All that is listed and not left out, in the order of keys. What can't be a path is an error in its place.
pub(super) fn found<'a>(
    cx: &'a Context,
    place: &Vault,
    excluded: &'a mut Excluded<'_>,
) -> impl Stream<Item = Result<Found>> + Send + 'a {
    let begin = (Pages::of(place), Keys::default(), excluded);
    let pages = stream::try_unfold(begin, move |(mut pages, mut keys, excluded)| async move {
        cx.go_on()?;
        let mut page = pages.next().await?;
        if page.is_empty() {
            return Ok(None);
        }
        page.retain(|listed| !excluded.leaves_out(&listed.key));
        let found = page.into_iter().map(|listed| Ok(Found { path: keys.path(&listed.key)?, listed }));
        let found: Vec<Result<Found>> = found.collect();
        Ok(Some((stream::iter(found), (pages, keys, excluded))))
    });
    pages.try_flatten()
}

/// How much there is to take. Reads the listing only; keys that can't be restored are found here already.
///
/// # Errors
/// [`Kind::NotFound`] if there is no object; [`Kind::Config`] for keys that can't be paths; those of reaching the store.
pub(crate) async fn survey(cx: &Context, objects: &Objects) -> Result<Estimate> {
    let place = objects.place.as_source(cx);
    let mut excluded = Excluded::new(&objects.exclude);
    let mut found = std::pin::pin!(found(cx, &place, &mut excluded));
    let (mut sum, mut any, mut refused) = (Estimate::default(), false, Vec::new());
    while let Some(found) = found.next().await {
        match found {
            Ok(Found { listed, .. }) => {
                sum.items += 1;
                any |= listed.kind != Kept::Folder;
                sum.stream_bytes += HEADERS + listed.bytes;
                sum.restored_bytes += listed.bytes.next_multiple_of(PIECE);
            }
            Err(error) if error.kind() == Kind::Config && refused.len() < NAMED => refused.push(error),
            Err(error) if error.kind() == Kind::Config => break,
            Err(error) => return Err(error),
        }
    }
    match refused.is_empty() {
        true if any => Ok(sum),
        true => Err(nothing(&place)),
        false => Err(together(refused)),
    }
}

/// There is no backup of nothing: a prefix that is misspelt lists nothing either.
pub(super) fn nothing(place: &Vault) -> Error {
    Error::new(Kind::NotFound, format!("there is no object in {}", place.location()))
        .hint("Correct the bucket and prefix in `place`, or what `exclude` leaves out.")
}

/// Several errors of one kind as one.
fn together(refused: Vec<Error>) -> Error {
    let hint = refused.first().and_then(Error::next_step).unwrap_or_default().to_owned();
    let all: Vec<String> = refused.iter().map(ToString::to_string).collect();
    Error::new(Kind::Config, all.join("; ")).hint(hint)
}

/// Fails if one of these objects, none of which could be found, is listed still.
///
/// # Errors
/// [`Kind::Unavailable`] for one that is; those of reaching the store.
pub(super) async fn require_gone(cx: &Context, place: &Vault, gone: &BTreeSet<String>) -> Result<()> {
    let mut pages = Pages::of(place);
    loop {
        cx.go_on()?;
        let page = if gone.is_empty() { Vec::new() } else { pages.next().await? };
        if page.is_empty() {
            return Ok(());
        }
        if let Some(listed) = page.iter().find(|listed| gone.contains(&listed.key)) {
            let message = format!("object {} is listed in {} and can't be read", listed.key, place.location());
            return Err(Error::new(Kind::Unavailable, message)
                .hint("If its key begins with a slash, rename it. If it comes and goes, run the drill again, or leave it out with `exclude`."));
        }
    }
}
