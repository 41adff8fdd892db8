//! Which snapshots a vault holds, whole and half-written, and the removal of half-written ones.

use futures::{StreamExt, stream};

use super::attempt::Act;
use super::{HEADER_NAME, Vault, snapshot_folder};
use crate::snapshot::Header;
use crate::{Context, Error, Kind, Removal, Result};

/// Headers that are read at once.
const AT_ONCE: usize = 8;
/// How often a folder that is being emptied is looked into.
const LOOKS: usize = 5;

/// What is in a vault.
#[derive(Debug, Default)]
pub struct Listing {
    /// Whole snapshots, the newest first.
    pub snapshots: Vec<Header>,
    /// Ids of those without a header: being written, or left by a run that died.
    pub incomplete: Vec<String>,
    /// Those whose header can't be read, and why.
    pub damaged: Vec<(String, Error)>,
}

impl Vault {
    /// Every snapshot. A damaged header doesn't hide the others.
    ///
    /// # Errors
    /// Those of reaching the vault.
    pub async fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        let ids =
            self.names("snapshots/").await?.into_iter().filter_map(|name| name.strip_suffix('/').map(str::to_owned));
        let ids = ids.filter(|id| snapshot_folder(id).is_ok());
        let mut headers =
            stream::iter(ids).map(|id| async { (self.find_header(&id).await, id) }).buffer_unordered(AT_ONCE);
        while let Some((found, id)) = headers.next().await {
            match found {
                Ok(Some(header)) => listing.snapshots.push(header),
                Ok(None) => listing.incomplete.push(id),
                Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::Config) => listing.damaged.push((id, error)),
                Err(error) => return Err(error),
            }
        }
        listing.snapshots.sort_by(|a, b| (b.taken_at, &b.id).cmp(&(a.taken_at, &a.id)));
        listing.incomplete.sort();
        listing.damaged.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(listing)
    }

    /// Ids of snapshots without a header.
    ///
    /// # Errors
    /// Those of reaching the vault.
    pub async fn incomplete(&self) -> Result<Vec<String>> {
        Ok(self.list().await?.incomplete)
    }

    /// The header of one snapshot.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if there is no such snapshot, or it is half-written; [`Kind::Corrupt`].
    pub async fn header(&self, id: &str) -> Result<Header> {
        self.find_header(id).await?.ok_or_else(|| self.no_such(id))
    }

    /// Whether there is such a snapshot, whole.
    ///
    /// # Errors
    /// Those of reaching the vault.
    pub async fn exists(&self, id: &str) -> Result<bool> {
        Ok(self.length(id, HEADER_NAME).await?.is_some())
    }

    /// Removes what a run left of a snapshot that it did not complete. Removing what is not there is success.
    ///
    /// # Errors
    /// [`Kind::Refused`] if the snapshot is whole, or its id doesn't end with the run's; those of reaching the vault.
    pub async fn remove_incomplete(&self, id: &str, cx: &Context) -> Result<Removal> {
        let folder = snapshot_folder(id)?;
        if cx.run.is_empty() || !id.ends_with(&cx.run) {
            return Err(Error::new(Kind::Refused, format!("snapshot {id} is not of run {}", cx.run)));
        }
        if self.exists(id).await? {
            return Err(Error::new(Kind::Refused, format!("snapshot {id} is whole"))
                .hint("Whole snapshots are kept; remove its folder by hand if it is not wanted."));
        }
        if self.names(&folder).await?.is_empty() && !self.holds(&folder).await? {
            return Ok(Removal::Absent);
        }
        self.empty(&folder).await?;
        self.remove(&folder).await?;
        Ok(Removal::Removed)
    }

    /// Removes what is in a folder, and looks again: a write that was given up may have left a file meanwhile.
    async fn empty(&self, folder: &str) -> Result<()> {
        for _ in 0..LOOKS {
            let names = self.names(folder).await?;
            if names.is_empty() {
                break;
            }
            for name in names {
                self.remove(&format!("{folder}{name}")).await?;
            }
        }
        Ok(())
    }

    /// Fails if anything is stored under this id.
    pub(crate) async fn require_absent(&self, id: &str) -> Result<()> {
        if self.files(id).await?.is_empty() {
            return Ok(());
        }
        Err(Error::new(Kind::Refused, format!("snapshot {id} is in {} already", self.location)))
    }

    /// Names of the files in this snapshot's folder.
    pub(crate) async fn files(&self, id: &str) -> Result<Vec<String>> {
        self.names(&snapshot_folder(id)?).await
    }

    /// The header's bytes, if it is there.
    pub(crate) async fn fetch_header(&self, id: &str) -> Result<Option<bytes::Bytes>> {
        self.fetch_small(id, HEADER_NAME).await
    }

    async fn find_header(&self, id: &str) -> Result<Option<Header>> {
        self.fetch_header(id).await?.map(|bytes| Header::parse(id, &bytes)).transpose()
    }

    /// Names in this folder of the vault, those of folders with a slash; none if it isn't there.
    async fn names(&self, folder: &str) -> Result<Vec<String>> {
        let at = self.at(folder);
        let entries = match self.attempt(&Act::new("listing", folder), || self.operator.list(&at)).await {
            Err(error) if error.kind() == Kind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let names = entries.iter().filter_map(|entry| entry.path().strip_prefix(&at));
        Ok(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    pub(crate) fn no_such(&self, id: &str) -> Error {
        Error::new(Kind::NotFound, format!("snapshot {id} is not in {}", self.location))
            .hint("See what there is with `drillctl vault list`.")
    }

    /// Whether the folder itself is there, where a vault has folders.
    async fn holds(&self, folder: &str) -> Result<bool> {
        let at = self.at(folder);
        match self.attempt(&Act::new("looking for", folder), || self.operator.exists(&at)).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            other => other,
        }
    }
}
