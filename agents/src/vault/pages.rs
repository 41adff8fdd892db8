//! The listing of a store, page by page, in the order of the keys. A key that OpenDAL can't tell apart from another shows by
//! standing out of order, and ends the listing: it would be taken for the other.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use opendal::options::ListOptions;
use opendal::{Entry, EntryMode, ErrorKind};
use tokio::sync::Mutex;

use super::Vault;
use super::attempt::Act;
use super::bucket::{Kept, Listed};
use crate::Result;

/// Objects of a page.
const PAGE: usize = 1_000;

/// The listing of a store.
pub(crate) struct Pages {
    place: Vault,
    pass: Mutex<Option<Pass>>,
    last: Option<String>,
    ended: bool,
}

impl Pages {
    /// The listing of all that is in this place.
    pub(crate) fn of(place: &Vault) -> Self {
        Self { place: place.clone(), pass: Mutex::new(None), last: None, ended: false }
    }

    /// The next objects; none at the end.
    ///
    /// # Errors
    /// Those of reaching the store; [`crate::Kind::Unavailable`] for a listing out of order.
    pub(crate) async fn next(&mut self) -> Result<Vec<Listed>> {
        if self.ended {
            return Ok(Vec::new());
        }
        let page = self.place.attempt(&Act::new("listing", "/"), || self.page()).await?;
        self.ended = page.len() < PAGE;
        self.last = page.last().map(|listed| listed.key.clone()).or(self.last.take());
        Ok(page)
    }

    /// A pass that failed is lost, and another one goes on behind the last page.
    async fn page(&self) -> opendal::Result<Vec<Listed>> {
        let mut kept = self.pass.lock().await;
        let mut pass = match kept.take() {
            Some(pass) => pass,
            None => Pass::begin(&self.place, self.last.as_deref()).await?,
        };
        let mut page = Vec::with_capacity(PAGE);
        while page.len() < PAGE
            && let Some(listed) = pass.next().await?
        {
            page.push(listed);
        }
        *kept = Some(pass);
        Ok(page)
    }
}

/// One run through the listing.
struct Pass {
    entries: BoxStream<'static, opendal::Result<Entry>>,
    last: Option<String>,
    /// What stands no further is known already.
    known: Option<String>,
}

impl Pass {
    async fn begin(place: &Vault, known: Option<&str>) -> opendal::Result<Self> {
        let sorted = place.operator.info().capability().list_with_start_after;
        // In a whole bucket a key may begin with a slash, and OpenDAL tells it without: nothing can be listed from there on.
        let start_after = known.filter(|_| sorted && place.operator.info().root() != "/").map(str::to_owned);
        let options = ListOptions { recursive: true, start_after: start_after.clone(), ..ListOptions::default() };
        let entries = place.operator.lister_options(&place.at(""), options).await?;
        let entries = if sorted { entries.boxed() } else { sort(entries.try_collect().await?) };
        Ok(Self { entries, last: start_after, known: known.map(str::to_owned) })
    }

    async fn next(&mut self) -> opendal::Result<Option<Listed>> {
        while let Some(entry) = self.entries.try_next().await? {
            let listed = Listed::from(&entry);
            if let Some(last) = self.last.as_ref().filter(|last| **last >= listed.key) {
                return Err(out_of_order(last, &listed.key));
            }
            self.last = Some(listed.key.clone());
            if self.known.as_ref().is_none_or(|known| *known < listed.key) {
                return Ok(Some(listed));
            }
        }
        Ok(None)
    }
}

impl From<&Entry> for Listed {
    fn from(entry: &Entry) -> Self {
        let told = entry.metadata();
        let kind = match told.mode() {
            EntryMode::FILE => Kept::Object,
            EntryMode::DIR => Kept::Folder,
            EntryMode::Unknown => Kept::Other,
        };
        let key = if entry.path() == "/" { String::new() } else { entry.path().to_owned() };
        Self { key, bytes: told.content_length(), etag: told.etag().map(str::to_owned), kind }
    }
}

/// Entries of a service that lists in no order.
fn sort(mut entries: Vec<Entry>) -> BoxStream<'static, opendal::Result<Entry>> {
    entries.sort_unstable_by(|a, b| a.path().cmp(b.path()));
    stream::iter(entries.into_iter().map(Ok)).boxed()
}

fn out_of_order(last: &str, key: &str) -> opendal::Error {
    let what =
        format!("{key} stands behind {last}, so one of them is the name of another key: one that begins with a slash?");
    opendal::Error::new(ErrorKind::Unexpected, what)
}
