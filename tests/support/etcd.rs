//! A real etcd cluster to be drilled.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::must;

/// Operations that one transaction may hold.
const AT_ONCE: u32 = 128;

/// A cluster of one member that listens on unix sockets; it ends when it is dropped.
pub struct EtcdServer {
    folder: tempfile::TempDir,
    child: Child,
}

impl EtcdServer {
    /// Starts an empty cluster.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with these options.
    pub fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("et").tempdir_in("/tmp").expect("a temporary folder");
        let mut member = Command::new("etcd");
        member.args(["--name", "source", "--data-dir", "data", "--initial-cluster", "source=http://localhost:2380"]);
        member.args(["--listen-client-urls", "unix://client:0", "--advertise-client-urls", "unix://client:0"]);
        member.args(["--listen-peer-urls", "unix://peer:0", "--initial-advertise-peer-urls", "http://localhost:2380"]);
        member.args(["--heartbeat-interval", "10", "--election-timeout", "100"]).args(options);
        member.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = member.spawn().expect("etcd: `tests/install` installs what tests need");
        let server = Self { folder, child };
        let since = Instant::now();
        while !server.client(&["endpoint", "health"]).output().is_ok_and(|ended| ended.status.success()) {
            assert!(since.elapsed() < Duration::from_secs(30), "the cluster of the tests does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Address of the member.
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Has `etcdctl` do something; returns what it says.
    pub fn ctl(&self, words: &[&str]) -> String {
        let output = must(&mut self.client(words));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Puts `count` keys: `/key/0`, `/key/1`, ….
    pub fn fill(&self, count: u32) {
        for first in (0..count).step_by(AT_ONCE as usize) {
            // No comparisons, what is done then, and nothing otherwise.
            let mut script = String::from("\n");
            for number in first..count.min(first + AT_ONCE) {
                writeln!(script, "put /key/{number} value-{number}").expect("a line");
            }
            let file = self.folder.path().join("fill");
            fs::write(&file, format!("{script}\n\n")).expect("a script");
            let mut client = self.client(&["txn"]);
            must(client.stdin(fs::File::open(file).expect("the script")));
        }
    }

    fn client(&self, words: &[&str]) -> Command {
        let mut client = Command::new("etcdctl");
        client.args(["--endpoints", &self.endpoint()]).args(words);
        client
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("client:0")
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
