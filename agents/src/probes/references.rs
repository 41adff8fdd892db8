//! References: files that a restored database names, each looked for where the files were restored.
//!
//! A path is opened beneath the root by the kernel's own rule, as for a `file` probe. Rows are looked up as they come, so that any number of
//! them takes little memory.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drill_scenarios::{ReferencesProbe, Scalar};
use rustix::fs::{FileType, Mode, OFlags};
use tokio::time::timeout;

use super::file::{leads_astray, open, opened, sha256};
use super::sql::about_the_database;
use super::{Seen, Within, fill, observation, whole};
use crate::answer::{Heard, Row};
use crate::stream::on_thread;
use crate::{Answer, Error, Result, Told};

/// Rows that are looked up at a time.
const AT_A_TIME: usize = 256;

pub(super) async fn observe(probe: &ReferencesProbe, within: Within<'_>) -> Result<Seen> {
    let query = fill(&probe.query, within.facts)?;
    let (answer, heard) = Answer::channel();
    let ask = within.env.ask(within.cx, &query, probe.database.as_deref(), answer);
    let folder = Arc::new(Folder::open(within.files.root(), probe.below.as_deref())?);
    let work = async { tokio::try_join!(ask, resolve(folder, heard)) };
    match timeout(probe.timeout.duration(), work).await {
        Err(_) => Ok(Seen::Nothing(format!("looking the references up took longer than {}", probe.timeout))),
        Ok(Ok(((), Found { references: 0, .. }))) => Ok(Seen::Nothing("the query names no file".into())),
        Ok(Ok(((), found))) => Ok(found.seen()),
        Ok(Err(error)) if about_the_database(&error) => Ok(Seen::Nothing(error.chain())),
        Ok(Err(error)) => Err(error),
    }
}

/// Looks up what is told, piece by piece.
async fn resolve(folder: Arc<Folder>, mut heard: Heard) -> Result<Found> {
    let (mut found, mut columns, mut told) = (Found::default(), Arc::new(Columns::default()), Vec::new());
    while heard.recv_many(&mut told, AT_A_TIME).await > 0 {
        let mut rows = Vec::new();
        for piece in told.drain(..) {
            match piece {
                Told::Row(row) => rows.push(row),
                // Of several statements that answer the last counts.
                Told::Columns(names) => {
                    columns = Arc::new(Columns::of(&names));
                    rows.clear();
                    found = Found::default();
                }
            }
        }
        let (folder, columns) = (folder.clone(), columns.clone());
        let more =
            on_thread(move || rows.iter().try_fold(Found::default(), |found, row| found.with(&folder, &columns, row)));
        found = found.and(more.await?);
    }
    Ok(found)
}

/// Which column says what; the first is the path.
#[derive(Debug, Default)]
struct Columns {
    size: Option<usize>,
    sha256: Option<usize>,
}

impl Columns {
    fn of(names: &[String]) -> Self {
        let named =
            |wanted: &str| names.iter().skip(1).position(|name| name.eq_ignore_ascii_case(wanted)).map(|at| at + 1);
        Self { size: named("size"), sha256: named("sha256") }
    }
}

/// What became of the references so far.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    references: u64,
    missing: u64,
    differing: u64,
    first_unresolved: Option<String>,
}

/// Why a reference doesn't resolve.
enum Unresolved {
    Missing(&'static str),
    Differing(String),
}

impl Found {
    /// With one more row. One whose path is NULL refers to nothing.
    fn with(mut self, folder: &Folder, columns: &Columns, row: &Row) -> Result<Self> {
        let Some(Some(path)) = row.first() else { return Ok(self) };
        let told = |column: Option<usize>| column.and_then(|column| row.get(column)?.as_deref());
        self.references += 1;
        let why = match folder.look(path, told(columns.size), told(columns.sha256))? {
            None => return Ok(self),
            Some(Unresolved::Missing(why)) => {
                self.missing += 1;
                why.to_owned()
            }
            Some(Unresolved::Differing(why)) => {
                self.differing += 1;
                why
            }
        };
        self.first_unresolved.get_or_insert_with(|| format!("{path} {why}"));
        Ok(self)
    }

    fn and(self, more: Self) -> Self {
        Self {
            references: self.references + more.references,
            missing: self.missing + more.missing,
            differing: self.differing + more.differing,
            first_unresolved: self.first_unresolved.or(more.first_unresolved),
        }
    }

    fn seen(self) -> Seen {
        Seen::Values(observation([
            ("references", whole(self.references)),
            ("unresolved", whole(self.missing + self.differing)),
            ("missing", whole(self.missing)),
            ("differing", whole(self.differing)),
            ("first_unresolved", self.first_unresolved.map_or(Scalar::Null, Scalar::Text)),
        ]))
    }
}

/// Where the files are.
struct Folder {
    root: OwnedFd,
    below: PathBuf,
}

impl Folder {
    fn open(root: &Path, below: Option<&Path>) -> Result<Self> {
        let opened = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let root = opened.map_err(|cause| Error::io("opening the restored data at", root.display(), cause.into()))?;
        Ok(Self { root, below: below.map(Path::to_owned).unwrap_or_default() })
    }

    /// Why the file that the path names isn't there or isn't the one that is meant; nothing if it is.
    fn look(&self, path: &str, size: Option<&str>, digest: Option<&str>) -> Result<Option<Unresolved>> {
        self.found(path, size, digest).map_err(|cause| Error::io("looking at", path, cause))
    }

    fn found(&self, path: &str, size: Option<&str>, digest: Option<&str>) -> io::Result<Option<Unresolved>> {
        let missing = |why| Ok(Some(Unresolved::Missing(why)));
        if path.is_empty() {
            return missing("(an empty path) names no file");
        }
        let file = match open(&self.root, &self.below.join(path)) {
            Err(error) if leads_astray(&error) => return missing("leads out of the restored data"),
            Err(error)
                if error.kind() == io::ErrorKind::InvalidInput || error.kind() == io::ErrorKind::InvalidFilename =>
            {
                return missing("can't be the path of a file");
            }
            found => found?,
        };
        let Some(file) = file else { return missing("is not there") };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return missing("is no file");
        }
        let length = stat.st_size.to_string();
        if let Some(size) = size.filter(|size| size.trim() != length) {
            return Ok(Some(Unresolved::Differing(format!("has {length} bytes, and the database says {size}"))));
        }
        let Some(digest) = digest else { return Ok(None) };
        let is = sha256(opened(file.as_raw_fd())?)?;
        let same = digest.trim().eq_ignore_ascii_case(&is);
        Ok((!same).then(|| Unresolved::Differing(format!("has the SHA-256 {is}, and the database says {digest}"))))
    }
}
