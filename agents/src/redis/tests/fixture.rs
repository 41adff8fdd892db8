//! A real Redis server to be drilled, and a run to drill it in.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drill_scenarios::Level;

use crate::process::{Program, Running};
use crate::scratches::RedisScratch;
use crate::sources::RedisSource;
use crate::trial::{captured, reader};
use crate::{Captured, Clock, Context, Environment, Index, Mark, Place, Result, Scratch, Secrets, Source, differences};

/// Keys of every type, in every form that a server stores them.
pub(super) const RICH: &str = include_str!("rich.txt");

/// A server of the tests' own, with its run's folder beside it. Everything ends with it.
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

    /// A server with these options.
    pub(super) async fn start_with(options: &[&str]) -> Self {
        let home = tempfile::Builder::new().prefix("rd").tempdir_in("/tmp").expect("tempdir");
        let folder = home.path().to_owned();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711)).expect("mode");
        let run = format!("test-{}", folder.file_name().expect("a name").to_string_lossy());
        for name in ["run", "source"] {
            std::fs::create_dir(folder.join(name)).expect("a folder");
        }
        let cx = Context::new(run, &folder.join("run"), Clock::system(), Arc::new(Secrets::relative_to(&folder)));
        let fixed = ["--port", "0", "--save", "", "--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes"];
        let server = Program::new("redis-server").args(fixed).args(options);
        let server = server.arg("--unixsocket").arg(folder.join("s")).arg("--dir").arg(folder.join("source"));
        let server = server.log_to(&folder.join("log")).start(&cx);
        let server = server.expect("these tests need Redis: `tests/install test` installs it");
        let fixture = Self { cx, folder, server, _home: home };
        for _ in 0..3000 {
            if fixture.folder.join("s").exists() {
                return fixture;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server of the tests does not start: {:?}", std::fs::read_to_string(fixture.folder.join("log")));
    }

    /// Sends commands to the server, one a line.
    pub(super) async fn send(&self, commands: &str) -> String {
        send(&self.cx, &self.folder.join("s"), commands).await
    }

    /// Kills the server.
    pub(super) fn kill(&self) {
        let pid = self.server.pid().and_then(rustix::process::Pid::from_raw).expect("it runs");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    }

    pub(super) fn url(&self) -> String {
        format!("unix://{}", self.folder.join("s").display())
    }

    pub(super) fn source(&self) -> RedisSource {
        self.open(&drill_scenarios::RedisSource { url: Some(self.url()), ..Default::default() }).expect("source")
    }

    pub(super) fn open(&self, described: &drill_scenarios::RedisSource) -> Result<RedisSource> {
        RedisSource::open(described, &self.cx.secrets)
    }

    pub(super) async fn capture(&self) -> (Captured, Vec<u8>) {
        captured(&self.source(), &self.cx).await.expect("capture")
    }

    /// What differs between two captures, the second of them after `commands`.
    pub(super) async fn changed_by(&self, commands: &str) -> Vec<(String, String)> {
        let (before, _) = self.capture().await;
        self.send(commands).await;
        let (after, _) = self.capture().await;
        differences(&before.index, &after.index, Level::Content)
    }

    /// Provisions a scratch and restores into it.
    pub(super) async fn restore(&self, index: &Index, stream: Vec<u8>) -> Restored {
        self.try_restore(index, stream).await.expect("restored")
    }

    pub(super) async fn try_restore(&self, index: &Index, stream: Vec<u8>) -> Result<Restored> {
        let scratch = RedisScratch::open(&drill_scenarios::RedisScratch::default());
        let place = scratch.place(&self.cx);
        let source = self.source().identity(&self.cx).await.expect("identity");
        scratch.admit(&self.cx, &place, &source, &index.format).await?;
        let environment = scratch.provision(&self.cx, &place, index).await?;
        let mut restored = Restored { cx: self.cx.clone(), scratch, place, environment };
        restored.environment.restore(&self.cx, index, reader(stream)).await?;
        Ok(restored)
    }

    /// Releases what a restore that failed has left.
    pub(super) async fn release(&self) {
        let scratch = RedisScratch::open(&drill_scenarios::RedisScratch::default());
        scratch.release(&self.cx, &scratch.place(&self.cx)).await.expect("release");
    }
}

/// What a test that failed has left of its scratch.
impl Drop for Fixture {
    fn drop(&mut self) {
        let scratch = RedisScratch::open(&drill_scenarios::RedisScratch::default());
        for folder in scratch.place(&self.cx).also {
            let _ = Mark::of(&self.cx.run).remove_folder(&folder);
        }
    }
}

/// A scratch with something in it.
pub(super) struct Restored {
    cx: Context,
    scratch: RedisScratch,
    place: Place,
    pub(super) environment: Box<dyn Environment>,
}

impl Restored {
    /// Sends commands to the scratch server, one a line.
    pub(super) async fn send(&self, commands: &str) -> String {
        send(&self.cx, self.environment.facts()["REDIS_SOCKET"].as_ref(), commands).await
    }

    /// What is different from what was captured.
    pub(super) async fn differences(&self, index: &Index) -> Vec<(String, String)> {
        let observed = self.environment.observe(&self.cx, index, Level::Content).await.expect("observe");
        differences(index, &observed, Level::Content)
    }

    pub(super) async fn release(self) {
        drop(self.environment);
        self.scratch.release(&self.cx, &self.place).await.expect("release");
        assert!(self.place.also.iter().chain([&self.place.folder]).all(|folder| !folder.exists()), "nothing is left");
    }
}

/// Sends commands and returns what is answered; an error of the server fails the test.
async fn send(cx: &Context, socket: &std::path::Path, commands: &str) -> String {
    let script = cx.folder.join("commands");
    std::fs::write(&script, commands).expect("commands");
    let shell = Program::new("sh").args(["-c", "redis-cli -e -s \"$1\" < \"$2\"", "sh"]).arg(socket).arg(&script);
    let ended = shell.run(cx, Duration::from_secs(60), 1 << 20).await.expect("redis-cli");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let wrong = said
        .lines()
        .find(|line| ["ERR ", "WRONGTYPE ", "NOAUTH ", "NOPERM "].iter().any(|code| line.starts_with(code)));
    assert!(ended.status.success() && wrong.is_none(), "{commands}: {said} {:?}", ended.stderr);
    said
}
