//! A real MariaDB server to be drilled, and a run to drill it in.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drill_scenarios::Level;

use crate::mariadb::connection::Target;
use crate::mariadb::programs::ServerPrograms;
use crate::mariadb::server::Server;
use crate::mariadb::session::Session;
use crate::mariadb::site::Site;
use crate::mariadb::stop;
use crate::scratches::MariadbScratch;
use crate::sources::MariadbSource;
use crate::trial::{captured, reader};
use crate::{Captured, Clock, Context, Database, Environment, Index, Mark, Place, Restored, Result, Scratch, Secrets};

pub(super) const RICH: &str = include_str!("rich.sql");

/// A server of the tests' own, with its run's folder beside it. Everything ends with it.
pub(super) struct Fixture {
    pub(super) cx: Context,
    pub(super) folder: PathBuf,
    server: Server,
    _home: tempfile::TempDir,
}

impl Fixture {
    /// A server with an empty database `shop`.
    pub(super) async fn start() -> Self {
        let home = tempfile::Builder::new().prefix("maria").tempdir_in("/tmp").expect("tempdir");
        let folder = home.path().to_owned();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("mode");
        let run = format!("test-{}", folder.file_name().expect("a name").to_string_lossy());
        let run_folder = folder.join("run");
        std::fs::create_dir(&run_folder).expect("run folder");
        let cx = Context::new(run, &run_folder, Clock::system(), Arc::new(Secrets::relative_to(&folder)));
        let programs =
            ServerPrograms::find(&cx, None).await.expect("these tests need MariaDB: apt-get install mariadb-server");
        let place = Place { folder: folder.join("source"), also: vec![folder.join("sockets")] };
        let site = Site::make(&cx, &place, programs).expect("site");
        site.init(&cx).await.expect("init");
        let settings = BTreeMap::from([("character_set_server".to_owned(), "utf8mb4".to_owned())]);
        let server = Server::start(&cx, site, &settings, Duration::from_secs(60)).await.expect("server");
        let fixture = Self { cx, folder, server, _home: home };
        fixture.session_in("").await.run("making", "CREATE DATABASE shop").await.expect("database");
        fixture
    }

    async fn session_in(&self, database: &str) -> Session {
        self.server.target(database).connect().await.expect("session")
    }

    /// A session in `shop`.
    pub(super) async fn session(&self) -> Session {
        self.session_in("shop").await
    }

    /// Runs a script in `shop`, as a person would.
    pub(super) async fn fill(&self, sql: &str) {
        let script = self.folder.join("script.sql");
        std::fs::write(&script, sql).expect("script");
        let socket = self.server.socket();
        let client = std::process::Command::new("mariadb")
            .args(["--no-defaults", "--user=root", "--comments", "--default-character-set=utf8mb4", "--socket"])
            .arg(socket)
            .arg("shop")
            .stdin(std::fs::File::open(&script).expect("script"))
            .output()
            .expect("client");
        assert!(client.status.success(), "{}", String::from_utf8_lossy(&client.stderr));
    }

    pub(super) fn url(&self, user: &str, database: &str) -> String {
        format!("mariadb://{user}@localhost/{database}?socket={}", self.server.socket().display())
    }

    pub(super) fn described(&self) -> drill_scenarios::MariadbSource {
        drill_scenarios::MariadbSource {
            url: Some(self.url("root", "shop")),
            url_from: None,
            password: None,
            lock: true,
            bin: None,
            canary: false,
        }
    }

    pub(super) fn source(&self) -> MariadbSource {
        self.open(&self.described()).expect("source")
    }

    pub(super) fn open(&self, described: &drill_scenarios::MariadbSource) -> Result<MariadbSource> {
        MariadbSource::open(described, &self.cx.secrets)
    }

    pub(super) async fn capture(&self, source: &MariadbSource) -> (Captured, Vec<u8>) {
        captured(source, &self.cx).await.expect("capture")
    }

    /// Provisions a scratch and restores into it.
    pub(super) async fn restore(&self, captured: &Captured, stream: Vec<u8>) -> (Environed, Restored) {
        let mut environed = Environed::provision(&self.cx, scratch(), &captured.index).await.expect("provision");
        let restored = environed.environment.restore(&self.cx, &captured.index, reader(stream)).await.expect("restore");
        (environed, restored)
    }

    /// Captures and restores the database.
    pub(super) async fn round_trip(&self) -> (Captured, Environed) {
        let (captured, stream) = self.capture(&self.source()).await;
        let (environed, restored) = self.restore(&captured, stream).await;
        assert_eq!(restored.complaints, [""; 0]);
        (captured, environed)
    }
}

/// What a test that failed has left of its scratch.
impl Drop for Fixture {
    fn drop(&mut self) {
        let place = scratch().place(&self.cx);
        let data = crate::mariadb::site::data(&place.folder);
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime");
            runtime.block_on(stop::stop(&data))
        })
        .join();
        for folder in place.also {
            let _ = Mark::of(&self.cx.run).remove_folder(&folder);
        }
    }
}

pub(super) fn scratch() -> MariadbScratch {
    MariadbScratch::open(&drill_scenarios::MariadbScratch::default()).expect("scratch")
}

/// A provisioned scratch.
pub(super) struct Environed {
    pub(super) scratch: MariadbScratch,
    pub(super) place: Place,
    pub(super) environment: Box<dyn Environment>,
}

impl Environed {
    pub(super) async fn provision(cx: &Context, scratch: MariadbScratch, index: &Index) -> Result<Self> {
        let place = scratch.place(cx);
        let environment = scratch.provision(cx, &place, index).await?;
        Ok(Self { scratch, place, environment })
    }

    pub(super) async fn session(&self) -> Session {
        let facts = self.environment.facts();
        let target =
            Target::local(Path::new(&facts["MYSQL_UNIX_PORT"]), &facts["MYSQL_USER"], &facts["MYSQL_DATABASE"]);
        target.connect().await.expect("connect to the scratch")
    }

    /// What is different from what was captured.
    pub(super) async fn differences(&self, cx: &Context, captured: &Captured) -> BTreeSet<String> {
        self.differences_at(cx, captured, Level::Content).await.1
    }

    /// What is there, and what of it is different from what was captured.
    pub(super) async fn differences_at(
        &self,
        cx: &Context,
        captured: &Captured,
        level: Level,
    ) -> (Database, BTreeSet<String>) {
        let observed = self.environment.observe(cx, &captured.index, level).await.expect("observe");
        let found = crate::differences(&captured.index, &observed, level);
        (observed.databases[0].clone(), found.into_iter().map(|(subject, _)| subject).collect())
    }

    pub(super) async fn release(self, cx: &Context) {
        drop(self.environment);
        self.scratch.release(cx, &self.place).await.expect("release");
    }
}

/// The one database of a capture.
pub(super) fn database(captured: &Captured) -> &Database {
    &captured.index.databases[0]
}

pub(super) fn subjects(captured: &Captured) -> Vec<&str> {
    captured.notes.iter().map(|note| note.subject.as_str()).collect()
}
