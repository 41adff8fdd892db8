//! A real PostgreSQL server to be drilled, and a run to drill it in.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drill_scenarios::Level;
use rustix::process::{Pid, Signal};
use tokio_postgres::{Client, NoTls};

use crate::postgres::programs::Programs;
use crate::postgres::site::account;
use crate::process::Running;
use crate::scratches::PostgresScratch;
use crate::sources::{BaseBackupSource, PostgresSource};
use crate::{
    Captured, Clock, Context, Database, Environment, Index, Mark, OpenReader, Place, Restored, Result, Scratch,
    SealWriter, Secrets, Source,
};

pub(super) const RICH: &str = include_str!("rich.sql");

/// A server of the tests' own, with its run's folder beside it. Everything ends with it.
pub(super) struct Fixture {
    pub(super) cx: Context,
    pub(super) folder: PathBuf,
    server: Running,
    _home: tempfile::TempDir,
}

impl Fixture {
    pub(super) async fn start() -> Self {
        Self::start_with(&[], "").await
    }

    /// A server with these settings and these lines before its own in `pg_hba.conf`.
    pub(super) async fn start_with(settings: &[&str], hba: &str) -> Self {
        let home = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").expect("tempdir");
        let folder = home.path().to_owned();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("mode");
        let run = format!("test-{}", folder.file_name().expect("a name").to_string_lossy());
        let run_folder = folder.join("run");
        std::fs::create_dir(&run_folder).expect("run folder");
        let secrets = Arc::new(Secrets::relative_to(&folder));
        let cx = Context::new(run, &run_folder, Clock::system(), secrets);
        let server = serve(&cx, &folder, settings, hba).await;
        let fixture = Self { cx, folder, server, _home: home };
        for _ in 0..500 {
            if fixture.try_connect("postgres", "postgres").await.is_ok() {
                return fixture;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!(
            "the server of the tests does not start: {}",
            std::fs::read_to_string(fixture.folder.join("log")).expect("log")
        );
    }

    pub(super) async fn try_connect(
        &self,
        user: &str,
        database: &str,
    ) -> std::result::Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.folder.join("sockets")).user(user).dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub(super) async fn client(&self) -> Client {
        self.try_connect("postgres", "shop").await.expect("database shop")
    }

    /// A database `shop` in which `sql` was run.
    pub(super) async fn fill(&self, sql: &str) -> Client {
        let client = self.try_connect("postgres", "postgres").await.expect("connect");
        client.batch_execute("CREATE DATABASE shop").await.expect("create");
        let client = self.client().await;
        client.batch_execute(sql).await.expect("fill");
        client
    }

    pub(super) fn url(&self, user: &str, database: &str) -> String {
        format!("postgresql://{user}@/{database}?host={}", self.folder.join("sockets").display())
    }

    pub(super) fn described(&self) -> drill_scenarios::PostgresSource {
        drill_scenarios::PostgresSource {
            url: Some(self.url("postgres", "shop")),
            url_from: None,
            password: None,
            method: drill_scenarios::PostgresMethod::Dump,
            schemas: Vec::new(),
            jobs: 1,
            bin: None,
            canary: false,
        }
    }

    pub(super) fn source(&self) -> PostgresSource {
        self.open(&self.described()).expect("source")
    }

    pub(super) fn open(&self, described: &drill_scenarios::PostgresSource) -> Result<PostgresSource> {
        PostgresSource::open(described, &self.cx.secrets)
    }

    /// The source, dumped by several at a time.
    pub(super) fn source_with_jobs(&self, jobs: u8) -> PostgresSource {
        self.open(&drill_scenarios::PostgresSource { jobs, ..self.described() }).expect("source")
    }

    /// The cluster that the database is in.
    pub(super) fn cluster(&self) -> BaseBackupSource {
        let method = drill_scenarios::PostgresMethod::Physical;
        let described = drill_scenarios::PostgresSource { method, ..self.described() };
        BaseBackupSource::open(&described, &self.cx.secrets).expect("source")
    }

    pub(super) async fn capture(&self, source: &impl Source) -> (Captured, Vec<Bytes>) {
        capture(&self.cx, source).await.expect("capture")
    }

    /// Provisions a scratch and restores into it.
    pub(super) async fn restore(&self, captured: &Captured, stream: Vec<Bytes>) -> (Environed, Restored) {
        let scratch = PostgresScratch::open(&drill_scenarios::PostgresScratch::default()).expect("scratch");
        let mut environed = Environed::provision(&self.cx, scratch, &captured.index).await.expect("provision");
        let restored = environed.environment.restore(&self.cx, &captured.index, reader(stream)).await.expect("restore");
        (environed, restored)
    }
}

/// Stops the server in a way that leaves no shared memory, and what a test that failed has left of its scratch.
impl Drop for Fixture {
    fn drop(&mut self) {
        let scratch = PostgresScratch::open(&drill_scenarios::PostgresScratch::default()).expect("scratch");
        for folder in scratch.place(&self.cx).also {
            let _ = Mark::of(&self.cx.run).remove_folder(&folder);
        }
        let Some(server) = self.server.pid().and_then(Pid::from_raw) else { return };
        let _ = rustix::process::kill_process(server, Signal::QUIT);
        for _ in 0..200 {
            if !self.folder.join("source/postmaster.pid").exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

async fn serve(cx: &Context, folder: &Path, settings: &[&str], hba: &str) -> Running {
    let account = account().expect("an account to run servers as");
    let programs = Programs::fitting(cx, None, &["postgres", "initdb", "pg_dump", "pg_restore"], 12)
        .await
        .expect("these tests need PostgreSQL: apt-get install postgresql postgresql-contrib");
    let (data, sockets) = (folder.join("source"), folder.join("sockets"));
    for own in [&data, &sockets] {
        std::fs::create_dir(own).expect("folder");
        std::os::unix::fs::chown(own, Some(account.uid), Some(account.gid)).expect("chown");
    }
    let initdb = programs.program("initdb").args([
        "-A",
        "trust",
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]);
    let ended =
        initdb.arg("-D").arg(&data).account(&account).run(cx, Duration::from_secs(60), 1 << 16).await.expect("initdb");
    ended.success(crate::Kind::Config).expect("initdb");
    let lines = std::fs::read_to_string(data.join("pg_hba.conf")).expect("hba");
    std::fs::write(data.join("pg_hba.conf"), format!("{hba}\n{lines}")).expect("hba");
    let server = programs.program("postgres").arg("-D").arg(&data).arg("-k").arg(&sockets);
    let fixed = ["fsync=off", "listen_addresses=", "shared_buffers=16MB", "dynamic_shared_memory_type=mmap"];
    let settings = fixed.iter().chain(settings).flat_map(|setting| ["-c", *setting]);
    server.args(settings).account(&account).log_to(&folder.join("log")).start(cx).expect("start")
}

/// A provisioned scratch.
pub(super) struct Environed {
    pub(super) scratch: PostgresScratch,
    pub(super) place: Place,
    pub(super) environment: Box<dyn Environment>,
}

impl Environed {
    pub(super) async fn provision(cx: &Context, scratch: PostgresScratch, index: &Index) -> Result<Self> {
        let place = scratch.place(cx);
        let environment = scratch.provision(cx, &place, index).await?;
        Ok(Self { scratch, place, environment })
    }

    pub(super) async fn client(&self) -> Client {
        let facts = self.environment.facts();
        let mut config = tokio_postgres::Config::new();
        config.host_path(&facts["PGHOST"]).user(&facts["PGUSER"]).dbname(&facts["PGDATABASE"]);
        let (client, connection) = config.connect(NoTls).await.expect("connect to the scratch");
        tokio::spawn(connection);
        client
    }

    /// What is different from what was captured.
    pub(super) async fn differences(&self, cx: &Context, captured: &Captured) -> BTreeSet<String> {
        let observed = self.environment.observe(cx, &captured.index, Level::Content).await.expect("observe");
        differences(&captured.index.databases[0], &observed.databases[0])
    }

    pub(super) async fn release(self, cx: &Context) {
        drop(self.environment);
        self.scratch.release(cx, &self.place).await.expect("release");
    }
}

pub(super) async fn capture(cx: &Context, source: &impl Source) -> Result<(Captured, Vec<Bytes>)> {
    let (mut out, mut queue) = SealWriter::new(2, &cx.buffers);
    let capturing = async move {
        let captured = source.capture(cx, &mut out).await;
        if captured.is_ok() {
            out.finish().await.expect("finish");
        }
        captured
    };
    let collecting = async {
        let mut stream = Vec::new();
        while let Some(piece) = queue.recv().await {
            stream.push(piece);
        }
        stream
    };
    let (captured, stream) = tokio::join!(capturing, collecting);
    Ok((captured?, stream))
}

pub(super) fn reader(stream: Vec<Bytes>) -> OpenReader {
    let (reader, pieces) = OpenReader::new(2);
    tokio::spawn(async move {
        for piece in stream {
            if pieces.send(Ok(piece)).await.is_err() {
                break;
            }
        }
    });
    reader
}

/// Names of everything that is not the same on both sides.
pub(super) fn differences(captured: &Database, observed: &Database) -> BTreeSet<String> {
    let mut found = unequal("rows of", &captured.tables, &observed.tables);
    let settings = captured.settings.iter().filter(|(name, _)| observed.settings.contains_key(*name));
    let settings: BTreeMap<_, _> = settings.map(|(name, value)| (name.clone(), value.clone())).collect();
    found.extend(unequal("setting", &settings, &observed.settings));
    let classes: BTreeSet<&String> = captured.objects.keys().chain(observed.objects.keys()).collect();
    let none = BTreeMap::new();
    for class in classes {
        let [here, there] = [captured, observed].map(|side| side.objects.get(class).unwrap_or(&none));
        found.extend(unequal(class, here, there));
    }
    found
}

fn unequal<T: PartialEq>(class: &str, here: &BTreeMap<String, T>, there: &BTreeMap<String, T>) -> BTreeSet<String> {
    let names = here.keys().chain(there.keys());
    let unequal = names.filter(|name| here.get(*name) != there.get(*name));
    unequal.map(|name| format!("{class} {name}")).collect()
}
