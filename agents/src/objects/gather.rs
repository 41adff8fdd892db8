//! Reads what is in a store, several objects at once, and hands it on in the order of the keys.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::capture::{Objects, Step};
use super::excluded::Excluded;
use super::found::{found, require_gone};
use super::taken::{Found, Taken};
use crate::tree::Notes;
use crate::vault::About;
use crate::{Account, Context, Error, Kind, Result, Vault};

/// Objects that are read at once.
const AT_ONCE: usize = 16;
/// Bytes of a big object that are read with one request.
const PART: usize = 4 << 20;
/// How many such requests are under way.
const AHEAD: usize = 3;

/// Hands on all that is there, and returns what people should know of it.
///
/// # Errors
/// [`Kind::Config`] for a key that can't be a path; [`Kind::Unavailable`] for an object that is listed and can't be read, or that is
/// replaced while it is read; those of reaching the store.
pub(super) async fn gather(cx: &Context, objects: &Objects, queue: mpsc::Sender<Step>) -> Result<Notes> {
    let place = objects.place.as_source(cx);
    let (mut excluded, owner) = (Excluded::new(&objects.exclude), Account::current());
    let mut gathering = Gathering { place: &place, queue, notes: Notes::default(), gone: BTreeSet::new() };
    {
        let taken = found(cx, &place, &mut excluded).map_ok(|found| {
            let (place, owner) = (place.clone(), owner.clone());
            // A task of its own goes on while what was read before waits to be sealed.
            by_itself(async move { found.take(&place, &owner).await.map(|taken| (found, taken)) })
        });
        let mut taken = std::pin::pin!(taken.try_buffered(AT_ONCE));
        while let Some((found, taken)) = taken.try_next().await? {
            gathering.hand_on(found, taken).await?;
        }
    }
    require_gone(cx, &place, &gathering.gone).await?;
    excluded.tell(&mut gathering.notes);
    Ok(gathering.notes)
}

struct Gathering<'a> {
    place: &'a Vault,
    queue: mpsc::Sender<Step>,
    notes: Notes,
    /// Keys that were listed and then not there.
    gone: BTreeSet<String>,
}

impl Gathering<'_> {
    async fn hand_on(&mut self, found: Found, taken: Option<Taken>) -> Result<()> {
        let Some(Taken { entry, about, content }) = taken else {
            self.notes.add(&found.path, "It vanished while the objects were read.");
            self.gone.insert(found.listed.key);
            return Ok(());
        };
        if found.was_replaced(&about) {
            self.notes.add(&found.path, "It was replaced while the objects were read; the newer one was taken.");
        }
        match content {
            Some(content) => self.send(Step::Whole(entry, content)).await,
            None => {
                self.send(Step::Begin(entry)).await?;
                self.parts(&found.listed.key, &about).await
            }
        }
    }

    /// Hands on the content of a big object.
    async fn parts(&self, key: &str, about: &About) -> Result<()> {
        let parts = (0..about.bytes).step_by(PART);
        let parts = stream::iter(parts).map(|from| {
            let (place, key, etag) = (self.place.clone(), key.to_owned(), about.version().map(str::to_owned));
            let (part, buffer) = (from..about.bytes.min(from + PART as u64), Vec::with_capacity(PART));
            by_itself(async move { place.read_version(&key, part, etag.as_deref(), buffer).await })
        });
        let mut parts = std::pin::pin!(parts.buffered(AHEAD));
        while let Some(part) = parts.next().await {
            self.send(Step::Piece(part?.into())).await?;
        }
        // Where no tag vouches for each part, all of them are of one version if the object is now what it was before.
        if about.version().is_some() || self.place.about(key).await? == *about {
            return Ok(());
        }
        Err(Error::new(Kind::Unavailable, format!("object {key} was replaced while it was read"))
            .hint("Run the drill when nobody writes to it, or leave it out with `exclude`."))
    }

    /// Whoever writes has failed if nobody takes it, and says why: there is nothing to add.
    async fn send(&self, step: Step) -> Result<()> {
        match self.queue.send(step).await {
            Ok(()) => Ok(()),
            Err(_) => std::future::pending().await,
        }
    }
}

/// What a task of its own gives. It ends when nobody waits for it any more.
async fn by_itself<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    match AbortOnDropHandle::new(tokio::spawn(work)).await {
        Ok(done) => done,
        Err(died) => std::panic::resume_unwind(died.into_panic()),
    }
}
