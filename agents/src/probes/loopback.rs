//! Addresses of the environment: loopback, and nothing else.

use std::net::SocketAddr;

use tokio::net::lookup_host;

use crate::{Error, Kind, Result};

/// The addresses of `host`, every one of them on this host's loopback.
///
/// # Errors
/// [`Kind::Refused`] if one is not, [`Kind::Config`] if there is none.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let unknown = || Error::new(Kind::Config, format!("resolving {host}"));
    let found: Vec<_> = lookup_host((host, port)).await.map_err(|cause| unknown().because(cause))?.collect();
    if found.is_empty() {
        return Err(unknown().hint("Probes look at loopback: write 127.0.0.1."));
    }
    match found.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
        None => Ok(found),
        Some(outside) => Err(Error::new(Kind::Refused, format!("{host} is {}, outside the environment", outside.ip()))
            .hint("A probe looks at the restored app only: use 127.0.0.1 and `${DRILL_PORT}`.")),
    }
}
