//! Where a Redis server is: the URL, who asks, and TLS.

use std::fmt;
use std::path::{Path, PathBuf};

use drill_scenarios::RedisSource;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::tls::Certificates;
use crate::{Error, Kind, Result, Secrets, Whereabouts};

const PORT: u16 = 6379;

/// A server, and how it is reached.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(super) endpoint: Endpoint,
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
}

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(super) enum Endpoint {
    Unix(PathBuf),
    Tcp { host: String, port: u16, tls: Option<Certificates> },
}

impl Address {
    /// The server that the scenario names. A password that stands inside the URL is remembered as a secret.
    ///
    /// # Errors
    /// [`Kind::Config`] for a URL that is malformed or holds a password where it is no secret, or a secret that isn't there.
    pub(crate) fn of(source: &RedisSource, secrets: &Secrets) -> Result<Self> {
        let (url, secret) = match (&source.url, &source.url_from) {
            (Some(url), None) => (url.clone(), false),
            (None, Some(from)) => (secrets.resolve(from)?.expose_secret().to_owned(), true),
            _ => return Err(config("the Redis source needs either `url` or `url_from`")),
        };
        let url = Url::parse(&url).map_err(|_| malformed())?;
        let written = url.password().map(unescaped);
        for form in url.password().into_iter().chain(written.as_deref()) {
            secrets.remember(form);
        }
        if written.is_some() && !secret {
            return Err(config("the `url` of the Redis source holds a password").hint(
                "Keep the whole URL elsewhere and name the place in `url_from`, or the password in `password`.",
            ));
        }
        let given = source.password.as_ref().map(|reference| secrets.resolve(reference)).transpose()?;
        let certificates = Certificates::of(
            secrets.base(),
            source.ca.as_deref(),
            source.certificate.as_deref(),
            source.key.as_deref(),
        )?;
        let user = (!url.username().is_empty()).then(|| unescaped(url.username()));
        let endpoint = Endpoint::of(&url, certificates)?;
        Ok(Self { endpoint, user, password: given.or(written.map(SecretString::from)) })
    }

    /// A server of this host's, without a password.
    pub(crate) fn local(socket: &Path) -> Self {
        Self { endpoint: Endpoint::Unix(socket.into()), user: None, password: None }
    }

    /// The addresses or the socket that the server answers at. A name that can't be resolved now is none.
    pub(crate) async fn whereabouts(&self) -> Whereabouts {
        let mut found = Whereabouts::default();
        match &self.endpoint {
            Endpoint::Unix(socket) => found.paths.push(socket.clone()),
            Endpoint::Tcp { host, port, .. } => {
                found.addresses.extend(tokio::net::lookup_host((host.as_str(), *port)).await.into_iter().flatten());
            }
        }
        found
    }
}

impl Endpoint {
    fn of(url: &Url, certificates: Certificates) -> Result<Self> {
        let tls = url.scheme() == "rediss";
        match (url.scheme(), url.host_str()) {
            ("unix", None) => Ok(Self::Unix(unescaped(url.path()).into())),
            ("redis" | "rediss", Some(_)) if !matches!(url.path(), "" | "/") => {
                Err(config("the URL of the Redis source ends with the number of a database")
                    .hint("Take it away: a backup of Redis is always of all databases of the server."))
            }
            ("redis" | "rediss", Some(host)) => Ok(Self::Tcp {
                host: host.trim_start_matches('[').trim_end_matches(']').into(),
                port: url.port().unwrap_or(PORT),
                tls: tls.then_some(certificates),
            }),
            _ => Err(malformed()),
        }
    }
}

/// Host and port, or the socket; never the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Unix(socket) => write!(f, "{}", socket.display()),
            Endpoint::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
        }
    }
}

/// What the parser complains of may quote the URL, which may be a secret, so it is not told.
fn malformed() -> Error {
    config("the URL of the Redis source is malformed")
        .hint("Write it as `redis://user@host:6379`, `rediss://…` for TLS, or `unix:///path/of/the/socket`.")
}

fn config(message: &str) -> Error {
    Error::new(Kind::Config, message)
}

fn unescaped(text: &str) -> String {
    let plain = text.replace('+', "%2B").replace('&', "%26");
    let pair = format!("text={plain}");
    let mut parsed = url::form_urlencoded::parse(pair.as_bytes());
    parsed.next().map_or_else(String::new, |(_, text)| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(url: &str) -> RedisSource {
        RedisSource { url: Some(url.into()), ..RedisSource::default() }
    }

    fn address(url: &str) -> Result<Address> {
        Address::of(&source(url), &Secrets::relative_to(Path::new("/base")))
    }

    #[test]
    fn each_form_of_a_url_leads_to_its_server() {
        let of = |url| {
            let address = address(url).expect("an address");
            let tls = matches!(address.endpoint, Endpoint::Tcp { tls: Some(_), .. });
            (address.to_string(), address.user, tls)
        };
        assert_eq!(of("redis://db.internal"), ("db.internal:6379".into(), None, false));
        assert_eq!(of("rediss://dr%26ill+er@[::1]:7000/"), ("::1:7000".into(), Some("dr&ill+er".into()), true));
        assert_eq!(of("unix:///run/re%20dis/s.sock"), ("/run/re dis/s.sock".into(), None, false));
    }

    #[test]
    fn a_url_that_is_none_or_says_too_much_is_refused_without_being_quoted() {
        for wrong in ["db:6379", "http://db", "redis://", "redis://db/3", "redis://:hunter2@db", "unix://host/x"] {
            let error = address(wrong).expect_err(wrong);
            assert_eq!(error.kind(), Kind::Config, "{wrong}");
            assert!(error.next_step().is_some() && !error.chain().contains("hunter2"), "{error:?}");
        }
    }
}
