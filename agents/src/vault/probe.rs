//! Whether a vault can be written at all, asked before anything is done.

use bytes::Bytes;
use rand::RngCore;

use super::{Vault, folder};
use crate::buffers::Buffers;
use crate::{Context, Error, Kind, Result};

/// Bytes of the file that is tried.
const SIZE: usize = 1 << 10;

impl Vault {
    /// Writes, reads back and removes a small file, and leaves nothing.
    ///
    /// # Errors
    /// What hinders it: [`Kind::Denied`], [`Kind::Exhausted`], [`Kind::Unavailable`], …; [`Kind::Unavailable`] if the vault gives
    /// back other bytes than it took.
    pub async fn probe_write(&self, cx: &Context) -> Result<()> {
        let made = self.folder.as_deref().map(folder::absent).unwrap_or_default();
        let done = self.write_and_read(cx).await;
        folder::remove_empty(&made);
        done
    }

    async fn write_and_read(&self, cx: &Context) -> Result<()> {
        let mut bytes = vec![0; SIZE];
        rand::rng().fill_bytes(&mut bytes);
        let (bytes, path) = (Bytes::from(bytes), format!(".drillctl-probe-{}", cx.run));
        let read = match self.write(&path, bytes.clone()).await {
            Ok(()) => self.read(&path, SIZE as u64, &Buffers::default()).await,
            Err(error) => Err(error),
        };
        let removed = self.remove(&path).await;
        if read? != bytes {
            return Err(Error::new(
                Kind::Unavailable,
                format!("{} gives back other bytes than it took", self.location),
            ));
        }
        removed
    }
}
