//! The first process of a program that runs: on this host, in the sandbox, or in a container.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::process::Child;

use crate::container::Contained;
use crate::sandbox::{self, Sandbox};

/// The first process of a program that runs.
#[derive(Debug)]
pub(super) enum Leader {
    /// A process of this host, with its process group until it is collected: from then on the number may be somebody else's.
    Here(Child, Option<Pid>),
    /// One in the sandbox, with the line that it is told of on, and how it ended. Of the line's messages tokio knows nothing, only when
    /// there is one.
    Inside(UnixStream, Sandbox, Option<ExitStatus>),
    /// That of a container.
    Contained(Contained),
}

impl Leader {
    pub(super) fn here(child: Child) -> Self {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self::Here(child, group)
    }

    pub(super) fn inside(sandbox: Sandbox, line: OwnedFd) -> io::Result<Self> {
        let line = std::os::unix::net::UnixStream::from(line);
        line.set_nonblocking(true)?;
        Ok(Self::Inside(UnixStream::from_std(line)?, sandbox, None))
    }

    /// Process id, while it runs on this host.
    pub(super) fn pid(&self) -> Option<Pid> {
        match self {
            Self::Here(_, group) => *group,
            Self::Inside(..) | Self::Contained(_) => None,
        }
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        match self {
            Self::Here(child, _) => child.wait().await,
            Self::Inside(_, _, Some(status)) => Ok(*status),
            Self::Contained(container) => container.wait().await,
            Self::Inside(line, sandbox, status) => loop {
                line.readable().await?;
                match line.try_io(Interest::READABLE, || sandbox.ended(line.as_fd())) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    ended => return Ok(*status.insert(ExitStatus::from_raw(ended?))),
                }
            },
        }
    }

    /// How it ended, if it did.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match self {
            Self::Here(child, _) => child.try_wait(),
            Self::Inside(line, sandbox, status) => {
                if status.is_none() {
                    *status = match sandbox.ended(line.as_fd()) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                        ended => Some(ExitStatus::from_raw(ended?)),
                    };
                }
                Ok(*status)
            }
            Self::Contained(container) => Ok(container.has_ended()),
        }
    }

    /// Sends a signal to the whole group.
    pub(super) fn signal(&self, signal: Signal) {
        match self {
            Self::Here(_, Some(group)) => {
                let _ = rustix::process::kill_process_group(*group, signal);
            }
            Self::Here(_, None) | Self::Inside(_, _, Some(_)) => {}
            Self::Inside(line, _, None) => sandbox::signal(line.as_fd(), signal),
            Self::Contained(container) => container.signal(signal),
        }
    }

    /// Kills the whole group.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Self::Here(_, group) = self {
            *group = None;
        }
    }
}
