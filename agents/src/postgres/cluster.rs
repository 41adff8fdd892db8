//! A throw-away PostgreSQL cluster: its files and its server. It listens on a unix socket only, in a folder
//! that none but root and the server's own account may enter.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::connection::Target;
use super::programs::Programs;
use crate::process::Running;
use crate::{Account, Context, Error, Kind, Mark, Place, Result};

/// The user that the cluster is born with.
pub(crate) const SUPERUSER: &str = "postgres";
/// The port; it is only a part of the socket's name.
pub(crate) const PORT: u16 = 5432;

/// What everybody says whose disk is full.
const FULL: &str = "No space left on device";
const INITDB: Duration = Duration::from_secs(120);
const START: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(30);

/// What loading fast takes of a cluster that nobody needs after a crash. What is lost is crash safety only: what a session
/// reads is the same.
const FAST: [(&str, &str); 12] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "1GB"),
    ("checkpoint_timeout", "30min"),
    ("shared_buffers", "128MB"),
    ("maintenance_work_mem", "128MB"),
    ("max_connections", "100"),
    // Segments in files below the data folder: nothing stays in /dev/shm, however the server ends.
    ("dynamic_shared_memory_type", "mmap"),
];

/// Settings that are drillctl's: they keep the cluster to itself. Given on the command line, they win over every file.
const KEPT_APART: [(&str, &str); 7] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("archive_mode", "off"),
    ("external_pid_file", ""),
    ("ssl", "off"),
];
const OWN: [&str; 7] =
    ["port", "unix_socket_directories", "unix_socket_group", "data_directory", "hba_file", "ident_file", "config_file"];

/// A throw-away cluster whose server runs.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Running,
    account: Account,
    programs: Programs,
    sockets: PathBuf,
    log: PathBuf,
}

impl Cluster {
    /// Makes the cluster in `place` and starts its server.
    ///
    /// # Errors
    /// [`Kind::Config`] if it doesn't start, with the last lines of its log.
    pub(crate) async fn make(
        cx: &Context,
        place: &Place,
        programs: Programs,
        settings: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let account = account()?;
        let sockets = place.also.first().cloned().unwrap_or_else(|| place.folder.join("socket"));
        make_folders(&cx.run, &place.folder, &sockets, &account)?;
        let log = log(&place.folder);
        private_file(&log).map_err(|cause| Error::io("making", log.display(), cause))?;
        initdb(cx, &programs, &account, &place.folder, settings).await?;
        let server = start(cx, &programs, &account, &place.folder, &sockets)?;
        let mut cluster = Self { server, account, programs, sockets, log };
        cluster.wait_until_ready(cx).await?;
        Ok(cluster)
    }

    /// One of its databases.
    pub(crate) fn target(&self, database: &str) -> Target {
        Target::local(&self.sockets, PORT, SUPERUSER, database)
    }

    /// Folder of its socket.
    pub(crate) fn sockets(&self) -> &Path {
        &self.sockets
    }

    /// The programs of its version.
    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The account that its server runs as.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// Fails if the server is gone, with the last lines of its log.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.server.has_ended() {
            None => Ok(()),
            Some(status) => Err(self.died(&status.to_string())),
        }
    }

    async fn wait_until_ready(&mut self, cx: &Context) -> Result<()> {
        let began = cx.clock.elapsed();
        let target = self.target("template1");
        loop {
            cx.go_on()?;
            self.must_run()?;
            match target.connect().await {
                Ok(_) => return Ok(()),
                Err(error) if cx.clock.elapsed().saturating_sub(began) > START => {
                    return Err(Error::new(Kind::TimedOut, "the scratch server does not answer").because(error));
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// The error that a loss of the server is, drawn from its log: a full disk ends a server.
    pub(crate) fn explain(&self, lost: Error) -> Error {
        let log = self.log();
        if lost.kind() == Kind::Unavailable && log.contains(FULL) { full(&telling(&log)) } else { lost }
    }

    fn died(&self, status: &str) -> Error {
        let log = self.log();
        let said = telling(&log);
        if log.contains(FULL) {
            return full(&said);
        }
        Error::new(Kind::Config, format!("the scratch server ended with {status}: {said}"))
            .hint("Look at `settings` of the scratch.")
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

fn full(said: &str) -> Error {
    Error::new(Kind::Exhausted, format!("the disk of the scratch server is full: {said}"))
        .hint("Make room for the scratch, or give it a folder on a bigger disk with `path`.")
}

/// The last lines of a log that say why.
fn telling(log: &str) -> String {
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

/// The account that servers run as: PostgreSQL refuses to run as root.
///
/// # Errors
/// [`Kind::Config`] if there is none.
pub(crate) fn account() -> Result<Account> {
    let current = Account::current();
    if !current.is_root() {
        return Ok(current);
    }
    ["postgres", "nobody"].into_iter().find_map(Account::named).ok_or_else(|| {
        Error::new(Kind::Config, "there is no account `postgres` or `nobody` to run a server as").hint(
            "Install PostgreSQL from packages, which makes the account, or run drillctl as somebody who is not root.",
        )
    })
}

/// The first folder above `path` that `account` may not pass through.
pub(crate) fn barrier(path: &Path, account: &Account) -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let closed = |folder: &&Path| {
        std::fs::metadata(folder).is_ok_and(|meta| {
            let bit = match () {
                () if meta.uid() == account.uid => 0o100,
                () if meta.gid() == account.gid => 0o010,
                () => 0o001,
            };
            meta.mode() & bit == 0
        })
    };
    path.ancestors().skip(1).find(closed).map(Path::to_owned)
}

/// The cluster's files below its folder.
pub(crate) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn log(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

/// The folder for sockets must not be there yet: it lies where everybody may put things, so what is there already may be
/// somebody's trap.
fn make_folders(run: &str, folder: &Path, sockets: &Path, account: &Account) -> Result<()> {
    let wrong = |path: &Path, cause| Error::io("making scratch folder", path.display(), cause);
    let mark = Mark::of(run);
    mark.make_folder(folder)?;
    let passable = std::fs::Permissions::from_mode(if account.uid == Account::current().uid { 0o700 } else { 0o711 });
    std::fs::set_permissions(folder, passable).map_err(|cause| wrong(folder, cause))?;
    std::fs::DirBuilder::new().mode(0o700).create(sockets).map_err(|cause| wrong(sockets, cause))?;
    mark.make_folder(sockets)?;
    let data = data(folder);
    std::fs::DirBuilder::new().mode(0o700).create(&data).map_err(|cause| wrong(&data, cause))?;
    for own in [sockets, &data] {
        std::os::unix::fs::chown(own, Some(account.uid), Some(account.gid)).map_err(|cause| wrong(own, cause))?;
    }
    Ok(())
}

fn private_file(path: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map(|_| ())
}

async fn initdb(
    cx: &Context,
    programs: &Programs,
    account: &Account,
    folder: &Path,
    settings: &BTreeMap<String, String>,
) -> Result<()> {
    let data = data(folder);
    let fixed = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums", "--no-sync", "--no-instructions"];
    let program = programs.program("initdb").args(fixed).arg(format!("--username={SUPERUSER}")).arg("-D").arg(&data);
    let ended = program.account(account).folder(folder).run(cx, INITDB, 4096).await?;
    if !ended.status.success() {
        let said = ended.stderr.join("\n");
        let error = Error::new(Kind::Config, format!("initdb: {}", telling(&said)));
        return Err(if said.contains(FULL) { full(&telling(&said)) } else { error });
    }
    let file = data.join("postgresql.conf");
    let conf = std::fs::OpenOptions::new().append(true).open(&file);
    let given = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let lines: String = FAST.into_iter().chain(given).map(setting).collect();
    conf.and_then(|mut conf| std::io::Write::write_all(&mut conf, lines.as_bytes()))
        .map_err(|cause| Error::io("writing", file.display(), cause))
}

/// A line of `postgresql.conf`; of two lines for one setting the last holds.
fn setting((name, value): (&str, &str)) -> String {
    format!("{name} = '{}'\n", value.replace('\\', r"\\").replace('\'', "''").replace(['\n', '\r'], " "))
}

fn start(cx: &Context, programs: &Programs, account: &Account, folder: &Path, sockets: &Path) -> Result<Running> {
    let apart = KEPT_APART.into_iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]);
    let program = programs.program("postgres").arg("-D").arg(data(folder)).arg("-k").arg(sockets);
    let program = program.arg("-p").arg(PORT.to_string()).args(apart);
    program.account(account).folder(folder).log_to(&log(folder)).start(cx)
}
