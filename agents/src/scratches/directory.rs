//! An empty folder as a scratch.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use drill_scenarios::{Level, Newest};
use globset::{GlobBuilder, GlobMatcher};
use jiff::Timestamp;

use crate::mark::{Mark, Removal, require_empty};
use crate::stream::on_thread;
use crate::tree::Written;
use crate::{
    Account, Answer, CanarySeen, Context, Entry, EntryKind, Environment, Error, Format, Identity, Index, Kind,
    OpenReader, Place, Restored, Restorer, Result, Scratch, sqlite, tree,
};

/// Name of the folder, in the environment's, that the backup is restored into.
const DATA: &str = "data";

/// An empty folder as a scratch.
#[derive(Debug, Clone, Default)]
pub(crate) struct DirectoryScratch {
    path: Option<PathBuf>,
    read_back: Option<bool>,
}

impl DirectoryScratch {
    /// The folder that the scenario names, if it does, and how it wants it looked at.
    pub(crate) fn open(scratch: &drill_scenarios::DirectoryScratch, verify: &drill_scenarios::Verify) -> Self {
        Self { path: scratch.path.clone(), read_back: verify.read_back }
    }
}

#[async_trait]
impl Scratch for DirectoryScratch {
    fn place(&self, cx: &Context) -> Place {
        Place::given_or_in_run(self.path.as_deref(), cx)
    }

    async fn admit(&self, cx: &Context, place: &Place, source: &Identity, format: &Format) -> Result<()> {
        takes(format)?;
        require_empty(&place.folder)?;
        let parent = place.folder.parent().unwrap_or(Path::new("/"));
        if parent != cx.folder && !parent.is_dir() {
            return Err(Error::new(
                Kind::Config,
                format!("folder {}, for the scratch, is not there", parent.display()),
            )
            .hint("Make it, or name another place in `scratch`."));
        }
        place.must_be_apart_from(source)
    }

    async fn provision(&self, cx: &Context, place: &Place, index: &Index) -> Result<Box<dyn Environment>> {
        takes(&index.format)?;
        let wrong = |cause| Error::io("making scratch folder", place.folder.display(), cause);
        Mark::of(&cx.run).make_folder(&place.folder)?;
        std::fs::set_permissions(&place.folder, std::fs::Permissions::from_mode(0o700)).map_err(wrong)?;
        let folder = place.folder.canonicalize().map_err(wrong)?;
        let root = folder.join(DATA);
        tree::make_root(&root).map_err(wrong)?;
        let identity = Identity::of_path("folder", &root).map_err(wrong)?;
        let databases = index.databases.iter().map(|database| database.name.clone()).collect();
        let read_back = self.read_back.unwrap_or(!tree::is_in_memory(&root).map_err(wrong)?);
        let written = if read_back { None } else { Some(Arc::default()) };
        Ok(Box::new(DirectoryEnvironment { root, identity, databases, written, cached: AtomicU64::new(0) }))
    }

    fn keeps(&self) -> bool {
        true
    }

    async fn release(&self, cx: &Context, place: &Place) -> Result<Removal> {
        let (run, place) = (cx.run.clone(), place.clone());
        on_thread(move || {
            let mut removal = Removal::Absent;
            for folder in place.also.iter().chain([&place.folder]) {
                if Mark::of(&run).remove_folder(folder)? == Removal::Removed {
                    removal = Removal::Removed;
                }
            }
            Ok(removal)
        })
        .await
    }
}

/// Refuses what can't be restored into a folder.
fn takes(format: &Format) -> Result<()> {
    match format {
        Format::Tar => Ok(()),
        Format::File(name) if file_path(name).is_some() => Ok(()),
        Format::File(name) => Err(Error::new(Kind::Config, format!("`{name}` is no name for a file in the scratch"))
            .hint("Name it without folders.")),
        Format::EtcdSnapshot => {
            Err(Error::new(Kind::Config, "a directory scratch takes no backup of etcd").hint("Use an `etcd` scratch."))
        }
        Format::Rdb => Err(Error::new(Kind::Config, "a directory scratch takes no backup of Redis")
            .hint("Write `scratch: {redis: {}}`.")),
        Format::PgDump | Format::PgDumps | Format::PgBase => {
            Err(Error::new(Kind::Config, "a backup of PostgreSQL can't be restored into a folder")
                .hint("Use the scratch `postgres`."))
        }
        Format::MariadbDump => Err(Error::new(Kind::Config, "a dump of MariaDB can't be restored into a folder")
            .hint("Use the scratch `mariadb`.")),
    }
}

/// A file's name, if it is just that.
fn file_path(name: &str) -> Option<&Path> {
    let path = Path::new(name);
    (path.file_name() == Some(path.as_os_str())).then_some(path)
}

/// A folder that a backup is restored into.
#[derive(Debug)]
struct DirectoryEnvironment {
    root: PathBuf,
    identity: Identity,
    /// Paths of the SQLite databases that the snapshot is known to hold.
    databases: Vec<String>,
    /// Digests of what was written, unless it is read back.
    written: Option<Arc<Written>>,
    /// Files that were read back from the cache, which could not be made to forget them.
    cached: AtomicU64,
}

impl DirectoryEnvironment {
    /// A database below the root: the one at this path, or the only one.
    fn database(&self, path: Option<&Path>) -> Result<PathBuf> {
        let text = |path: &str| crate::PathText::try_from(path.to_owned()).map(|path| path.to_path_buf());
        let path = match (path, &self.databases[..]) {
            (Some(path), _) => path.to_owned(),
            (None, [only]) => text(only).map_err(|error| Error::new(Kind::Unrestorable, error))?,
            (None, []) => return Err(which("the snapshot tells of no SQLite database")),
            (None, _) => return Err(which("the snapshot holds several SQLite databases")),
        };
        tree::file_below(&self.root, &path)
    }

    /// Every database that the snapshot tells of and that was restored, with its name.
    fn restored_databases(&self) -> Vec<(String, PathBuf)> {
        let found = self.databases.iter().filter_map(|name| {
            let path = crate::PathText::try_from(name.clone()).ok()?.to_path_buf();
            Some((name.clone(), tree::file_below(&self.root, &path).ok()?))
        });
        found.collect()
    }

    /// What was restored, canaries left out.
    async fn entries(&self, cx: &Context, level: Level) -> Result<Vec<Entry>> {
        let (cx, root, written) = (cx.clone(), self.root.clone(), self.written.clone());
        let observed = on_thread(move || {
            let opened = tree::open_root(&root).map_err(|cause| Error::io("opening", root.display(), cause))?;
            let mut observed = tree::observe(&cx, opened, level, written.as_deref())?;
            observed.entries.retain(|entry| !tree::is_canary(entry.path.as_path()));
            Ok::<_, Error>(observed)
        })
        .await?;
        self.cached.store(observed.cached, Ordering::Relaxed);
        Ok(observed.entries)
    }
}

#[async_trait]
impl Environment for DirectoryEnvironment {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn isolation(&self) -> Vec<String> {
        vec![
            "The backup is restored into a new folder that only the account running drillctl can enter (mode 0700)."
                .into(),
            "Restoring follows no link and writes nothing outside of that folder.".into(),
        ]
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn facts(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    async fn restore(&mut self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Restored> {
        match &index.format {
            Format::Tar => tree::restore(cx, &self.root, stream, self.written.clone()).await,
            Format::File(name) => tree::restore_file(cx, &self.root.join(name), stream).await,
            Format::PgDump
            | Format::PgDumps
            | Format::PgBase
            | Format::MariadbDump
            | Format::Rdb
            | Format::EtcdSnapshot => takes(&index.format).map(|()| Restored::default()),
        }
    }

    async fn adopt(&mut self, cx: &Context, index: &Index, tool: &dyn Restorer) -> Result<Restored> {
        takes(&index.format)?;
        let began = cx.clock.elapsed();
        let restored = tool.restore_into(cx, &self.root, &Account::current()).await;
        cx.timings.loaded(cx.clock.elapsed().saturating_sub(began));
        // Digests that nobody took while it was written: they are taken from what is there.
        self.written = None;
        restored
    }

    async fn observe(&self, cx: &Context, index: &Index, level: Level) -> Result<Index> {
        let mut entries = if index.entries.is_empty() { Vec::new() } else { self.entries(cx, level).await? };
        tree::in_shape_of(index, &mut entries);
        let (cx, restored) = (cx.clone(), self.restored_databases());
        let observed = on_thread(move || {
            restored.iter().map(|(name, path)| sqlite::observe(&cx, path, name, level)).collect::<Result<Vec<_>>>()
        });
        Ok(Index { entries, databases: observed.await?, ..Index::new(index.format.clone()) })
    }

    fn how_observed(&self) -> Option<String> {
        Some(match (&self.written, self.cached.load(Ordering::Relaxed)) {
            (Some(_), _) => "digested while they were written, not read back".into(),
            (None, 0) => "read back from the disk".into(),
            (None, cached) => format!("read back, {cached} of them from the cache"),
        })
    }

    async fn newest(
        &self,
        cx: &Context,
        how: Option<&Newest>,
        observed: Option<&Index>,
    ) -> Result<Option<(Timestamp, String)>> {
        let glob = match how {
            Some(Newest::Sql(sql)) => {
                let time = sqlite::newest(&self.database(None)?, sql).await?;
                return Ok(time.map(|time| (time, format!("the query `{sql}`"))));
            }
            Some(Newest::Files(glob)) => Some(matcher(glob)?),
            None => None,
        };
        let entries = match observed {
            Some(observed) if observed.format == Format::Tar => Cow::Borrowed(&observed.entries),
            _ => Cow::Owned(self.entries(cx, Level::Count).await?),
        };
        let of_interest = |entry: &&Entry| match &glob {
            Some(glob) => glob.is_match(entry.path.as_path()),
            None => true,
        };
        let files =
            entries.iter().filter(|entry| matches!(entry.kind, EntryKind::File { .. } | EntryKind::Hardlink(_)));
        let newest = files.filter(of_interest).max_by_key(|entry| entry.mtime_ns);
        Ok(newest.and_then(|entry| {
            let time = Timestamp::from_nanosecond(entry.mtime_ns.into()).ok()?;
            Some((time, format!("the modification time of {}, the newest of the restored files", entry.path)))
        }))
    }

    async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>> {
        let (run, root, databases) = (cx.run.clone(), self.root.clone(), self.restored_databases());
        on_thread(move || {
            if let Some(seen) = tree::seen_canary(&root, &run)? {
                return Ok(Some(seen));
            }
            for (_, path) in databases {
                if let Some(seen) = sqlite::seen_canary(&path, &run)? {
                    return Ok(Some(seen));
                }
            }
            Ok(None)
        })
        .await
    }

    async fn ask(&self, _cx: &Context, sql: &str, database: Option<&Path>, answer: Answer) -> Result<()> {
        sqlite::query(&self.database(database)?, sql, answer).await
    }
}

fn which(what: &str) -> Error {
    Error::new(Kind::Config, format!("{what}; it is not clear which one to query")).hint("Name one as `database`.")
}

fn matcher(glob: &Path) -> Result<GlobMatcher> {
    let text = glob.to_string_lossy();
    let glob = GlobBuilder::new(&text).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|cause| Error::new(Kind::Config, format!("glob `{text}`")).because(cause))
}
