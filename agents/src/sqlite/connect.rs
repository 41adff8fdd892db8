//! Opens databases without leaving traces beside them.
//!
//! A connection to a database in WAL mode needs its `-wal` and `-shm` files, and makes them where there are none. One that may only read
//! does not take them away again. So a live database whose log is absent is opened for writing, though nothing is written: then SQLite
//! itself removes both under its own locks. A database that nobody uses is opened as immutable, which makes no files at all.

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, InterruptHandle, OpenFlags};

use crate::{Context, Error, Kind, Result};

/// How long a lock of somebody else is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a live database to be read.
pub(super) fn live(path: &Path) -> Result<Connection> {
    let read = OpenFlags::SQLITE_OPEN_READ_ONLY;
    if is_wal(path)? && !has_wal_file(path) {
        match open(path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
            Err(error) if error.kind() == Kind::Denied => open(path, read),
            other => other,
        }
    } else {
        open(path, read)
    }
}

/// Opens a live database to be written.
pub(super) fn writable(path: &Path) -> Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Opens a database that was restored: an app may use it already, or nobody.
pub(super) fn restored(path: &Path) -> Result<Connection> {
    let connection = if is_wal(path)? && !has_wal_file(path) {
        at_rest(path)?
    } else {
        open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?
    };
    connection.pragma_update(None, "query_only", true).map_err(|cause| failed("opening", path, cause))?;
    Ok(connection)
}

/// Opens a database that nobody uses and nobody will while it is open.
pub(super) fn at_rest(path: &Path) -> Result<Connection> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri, flags).map_err(|cause| failed("opening", path, cause))
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let open = || {
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(PATIENCE)?;
        // SQLite opens lazily: this reads the header.
        connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    open().map_err(|cause| failed("opening", path, cause))
}

/// Whether the database is in WAL mode: its header says so, at offset 18 ("The Database File Format", 1.3.3).
fn is_wal(path: &Path) -> Result<bool> {
    let mut header = Vec::new();
    let file = std::fs::File::open(path).map_err(|cause| Error::io("opening", path.display(), cause))?;
    file.take(20).read_to_end(&mut header).map_err(|cause| Error::io("reading", path.display(), cause))?;
    Ok(header.get(18) == Some(&2))
}

fn has_wal_file(path: &Path) -> bool {
    beside(path, "-wal").exists()
}

/// The file beside a database whose name ends so.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// What SQLite says, with the kind that it means.
pub(super) fn failed(doing: &str, path: &Path, cause: rusqlite::Error) -> Error {
    let code = cause.sqlite_error_code();
    let kind = match code {
        Some(ErrorCode::OperationInterrupted) => Kind::Interrupted,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Kind::Unrestorable,
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::AuthorizationForStatementDenied) => {
            Kind::Denied
        }
        Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory | ErrorCode::TooBig) => Kind::Exhausted,
        Some(ErrorCode::CannotOpen) if !path.exists() => Kind::NotFound,
        Some(ErrorCode::CannotOpen) => Kind::Denied,
        _ => Kind::Unavailable,
    };
    let busy = matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
    let error = Error::new(kind, format!("{doing} SQLite database {}", path.display())).because(cause);
    if busy {
        error.temporary().hint("Another program holds a lock on it; try again when it is less busy.")
    } else {
        error
    }
}

/// Interrupts what a connection is doing once the run is asked to stop, for as long as this lives.
#[derive(Debug)]
pub(super) struct Interrupting(Option<tokio::task::JoinHandle<()>>);

impl Interrupting {
    /// Watches over this connection.
    pub(super) fn new(cx: &Context, connection: &Connection) -> Self {
        let (cancel, handle) = (cx.cancel.clone(), connection.get_interrupt_handle());
        let watch = async move {
            cancel.cancelled().await;
            handle.interrupt();
        };
        Self(tokio::runtime::Handle::try_current().ok().map(|runtime| runtime.spawn(watch)))
    }
}

impl Drop for Interrupting {
    fn drop(&mut self) {
        if let Some(watch) = &self.0 {
            watch.abort();
        }
    }
}

/// Interrupts what a connection is doing when nobody waits for it any more.
pub(super) struct InterruptOnDrop(pub(super) InterruptHandle);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}
