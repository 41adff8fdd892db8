//! Takes one object: what the store tells of it and, unless it is big, its content.

use std::path::PathBuf;

use bytes::Bytes;

use super::entry::entry;
use super::keys::unrestorable;
use crate::vault::{About, Kept, Listed};
use crate::{Account, Entry, EntryKind, Kind, Result, Sha256, Vault};

/// Objects up to this size are taken whole, several at once.
const SMALL: u64 = 1 << 20;

/// An object that was listed, and the path that it will have.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) listed: Listed,
}

/// An object that was taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) entry: Entry,
    pub(super) about: About,
    /// What is in it, unless it is big and still to be read.
    pub(super) content: Option<Bytes>,
}

impl Found {
    /// Takes it; nothing if it is gone.
    ///
    /// # Errors
    /// [`Kind::Config`] for what can't be restored; those of reaching it.
    pub(super) async fn take(&self, place: &Vault, owner: &Account) -> Result<Option<Taken>> {
        let taken = match self.listed.kind {
            Kept::Object => self.object(place, owner).await,
            Kept::Folder => self.folder(place, owner).await,
            Kept::Other => Err(unrestorable(&self.listed.key, "it is neither a file nor a folder")),
        };
        match taken {
            Ok(taken) => Ok(Some(taken)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) if error.kind() == Kind::Denied => Err(error.hint(
                "See to it that the keys may read it, and that it is not archived; or leave it out with `exclude`.",
            )),
            Err(error) => Err(error),
        }
    }

    /// Whether it isn't the version that was listed.
    pub(super) fn was_replaced(&self, about: &About) -> bool {
        match (&self.listed.etag, &about.etag) {
            (Some(listed), Some(taken)) => listed != taken,
            _ => self.listed.kind == Kept::Object && self.listed.bytes != about.bytes,
        }
    }

    async fn object(&self, place: &Vault, owner: &Account) -> Result<Taken> {
        let (about, content) = place.object(&self.listed, SMALL).await?;
        let sha256 = content.as_ref().map_or(Sha256::UNREAD, |content| Sha256::of(content));
        let entry = entry(&self.path, EntryKind::File { size: about.bytes, sha256 }, &about, owner);
        Ok(Taken { entry, about, content })
    }

    async fn folder(&self, place: &Vault, owner: &Account) -> Result<Taken> {
        let (about, has_content) = place.folder_object(&self.listed.key).await?;
        if has_content {
            return Err(unrestorable(&self.listed.key, "its key ends with a slash, and a folder has no content"));
        }
        let entry = entry(&self.path, EntryKind::Directory, &about, owner);
        Ok(Taken { entry, about, content: Some(Bytes::new()) })
    }
}
