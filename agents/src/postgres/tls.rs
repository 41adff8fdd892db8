//! TLS to a PostgreSQL server, with libpq's meaning of `sslmode`: `prefer` and `require` encrypt without asking who
//! answers (unless `sslrootcert` is given), `verify-full` checks certificate and name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls::{system_roots, trusted};
use crate::{Error, Kind, Result};

/// How much TLS is wished for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    mode: &'static str,
    /// File with the certificates that are trusted.
    roots: Option<PathBuf>,
}

impl Wish {
    /// No TLS.
    pub(super) fn none() -> Self {
        Self { mode: "disable", roots: None }
    }

    /// Takes `sslmode` and `sslrootcert` out of a connection URL. Returns what is left of it and what is wished for.
    pub(super) fn taken_from(url: &str, base: &Path) -> Result<(String, Self)> {
        let mut wish = Self { mode: "prefer", roots: None };
        let Some((address, query)) = url.split_once('?') else { return Ok((url.into(), wish)) };
        let mut kept = Vec::new();
        for part in query.split('&') {
            match part.split_once('=') {
                Some(("sslmode", mode)) => wish.mode = known(mode)?,
                Some(("sslrootcert", "system")) => wish.roots = system_roots(),
                Some(("sslrootcert", file)) => wish.roots = Some(base.join(unescaped(file))),
                _ => kept.push(part),
            }
        }
        let left = if kept.is_empty() { address.into() } else { format!("{address}?{}", kept.join("&")) };
        Ok((left, wish))
    }

    pub(super) fn mode(&self) -> SslMode {
        match self.mode {
            "disable" => SslMode::Disable,
            "prefer" => SslMode::Prefer,
            _ => SslMode::Require,
        }
    }

    /// The same wish in libpq's variables. libpq has no root certificates of its own, so the system's are named.
    pub(super) fn env(&self) -> impl Iterator<Item = (&'static str, String)> {
        let roots = self.roots.clone().or_else(|| if self.mode == "verify-full" { system_roots() } else { None });
        let roots = roots.map(|file| ("PGSSLROOTCERT", file.display().to_string()));
        [("PGSSLMODE", self.mode.to_owned())].into_iter().chain(roots)
    }

    /// What speaks TLS.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|cause| Error::new(Kind::Config, "setting up TLS").because(cause))?;
        let config = if self.mode == "verify-full" || self.roots.is_some() {
            builder.with_root_certificates(trusted(self.roots.as_deref(), "sslrootcert")?).with_no_client_auth()
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth()
        };
        Ok(MakeRustlsConnect::new(config))
    }
}

fn known(mode: &str) -> Result<&'static str> {
    ["disable", "prefer", "require", "verify-full"].into_iter().find(|known| *known == mode).ok_or_else(|| {
        Error::new(Kind::Config, format!("sslmode `{mode}` is not supported"))
            .hint("Use `disable`, `prefer`, `require` or `verify-full`.")
    })
}

fn unescaped(text: &str) -> String {
    url::form_urlencoded::parse(format!("path={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map_or_else(String::new, |(_, path)| path.into_owned())
}

/// Believes whoever answers, as libpq does for `prefer` and `require`: the bytes are safe from listeners, not from an
/// impostor.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_options_are_taken_out_of_the_url() {
        let url = "postgresql://u@h/d?sslmode=verify-full&host=/s&sslrootcert=my%20ca.pem";
        let (left, wish) = Wish::taken_from(url, Path::new("/base")).expect("taken");
        assert_eq!(left, "postgresql://u@h/d?host=/s");
        assert_eq!(wish, Wish { mode: "verify-full", roots: Some("/base/my ca.pem".into()) });
    }

    #[test]
    fn an_sslmode_that_would_mean_less_than_it_says_is_refused() {
        let refused = Wish::taken_from("postgresql://u@h/d?sslmode=verify-ca", Path::new("/")).expect_err("refused");
        assert_eq!(refused.kind(), Kind::Config);
    }
}
