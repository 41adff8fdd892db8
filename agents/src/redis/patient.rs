//! A stream that is waited for: as long as something comes now and then, and until the run is asked to stop.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::address::{Address, Endpoint};
use super::tls;
use crate::{Error, Kind, Result};

const CONNECT: Duration = Duration::from_secs(10);
/// Between two looks at whether the run is asked to stop.
const LOOK: Duration = Duration::from_millis(200);
/// How long nothing at all may come. A server that prepares an RDB gives a sign of life every second.
const SILENCE: Duration = Duration::from_secs(60);

/// What bytes go through.
pub(super) trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// A connection whose every wait ends.
pub(super) struct Patient {
    stream: Box<dyn Stream>,
    cancel: CancellationToken,
}

impl std::fmt::Debug for Patient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Patient")
    }
}

impl Patient {
    /// Connects. On a thread that may block.
    pub(super) fn connect(address: &Address, cancel: &CancellationToken) -> Result<Self> {
        let unreachable = |cause| {
            Error::new(Kind::Unavailable, format!("connecting to Redis at {address}"))
                .because(cause)
                .hint("Check that the server runs and that host and port, or the socket, are right.")
                .temporary()
        };
        let stream: Box<dyn Stream> = match &address.endpoint {
            Endpoint::Unix(socket) => {
                let stream = UnixStream::connect(socket).map_err(unreachable)?;
                waiting(stream.set_read_timeout(Some(LOOK)), stream.set_write_timeout(Some(LOOK)))?;
                Box::new(stream)
            }
            Endpoint::Tcp { host, port, tls } => {
                let stream = reach(host, *port).map_err(unreachable)?;
                waiting(stream.set_read_timeout(Some(LOOK)), stream.set_write_timeout(Some(LOOK)))?;
                match tls {
                    None => Box::new(stream),
                    Some(certificates) => Box::new(tls::wrap(certificates, host, stream)?),
                }
            }
        };
        Ok(Self { stream, cancel: cancel.clone() })
    }

    /// Repeats what would have to wait, until it needn't or the wait is over.
    fn patiently<T>(&mut self, mut act: impl FnMut(&mut dyn Stream) -> io::Result<T>) -> io::Result<T> {
        for _ in 0..SILENCE.as_millis() / LOOK.as_millis() {
            if self.cancel.is_cancelled() {
                return Err(io::Error::other(Error::new(Kind::Interrupted, "the run was asked to stop")));
            }
            match act(&mut *self.stream) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                done => return done,
            }
        }
        Err(io::Error::other(Error::new(Kind::TimedOut, format!("the Redis server was silent for {SILENCE:?}"))))
    }
}

/// The first address of the host that takes the connection.
fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn waiting(read: io::Result<()>, write: io::Result<()>) -> Result<()> {
    read.and(write).map_err(|cause| Error::io("setting up", "a connection to Redis", cause))
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.patiently(|stream| stream.read(buffer))
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.patiently(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.patiently(|stream| stream.flush())
    }
}
