//! Objects that applications keep in a store: they are listed and read with what the store tells of them, and nothing more.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use opendal::options::ReaderOptions;
use opendal::raw::oio::{ReadDyn, ReadStreamDyn};
use opendal::raw::{OpRead, Service};
use opendal::{BytesRange, ErrorKind, Metadata};

use super::attempt::Act;
use super::objects::again;
use super::{ATOMIC_STORES, Vault};
use crate::{Context, Result};

/// What a listing tells of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its key below the prefix; empty for an object that is called like the prefix.
    pub(crate) key: String,
    /// Bytes of its content, as far as the listing tells.
    pub(crate) bytes: u64,
    /// The entity tag of its version, if the listing tells it.
    pub(crate) etag: Option<String>,
    /// What is under the key.
    pub(crate) kind: Kept,
}

/// What is under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Content.
    Object,
    /// A folder, or an object whose key ends with a slash and which stands for one.
    Folder,
    /// Neither.
    Other,
}

/// What a store tells of an object that it gives out, beside the content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// Bytes of its content.
    pub(crate) bytes: u64,
    /// The entity tag of this version of it.
    pub(crate) etag: Option<String>,
    /// When it was written.
    pub(crate) modified: Option<Timestamp>,
    /// Headers that it is given out with, by their names in lower case.
    pub(crate) headers: BTreeMap<&'static str, String>,
    /// What its owner noted about it, by names without the store's own prefix.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl About {
    /// The entity tag, if it tells this version from all others byte by byte: a weak one doesn't.
    pub(crate) fn version(&self) -> Option<&str> {
        self.etag.as_deref().filter(|tag| !tag.starts_with("W/"))
    }
}

impl From<&Metadata> for About {
    fn from(told: &Metadata) -> Self {
        let headers = [
            ("cache-control", told.cache_control()),
            ("content-disposition", told.content_disposition()),
            ("content-encoding", told.content_encoding()),
            ("content-type", told.content_type()),
        ];
        let metadata = told.user_metadata().into_iter().flatten();
        Self {
            bytes: told.content_length(),
            etag: told.etag().map(str::to_owned),
            modified: told.last_modified().map(Timestamp::from),
            headers: headers.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))).collect(),
            metadata: metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }
}

impl Vault {
    /// The same for a run that reads a source there: at the pace of sources, and nothing is tried again once it was asked to stop.
    #[must_use]
    pub(crate) fn as_source(&self, cx: &Context) -> Self {
        let mut limits = cx.limits.clone();
        limits.vault = limits.source.clone();
        Self { limits, cancel: cx.cancel.clone(), ..self.clone() }
    }

    /// What the store tells of an object.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`] if it is gone; those of reaching it.
    pub(crate) async fn about(&self, key: &str) -> Result<About> {
        let at = self.at(key);
        let told = self.attempt(&Act::new("looking at", key), || self.operator.stat(&at)).await?;
        Ok(About::from(&told))
    }

    /// The same, and its content if that is not more than `most` bytes.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`] if it is gone; those of reaching it.
    pub(crate) async fn object(&self, listed: &Listed, most: u64) -> Result<(About, Option<Bytes>)> {
        if listed.bytes > most {
            return Ok((self.about(&listed.key).await?, None));
        }
        let at = self.at(&listed.key);
        let act = Act::new("reading", &listed.key).of(listed.bytes);
        self.attempt(&act, || self.object_once(&at, most)).await
    }

    /// One request gives all of it: what is told and the content are of one version.
    async fn object_once(&self, at: &str, most: u64) -> opendal::Result<(About, Option<Bytes>)> {
        let mut pieces = self.operator.reader_options(at, ReaderOptions::default()).await?.into_stream(..).await?;
        let told = match pieces.metadata().await {
            Err(error) if error.kind() == ErrorKind::Unsupported => self.operator.stat(at).await?,
            told => told?,
        };
        let about = About::from(&told);
        if about.bytes > most {
            return Ok((about, None));
        }
        let mut content = Vec::with_capacity(usize::try_from(about.bytes).unwrap_or_default());
        // The request was right, and only its end was missed.
        while let Some(piece) = pieces.try_next().await.map_err(opendal::Error::set_temporary)? {
            if let Some(pace) = &self.limits.vault {
                pace.pass(piece.len()).await;
            }
            piece.for_each(|part| content.extend_from_slice(&part));
        }
        if content.len() as u64 == about.bytes {
            return Ok((about, Some(content.into())));
        }
        Err(again(format!("{} of {} bytes came", content.len(), about.bytes)))
    }

    /// What the store tells of a key that stands for a folder, and whether it has content all the same.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`] if it is gone; those of reaching it.
    pub(crate) async fn folder_object(&self, key: &str) -> Result<(About, bool)> {
        let at = if key.is_empty() { "/" } else { key };
        self.attempt(&Act::new("looking at", at), || self.folder_object_once(at)).await
    }

    async fn folder_object_once(&self, at: &str) -> opendal::Result<(About, bool)> {
        if !ATOMIC_STORES.contains(&self.operator.info().scheme()) {
            return Ok((About::from(&self.operator.stat(at).await?), false));
        }
        // The operator takes such a key for a folder without content and would not ask; the service itself reads what is there.
        let reader = self.operator.service().read(self.operator.context(), at, OpRead::default())?;
        let (told, mut content) = reader.open_dyn(BytesRange::default()).await?;
        let about = told.metadata().map(About::from).unwrap_or_default();
        Ok((about, !content.read_dyn().await?.is_empty()))
    }
}
