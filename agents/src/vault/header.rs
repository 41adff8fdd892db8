//! Storing the header of a snapshot: it appears last, whole or not at all, and never in the place of another.

use bytes::Bytes;

use super::attempt::Act;
use super::{HEADER_NAME, Vault, folder, snapshot_folder};
use crate::stream::on_thread;
use crate::{Error, Kind, Result};

impl Vault {
    /// Stores the header of a snapshot, after everything before it is on stable storage.
    ///
    /// # Errors
    /// [`Kind::Refused`] if there is another one, as far as the vault can tell; those of storing.
    pub(crate) async fn store_header(&self, id: &str, bytes: Bytes) -> Result<()> {
        let path = format!("{}{HEADER_NAME}", snapshot_folder(id)?);
        self.sync(id).await?;
        let new = if self.operator.info().capability().rename {
            self.name_header(&path, bytes.clone()).await?
        } else if self.honours_conditions() {
            self.write_new(&path, bytes.clone()).await?
        } else {
            self.write(&path, bytes.clone()).await?;
            true
        };
        // Its own header is there already if the answer to storing it was lost.
        if !new && self.fetch_small(id, HEADER_NAME).await?.as_ref() != Some(&bytes) {
            return Err(Error::new(Kind::Refused, format!("snapshot {id} has a header in {} already", self.location))
                .hint("Another run stores under the same id: look which one, and run the drill again."));
        }
        self.sync(id).await
    }

    /// Writes beside the name and then takes it. Whether the name was free, where that can be told.
    async fn name_header(&self, path: &str, bytes: Bytes) -> Result<bool> {
        let partial = format!("{path}.partial");
        self.write(&partial, bytes).await?;
        if let Some(top) = &self.folder {
            let (from, to, subject) = (top.join(&partial), top.join(path), format!("{path} in {}", self.location));
            return on_thread(move || folder::name_new(&from, &to))
                .await
                .map_err(|cause| Error::io("naming", subject, cause));
        }
        let (from, to) = (self.at(&partial), self.at(path));
        self.attempt(&Act::new("naming", path), || self.operator.rename(&from, &to)).await?;
        Ok(true)
    }

    async fn sync(&self, id: &str) -> Result<()> {
        let Some(top) = self.folder.clone() else { return Ok(()) };
        let snapshot = top.join(snapshot_folder(id)?);
        let synced = on_thread(move || folder::sync(&top, &snapshot)).await;
        synced.map_err(|cause| Error::io("syncing", &self.location, cause))
    }
}
