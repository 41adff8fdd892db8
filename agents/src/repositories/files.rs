//! Backups that something else puts into storage, one file each. They are listed and read through OpenDAL, as a vault is, and
//! never written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use drill_scenarios::{FilesSource, Seal};
use globset::{GlobBuilder, GlobMatcher};
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::surveyed::{surveyed, uncompared};
use super::unpacked::Packed;
use crate::digest::Digest;
use crate::seal::Keys;
use crate::sources::of_content;
use crate::vault::Stored;
use crate::{
    Adopted, Context, Described, Error, Format, Identity, Kind, Note, OpenReader, Repository, Result, Secrets, Sha256,
    Supply, Vault, Verification, Vouched,
};

/// Parts of a file that wait to be unpacked.
const WAITING: usize = 2;
/// The end of the name of a file with a digest.
const DIGEST: &str = ".sha256";
/// A line of `sha256sum` is not longer than this.
const LINE_BYTES: u64 = 8 << 10;

/// Backups that something else puts into storage.
pub(super) struct FilesRepository {
    source: FilesSource,
    place: Vault,
    matching: GlobMatcher,
    keys: Option<Keys>,
}

impl FilesRepository {
    /// Where the scenario says that they are put. Nothing is reached yet.
    ///
    /// # Errors
    /// [`Kind::Config`] for an address, a glob or identities that can't be.
    pub(super) fn open(source: &FilesSource, secrets: &Arc<Secrets>) -> Result<Self> {
        let glob = GlobBuilder::new(&source.matching).literal_separator(true).build();
        let glob =
            glob.map_err(|cause| Error::new(Kind::Config, format!("glob `{}`", source.matching)).because(cause))?;
        let keys = match &source.identities[..] {
            [] => None,
            identities => {
                let seal = Seal { recipients: Vec::new(), identities: identities.to_vec(), passphrase: None };
                Some(Keys::open(&seal, secrets)?)
            }
        };
        let place = Vault::open(&source.place, secrets)?;
        Ok(Self { source: source.clone(), place, matching: glob.compile_matcher(), keys })
    }

    /// The place under the limits of this run.
    fn place(&self, cx: &Context) -> Vault {
        self.place.clone().within(cx)
    }

    fn adopted(&self, stored: Stored) -> Result<Adopted> {
        let taken_at = match &self.source.named {
            Some(pattern) => dated(pattern, &stored.path)?,
            None => stored.modified.ok_or_else(|| {
                Error::new(Kind::Config, format!("nothing tells when {} was written", stored.path))
                    .hint("Say with `named` how the name of a file tells when the backup was taken.")
            })?,
        };
        let about = BTreeMap::from([("bytes".into(), stored.bytes.to_string())]);
        Ok(Adopted { id: stored.path, taken_at, tool: "files in storage".into(), about })
    }

    /// What `sha256sum` wrote beside the file.
    async fn recorded(&self, cx: &Context, path: &str) -> Result<Option<Sha256>> {
        if !self.source.sha256 {
            return Ok(None);
        }
        let beside = format!("{path}{DIGEST}");
        let Some(bytes) = self.place(cx).small_file(&beside, LINE_BYTES).await? else {
            return Err(Error::new(Kind::Corrupt, format!("{beside} is missing")));
        };
        let text = String::from_utf8_lossy(&bytes);
        let digest = text.split_whitespace().next().unwrap_or_default().trim_start_matches('\\');
        match Sha256::try_from(digest.to_lowercase()) {
            Ok(digest) if digest != Sha256::UNREAD => Ok(Some(digest)),
            _ => Err(Error::new(Kind::Corrupt, format!("{beside} does not begin with a SHA-256"))),
        }
    }

    /// What is inside the file. Its end comes only once all of it is known to be right.
    async fn stream(&self, cx: &Context, backup: &Adopted) -> Result<OpenReader> {
        let recorded = self.recorded(cx, &backup.id).await?;
        let file = Stored { path: backup.id.clone(), bytes: bytes(backup), modified: None };
        let (packed, queue) = OpenReader::of(file.bytes, WAITING);
        let (place, buffers) = (self.place(cx), cx.buffers.clone());
        tokio::spawn(async move {
            let mut digest = Digest::default();
            let handed = place.each_part(&file, &buffers, |part| {
                digest.update(&part);
                let (queue, last) = (queue.clone(), part);
                async move { queue.send(Ok(last)).await.map_err(|_| given_up()) }
            });
            let handed = handed.await.and_then(|()| compared(&file.path, digest.finish(), recorded));
            if let Err(error) = handed {
                let _ = queue.send(Err(error)).await;
            }
        });
        Ok(Packed::of(&backup.id).stream(cx, self.keys.as_ref(), &backup.id, packed))
    }

    fn vouched(&self, backup: &Adopted) -> Vouched {
        let packed = Packed::of(&backup.id);
        let intact =
            if self.source.sha256 { Some("the file has the SHA-256 that stands beside it") } else { packed.vouches() };
        let opened = match packed.sealed {
            true => "opened with an identity of the scenario",
            false => "the file is not encrypted: whoever has it can read it",
        };
        Vouched { intact: intact.map(str::to_owned), opened: Some(opened.into()) }
    }
}

#[async_trait]
impl Repository for FilesRepository {
    async fn identity(&self, _: &Context) -> Result<Identity> {
        let place = [("location", self.place.location().to_owned())];
        let Some(folder) = self.place.folder() else { return Ok(Identity::new("files", place)) };
        let mut identity =
            Identity::of_path("files", folder).map_err(|cause| Error::io("looking at", folder.display(), cause))?;
        identity.values.extend(place.map(|(name, value)| (name.to_owned(), value)));
        Ok(identity)
    }

    fn location(&self) -> &str {
        self.place.location()
    }

    fn format(&self) -> Format {
        of_content(&self.source.content)
    }

    async fn backups(&self, cx: &Context) -> Result<Vec<Adopted>> {
        let mut files = self.place(cx).files_matching(&self.matching).await?;
        // A wide glob matches the digests too, and they are the newest.
        files.retain(|file| !(self.source.sha256 && file.path.ends_with(DIGEST)));
        let mut backups = files.into_iter().map(|file| self.adopted(file)).collect::<Result<Vec<_>>>()?;
        backups.sort_by(|a, b| (a.taken_at, &a.id).cmp(&(b.taken_at, &b.id)));
        Ok(backups)
    }

    async fn restored_bytes(&self, _: &Context, backup: &Adopted) -> Result<u64> {
        Ok(bytes(backup))
    }

    /// Reads the file once through: what is in it is known by nobody else.
    async fn describe(&self, cx: &Context, backup: &Adopted) -> Result<Described> {
        let (has, least) = (bytes(backup), self.source.at_least_bytes);
        if has < least {
            let message = format!("{} has {has} bytes, and a backup has {least} at least", backup.id);
            return Err(Error::new(Kind::Corrupt, message));
        }
        let stream = self.stream(cx, backup).await?;
        let index = surveyed(cx, &self.source.content, &backup.id, stream).await?;
        Ok(Described { index, vouched: self.vouched(backup), notes: self.notes(backup) })
    }

    async fn supply(&self, cx: &Context, backup: &Adopted) -> Result<Supply> {
        Ok(Supply::Stream(self.stream(cx, backup).await?))
    }

    async fn check(&self, _: &Context) -> Result<Option<Verification>> {
        Ok(None)
    }
}

impl FilesRepository {
    fn notes(&self, backup: &Adopted) -> Vec<Note> {
        let unvouched = self.vouched(backup).intact.is_none().then(|| Note {
            subject: backup.id.clone(),
            statement: "Nothing tells whether its bytes are those that were stored: there is no digest of it.".into(),
        });
        unvouched.into_iter().chain(uncompared(&self.source.content, &backup.id)).collect()
    }
}

fn bytes(backup: &Adopted) -> u64 {
    backup.about.get("bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}

fn given_up() -> Error {
    Error::new(Kind::Unavailable, "unpacking has stopped")
}

fn compared(path: &str, is: Sha256, recorded: Option<Sha256>) -> Result<()> {
    match recorded {
        Some(was) if was != is => {
            Err(Error::new(Kind::Corrupt, format!("{path} has the SHA-256 {is}, and beside it stands {was}")))
        }
        _ => Ok(()),
    }
}

/// When a file's name says that it was made; what it doesn't say of the time of day is midnight, and UTC.
fn dated(pattern: &str, path: &str) -> Result<Timestamp> {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let read = || {
        let read = strtime::parse(pattern, &name)?;
        match read.to_timestamp() {
            Ok(time) => Ok(time),
            Err(_) => {
                let date = read.to_date()?;
                let time = read.to_time().unwrap_or_default();
                date.to_datetime(time).to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
            }
        }
    };
    read().map_err(|cause: jiff::Error| {
        Error::new(Kind::Config, format!("the name of {path} does not fit `{pattern}`"))
            .because(cause)
            .hint("Correct `named`, or narrow `matching` to the files that are backups.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_when_backups_were_taken() {
        let told = |pattern, path| dated(pattern, path).map(|time| time.to_string()).ok();
        let night = Some("2026-10-02T03:00:00Z".to_owned());
        assert_eq!(told("orders-%Y%m%dT%H%M%SZ.dump", "a/orders-20261002T030000Z.dump"), night);
        assert_eq!(told("%Y-%m-%d.tar.gz", "2026-10-02.tar.gz"), Some("2026-10-02T00:00:00Z".into()));
        assert_eq!(told("%Y-%m-%dT%H%M%z.tar", "2026-10-02T0500+0200.tar"), night);
        assert_eq!(told("%Y-%m-%d.tar.gz", "latest.tar.gz"), None);
    }
}
