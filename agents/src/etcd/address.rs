//! Where the members of a cluster are, who asks them, and TLS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drill_scenarios::{EtcdScratch, EtcdSource, Reference};
use reqwest::{Client, redirect};
use secrecy::SecretString;
use url::Url;

use crate::tls::Certificates;
use crate::{Error, Kind, Result, Secrets, Whereabouts};

const PORT: u16 = 2379;
const CONNECT: Duration = Duration::from_secs(5);
/// How long nothing at all may come. A member that has to ask a slow quorum answers within ten seconds, or with an error.
const SILENCE: Duration = Duration::from_secs(60);

/// A cluster, and how it is reached.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(super) members: Vec<Endpoint>,
    certificates: Certificates,
    pub(super) login: Option<Login>,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(super) user: String,
    pub(super) password: SecretString,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Unix(PathBuf),
    /// Scheme, host and port.
    Http(Url),
}

impl Address {
    /// The cluster that the scenario names.
    ///
    /// # Errors
    /// [`Kind::Config`] for an address that is none, or a secret that isn't there.
    pub(crate) fn of(source: &EtcdSource, secrets: &Secrets) -> Result<Self> {
        let EtcdSource { ca, certificate, key, .. } = source;
        Ok(Self {
            members: source.endpoints.iter().map(|text| Endpoint::of(text)).collect::<Result<_>>()?,
            certificates: Certificates::of(secrets.base(), ca.as_deref(), certificate.as_deref(), key.as_deref())?,
            login: Login::of(source.user.as_deref(), source.password.as_ref(), secrets)?,
        })
    }

    /// A member on this host that is asked by nobody but this user, if the cluster asks for one.
    pub(crate) fn local(socket: &Path, login: Option<Login>) -> Self {
        Self { members: vec![Endpoint::Unix(socket.into())], certificates: Certificates::default(), login }
    }

    /// The addresses and sockets that the members answer at. A name that can't be resolved now is none.
    pub(crate) async fn whereabouts(&self) -> Whereabouts {
        let mut found = Whereabouts::default();
        for member in &self.members {
            match member {
                Endpoint::Unix(socket) => found.paths.push(socket.clone()),
                Endpoint::Http(url) => {
                    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
                    let host = host.trim_start_matches('[').trim_end_matches(']');
                    let resolved = tokio::net::lookup_host((host, port.unwrap_or(PORT))).await;
                    found.addresses.extend(resolved.into_iter().flatten());
                }
            }
        }
        found
    }

    /// A client that speaks to this member and to nobody else.
    pub(super) fn client(&self, member: &Endpoint) -> Result<Client> {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .user_agent(concat!("drillctl/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE);
        // Even a client that never speaks TLS is made with a provider of it.
        crate::install_tls();
        let client = match member {
            Endpoint::Unix(socket) => client.unix_socket(socket.as_path()),
            Endpoint::Http(url) if url.scheme() == "http" => client,
            Endpoint::Http(_) => client.tls_backend_preconfigured(self.certificates.config()?),
        };
        client.build().map_err(|cause| Error::new(Kind::Config, "making a client for etcd").because(cause))
    }
}

impl Login {
    /// The user that a scenario names.
    ///
    /// # Errors
    /// [`Kind::Config`] for a user without a password, or a secret that isn't there.
    fn of(user: Option<&str>, password: Option<&Reference>, secrets: &Secrets) -> Result<Option<Self>> {
        match (user, password) {
            (None, None) => Ok(None),
            (Some(user), Some(password)) => Ok(Some(Self { user: user.into(), password: secrets.resolve(password)? })),
            _ => Err(Error::new(Kind::Config, "a user of etcd and its password belong together")
                .hint("Give both `user` and `password`, or neither.")),
        }
    }

    /// The user that asks the restored cluster.
    ///
    /// # Errors
    /// As for that of a source.
    pub(crate) fn of_scratch(scratch: &EtcdScratch, secrets: &Secrets) -> Result<Option<Self>> {
        Self::of(scratch.user.as_deref(), scratch.password.as_ref(), secrets)
    }
}

impl Endpoint {
    fn of(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
            return Ok(Self::Unix(path.into()));
        }
        let mut url = Url::parse(text).map_err(|_| malformed(text))?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !matches!(url.scheme(), "http" | "https") || !plain || !matches!(url.path(), "" | "/") {
            return Err(malformed(text));
        }
        if url.port().is_none() && !text.trim_end_matches('/').ends_with(&format!(":{}", default_port(&url))) {
            // The usual port of etcd, not that of the web.
            url.set_port(Some(PORT)).map_err(|()| malformed(text))?;
        }
        Ok(Self::Http(url))
    }

    /// Where a request for `path` goes to.
    pub(super) fn url(&self, path: &str) -> String {
        match self {
            Self::Unix(_) => format!("http://localhost{path}"),
            Self::Http(url) => format!("{}{path}", url.as_str().trim_end_matches('/')),
        }
    }
}

fn default_port(url: &Url) -> u16 {
    if url.scheme() == "https" { 443 } else { 80 }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(socket) => write!(f, "{}", socket.display()),
            Self::Http(url) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

/// A password may stand in it, so it is not quoted as it is.
fn malformed(text: &str) -> Error {
    let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    Error::new(Kind::Config, format!("`{shown}` is not the address of a member of etcd"))
        .hint("Write `https://host:2379`, `http://host:2379` without TLS, or `unix:///path/of/the/socket`; a user belongs to `user`.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_an_address_leads_to_its_member() {
        let of = |text| Endpoint::of(text).expect("an address").url("/v3/kv/range");
        assert_eq!(of("http://etcd-1"), "http://etcd-1:2379/v3/kv/range");
        assert_eq!(of("https://[::1]:4001/"), "https://[::1]:4001/v3/kv/range");
        assert_eq!(
            of("https://etcd.internal:443"),
            "https://etcd.internal/v3/kv/range",
            "a port that is written counts"
        );
        assert_eq!(of("unix:///run/etcd:0"), "http://localhost/v3/kv/range");
    }

    #[test]
    fn an_address_that_is_none_or_says_too_much_is_refused_without_a_password() {
        for wrong in ["etcd:2379", "ftp://etcd", "http://etcd/v3", "unix://etcd:0", "https://root:hunter2@etcd"] {
            let error = Endpoint::of(wrong).expect_err(wrong);
            assert_eq!(error.kind(), Kind::Config, "{wrong}");
            assert!(error.next_step().is_some() && !error.chain().contains("hunter2"), "{error:?}");
        }
    }
}
