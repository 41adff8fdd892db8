//! A SQLite database as a source. Its stream is a tar archive with one file, named as the database is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::mark::Removal;
use crate::tree::{self, Archive, Content};
use crate::{
    Canary, Captured, Context, EntryKind, Error, Estimate, Format, Identity, Index, Kind, PathText, Result, SealWriter,
    Sha256, Source, Whereabouts, sqlite,
};

/// What headers and the end of the archive take.
const AROUND: u64 = 12 << 10;

/// A SQLite database as a source.
#[derive(Debug, Clone)]
pub(crate) struct SqliteSource {
    path: PathBuf,
}

impl SqliteSource {
    /// The database that the scenario in `base` names.
    ///
    /// # Errors
    /// [`Kind::Config`] for a path that ends with no name.
    pub(crate) fn open(source: &drill_scenarios::SqliteSource, base: &Path) -> Result<Self> {
        match source.path.file_name() {
            Some(_) => Ok(Self { path: base.join(&source.path) }),
            None => Err(Error::new(Kind::Config, format!("{} names no file", source.path.display()))),
        }
    }

    fn looking(&self, cause: std::io::Error) -> Error {
        Error::io("looking at SQLite database", self.path.display(), cause)
    }
}

#[async_trait]
impl Source for SqliteSource {
    async fn whereabouts(&self) -> Whereabouts {
        Whereabouts { paths: vec![self.path.clone()], ..Whereabouts::default() }
    }

    async fn identity(&self, _cx: &Context) -> Result<Identity> {
        let mut identity = Identity::of_path("file", &self.path).map_err(|cause| self.looking(cause))?;
        identity.values.insert("version".into(), rusqlite::version().into());
        Ok(identity)
    }

    async fn estimate(&self, _cx: &Context) -> Result<Estimate> {
        let bytes = sqlite::length(&self.path).map_err(|cause| self.looking(cause))?;
        Ok(Estimate { stream_bytes: bytes + AROUND, restored_bytes: bytes, items: 1 })
    }

    async fn copied_bytes(&self, _cx: &Context) -> Result<u64> {
        sqlite::length(&self.path).map_err(|cause| self.looking(cause))
    }

    async fn plant(&self, _cx: &Context, canary: &Canary) -> Result<()> {
        let (path, canary) = (self.path.clone(), canary.clone());
        crate::stream::on_thread(move || sqlite::plant_canary(&path, &canary)).await
    }

    async fn unplant(&self, _cx: &Context, run: &str) -> Result<Removal> {
        let (path, run) = (self.path.clone(), run.to_owned());
        crate::stream::on_thread(move || sqlite::unplant_canary(&path, &run)).await
    }

    async fn capture(&self, cx: &Context, out: &mut SealWriter) -> Result<Captured> {
        let (cx, path) = (cx.clone(), self.path.clone());
        let limits = cx.limits.clone();
        out.on_thread(&limits, move |out| capture(&cx, &path, out)).await
    }
}

fn capture(cx: &Context, path: &Path, out: &mut SealWriter) -> Result<Captured> {
    let taken_at = cx.clock.now();
    let wrong = |cause| Error::io("looking at SQLite database", path.display(), cause);
    let name = Path::new(path.file_name().expect("checked when it was opened"));
    let copy = sqlite::copy(cx, path, &PathText::new(name).to_string())?;
    let stat = rustix::fs::stat(path).map_err(|error| wrong(error.into()))?;
    let kind = EntryKind::File { size: copy.size, sha256: Sha256::UNREAD };
    let mut entry = tree::entry(name, &stat, kind, BTreeMap::new());
    entry.mtime_ns = copy.mtime_ns;
    let mut archive = Archive::new(cx, out);
    let stored = archive.store(entry, &copy.file, &mut Content::new(cx))?;
    archive.finish()?;
    let newest_at = Timestamp::from_nanosecond(copy.mtime_ns.into()).ok();
    let index = Index { entries: vec![stored.entry], databases: vec![copy.database], ..Index::new(Format::Tar) };
    Ok(Captured { index, taken_at, newest_at, notes: Vec::new() })
}
