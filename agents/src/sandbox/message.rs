//! What drillctl and the first process of its sandbox say to each other.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;

/// The first thing that is said on a new line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Start a program; its two outputs come with the message. Answered by `Started` and `Ended`, or `Refused`.
    Start(Start),
    /// Connect to a port on the sandbox's loopback. Answered by `Connected` with the connection, or `Refused`.
    Connect(SocketAddr),
    /// Tell what was tried to reach since this was asked last. Answered by `Attempts`.
    Attempts,
}

/// The program that is to be started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) argv: Vec<OsString>,
    /// All of its environment.
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) folder: Option<PathBuf>,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The sandbox is set up, and no right is left in it. Said once, unasked.
    Ready,
    /// The program runs.
    Started,
    /// It ended, with this status as the kernel writes it.
    Ended(i32),
    /// The connection comes with this message.
    Connected,
    /// It can't be done, with the number of the system's error.
    Refused(i32),
    /// What was tried, and how often.
    Attempts(Vec<(Attempt, u64)>),
}

/// What is said of a program that runs: that its whole group gets this signal. A closed line kills it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) signal: i32,
}

/// What the first process is told when it is started.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// Addresses on loopback that are the source's, outside.
    pub(super) elsewhere: Vec<SocketAddr>,
    /// User and group that the first process becomes, unless it is of them from the begin.
    pub(super) account: Option<(u32, u32)>,
    /// Most bytes of one file.
    pub(super) file_bytes: u64,
    /// Most bytes of one process's own memory, where no group of processes can be limited.
    pub(super) memory_bytes: Option<u64>,
    /// Most processes of the account, where no group of processes can be limited.
    pub(super) processes: Option<u64>,
}
