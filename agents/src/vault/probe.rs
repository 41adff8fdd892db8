//! Whether a vault can be written at all, and what it does where something is already, asked before anything else is done.

use bytes::Bytes;
use rand::RngCore;

use super::{Vault, folder};
use crate::buffers::Buffers;
use crate::{Context, Error, Kind, Result};

/// Bytes of the file that is tried.
const SIZE: usize = 1 << 10;

impl Vault {
    /// Writes, reads back and removes a small file, and leaves nothing. Finds out on the way whether the store refuses to write
    /// over what is there when it is asked to; [`Vault::capabilities`] tell it from then on.
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
        let read = match self.write_twice(&path, &bytes).await {
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

    /// Writes on the condition that nothing is there, a second time too: only a store that refuses that one means it.
    async fn write_twice(&self, path: &str, bytes: &Bytes) -> Result<()> {
        if self.folder.is_some() || !self.operator.info().capability().write_with_if_not_exists {
            return self.write(path, bytes.clone()).await;
        }
        let honoured = match self.write_new(path, bytes.clone()).await {
            Ok(new) => {
                let refused = !self.write_new(path, bytes.clone()).await?;
                if !new {
                    // Left by one that was killed.
                    self.write(path, bytes.clone()).await?;
                }
                refused
            }
            // A store that doesn't know conditions may refuse the request for it.
            Err(error) if error.kind() == Kind::Unavailable && !error.is_temporary() => {
                self.write(path, bytes.clone()).await?;
                false
            }
            Err(error) => return Err(error),
        };
        // Who has probed before has found the same.
        let _ = self.conditions.set(honoured);
        Ok(())
    }
}
