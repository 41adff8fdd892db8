//! Whether nobody answers yet where probes will look for the app: whoever is there already would answer in its place.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use drill_scenarios::Probe;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{fill, http, tcp};
use crate::{Error, Kind, Result};

/// How long a connection on loopback may take. A queue that is full drops connections, and then somebody is there.
const PATIENCE: Duration = Duration::from_secs(1);

/// Fails if somebody listens where one of these probes will look. Asked before the app is started.
///
/// # Errors
/// [`Kind::Refused`] if somebody does; those of an address that can't be.
pub async fn require_free(probes: impl IntoIterator<Item = &Probe>, facts: &BTreeMap<String, String>) -> Result<()> {
    for probe in probes {
        let addresses = match probe {
            Probe::Http(http) => http::addresses(&fill(&http.url, facts)?).await?,
            Probe::Tcp(tcp) => tcp::addresses(&fill(&tcp.address, facts)?).await?,
            Probe::Sql(_) | Probe::Command(_) | Probe::File(_) | Probe::References(_) => continue,
        };
        for address in addresses {
            if answers(address).await {
                let message = format!("something listens on {address} already, before the app is started");
                return Err(Error::new(Kind::Refused, message).hint(
                    "It would answer in the app's place: let the app listen on `${DRILL_PORT}`, and look there.",
                ));
            }
        }
    }
    Ok(())
}

async fn answers(address: SocketAddr) -> bool {
    timeout(PATIENCE, TcpStream::connect(address)).await.is_ok_and(|connected| connected.is_ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::free_port;

    #[tokio::test]
    async fn a_place_is_free_until_somebody_listens_there() {
        let port = free_port().expect("a port");
        let facts = BTreeMap::from([("DRILL_PORT".to_owned(), port.to_string())]);
        let probes: Vec<Probe> = [
            json!({"file": {"path": "x"}}),
            json!({"tcp": {"address": "localhost:${DRILL_PORT}"}}),
            json!({"http": {"url": "http://127.0.0.1:${DRILL_PORT}/"}}),
        ]
        .into_iter()
        .map(|probe| serde_json::from_value(probe).expect("a probe"))
        .collect();
        require_free(&probes, &facts).await.expect("nobody is there");
        let squatter = std::net::TcpListener::bind(("127.0.0.1", port)).expect("listens");
        require_free(&probes[..1], &facts).await.expect("a file needs no port");
        for probe in &probes[1..] {
            let refused = require_free([probe], &facts).await.expect_err("somebody is there");
            assert_eq!(refused.kind(), Kind::Refused);
            assert!(refused.to_string().contains(&port.to_string()), "{refused}");
        }
        drop(squatter);
    }
}
