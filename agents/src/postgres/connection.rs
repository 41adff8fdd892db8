//! Where a PostgreSQL server is and how it is reached: the URL, the password, TLS, and what an error of the server means.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use drill_scenarios::PostgresSource;
use secrecy::ExposeSecret;
use tokio::net::lookup_host;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Config, NoTls};

use super::tls;
use crate::{Error, Kind, Result, Secrets, Whereabouts};

/// The name that drillctl's sessions show in `pg_stat_activity`.
const APPLICATION: &str = "drillctl";
/// Where Debian's and most other packages put the socket.
const SOCKETS: &str = "/var/run/postgresql";
/// The port, if none is given.
const PORT: u16 = 5432;
const CONNECT: Duration = Duration::from_secs(10);

/// A database on a server, and how it is reached.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    config: Config,
    tls: tls::Wish,
}

impl Target {
    /// The database that the scenario names. A password that stands inside the URL is remembered as a secret.
    pub(crate) fn of(source: &PostgresSource, secrets: &Secrets) -> Result<Self> {
        let (url, secret) = match (&source.url, &source.url_from) {
            (Some(url), None) => (url.clone(), false),
            (None, Some(from)) => (secrets.resolve(from)?.expose_secret().to_owned(), true),
            _ => return Err(config("the PostgreSQL source needs either `url` or `url_from`")),
        };
        remember_password(&url, secrets);
        let (plain, tls) = tls::Wish::taken_from(&url, secrets.base())?;
        let mut parsed: Config = plain.parse().map_err(|cause| malformed(cause, secret))?;
        if let Some(password) = parsed.get_password() {
            secrets.remember(&String::from_utf8_lossy(password));
            if !secret {
                return Err(config("the `url` of the PostgreSQL source holds a password").hint(
                    "Keep the whole URL elsewhere and name the place in `url_from`, or the password in `password`.",
                ));
            }
        }
        if let Some(reference) = &source.password {
            parsed.password(secrets.resolve(reference)?.expose_secret());
        }
        if parsed.get_hosts().is_empty() && parsed.get_hostaddrs().is_empty() {
            parsed.host_path(SOCKETS);
        }
        Ok(Self::new(parsed, tls))
    }

    /// A database of a server on this host, through the socket in `folder`.
    pub(crate) fn local(folder: &Path, port: u16, user: &str, database: &str) -> Self {
        let mut config = Config::new();
        config.host_path(folder).port(port).user(user).dbname(database);
        Self::new(config, tls::Wish::none())
    }

    fn new(mut config: Config, tls: tls::Wish) -> Self {
        config.application_name(APPLICATION);
        config.connect_timeout(config.get_connect_timeout().copied().unwrap_or(CONNECT));
        let sockets_only = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(if sockets_only { SslMode::Disable } else { tls.mode() });
        Self { config, tls }
    }

    /// Another database of the same server.
    pub(crate) fn in_database(&self, name: &str) -> Self {
        let mut target = self.clone();
        target.config.dbname(name);
        target
    }

    /// A new session.
    ///
    /// # Errors
    /// [`Kind::Denied`] for a wrong password, [`Kind::NotFound`] for a missing database, [`Kind::Unavailable`] if nobody answers.
    pub(crate) async fn connect(&self) -> Result<Client> {
        let failed = |cause| self.unreachable(cause);
        if matches!(self.config.get_ssl_mode(), SslMode::Disable) {
            let (client, connection) = self.config.connect(NoTls).await.map_err(failed)?;
            tokio::spawn(connection);
            return Ok(client);
        }
        let (client, connection) = self.config.connect(self.tls.connector()?).await.map_err(failed)?;
        tokio::spawn(connection);
        Ok(client)
    }

    fn unreachable(&self, cause: tokio_postgres::Error) -> Error {
        let error = wrong(format!("connecting to PostgreSQL at {self}"), cause);
        match error.kind() {
            Kind::Denied => error.hint("Check user, password and pg_hba.conf of the server."),
            Kind::NotFound => error.hint("Correct the name of the database in the URL."),
            _ if error.is_temporary() => error.hint("Check that the server runs and that host and port are right."),
            _ => error,
        }
    }

    /// The addresses and sockets that its server answers at. A name that can't be resolved now is none.
    pub(crate) async fn whereabouts(&self) -> Whereabouts {
        let (config, mut found) = (&self.config, Whereabouts::default());
        let port = |place: usize| config.get_ports().get(place).or(config.get_ports().first()).copied().unwrap_or(PORT);
        for (place, host) in config.get_hosts().iter().enumerate() {
            match host {
                Host::Unix(folder) => found.paths.push(folder.join(format!(".s.PGSQL.{}", port(place)))),
                Host::Tcp(name) => {
                    found.addresses.extend(lookup_host((name.as_str(), port(place))).await.into_iter().flatten());
                }
            }
        }
        let addresses = config.get_hostaddrs().iter().enumerate();
        found.addresses.extend(addresses.map(|(place, address)| SocketAddr::new(*address, port(place))));
        found
    }

    /// The variables with which libpq's programs reach the same database. The password goes this way, since it
    /// is then on no disk and in no list of processes: only this account and root, who can read the reference
    /// anyway, can read a process's environment.
    pub(crate) fn env(&self) -> Vec<(&'static str, String)> {
        let config = &self.config;
        let hosts: Vec<String> = config.get_hosts().iter().map(host).collect();
        let ports: Vec<String> = config.get_ports().iter().map(u16::to_string).collect();
        let addresses: Vec<String> = config.get_hostaddrs().iter().map(ToString::to_string).collect();
        let password = config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let all = [
            ("PGHOST", some(hosts.join(","))),
            ("PGHOSTADDR", some(addresses.join(","))),
            ("PGPORT", some(ports.join(","))),
            ("PGUSER", config.get_user().map(Into::into)),
            ("PGDATABASE", config.get_dbname().map(Into::into)),
            ("PGOPTIONS", config.get_options().map(Into::into)),
            ("PGPASSWORD", password),
            ("PGAPPNAME", Some(APPLICATION.into())),
            ("PGCONNECT_TIMEOUT", Some(CONNECT.as_secs().to_string())),
        ];
        let set = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
        set.chain(self.tls.env()).collect()
    }
}

/// Host, port and database; never the password.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let config = &self.config;
        let hosts: Vec<String> = config.get_hosts().iter().map(host).collect();
        let ports: Vec<String> = config.get_ports().iter().map(|port| format!(":{port}")).collect();
        let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
        write!(f, "{}{}/{database}", hosts.join(","), ports.join(","))
    }
}

fn host(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.display().to_string(),
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn config(message: &str) -> Error {
    Error::new(Kind::Config, message)
}

/// What the parser complains of may quote the URL, so it is shown only where the URL is no secret.
fn malformed(cause: tokio_postgres::Error, secret: bool) -> Error {
    let error = config("the connection URL of the PostgreSQL source is malformed").hint(
        "Write it as `postgresql://user@host:5432/database` or `postgresql://user@/database?host=/socket/folder`.",
    );
    if secret { error } else { error.because(cause) }
}

/// The password as it stands in the URL, percent signs and all: an error may quote it in that form.
fn remember_password(url: &str, secrets: &Secrets) {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    if let Some((_, password)) = user.and_then(|user| user.split_once(':')) {
        secrets.remember(password);
    }
}

/// What an error of the server or of the connection means to us; the server's own words are its cause.
pub(crate) fn wrong(doing: impl Into<String>, cause: tokio_postgres::Error) -> Error {
    let Some(answer) = cause.as_db_error().cloned() else {
        return Error::new(Kind::Unavailable, doing).because(cause).temporary();
    };
    let error = Error::new(kind(answer.code()), doing);
    let error = if is_temporary(answer.code()) { error.temporary() } else { error };
    error.because(Answer(answer))
}

fn kind(state: &SqlState) -> Kind {
    match state.code() {
        "3D000" | "42P01" | "3F000" => Kind::NotFound,
        "42501" | "28P01" | "28000" => Kind::Denied,
        "57014" | "55P03" => Kind::TimedOut,
        "53100" | "53200" => Kind::Exhausted,
        code if code.starts_with("42") => Kind::Config,
        _ => Kind::Unavailable,
    }
}

/// Too many connections, starting up, shutting down, a lock that wasn't had.
fn is_temporary(state: &SqlState) -> bool {
    matches!(state.code(), "53300" | "57P01" | "57P02" | "57P03" | "55P03")
}

/// What the server said: its message with detail and hint, in one line.
#[derive(Debug)]
struct Answer(DbError);

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.message())?;
        for more in [self.0.detail(), self.0.hint()].into_iter().flatten() {
            write!(f, " ({more})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Answer {}
