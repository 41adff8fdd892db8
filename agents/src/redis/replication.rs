//! Asking a server for an RDB as a replica does: it forks, and its child writes what was there at that instant.
//!
//! The server is asked for nothing else. It is told that no stream of changes is wanted, so that it keeps none for us; an old server that
//! doesn't know that notices that the connection is gone.

use std::io::{self, Read};

use super::connection::{Connection, proper};
use super::payload::Payload;
use crate::{Error, Kind, Result};

/// What is said before. Servers that don't know one of them do without it.
const OPTIONS: [[&str; 3]; 2] = [["REPLCONF", "capa", "eof"], ["REPLCONF", "rdb-only", "1"]];

/// Asks for an RDB and waits until it begins. What the reader gives ends where the RDB does.
///
/// # Errors
/// What the server says: [`Kind::Denied`], [`Kind::Unavailable`], ….
pub(crate) fn rdb(mut connection: Connection) -> Result<impl Read + Send> {
    for option in OPTIONS {
        match connection.ask(&option) {
            Err(error) if error.kind() == Kind::Denied => return Err(error),
            _ => {}
        }
    }
    connection.send(&["SYNC"]).map_err(|cause| connection.broken("SYNC", cause))?;
    let head = loop {
        let line = connection.line().map_err(|cause| connection.broken("SYNC", cause))?;
        // An empty line is a sign of life of a server that is not ready yet.
        if !line.is_empty() {
            break String::from_utf8_lossy(&line).into_owned();
        }
    };
    if let Some(said) = head.strip_prefix('-') {
        return Err(connection.refused("SYNC", said));
    }
    let payload = Payload::announced(&head, connection);
    payload.ok_or_else(|| {
        Error::new(Kind::Unavailable, format!("SYNC was answered with `{head}`, which announces no RDB"))
    })
}

/// The error that reading such an RDB ends with. `whose` it is stands in front.
pub(crate) fn unreadable(whose: &str, cause: io::Error) -> Error {
    proper(cause, |cause| {
        match cause.kind() {
        io::ErrorKind::Unsupported => Error::new(Kind::Config, format!("{whose} can't be drilled: {cause}")).hint(
            "drillctl compares values of Redis up to 7.2 and none of modules. A `command` source takes whatever a program writes.",
        ),
        io::ErrorKind::InvalidData => Error::new(Kind::Unavailable, format!("{whose} can't be read")).because(cause),
        io::ErrorKind::UnexpectedEof => Error::new(Kind::Unavailable, format!("{whose} broke off")).because(cause),
        _ => Error::new(Kind::Unavailable, format!("reading {whose}")).because(cause),
    }
    })
}
