//! TLS to a Redis server. Whoever answers must prove its name.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::tls::{Certificates, setting_up};
use crate::{Error, Kind, Result};

/// Speaks TLS over `stream` with who must be `host`.
pub(super) fn wrap<S: std::io::Read + std::io::Write>(
    certificates: &Certificates,
    host: &str,
    stream: S,
) -> Result<StreamOwned<ClientConnection, S>> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|cause| Error::new(Kind::Config, format!("`{host}` is no name of a host")).because(cause))?;
    let connection = ClientConnection::new(Arc::new(certificates.config()?), name).map_err(setting_up)?;
    Ok(StreamOwned::new(connection, stream))
}
