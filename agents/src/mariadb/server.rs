//! A throw-away MariaDB server. It listens on a unix socket only, in a folder that none but root and the server's own account may enter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::connection::Target;
use super::session::Session;
use super::site::Site;
use crate::process::{Program, Running};
use crate::sandbox::{is_behind, walled};
use crate::{Account, Context, Error, Identity, Kind, Result};

/// The user that a server is born with, who may do everything.
pub(crate) const SUPERUSER: &str = "root";

/// What everybody says whose disk is full.
const FULL: [&str; 2] = ["No space left on device", "errno: 28"];
const POLL: Duration = Duration::from_millis(30);

/// What loading fast takes of a server that nobody needs after a crash. What is lost is crash safety only: what a session reads is the
/// same.
const FAST: [(&str, &str); 6] = [
    ("innodb_flush_log_at_trx_commit", "0"),
    ("innodb_doublewrite", "0"),
    ("innodb_buffer_pool_size", "128M"),
    ("innodb_use_native_aio", "0"),
    ("innodb_fast_shutdown", "2"),
    ("max_allowed_packet", "1G"),
];

/// Settings that are drillctl's: they keep the server to itself. Given last, they win.
const KEPT_APART: [(&str, &str); 6] = [
    ("skip_networking", "1"),
    ("skip_log_bin", "1"),
    ("skip_slave_start", "1"),
    // A restored event would do at night what is meant for the source.
    ("event_scheduler", "OFF"),
    ("local_infile", "0"),
    ("skip_name_resolve", "1"),
];
const OWN: [&str; 16] = [
    "basedir",
    "bind_address",
    "console",
    "datadir",
    "init_file",
    "log_bin",
    "log_error",
    "pid_file",
    "plugin_dir",
    "port",
    "secure_file_priv",
    "grant_tables",
    "socket",
    "tmpdir",
    "user",
    "lower_case_table_names",
];

/// A throw-away server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    running: Running,
    site: Site,
}

impl Server {
    /// Starts the server whose files are in `site`, and waits for `limit` until it answers.
    ///
    /// # Errors
    /// [`Kind::Config`] if it doesn't start, with the last lines of its log; [`Kind::Refused`] if another server answers.
    pub(crate) async fn start(
        cx: &Context,
        site: Site,
        settings: &BTreeMap<String, String>,
        limit: Duration,
    ) -> Result<Self> {
        let running = program(cx, &site, settings).start(cx)?;
        let mut server = Self { running, site };
        let mut session = server.wait_until_ready(cx, limit).await?;
        server.must_be_what_answers(&mut session).await?;
        Ok(server)
    }

    /// One of its databases; the empty name is none of them.
    pub(crate) fn target(&self, database: &str) -> Target {
        Target::local(&self.socket(), SUPERUSER, database)
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.site.socket()
    }

    /// Its place.
    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// The account that it runs as.
    pub(crate) fn account(&self) -> &Account {
        &self.site.account
    }

    /// Fails if it is gone, with the last lines of its log.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.running.has_ended() {
            None => Ok(()),
            Some(status) => Err(self.died(&status.to_string())),
        }
    }

    async fn wait_until_ready(&mut self, cx: &Context, limit: Duration) -> Result<Session> {
        let began = cx.clock.elapsed();
        let target = self.target("");
        loop {
            cx.go_on()?;
            self.must_run()?;
            match target.connect().await {
                Ok(session) => return Ok(session),
                Err(error) if !error.is_temporary() => return Err(error),
                Err(error) if cx.clock.elapsed().saturating_sub(began) > limit => {
                    return Err(Error::new(Kind::TimedOut, "the scratch server does not answer").because(error));
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// The server that answers is the one that was started, in the folder that this run made.
    async fn must_be_what_answers(&self, session: &mut Session) -> Result<()> {
        let row = session.row("asking the scratch for its folder", "SELECT @@datadir, @@pid_file").await?;
        let [data, pid_file] = [0, 1].map(|at| row.get(at).cloned().flatten().unwrap_or_default());
        let identity = |folder: &Path| Identity::of_path("folder", folder).ok();
        let ours = identity(&self.site.data());
        let pid = std::fs::read_to_string(pid_file).ok().and_then(|text| text.trim().parse().ok());
        let started = pid.is_some_and(|pid| is_behind(&self.running, pid, self.site.walled));
        if ours.is_some() && identity(Path::new(&data)) == ours && started {
            return Ok(());
        }
        Err(Error::new(Kind::Refused, "the server that answers is not the one that was started for this run"))
    }

    /// The error that a loss of the server is, drawn from its log: a full disk ends a server.
    pub(crate) fn explain(&self, lost: Error) -> Error {
        let log = self.site.logged();
        if lost.kind() == Kind::Unavailable && is_full(&log) { full(&telling(&log)) } else { lost }
    }

    fn died(&self, status: &str) -> Error {
        let log = self.site.logged();
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
    FULL.iter().any(|words| said.contains(words))
}

pub(super) fn full(said: &str) -> Error {
    Error::new(Kind::Exhausted, format!("the disk of the scratch server is full: {said}"))
        .hint("Make room for the scratch, or give it a folder on a bigger disk with `path`.")
}

/// The last lines of a log that say why.
pub(super) fn telling(log: &str) -> String {
    let says = |line: &&str| {
        ["[ERROR]", "error:", "ERROR:"].iter().any(|word| line.contains(word)) && !line.ends_with("Aborting")
    };
    let mut last: Vec<&str> = log.lines().rev().filter(|line| says(line)).take(2).collect();
    last.reverse();
    last.join("; ")
}

/// Refuses settings that would open the server to others, and names that are none.
///
/// # Errors
/// [`Kind::Config`].
pub(crate) fn check(settings: &BTreeMap<String, String>) -> Result<()> {
    for name in settings.keys() {
        if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            return Err(Error::new(Kind::Config, format!("`{name}` is not the name of a setting"))
                .hint("Write it as the server's variables are called: `innodb_buffer_pool_size`."));
        }
        // The server takes abbreviations, and words before a name that turn its meaning round.
        let base = ["loose_", "skip_", "enable_", "disable_", "maximum_"]
            .iter()
            .fold(name.as_str(), |name, word| name.trim_start_matches(word));
        let ours = KEPT_APART.iter().map(|(own, _)| own.trim_start_matches("skip_")).chain(OWN);
        if ours.into_iter().any(|own| own.starts_with(base)) || base.starts_with("defaults") {
            return Err(Error::new(Kind::Config, format!("setting {name} of the scratch is drillctl's own"))
                .hint("Leave it out: the server is kept apart by it."));
        }
    }
    Ok(())
}

fn program(cx: &Context, site: &Site, settings: &BTreeMap<String, String>) -> Program {
    let (data, temporary) = (site.data(), site.temporary());
    let files = [
        ("datadir", data.clone()),
        ("socket", site.socket()),
        ("pid_file", data.join("mariadb.pid")),
        ("tmpdir", temporary.clone()),
        ("secure_file_priv", temporary.clone()),
    ];
    let files = files.into_iter().map(|(name, path)| format!("--{name}={}", path.display()));
    let given = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let option = |(name, value): (&str, &str)| format!("--{name}={value}");
    let program = Program::new(&site.programs.server.path).arg("--no-defaults");
    let program = program.args(FAST.into_iter().map(option)).args(given.map(option));
    let program = program.args(KEPT_APART.into_iter().map(option)).args(files);
    let bin = site.programs.server.path.parent().unwrap_or(Path::new("/"));
    let program = walled(cx, program, &[&site.folder, &site.sockets], bin);
    program.account(&site.account).folder(&site.folder).log_to(&site.log())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_open_the_server_are_refused_however_they_are_written() {
        let checked = |name: &str| check(&BTreeMap::from([(name.to_owned(), "1".to_owned())]));
        for open in [
            "skip_networking",
            "skip_network",
            "port",
            "loose_event_scheduler",
            "bind_address",
            "skip_grant_tables",
            "event-scheduler",
            "--user",
        ] {
            assert!(checked(open).is_err(), "{open}");
        }
        for harmless in ["innodb_buffer_pool_size", "character_set_server", "sort_buffer_size", "plugin_load_add"] {
            checked(harmless).expect(harmless);
        }
    }
}
