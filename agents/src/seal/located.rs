//! The way out: a snapshot is located by its header, its index opened, and its stream given back, every segment checked before
//! it is opened. Nothing is taken from anywhere but the vault.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use super::Keys;
use super::envelope::{self, Fault};
use super::identity::Identity;
use super::lanes::Lanes;
use crate::snapshot::{Header, Part};
use crate::{Context, Error, Index, Kind, OpenReader, Result, Vault};

/// A snapshot that was found, whose index was opened. Cheap to clone but for the index.
#[derive(Clone)]
pub struct Located {
    files: Files,
    header_sha256: String,
    identity: Identity,
    index: Index,
}

/// Finds a snapshot and opens its index. `expected` is the digest of its header that was recorded when it was stored.
///
/// # Errors
/// [`Kind::NotFound`] if there is no such snapshot; [`Kind::Corrupt`] if the header or the index isn't what was stored, or the
/// header is gone though it was recorded; [`Kind::WrongKey`] if no identity opens it; those of reaching the vault.
pub async fn locate(cx: &Context, vault: &Vault, keys: &Keys, id: &str, expected: Option<&str>) -> Result<Located> {
    let (files, header_sha256) = Files::find(cx, vault, id, expected).await?;
    let work = files.open_index(cx, keys);
    let (identity, index) = cx.cancel.run_until_cancelled(work).await.unwrap_or_else(|| Err(interrupted()))?;
    Ok(Located { files, header_sha256, identity, index })
}

/// Reads the header of a snapshot, as [`locate`] does, without a key. Returns its digest with it.
///
/// # Errors
/// As for [`locate`], but for keys.
pub async fn header(cx: &Context, vault: &Vault, id: &str, expected: Option<&str>) -> Result<(Header, String)> {
    let (files, sha256) = Files::find(cx, vault, id, expected).await?;
    Ok((files.header.as_ref().clone(), sha256))
}

impl Located {
    /// Its header.
    pub fn header(&self) -> &Header {
        &self.files.header
    }

    /// SHA-256 of the header as read, hexadecimal.
    pub fn header_sha256(&self) -> &str {
        &self.header_sha256
    }

    /// What is in it.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Public key of the identity that opened it; `passphrase` where that did.
    pub fn opened_with(&self) -> &str {
        &self.identity.public
    }

    /// The plain stream: fetched and opened several segments at once, given back in order. Progress begins anew with its length,
    /// and whoever restores it counts; busy times are counted here. A run that is asked to stop stops it.
    pub fn stream(&self, cx: &Context) -> OpenReader {
        cx.progress.begin(self.files.header.stream_bytes());
        let (reader, queue) = OpenReader::of(self.files.header.stream_bytes(), 1);
        tokio::spawn(give_segments(self.files.clone(), self.identity.clone(), cx.clone(), queue));
        reader
    }
}

impl std::fmt::Debug for Located {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = &self.files.header.id;
        f.debug_struct("Located").field("id", id).field("opened_with", &self.opened_with()).finish_non_exhaustive()
    }
}

/// Puts the segments in the queue, in order; an error ends it.
async fn give_segments(files: Files, identity: Identity, cx: Context, queue: mpsc::Sender<Result<Bytes>>) {
    let (files, cx, identity) = (&files, &cx, &identity);
    let segments = stream::iter(files.header.segments.clone());
    let opened = segments.map(|segment| async move { files.open(cx, &segment, identity).await });
    let mut opened = std::pin::pin!(opened.buffered(files.lanes.count));
    while let Some(next) =
        cx.cancel.run_until_cancelled(opened.next()).await.unwrap_or_else(|| Some(Err(interrupted())))
    {
        let ends = next.is_err();
        // Whoever read has gone: nobody needs the rest.
        if queue.send(next).await.is_err() || ends {
            return;
        }
    }
}

/// The files of one snapshot, as its header tells them.
#[derive(Clone)]
pub(super) struct Files {
    vault: Vault,
    pub(super) header: Arc<Header>,
    pub(super) lanes: Arc<Lanes>,
}

impl Files {
    /// Reads the header. Returns its digest with it.
    pub(super) async fn find(cx: &Context, vault: &Vault, id: &str, expected: Option<&str>) -> Result<(Self, String)> {
        let found = match (vault.fetch_header(id).await?, expected) {
            (Some(bytes), _) => bytes,
            (None, None) => return Err(vault.no_such(id)),
            (None, Some(_)) => return Err(Error::new(Kind::Corrupt, format!("header of snapshot {id} is missing"))),
        };
        let header = Header::parse(id, &found)?;
        let sha256 = envelope::sha256(&found);
        if expected.is_some_and(|expected| expected != sha256) {
            return Err(Error::new(Kind::Corrupt, format!("header of snapshot {id} is not the one that was recorded")));
        }
        Ok((Self { vault: vault.clone(), header: header.into(), lanes: Lanes::new(cx).into() }, sha256))
    }

    /// Opens the index with the first identity that fits.
    pub(super) async fn open_index(&self, cx: &Context, keys: &Keys) -> Result<(Identity, Index)> {
        let identities = self.identities(cx, keys).await?;
        let part = &self.header.index;
        let sealed = self.fetch(cx, part).await?;
        for identity in &identities {
            match self.unseal(cx, part, sealed.clone(), identity).await {
                Ok(plain) => return Ok((identity.clone(), self.parse_index(plain).await?)),
                Err(Fault::NoMatch) => {}
                Err(fault) => return Err(fault.on(self.subject(part))),
            }
        }
        Err(self.wrong_key(&identities))
    }

    /// Fetches, checks and opens one part.
    pub(super) async fn open(&self, cx: &Context, part: &Part, identity: &Identity) -> Result<Bytes> {
        let sealed = self.fetch(cx, part).await?;
        let opened = self.unseal(cx, part, sealed, identity).await;
        let plain = opened.map_err(|fault| fault.on(self.subject(part)))?;
        Ok(self.lanes.buffers.share(plain))
    }

    /// Fetches one part and checks that its bytes are those that were stored.
    pub(super) async fn fetch(&self, cx: &Context, part: &Part) -> Result<Bytes> {
        let before = cx.clock.elapsed();
        let corrupt = |how: String| Err(Error::new(Kind::Corrupt, format!("{} {how}", self.subject(part))));
        let sealed = match self.vault.length(&self.header.id, &part.name).await? {
            None => return corrupt("is missing".into()),
            // A length that another part has may be that part in the wrong place: its digest will tell.
            Some(length) if self.header.parts().all(|any| any.size != length) => {
                return corrupt(format!("has {length} bytes instead of {}", part.size));
            }
            Some(length) => self.vault.fetch(&self.header.id, &part.name, length, &self.lanes.buffers).await?,
        };
        cx.timings.fetched(cx.clock.elapsed().saturating_sub(before));
        let (clock, timings, digested) = (cx.clock.clone(), Arc::clone(&cx.timings), sealed.clone());
        let digest = move || {
            let before = clock.elapsed();
            let digest = envelope::sha256(&digested);
            timings.opened(clock.elapsed().saturating_sub(before));
            digest
        };
        let digest = self.lanes.compute(digest).await;
        if digest == part.sha256 {
            return Ok(sealed);
        }
        match self.header.parts().find(|other| other.sha256 == digest) {
            Some(other) => corrupt(format!("holds the bytes of {}", self.header.words_for(other))),
            None if sealed.len() as u64 != part.size => {
                corrupt(format!("has {} bytes instead of {}", sealed.len(), part.size))
            }
            None => corrupt("does not have the digest that was stored".into()),
        }
    }

    async fn unseal(
        &self,
        cx: &Context,
        part: &Part,
        sealed: Bytes,
        identity: &Identity,
    ) -> std::result::Result<Vec<u8>, Fault> {
        let (identity, plain_bytes) = (Arc::clone(&identity.unwraps), part.plain_bytes);
        let (clock, timings, buffers) = (cx.clock.clone(), Arc::clone(&cx.timings), self.lanes.buffers.clone());
        let opening = move || {
            let before = clock.elapsed();
            let opened = envelope::open(identity.as_ref(), &sealed, plain_bytes, buffers.take());
            timings.opened(clock.elapsed().saturating_sub(before));
            opened
        };
        self.lanes.compute(opening).await
    }

    /// The identities to try: those of the scenario, or the snapshot's own if a passphrase opens it.
    async fn identities(&self, cx: &Context, keys: &Keys) -> Result<Vec<Identity>> {
        let Some(part) = self.header.key.clone() else { return Ok(keys.to_identities()) };
        let sealed = self.fetch(cx, &part).await?;
        let (keys, plain_bytes) = (keys.clone(), part.plain_bytes);
        let opened = self.lanes.compute(move || keys.unlock(&sealed, plain_bytes)).await;
        opened.map_err(|fault| match fault {
            Fault::NoMatch => self.wrong_key(&[]),
            fault => fault.on(self.subject(&part)),
        })
    }

    async fn parse_index(&self, plain: Vec<u8>) -> Result<Index> {
        let parsed = self.lanes.compute(move || serde_json::from_slice::<Index>(&plain)).await;
        let index = parsed.map_err(|cause| {
            Error::new(Kind::Corrupt, format!("{} can't be read", self.subject(&self.header.index))).because(cause)
        })?;
        if index.version == 1 {
            return Ok(index);
        }
        let words = format!("{} has format version {}", self.subject(&self.header.index), index.version);
        Err(Error::new(Kind::Config, words).hint("Read it with a newer drillctl."))
    }

    fn wrong_key(&self, tried: &[Identity]) -> Error {
        let tried: Vec<_> = tried.iter().map(|identity| identity.public.as_str()).collect();
        let (id, sealed_to) = (&self.header.id, self.header.recipients.join(", "));
        let words = match (&self.header.key, tried.as_slice()) {
            (Some(_), _) => format!("the passphrase at hand does not open snapshot {id}"),
            (None, []) => format!("there is no identity to open snapshot {id} with; it is sealed to {sealed_to}"),
            (None, tried) => {
                format!("{} does not open snapshot {id}, which is sealed to {sealed_to}", tried.join(", "))
            }
        };
        Error::new(Kind::WrongKey, words).hint("Give the identity of one of its recipients.")
    }

    fn subject(&self, part: &Part) -> String {
        format!("{} of snapshot {}", self.header.words_for(part), self.header.id)
    }
}

pub(super) fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "the run was asked to stop")
}
