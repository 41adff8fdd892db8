//! A TCP connection. Every value is always observed: a port that nobody listens on is not open and says nothing.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use drill_scenarios::{Scalar, TcpProbe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::reach::connect;
use super::{Seen, Within, fill, loopback, observation, text, whole};
use crate::{Error, Kind, Result};

/// Bytes that are kept of what the other side says first.
const BANNER: usize = 4 << 10;
/// How long the other side may take to speak first, if nothing is sent: many servers never do.
const SPEAKS_FIRST: Duration = Duration::from_secs(1);

pub(super) async fn observe(probe: &TcpProbe, within: Within<'_>) -> Result<Seen> {
    let address = fill(&probe.address, within.facts)?;
    let addresses = addresses(&address).await?;
    let send = probe.send.as_deref().map(|text| fill(text, within.facts)).transpose()?;
    let clock = &within.cx.clock;
    let began = clock.elapsed();
    let stream = timeout(probe.timeout.duration(), connect(within, &addresses)).await.ok().and_then(io::Result::ok);
    let latency = clock.elapsed().saturating_sub(began);
    let open = stream.is_some();
    let mut said = Vec::new();
    if let Some(stream) = stream {
        let left = probe.timeout.duration().saturating_sub(latency);
        let patience = if send.is_some() { left } else { left.min(SPEAKS_FIRST) };
        let _ = timeout(patience, listen(stream, send, &mut said)).await;
    }
    Ok(Seen::Values(observation([
        ("open", Scalar::Bool(open)),
        ("latency_ms", whole(latency.as_millis())),
        ("banner", text(&said)),
    ])))
}

/// What `address` stands for, on loopback.
pub(super) async fn addresses(address: &str) -> Result<Vec<SocketAddr>> {
    let (host, port) = parts(address).ok_or_else(|| {
        Error::new(Kind::Config, format!("`{address}` is no address with a port, like 127.0.0.1:8080"))
    })?;
    loopback::resolve(host, port).await
}

/// Host and port of `127.0.0.1:80`, `localhost:80` or `[::1]:80`.
fn parts(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!plain.is_empty()).then_some((plain, port.parse().ok()?))
}

/// Hears what the other side says first, until it pauses or enough was said.
async fn listen(mut stream: TcpStream, send: Option<String>, said: &mut Vec<u8>) {
    const PAUSE: Duration = Duration::from_millis(50);
    if let Some(send) = send
        && stream.write_all(send.as_bytes()).await.is_err()
    {
        return;
    }
    let mut piece = [0; BANNER];
    let mut next = stream.read(&mut piece).await.ok();
    while let Some(count @ 1..) = next {
        said.extend_from_slice(&piece[..count.min(BANNER - said.len())]);
        if said.len() == BANNER {
            break;
        }
        next = timeout(PAUSE, stream.read(&mut piece)).await.ok().and_then(std::result::Result::ok);
    }
}
