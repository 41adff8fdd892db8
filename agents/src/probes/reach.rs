//! How a probe reaches the app: on this host's loopback, or on that of the sandbox.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};
use tokio::task::JoinHandle;

use super::Within;
use crate::{Context, Error, Result};

/// A connection to the first of these addresses that answers.
pub(super) async fn connect(within: Within<'_>, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut answer = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        answer = match within.cx.sandbox() {
            Some(sandbox) => sandbox.connect(*address).await,
            None => TcpStream::connect(address).await,
        };
        if answer.is_ok() {
            break;
        }
    }
    answer
}

/// A socket in the run's folder, which none but this account may enter, that leads to one connection. It is gone with this.
pub(super) struct Gate {
    path: PathBuf,
    /// The folder by its open number: the path of a socket must be short.
    folder: std::os::fd::OwnedFd,
    passing: JoinHandle<()>,
}

impl Gate {
    /// Opens it. The connection is that of the first who comes.
    pub(super) fn open(cx: &Context, mut connection: TcpStream) -> Result<Self> {
        let name = format!("gate-{:016x}.sock", rand::random::<u64>());
        let path = cx.folder.join(&name);
        let wrong = |cause| Error::io("making", path.display(), cause);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&cx.folder, flags, Mode::empty()).map_err(|error| wrong(error.into()))?;
        let listener = UnixListener::bind(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd())).map_err(wrong)?;
        let passing = tokio::spawn(async move {
            if let Ok((mut probe, _)) = listener.accept().await {
                let _ = copy_bidirectional(&mut probe, &mut connection).await;
            }
        });
        Ok(Self { path, folder, passing })
    }

    /// Where it is, in a form that is short enough.
    pub(super) fn path(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default();
        PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd())).join(name)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.passing.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}
