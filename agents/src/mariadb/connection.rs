//! Where a MariaDB or MySQL server is and how it is reached: the URL, the password, TLS, and what an error of the server means.

use std::path::{Path, PathBuf};
use std::time::Duration;

use drill_scenarios::MariadbSource;
use mysql_async::{Conn, DriverError, OptsBuilder, ServerError};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::session::Session;
use super::tls::Tls;
use crate::{Error, Kind, Result, Secrets, Whereabouts};

/// Where Debian's and most other packages put the socket.
const SOCKET: &str = "/run/mysqld/mysqld.sock";
const PORT: u16 = 3306;
const CONNECT: Duration = Duration::from_secs(10);
const FORM: &str =
    "Write it as `mariadb://user@host:3306/database` or `mariadb://user@localhost/database?socket=/path/of/the.sock`.";

/// A database on a server, and how it is reached.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(super) address: Address,
    pub(super) user: String,
    pub(super) password: Option<SecretString>,
    pub(super) database: String,
    pub(super) tls: Tls,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// On this host, at this socket.
    Socket(PathBuf),
    /// At this name or address, and port.
    Tcp(String, u16),
}

impl Target {
    /// The database that the scenario names. A password that stands inside the URL is remembered as a secret.
    ///
    /// # Errors
    /// [`Kind::Config`] for a URL that is malformed or holds a password, or a secret that isn't there.
    pub(crate) fn of(source: &MariadbSource, secrets: &Secrets) -> Result<Self> {
        let (text, secret) = match (&source.url, &source.url_from) {
            (Some(url), None) => (url.clone(), false),
            (None, Some(from)) => (secrets.resolve(from)?.expose_secret().to_owned(), true),
            _ => return Err(config("the MariaDB source needs either `url` or `url_from`")),
        };
        let url: Url = text.parse().map_err(|_| malformed("can't be read"))?;
        let within = url.password().map(decoded);
        for form in url.password().into_iter().chain(within.as_deref()) {
            secrets.remember(form);
        }
        if within.is_some() && !secret {
            return Err(config("the `url` of the MariaDB source holds a password").hint(
                "Keep the whole URL elsewhere and name the place in `url_from`, or the password in `password`.",
            ));
        }
        let given = source.password.as_ref().map(|reference| secrets.resolve(reference)).transpose()?;
        Self::read(&url, given.or(within.map(SecretString::from)), secrets.base())
    }

    fn read(url: &Url, password: Option<SecretString>, base: &Path) -> Result<Self> {
        if !["mariadb", "mysql"].contains(&url.scheme()) {
            return Err(malformed("is of another kind of server"));
        }
        let database = decoded(url.path().trim_start_matches('/'));
        if database.is_empty() || database.contains('/') {
            return Err(malformed("names no database"));
        }
        let (mut socket, mut mode, mut roots) = (None, None, None);
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "socket" => socket = Some(base.join(value.as_ref())),
                "ssl-mode" => mode = Some(value.into_owned()),
                "ssl-ca" => roots = Some(base.join(value.as_ref())),
                other => return Err(malformed(&format!("has an option `{other}` that is not known"))),
            }
        }
        let address = match (socket, url.host_str().unwrap_or_default(), url.port()) {
            (Some(socket), ..) => Address::Socket(socket),
            (None, "" | "localhost", None) => Address::Socket(SOCKET.into()),
            (None, host, port) => Address::Tcp(host.trim_matches(['[', ']']).to_owned(), port.unwrap_or(PORT)),
        };
        let tls = Tls::wished(mode.as_deref(), roots, &address)?;
        Ok(Self { address, user: decoded(url.username()), password, database, tls })
    }

    /// A database of a server on this host.
    pub(crate) fn local(socket: &Path, user: &str, database: &str) -> Self {
        let (address, user, database) = (Address::Socket(socket.into()), user.to_owned(), database.to_owned());
        Self { address, user, password: None, database, tls: Tls::None }
    }

    /// The addresses or the socket that its server answers at. A name that can't be resolved now is none.
    pub(crate) async fn whereabouts(&self) -> Whereabouts {
        let mut found = Whereabouts::default();
        match &self.address {
            Address::Socket(socket) => found.paths.push(socket.clone()),
            Address::Tcp(host, port) => {
                found.addresses.extend(tokio::net::lookup_host((host.as_str(), *port)).await.into_iter().flatten());
            }
        }
        found
    }

    /// The socket of a server on this host.
    pub(crate) fn socket(&self) -> Option<&Path> {
        match &self.address {
            Address::Socket(socket) => Some(socket),
            Address::Tcp(..) => None,
        }
    }

    /// Name of the database; none, if it is a server as a whole.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// A new session, with the server's own settings.
    ///
    /// # Errors
    /// [`Kind::Denied`] for a wrong password, [`Kind::NotFound`] for a missing database, [`Kind::Unavailable`] if nobody answers.
    pub(crate) async fn connect(&self) -> Result<Session> {
        let unreachable = |error: Error| match error.kind() {
            Kind::Denied => error.hint("Check user and password, and from where the server lets that user in."),
            Kind::NotFound => error.hint("Correct the name of the database in the URL."),
            _ if error.is_temporary() => error.hint("Check that the server runs and that host and port are right."),
            _ => error,
        };
        let doing = format!("connecting to MariaDB at {self}");
        match tokio::time::timeout(CONNECT, Conn::new(self.options())).await {
            Ok(Ok(connection)) => Ok(Session::of(connection)),
            Ok(Err(cause)) => Err(unreachable(wrong(doing, cause))),
            Err(_) => Err(unreachable(Error::new(Kind::Unavailable, doing).because("nobody answers").temporary())),
        }
    }

    /// A new session that only reads, with the settings that texts of values depend on.
    ///
    /// # Errors
    /// As for [`Target::connect`] and [`Session::prepare`].
    pub(crate) async fn connect_to_read(&self) -> Result<Session> {
        let mut session = self.connect().await?;
        session.prepare().await?;
        Ok(session)
    }

    fn options(&self) -> OptsBuilder {
        let options = OptsBuilder::default().user(Some(&self.user)).prefer_socket(false).stmt_cache_size(0);
        let options = options.pass(self.password.as_ref().map(|password| password.expose_secret().to_owned()));
        let options = options.db_name(Some(&self.database).filter(|name| !name.is_empty()));
        match &self.address {
            Address::Socket(socket) => options.socket(Some(socket.display().to_string())),
            Address::Tcp(host, port) => {
                options.ip_or_hostname(host.clone()).tcp_port(*port).ssl_opts(self.tls.options())
            }
        }
    }
}

/// Place and database; never the password.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.address {
            Address::Socket(socket) => write!(f, "{}/{}", socket.display(), self.database),
            Address::Tcp(host, port) => write!(f, "{host}:{port}/{}", self.database),
        }
    }
}

fn config(message: impl Into<String>) -> Error {
    Error::new(Kind::Config, message)
}

/// Nothing of the URL is shown: it may be a secret.
fn malformed(how: &str) -> Error {
    config(format!("the connection URL of the MariaDB source {how}")).hint(FORM)
}

/// A part of a URL without its percent signs.
fn decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("part={}", text.replace('+', "%2B").replace('&', "%26")).as_bytes())
        .next()
        .map_or_else(String::new, |(_, part)| part.into_owned())
}

/// What an error of the server or of the connection means to us; the server's own words are its cause.
pub(crate) fn wrong(doing: impl Into<String>, cause: mysql_async::Error) -> Error {
    match cause {
        mysql_async::Error::Server(answer) => {
            let error = Error::new(kind(answer.code), doing);
            let error = if is_temporary(answer.code) { error.temporary() } else { error };
            error.because(Answer(answer))
        }
        mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            Error::new(Kind::Config, doing).because("the server offers no TLS").hint(
                "Set TLS up on the server, or add `?ssl-mode=disabled` to the URL if the network between is trusted.",
            )
        }
        mysql_async::Error::Driver(cause) => Error::new(Kind::Unavailable, doing).because(cause),
        cause => Error::new(Kind::Unavailable, doing).because(cause).temporary(),
    }
}

/// The meaning of the server's error numbers.
fn kind(code: u16) -> Kind {
    match code {
        // Unknown database, table or routine.
        1049 | 1146 | 1305 => Kind::NotFound,
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1698 => Kind::Denied,
        // A lock that wasn't had in time, a statement that ran too long.
        1205 | 1969 | 3024 => Kind::TimedOut,
        // A full disk or table, no memory.
        1021 | 1037 | 1038 | 1041 | 1114 => Kind::Exhausted,
        // No SQL, an unknown column or variable, a change in a session that only reads.
        1054 | 1064 | 1193 | 1231 | 1792 => Kind::Config,
        _ => Kind::Unavailable,
    }
}

/// Too many connections, shutting down, a lock that wasn't had.
fn is_temporary(code: u16) -> bool {
    matches!(code, 1040 | 1053 | 1203 | 1205)
}

/// What the server said, in one line with its number.
#[derive(Debug)]
struct Answer(ServerError);

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (error {})", self.0.message, self.0.code)
    }
}

impl std::error::Error for Answer {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Target> {
        Target::read(&url.parse().expect("a URL"), None, Path::new("/base"))
    }

    #[test]
    fn a_url_says_socket_or_host_user_and_database() {
        let target = read("mysql://back%20up@db.example.org:3307/my%20shop?ssl-mode=disabled").expect("read");
        assert_eq!((target.user.as_str(), target.database.as_str()), ("back up", "my shop"));
        assert_eq!(target.to_string(), "db.example.org:3307/my shop");
        for (url, socket) in [
            ("mariadb://u@localhost/shop", SOCKET),
            ("mariadb:///shop", SOCKET),
            ("mariadb://u@localhost/shop?socket=run/my.sock", "/base/run/my.sock"),
        ] {
            assert_eq!(read(url).expect(url).socket(), Some(Path::new(socket)), "{url}");
        }
        assert_eq!(read("mariadb://u@[::1]/shop").expect("read").address, Address::Tcp("::1".into(), PORT));
    }

    #[test]
    fn what_is_not_known_of_a_url_is_refused() {
        for url in ["postgresql://h/shop", "mariadb://h/", "mariadb://h/a/b", "mariadb://h/shop?compress=yes"] {
            assert_eq!(read(url).expect_err(url).kind(), Kind::Config);
        }
    }
}
