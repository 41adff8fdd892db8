//! A real MariaDB server, run as users run it: its own folder, a unix socket, an account that isn't root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::must;

/// A server that is stopped when it is dropped.
pub struct Mariadb {
    folder: tempfile::TempDir,
    server: Child,
}

impl Mariadb {
    /// Starts a server with an empty database `shop`.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("maria").tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("mode");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("folder");
        let account = rustix::process::geteuid().is_root().then(|| account("mysql"));
        for own in [folder.path(), &data] {
            account.iter().for_each(|(uid, gid)| chown(own, Some(*uid), Some(*gid)).expect("chown"));
        }
        let as_account = |program: &Path| {
            let mut command = Command::new(program);
            command
                .arg("--no-defaults")
                .arg(format!("--datadir={}", data.display()))
                .current_dir("/")
                .stdin(Stdio::null());
            if let Some((uid, gid)) = account {
                command.uid(uid).gid(gid);
            }
            command
        };
        must(as_account(Path::new("mariadb-install-db")).args([
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]));
        let log = fs::File::create(folder.path().join("log")).expect("log");
        let server = as_account(&bin("mariadbd"))
            .arg(format!("--socket={}", folder.path().join("s").display()))
            .args(["--skip-networking", "--innodb-flush-log-at-trx-commit=0"])
            .stderr(log)
            .spawn()
            .expect("mariadbd starts");
        let mut mariadb = Self { folder, server };
        mariadb.wait();
        mariadb.sql_in("", "CREATE DATABASE shop CHARACTER SET utf8mb4");
        mariadb
    }

    fn wait(&mut self) {
        let since = Instant::now();
        while !self.client("").args(["--execute", "SELECT 1"]).output().is_ok_and(|output| output.status.success()) {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let over = self.server.try_wait().expect("a child").is_some() || since.elapsed() > Duration::from_secs(60);
            assert!(!over, "the server does not start: {log}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Connection URL of `shop`.
    pub fn url(&self) -> String {
        format!("mariadb://root@localhost/shop?socket={}", self.socket().display())
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Runs statements in `shop`; returns what the client prints, unadorned.
    pub fn sql(&self, statements: &str) -> String {
        self.sql_in("shop", statements)
    }

    fn sql_in(&self, database: &str, statements: &str) -> String {
        let output = must(self.client(database).args(["--execute", statements]));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn client(&self, database: &str) -> Command {
        let mut client = Command::new("mariadb");
        client.args([
            "--no-defaults",
            "--user=root",
            "--batch",
            "--comments",
            "--skip-column-names",
            "--default-character-set=utf8mb4",
        ]);
        client.arg(format!("--socket={}", self.socket().display())).args((!database.is_empty()).then_some(database));
        client.stdin(Stdio::null());
        client
    }
}

impl Drop for Mariadb {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A server's program, which is on the path of root only.
pub fn bin(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).chain(["/usr/sbin".into()]).map(|folder| folder.join(name));
    places.find(|path| path.is_file()).unwrap_or_else(|| panic!("{name}: `tests/install` installs what tests need"))
}

fn account(name: &str) -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").expect("accounts");
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name)).expect("MariaDB's account");
    let number = |at: usize| line.split(':').nth(at).and_then(|text| text.parse().ok()).expect("a number");
    (number(2), number(3))
}
