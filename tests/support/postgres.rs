//! A real PostgreSQL server, run as users run it: its own cluster, a unix socket, an account that isn't root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::must;

/// A cluster that is stopped when it is dropped.
pub struct Cluster {
    folder: tempfile::TempDir,
    bin: PathBuf,
    account: Option<(u32, u32)>,
}

impl Cluster {
    /// Starts a server with an empty database `shop`.
    pub fn start() -> Self {
        Self::start_from(newest_bin())
    }

    /// The same with the server's programs in this folder.
    #[allow(dead_code, reason = "not every test binary has another than the newest")]
    pub fn start_from(bin: PathBuf) -> Self {
        let cluster = Self::empty(bin);
        must(cluster.program("initdb").args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"]).arg(cluster.data()));
        cluster.serve();
        cluster.sql_in("postgres", "CREATE DATABASE shop");
        cluster
    }

    /// Starts a server on the files of a cluster that was restored into this folder, which are moved away from there.
    #[allow(dead_code, reason = "not every test binary restores one by hand")]
    pub fn of_files(files: &Path) -> Self {
        let cluster = Self::empty(newest_bin());
        must(Command::new("mv").arg(files).arg(cluster.data()));
        cluster.serve();
        cluster
    }

    fn empty(bin: PathBuf) -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir().expect("a temporary folder");
        let account = rustix::process::geteuid().is_root().then(|| account("postgres"));
        if let Some((uid, gid)) = account {
            chown(folder.path(), Some(uid), Some(gid)).expect("chown");
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("mode");
        Self { folder, bin, account }
    }

    /// Stops the server and starts it again.
    pub fn restart(&self) {
        must(self.program("pg_ctl").args(["-w", "-m", "fast", "stop", "-D"]).arg(self.data()));
        self.serve();
    }

    /// The account that it runs as, if that isn't the test's own.
    pub fn account(&self) -> Option<(u32, u32)> {
        self.account
    }

    /// A new folder of this name beside its data.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).expect("folder");
        if let Some((uid, gid)) = self.account {
            chown(&folder, Some(uid), Some(gid)).expect("chown");
        }
        folder
    }

    fn serve(&self) {
        if let Some((uid, gid)) = self.account {
            must(Command::new("chown").arg(format!("{uid}:{gid}")).arg(self.data()));
        }
        let options =
            format!("-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off", self.socket().display());
        let mut start = self.program("pg_ctl");
        start
            .args(["-w", "-l"])
            .arg(self.folder.path().join("log"))
            .arg("-D")
            .arg(self.data())
            .args(["-o", &options, "start"]);
        let started = start.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("pg_ctl starts");
        assert!(started.success(), "{}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
    }

    /// Connection URL of `shop`.
    pub fn url(&self) -> String {
        format!("postgresql://postgres@/shop?host={}", self.socket().display())
    }

    /// Folder with the server's programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The cluster's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs statements in `shop`; returns what psql prints, unadorned.
    pub fn sql(&self, statements: &str) -> String {
        self.sql_in("shop", statements)
    }

    /// Ends the segment of WAL at hand and waits until the server's `archive_command` has taken it. Returns its name.
    #[allow(dead_code, reason = "not every test binary has an archive")]
    pub fn switch_wal(&self) -> String {
        let segment = self.sql("SELECT pg_walfile_name(pg_switch_wal())");
        let since = Instant::now();
        while self.sql("SELECT last_archived_wal FROM pg_stat_archiver") < segment {
            assert!(since.elapsed() < Duration::from_secs(60), "{segment} was never archived");
            std::thread::sleep(Duration::from_millis(50));
        }
        segment
    }

    fn sql_in(&self, database: &str, statements: &str) -> String {
        let mut psql = self.program("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", statements, "-h"]);
        let output = must(psql.arg(self.socket()));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn socket(&self) -> &Path {
        self.folder.path()
    }

    fn program(&self, name: &str) -> Command {
        self.command(&self.bin.join(name).to_string_lossy())
    }

    /// Another program, run as the account that it runs as.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C.UTF-8").current_dir("/").stdin(Stdio::null());
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.program("pg_ctl").args(["-m", "immediate", "stop", "-D"]).arg(self.data()).output();
    }
}

fn newest_bin() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let bins = versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists());
    bins.max().expect("PostgreSQL's server programs: `tests/install` installs what tests need")
}

fn account(name: &str) -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").expect("accounts");
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name)).expect("PostgreSQL's account");
    let number = |at: usize| line.split(':').nth(at).and_then(|text| text.parse().ok()).expect("a number");
    (number(2), number(3))
}
