//! The place of a throw-away cluster: its folders, made for one run, and its settings. No server runs yet.

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cluster::{SUPERUSER, full, is_full, telling};
use super::programs::Programs;
use crate::{Account, Context, Error, Kind, Place, Result};

const INITDB: Duration = Duration::from_secs(120);

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

/// Who may connect: whoever may enter the folder of the socket.
const HBA: &str = "local all all trust\n";

/// The place of a throw-away cluster.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    pub(crate) sockets: PathBuf,
    pub(crate) account: Account,
    pub(crate) programs: Programs,
    /// Whether its server is walled in, and who uses it is in the run's sandbox.
    pub(crate) walled: bool,
}

impl Site {
    /// Makes the folders, for this run alone.
    ///
    /// # Errors
    /// [`Kind::Refused`] where something is there already; I/O errors.
    pub(crate) fn make(cx: &Context, place: &Place, programs: Programs) -> Result<Self> {
        let site = Self::of(cx, place, programs)?;
        place.make_for_server(cx, &site.account, &[&site.data()])?;
        let log = site.log();
        private_file(&log).map_err(|cause| Error::io("making", log.display(), cause))?;
        Ok(site)
    }

    /// The place where the folders are or will be.
    ///
    /// # Errors
    /// As for [`account`].
    pub(crate) fn of(cx: &Context, place: &Place, programs: Programs) -> Result<Self> {
        let sockets = place.sockets();
        Ok(Self { folder: place.folder.clone(), sockets, account: account()?, programs, walled: cx.walls.is_some() })
    }

    /// The cluster's files.
    pub(crate) fn data(&self) -> PathBuf {
        data(&self.folder)
    }

    /// What its server writes.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// What its server has written.
    pub(crate) fn logged(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    /// Makes a new, empty cluster in it.
    ///
    /// # Errors
    /// [`Kind::Config`] with what `initdb` says.
    pub(crate) async fn init(&self, cx: &Context, settings: &BTreeMap<String, String>) -> Result<()> {
        let fixed =
            ["--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums", "--no-sync", "--no-instructions"];
        let program = self.programs.program("initdb").args(fixed).arg(format!("--username={SUPERUSER}"));
        let program = program.arg("-D").arg(self.data()).account(&self.account).folder(&self.folder);
        let ended = program.run(cx, INITDB, 4096).await?;
        if !ended.status.success() {
            let said = ended.stderr.join("\n");
            let error = Error::new(Kind::Config, format!("initdb: {}", telling(&said)));
            return Err(if is_full(&said) { full(&telling(&said)) } else { error });
        }
        self.configure(&BTreeMap::new(), settings)
    }

    /// Writes the only settings that its server reads: what makes it fast, what `needed` says, and those of the scenario.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) fn configure(
        &self,
        needed: &BTreeMap<String, String>,
        settings: &BTreeMap<String, String>,
    ) -> Result<()> {
        let given = needed.iter().chain(settings).map(|(name, value)| (name.as_str(), value.as_str()));
        let lines: String = FAST.into_iter().chain(given).map(setting).collect();
        for (name, text) in [("postgresql.conf", lines.as_str()), ("pg_hba.conf", HBA), ("pg_ident.conf", "")] {
            let file = self.data().join(name);
            let wrong = |cause| Error::io("writing", file.display(), cause);
            std::fs::write(&file, text).map_err(wrong)?;
            std::os::unix::fs::chown(&file, Some(self.account.uid), Some(self.account.gid)).map_err(wrong)?;
        }
        Ok(())
    }
}

/// A line of `postgresql.conf`; of two lines for one setting the last holds.
fn setting((name, value): (&str, &str)) -> String {
    format!("{name} = '{}'\n", value.replace('\\', r"\\").replace('\'', "''").replace(['\n', '\r'], " "))
}

fn private_file(path: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map(|_| ())
}

/// The cluster's files below its folder.
pub(crate) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Major version of the cluster below this folder.
///
/// # Errors
/// I/O errors; [`Kind::Config`] if there is no cluster.
pub(crate) fn major(folder: &Path) -> Result<u32> {
    let file = data(folder).join("PG_VERSION");
    let text = std::fs::read_to_string(&file).map_err(|cause| Error::io("reading", file.display(), cause))?;
    let wrong = || Error::new(Kind::Config, format!("{} names no version", file.display()));
    super::programs::major(&text).ok_or_else(wrong)
}

/// The account that servers run as: PostgreSQL refuses to run as root.
///
/// # Errors
/// As for [`Account::for_server`].
pub(crate) fn account() -> Result<Account> {
    Account::for_server(&["postgres", "nobody"])
}
