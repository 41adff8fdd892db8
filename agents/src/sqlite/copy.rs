//! Copies a live database by SQLite's online backup, all of it from one moment.
//!
//! A read transaction is held on the source for as long as the copy takes: so it never begins again, however much is written
//! meanwhile. In WAL mode, writers notice nothing of it; in the older journal modes they wait until the copy is done.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use drill_scenarios::Level;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use tempfile::NamedTempFile;

use super::connect::{self, Interrupting, failed};
use super::facts;
use crate::tree::mtime_ns;
use crate::{Context, Database, Error, Kind, Result};

/// Pages that are copied before looking whether the run was asked to stop.
const PAGES: i32 = 4_096;
/// How often, and how long each time, a copy that can't go on waits.
const WAITS: (u32, Duration) = (600, Duration::from_millis(100));

/// How the names of copies begin.
const PREFIX: &str = "capture-";

/// A copy of a database. It has no name any more and is gone with this.
#[derive(Debug)]
pub(crate) struct Copied {
    /// The copy.
    pub(crate) file: OwnedFd,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// When the database was last written to, in nanoseconds since 1970: its log counts too.
    pub(crate) mtime_ns: i64,
    /// What is in it.
    pub(crate) database: Database,
}

/// Copies the database at `path` into a file in the run's folder, which nobody else may read and which is removed before this returns,
/// and describes the copy. It goes by `name` in the index.
///
/// # Errors
/// [`Kind::NotFound`], [`Kind::Denied`]; [`Kind::Unrestorable`] if the database is damaged; [`Kind::Unavailable`] if it stays locked.
pub(crate) fn copy(cx: &Context, path: &Path, name: &str) -> Result<Copied> {
    let wrong = |cause| Error::io("making a file in", cx.folder.display(), cause);
    let temporary = tempfile::Builder::new().prefix(PREFIX).suffix(".sqlite").tempfile_in(&cx.folder).map_err(wrong)?;
    let mtime_ns = last_written(path)?;
    copy_into(cx, path, &temporary)?;
    let database = {
        let connection = connect::at_rest(temporary.path())?;
        let _interrupting = Interrupting::new(cx, &connection);
        facts::of(cx, &connection, name, Level::Content)
            .map_err(|cause| stopped_or(cx, failed("reading", path, cause)))?
    };
    cx.go_on()?;
    match database.objects.get("integrity").and_then(|checks| checks.get("check")).map(String::as_str) {
        Some("ok") => {}
        found => return Err(damaged(path, found.unwrap_or_default())),
    }
    let size = temporary.as_file().metadata().map_err(wrong)?.len();
    Ok(Copied { file: temporary.into_file().into(), size, mtime_ns, database })
}

/// Bytes that a copy of the database at `path` may take: what waits in its log is in the copy too.
///
/// # Errors
/// I/O errors.
pub(crate) fn length(path: &Path) -> std::io::Result<u64> {
    let log = std::fs::metadata(connect::beside(path, "-wal")).map_or(0, |log| log.len());
    Ok(std::fs::metadata(path)?.len().saturating_add(log))
}

/// Removes the copies that a capture left in its run's folder when it was killed, with SQLite's own files beside them.
///
/// # Errors
/// I/O errors.
pub fn remove_copies(folder: &Path) -> Result<()> {
    let wrong = |cause| Error::io("removing what a capture left in", folder.display(), cause);
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            std::fs::remove_file(entry.path()).map_err(wrong)?;
        }
    }
    Ok(())
}

fn copy_into(cx: &Context, path: &Path, to: &NamedTempFile) -> Result<()> {
    let from = connect::live(path)?;
    let reading = |cause| failed("copying", path, cause);
    let mut to = scratch_copy(to.path()).map_err(reading)?;
    from.execute_batch("begin; select count(*) from sqlite_schema").map_err(reading)?;
    {
        let backup = Backup::new(&from, &mut to).map_err(reading)?;
        let mut waits = 0;
        loop {
            cx.go_on()?;
            match backup.step(PAGES).map_err(reading)? {
                StepResult::Done => break,
                StepResult::More => {}
                _ if waits == WAITS.0 => {
                    return Err(Error::new(Kind::Unavailable, format!("{} stays locked", path.display())).temporary());
                }
                _ => {
                    waits += 1;
                    std::thread::sleep(WAITS.1);
                }
            }
        }
    }
    from.execute_batch("rollback").map_err(reading)
}

/// A connection to the copy. It writes no journal: a copy that isn't finished is of no use anyway.
fn scratch_copy(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch("pragma locking_mode = exclusive; pragma journal_mode = off; pragma synchronous = off")?;
    Ok(connection)
}

/// The time of the database or of its log, whichever is later: in WAL mode the database itself is written to only now and then.
fn last_written(path: &Path) -> Result<i64> {
    let stat = rustix::fs::stat(path).map_err(|error| Error::io("looking at", path.display(), error.into()))?;
    let log = rustix::fs::stat(connect::beside(path, "-wal")).ok().filter(|log| log.st_size > 0);
    Ok(log.map_or(i64::MIN, |log| mtime_ns(&log)).max(mtime_ns(&stat)))
}

fn damaged(path: &Path, found: &str) -> Error {
    Error::new(Kind::Unrestorable, format!("SQLite database {} is damaged: {found}", path.display())).hint(
        "Repair it (`.recover` of the sqlite3 shell) or bring an older copy back: a backup of it would be as damaged.",
    )
}

fn stopped_or(cx: &Context, error: Error) -> Error {
    cx.go_on().err().unwrap_or(error)
}
