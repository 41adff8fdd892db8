//! A real etcd cluster to be drilled, and a run to drill it in.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drill_scenarios::{EtcdScratch as Described, EtcdSource as Source_, Level};
use serde_json::{Value, json};

use crate::etcd::address::Address;
use crate::etcd::connection::Connection;
use crate::etcd::message::Bytes;
use crate::process::{Program, Running};
use crate::scratches::EtcdScratch;
use crate::sources::EtcdSource;
use crate::trial::{captured, reader};
use crate::{
    Captured, Clock, Context, Environment, Identity, Index, Mark, Place, Result, Scratch, Secrets, differences,
};

/// A cluster of the tests' own, with its run's folder beside it. Everything ends with it.
pub(super) struct Fixture {
    pub(super) cx: Context,
    pub(super) folder: PathBuf,
    server: Running,
    _home: tempfile::TempDir,
}

impl Fixture {
    pub(super) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A member with these options.
    pub(super) async fn start_with(options: &[&str]) -> Self {
        let home = tempfile::Builder::new().prefix("et").tempdir_in("/tmp").expect("tempdir");
        let folder = home.path().to_owned();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711)).expect("mode");
        let run = format!("test-{}", folder.file_name().expect("a name").to_string_lossy());
        std::fs::create_dir(folder.join("run")).expect("a folder");
        let cx = Context::new(run, &folder.join("run"), Clock::system(), Arc::new(Secrets::relative_to(&folder)));
        let server = member(&folder, options).log_to(&folder.join("log")).start(&cx);
        let server = server.expect("these tests need etcd: `tests/install test` installs it");
        let fixture = Self { cx, folder, server, _home: home };
        for _ in 0..1000 {
            if Connection::open(&fixture.address()).await.is_ok() {
                return fixture;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the member of the tests does not start: {:?}", std::fs::read_to_string(fixture.folder.join("log")));
    }

    /// Has `etcdctl` do something at the member.
    pub(super) async fn ctl(&self, words: &str) -> String {
        ctl(&self.cx, &self.socket(), words).await
    }

    /// Puts `count` keys with values of this many bytes, a hundred at a time.
    pub(super) async fn fill(&self, count: u32, bytes: usize) {
        let mut connection = Connection::open(&self.address()).await.expect("connected");
        for first in (0..count).step_by(100) {
            let puts = (first..count.min(first + 100)).map(|number| {
                let value = format!("{number:0bytes$}").into_bytes();
                json!({"request_put": {"key": Bytes(format!("/key/{number:06}").into_bytes()), "value": Bytes(value)}})
            });
            let transaction = json!({"success": puts.collect::<Vec<_>>()});
            let _: Value = connection.ask("kv/txn", &transaction).await.expect("written");
        }
    }

    /// Kills the member.
    pub(super) fn kill(&self) {
        let pid = self.server.pid().and_then(rustix::process::Pid::from_raw).expect("it runs");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("client:0")
    }

    pub(super) fn address(&self) -> Address {
        Address::local(&self.socket(), None)
    }

    pub(super) fn described(&self) -> Source_ {
        Source_ { endpoints: vec![format!("unix://{}", self.socket().display())], ..Source_::default() }
    }

    pub(super) fn source(&self) -> EtcdSource {
        self.open(&self.described()).expect("source")
    }

    pub(super) fn open(&self, described: &Source_) -> Result<EtcdSource> {
        EtcdSource::open(described, &self.cx.secrets)
    }

    pub(super) async fn capture(&self) -> (Captured, Vec<u8>) {
        captured(&self.source(), &self.cx).await.expect("capture")
    }

    /// What differs between two captures, the second of them after this.
    pub(super) async fn changed_by(&self, words: &str) -> Vec<(String, String)> {
        let (before, _) = self.capture().await;
        self.ctl(words).await;
        let (after, _) = self.capture().await;
        differences(&before.index, &after.index, Level::Content)
    }

    /// Provisions a scratch and restores into it.
    pub(super) async fn restore(&self, index: &Index, stream: Vec<u8>) -> Restored {
        self.try_restore(&Described::default(), index, stream).await.expect("restored")
    }

    pub(super) async fn try_restore(&self, described: &Described, index: &Index, stream: Vec<u8>) -> Result<Restored> {
        let scratch = EtcdScratch::open(described);
        let place = scratch.place(&self.cx);
        let version = index.databases.first().map(|database| database.version.clone()).unwrap_or_default();
        let source = Identity::new("etcd", [("version", version)]);
        scratch.admit(&self.cx, &place, &source, &index.format).await?;
        let environment = scratch.provision(&self.cx, &place, index).await?;
        let mut restored = Restored { cx: self.cx.clone(), scratch, place, environment };
        restored.environment.restore(&self.cx, index, reader(stream)).await?;
        Ok(restored)
    }

    /// Releases what a restore that failed has left.
    pub(super) async fn release(&self) {
        let scratch = EtcdScratch::open(&Described::default());
        scratch.release(&self.cx, &scratch.place(&self.cx)).await.expect("release");
    }
}

/// What a test that failed has left of its scratch.
impl Drop for Fixture {
    fn drop(&mut self) {
        let scratch = EtcdScratch::open(&Described::default());
        for folder in scratch.place(&self.cx).also {
            let _ = Mark::of(&self.cx.run).remove_folder(&folder);
        }
    }
}

/// A scratch with something in it.
pub(super) struct Restored {
    cx: Context,
    scratch: EtcdScratch,
    place: Place,
    pub(super) environment: Box<dyn Environment>,
}

impl Restored {
    /// Has `etcdctl` do something at the restored cluster.
    pub(super) async fn ctl(&self, words: &str) -> String {
        ctl(&self.cx, self.environment.facts()["ETCD_SOCKET"].as_ref(), words).await
    }

    /// What is different from what was captured.
    pub(super) async fn differences(&self, index: &Index) -> Vec<(String, String)> {
        let observed = self.environment.observe(&self.cx, index, Level::Content).await.expect("observe");
        differences(index, &observed, Level::Content)
    }

    /// Releases it as whoever knows the place alone does: nobody has stopped the server before.
    pub(super) async fn release_by_place(self) {
        let sockets = self.place.also[0].clone();
        let servers = || {
            let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
            let folders = processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok());
            // Of a folder that is gone the link still tells the name, with a word behind it.
            let sockets = sockets.to_string_lossy();
            folders.filter(|folder| folder.to_string_lossy().starts_with(&*sockets)).count()
        };
        std::mem::forget(self.environment);
        assert_eq!(servers(), 1, "it serves");
        self.scratch.release(&self.cx, &self.place).await.expect("release");
        assert_eq!(servers(), 0, "it was stopped");
        assert!(!sockets.exists() && !self.place.folder.exists(), "nothing is left");
    }

    pub(super) async fn release(self) {
        drop(self.environment);
        self.scratch.release(&self.cx, &self.place).await.expect("release");
        assert!(self.place.also.iter().chain([&self.place.folder]).all(|folder| !folder.exists()), "nothing is left");
    }
}

/// The only member of a cluster that keeps its data and its sockets in this folder.
pub(super) fn member(folder: &Path, options: &[&str]) -> Program {
    let sockets = ["--listen-client-urls", "unix://client:0", "--advertise-client-urls", "unix://client:0"];
    let peers = ["--listen-peer-urls", "unix://peer:0", "--initial-advertise-peer-urls", "http://localhost:2380"];
    let cluster = ["--name", "source", "--initial-cluster", "source=http://localhost:2380", "--data-dir", "data"];
    let quick = ["--heartbeat-interval", "10", "--election-timeout", "100"];
    Program::new("etcd").args(sockets).args(peers).args(cluster).args(quick).args(options).folder(folder)
}

/// Runs `etcdctl` with these words (a shell splits them) and returns what it says; a failure fails the test.
async fn ctl(cx: &Context, socket: &Path, words: &str) -> String {
    let script = format!("etcdctl --endpoints unix://{} {words}", socket.display());
    let ended = Program::new("sh").args(["-c", &script]).run(cx, Duration::from_secs(60), 1 << 20).await;
    let ended = ended.expect("sh");
    assert!(ended.status.success(), "{words}: {:?} (`tests/install test` installs etcdctl)", ended.stderr);
    String::from_utf8_lossy(&ended.stdout).into_owned()
}
