//! The one TLS provider of the process, and the certificates that are trusted. Two providers would panic at the first connection, none
//! fails at run time only.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::{Error, Kind, Result};

/// Where distributions keep the certificates of the authorities that the system trusts.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Makes AWS-LC the process's TLS provider and the HTTP client that of the vaults. Called first thing in `main`, and again by
/// whatever opens a vault; only the first call does something.
pub fn install_tls() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error says that one is installed already, which is all that is wanted.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        opendal::install_default();
    });
}

/// The file with the certificates that the system trusts.
pub(crate) fn system_roots() -> Option<PathBuf> {
    SYSTEM_ROOTS.into_iter().map(PathBuf::from).find(|file| file.exists())
}

/// The certificates in `file`, or those that the system trusts. `option` is what names such a file.
///
/// # Errors
/// [`Kind::Config`] if there are none.
pub(crate) fn trusted(file: Option<&Path>, option: &str) -> Result<RootCertStore> {
    let file = file.map(Path::to_owned).or_else(system_roots).ok_or_else(|| {
        Error::new(Kind::Config, "this host has no root certificates")
            .hint(format!("Install the package ca-certificates, or name a file with `{option}`."))
    })?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&file)?);
    if roots.is_empty() {
        return Err(Error::new(Kind::Config, format!("{} holds no certificate", file.display())));
    }
    Ok(roots)
}

/// The certificates in a file.
///
/// # Errors
/// [`Kind::Config`] if it can't be read.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|cause| Error::new(Kind::Config, format!("reading certificates {}", file.display())).because(cause))
}

/// Files with what is trusted, and what is shown to a server that asks for a client's certificate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Certificates {
    ca: Option<PathBuf>,
    own: Option<(PathBuf, PathBuf)>,
}

impl Certificates {
    /// Those that a scenario names as `ca`, `certificate` and `key`, relative to `base`.
    ///
    /// # Errors
    /// [`Kind::Config`] for a certificate without its key.
    pub(crate) fn of(base: &Path, ca: Option<&Path>, certificate: Option<&Path>, key: Option<&Path>) -> Result<Self> {
        let own = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((base.join(certificate), base.join(key))),
            _ => {
                return Err(Error::new(Kind::Config, "a client's certificate and its key belong together")
                    .hint("Give both `certificate` and `key`, or neither."));
            }
        };
        Ok(Self { ca: ca.map(|file| base.join(file)), own })
    }

    /// Settings of a client that has them.
    ///
    /// # Errors
    /// [`Kind::Config`] if one of the files can't be read.
    pub(crate) fn config(&self) -> Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(setting_up)?.with_root_certificates(trusted(self.ca.as_deref(), "ca")?);
        let Some((certificate, key)) = &self.own else { return Ok(builder.with_no_client_auth()) };
        let read = PrivateKeyDer::from_pem_file(key)
            .map_err(|cause| Error::new(Kind::Config, format!("reading key {}", key.display())).because(cause))?;
        builder.with_client_auth_cert(certificates(certificate)?, read).map_err(setting_up)
    }
}

/// The error that rustls' complaint is.
pub(crate) fn setting_up(cause: rustls::Error) -> Error {
    Error::new(Kind::Config, "setting up TLS").because(cause)
}
