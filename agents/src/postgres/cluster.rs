//! A throw-away PostgreSQL cluster: its files and its server. It listens on a unix socket only, in a folder
//! that none but root and the server's own account may enter.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio_postgres::Client;

use super::connection::{Target, wrong};
use super::programs::Programs;
use super::site::Site;
use crate::process::Running;
use crate::sandbox::{is_behind, walled};
use crate::{Account, Context, Error, Identity, Kind, Result};

/// The user that the cluster is born with.
pub(crate) const SUPERUSER: &str = "postgres";
/// The port; it is only a part of the socket's name.
pub(crate) const PORT: u16 = 5432;

/// What everybody says whose disk is full.
const FULL: &str = "No space left on device";
const POLL: Duration = Duration::from_millis(30);

/// Settings that are drillctl's: they keep the cluster to itself. Given on the command line, they win over every file.
const KEPT_APART: [(&str, &str); 8] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("archive_mode", "off"),
    ("external_pid_file", ""),
    ("ssl", "off"),
    // A restored subscription would take from its publisher what is meant for the source.
    ("max_logical_replication_workers", "0"),
];
const OWN: [&str; 10] = [
    "port",
    "unix_socket_directories",
    "unix_socket_group",
    "data_directory",
    "hba_file",
    "ident_file",
    "config_file",
    "primary_conninfo",
    "primary_slot_name",
    "restore_command",
];

/// A throw-away cluster whose server runs.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Running,
    site: Site,
    superuser: String,
}

impl Cluster {
    /// Starts the server of the cluster that is in `site`, and waits for `limit` until this superuser gets an answer in this database.
    ///
    /// # Errors
    /// [`Kind::Config`] if it doesn't start, with the last lines of its log; [`Kind::Refused`] if another server answers.
    pub(crate) async fn start(
        cx: &Context,
        site: Site,
        (superuser, database): (&str, &str),
        limit: Duration,
    ) -> Result<Self> {
        let server = start(cx, &site)?;
        let mut cluster = Self { server, site, superuser: superuser.into() };
        let client = cluster.wait_until_ready(cx, database, limit).await?;
        cluster.must_be_what_answers(&client).await?;
        Ok(cluster)
    }

    /// One of its databases.
    pub(crate) fn target(&self, database: &str) -> Target {
        Target::local(&self.site.sockets, PORT, &self.superuser, database)
    }

    /// The user that sessions are of.
    pub(crate) fn superuser(&self) -> &str {
        &self.superuser
    }

    /// Folder of its socket.
    pub(crate) fn sockets(&self) -> &Path {
        &self.site.sockets
    }

    /// The programs of its version.
    pub(crate) fn programs(&self) -> &Programs {
        &self.site.programs
    }

    /// The account that its server runs as.
    pub(crate) fn account(&self) -> &Account {
        &self.site.account
    }

    /// Whether its server is walled in.
    pub(crate) fn is_walled(&self) -> bool {
        self.site.walled
    }

    /// What its server has written.
    pub(crate) fn logged(&self) -> String {
        self.site.logged()
    }

    /// Fails if the server is gone, with the last lines of its log.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.server.has_ended() {
            None => Ok(()),
            Some(status) => Err(self.died(&status.to_string())),
        }
    }

    async fn wait_until_ready(&mut self, cx: &Context, database: &str, limit: Duration) -> Result<Client> {
        let began = cx.clock.elapsed();
        let target = self.target(database);
        loop {
            cx.go_on()?;
            self.must_run()?;
            match target.connect().await {
                Ok(client) => return Ok(client),
                Err(error) if !error.is_temporary() => return Err(error),
                Err(error) if cx.clock.elapsed().saturating_sub(began) > limit => {
                    return Err(Error::new(Kind::TimedOut, "the scratch server does not answer").because(error));
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// The server that answers is the one that was started, in the folder that this run made: whatever a restored cluster is a copy
    /// of, it is not that.
    async fn must_be_what_answers(&self, client: &Client) -> Result<()> {
        let row = client.query_one("SELECT current_setting('data_directory')", &[]).await;
        let row = row.map_err(|cause| wrong("asking the scratch for its folder", cause))?;
        let identity = |folder: &Path| Identity::of_path("folder", folder).ok();
        let data = self.site.data();
        let pid_file = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let pid = pid_file.lines().next().and_then(|line| line.parse().ok());
        let started = pid.is_some_and(|pid| is_behind(&self.server, pid, self.site.walled));
        let ours = identity(&data).is_some() && identity(Path::new(row.get::<_, &str>(0))) == identity(&data);
        if ours && started {
            return Ok(());
        }
        Err(Error::new(Kind::Refused, "the server that answers is not the one that was started for this run"))
    }

    /// The error that a loss of the server is, drawn from its log: a full disk ends a server.
    pub(crate) fn explain(&self, lost: Error) -> Error {
        let log = self.logged();
        if lost.kind() == Kind::Unavailable && is_full(&log) { full(&telling(&log)) } else { lost }
    }

    fn died(&self, status: &str) -> Error {
        let log = self.logged();
        let said = telling(&log);
        if is_full(&log) {
            return full(&said);
        }
        Error::new(Kind::Config, format!("the scratch server ended with {status}: {said}"))
            .hint("Look at `settings` of the scratch.")
    }
}

/// Whether this tells of a full disk.
pub(super) fn is_full(said: &str) -> bool {
    said.contains(FULL)
}

pub(super) fn full(said: &str) -> Error {
    Error::new(Kind::Exhausted, format!("the disk of the scratch server is full: {said}"))
        .hint("Make room for the scratch, or give it a folder on a bigger disk with `path`.")
}

/// The last lines of a log that say why.
pub(super) fn telling(log: &str) -> String {
    let says = |line: &&str| ["FATAL", "PANIC", "LOG:  invalid", "error:"].iter().any(|word| line.contains(word));
    let waits = |line: &&str| line.contains("is starting up");
    let mut last: Vec<&str> = log.lines().rev().filter(|line| says(line) && !waits(line)).take(2).collect();
    last.reverse();
    last.join("; ")
}

/// Refuses settings that would open the cluster to others, and names that are none.
///
/// # Errors
/// [`Kind::Config`].
pub(crate) fn check(settings: &BTreeMap<String, String>) -> Result<()> {
    for name in settings.keys() {
        let ours = OWN.contains(&name.as_str()) || KEPT_APART.iter().any(|(own, _)| own == name);
        if ours {
            return Err(Error::new(Kind::Config, format!("setting {name} of the scratch is drillctl's own"))
                .hint("Leave it out: the cluster is kept apart by it."));
        }
        if name.starts_with("include") || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            return Err(Error::new(Kind::Config, format!("`{name}` is not the name of a setting")));
        }
    }
    Ok(())
}

fn start(cx: &Context, site: &Site) -> Result<Running> {
    let data = site.data();
    let files = [
        ("data_directory", data.clone()),
        ("config_file", data.join("postgresql.conf")),
        ("hba_file", data.join("pg_hba.conf")),
        ("ident_file", data.join("pg_ident.conf")),
    ];
    let files = files.into_iter().flat_map(|(name, path)| ["-c".to_owned(), format!("{name}={}", path.display())]);
    let apart = KEPT_APART.into_iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]);
    let program = site.programs.program("postgres").arg("-D").arg(&data).arg("-k").arg(&site.sockets);
    let program = program.arg("-p").arg(PORT.to_string()).args(files).args(apart);
    let program = if site.walled { program.args(["-c", "unix_socket_permissions=0770"]) } else { program };
    let program = walled(cx, program, &[&site.folder, &site.sockets], site.programs.folder());
    program.account(&site.account).folder(&site.folder).log_to(&site.log()).start(cx)
}
