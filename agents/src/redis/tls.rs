//! TLS to a Redis server. Whoever answers must prove its name; a server that asks for the client's certificate is given one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use drill_scenarios::RedisSource;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::tls::{certificates, trusted};
use crate::{Error, Kind, Result};

/// Files with what is trusted, and what is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Certificates {
    ca: Option<PathBuf>,
    own: Option<(PathBuf, PathBuf)>,
}

impl Certificates {
    /// Those that the scenario names.
    pub(super) fn of(source: &RedisSource, base: &Path) -> Result<Self> {
        let file = |file: &Option<PathBuf>| file.as_ref().map(|file| base.join(file));
        let own = match (file(&source.certificate), file(&source.key)) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => {
                return Err(Error::new(Kind::Config, "a client's certificate and its key belong together")
                    .hint("Give both `certificate` and `key`, or neither."));
            }
        };
        Ok(Self { ca: file(&source.ca), own })
    }

    /// Speaks TLS over `stream` with who must be `host`.
    pub(super) fn wrap<S: std::io::Read + std::io::Write>(
        &self,
        host: &str,
        stream: S,
    ) -> Result<StreamOwned<ClientConnection, S>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|cause| Error::new(Kind::Config, format!("`{host}` is no name of a host")).because(cause))?;
        let connection = ClientConnection::new(Arc::new(self.config()?), name).map_err(setting_up)?;
        Ok(StreamOwned::new(connection, stream))
    }

    fn config(&self) -> Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(setting_up)?.with_root_certificates(trusted(self.ca.as_deref(), "ca")?);
        let Some((certificate, key)) = &self.own else { return Ok(builder.with_no_client_auth()) };
        let read = PrivateKeyDer::from_pem_file(key)
            .map_err(|cause| Error::new(Kind::Config, format!("reading key {}", key.display())).because(cause))?;
        builder.with_client_auth_cert(certificates(certificate)?, read).map_err(setting_up)
    }
}

fn setting_up(cause: rustls::Error) -> Error {
    Error::new(Kind::Config, "setting up TLS").because(cause)
}
