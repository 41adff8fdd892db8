//! The conformance suite: every kind of source, with the scratch it is restored into, keeps the contract of its joint. A new
//! kind is a new row in [`rows`].
#![allow(clippy::disallowed_methods, reason = "tests start programs as they need")]
#![allow(dead_code, unreachable_pub, reason = "parts that are shared with the end-to-end tests")]

#[path = "../../tests/support/etcd.rs"]
mod etcd;
#[path = "../../tests/support/mariadb.rs"]
mod mariadb;
#[path = "../../tests/support/must.rs"]
mod must;
#[path = "../../tests/support/postgres.rs"]
mod postgres;
#[path = "../../tests/support/redis.rs"]
mod redis;
#[path = "../../tests/support/s3.rs"]
mod s3;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drill_agents::seal::{About, Keys, Sealing, locate};
use drill_agents::{
    Canary, Captured, Clock, Context, Environment, Format, Index, Kind, Mark, Place, Removal, Scratch, Secrets, Source,
    Vault, differences, scratches, sources,
};
use drill_scenarios::Level;
use etcd::EtcdServer;
use mariadb::Mariadb;
use must::must;
use postgres::Cluster;
use redis::RedisServer;
use s3::Bucket;
use serde_json::json;

/// A kind of source that is ready to be captured, and the scratch that takes it.
struct Row {
    kind: &'static str,
    source: serde_json::Value,
    scratch: serde_json::Value,
    plants: bool,
    /// Keeps what the source needs alive.
    _server: Option<Server>,
}

/// A server that a source is on.
enum Server {
    Postgres(Cluster),
    Mariadb(Mariadb),
    Redis(RedisServer),
    Bucket(Bucket),
    Etcd(EtcdServer),
}

fn rows(home: &Path) -> Vec<Row> {
    let tree = home.join("tree");
    std::fs::create_dir_all(tree.join("a/b")).expect("folders");
    std::fs::write(tree.join("a/b/file"), "content").expect("file");
    std::os::unix::fs::symlink("b/file", tree.join("a/link")).expect("link");
    std::fs::hard_link(tree.join("a/b/file"), tree.join("a/second")).expect("hard link");
    let database = home.join("app.db");
    let sqlite = rusqlite::Connection::open(&database).expect("a database");
    sqlite
        .execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t(v) VALUES ('a'), (NULL);")
        .expect("rows");
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE t AS SELECT n, md5(n::text) AS v FROM generate_series(1, 1000) n; CREATE INDEX ON t(n)");
    cluster.sql("CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS v FROM generate_series(1, 20000) n");
    let tar = json!({"command": {"argv": ["tar", "--format=posix", "-C", tree, "-cf", "-", "."], "content": "tar"}});
    let file = json!({"command": {"argv": ["cat", tree.join("a/b/file")], "content": {"file": "copy"}}});
    let postgres = json!({"postgres": {"url": cluster.url(), "canary": true}});
    let several = json!({"postgres": {"url": cluster.url(), "canary": true, "jobs": 3}});
    let physical = json!({"postgres": {"url": cluster.url(), "canary": true, "method": "physical"}});
    let mariadb = Mariadb::start();
    mariadb.sql("CREATE TABLE t AS SELECT seq AS n, md5(seq) AS v FROM seq_1_to_1000; CREATE INDEX i ON t (n)");
    let of_mariadb = json!({"mariadb": {"url": mariadb.url(), "canary": true}});
    let server = RedisServer::start();
    server.fill(2000);
    let redis = json!({"redis": {"url": server.url(), "canary": true}});
    let bucket = Bucket::start("uploads");
    bucket.put("image/jpeg", [("shop/a.jpg".into(), vec![7; 2 << 20]), ("shop/b/c".into(), Vec::new())]);
    let objects = json!({"objects": {"place": {"s3": {
        "bucket": "uploads", "prefix": "shop", "endpoint": bucket.endpoint(),
        "access_key_id": written(home, "id", Bucket::ACCESS_KEY_ID),
        "secret_access_key": written(home, "key", Bucket::SECRET_ACCESS_KEY),
    }}, "canary": true}});
    let member = EtcdServer::start();
    member.fill(1000);
    let etcd = json!({"etcd": {"endpoints": [member.endpoint()], "canary": true}});
    let directory = || json!({"directory": {}});
    let row = |kind, source, scratch, plants| Row { kind, source, scratch, plants, _server: None };
    vec![
        row("directory", json!({"directory": {"path": tree, "canary": true}}), directory(), true),
        row("sqlite", json!({"sqlite": {"path": database, "canary": true}}), directory(), true),
        row("command (tar)", tar, directory(), false),
        row("command (file)", file, directory(), false),
        row("postgres (jobs)", several, json!({"postgres": {"jobs": 2}}), true),
        row("postgres (physical)", physical, json!({"postgres": {}}), true),
        Row { _server: Some(Server::Postgres(cluster)), ..row("postgres", postgres, json!({"postgres": {}}), true) },
        Row { _server: Some(Server::Mariadb(mariadb)), ..row("mariadb", of_mariadb, json!({"mariadb": {}}), true) },
        Row { _server: Some(Server::Redis(server)), ..row("redis", redis, json!({"redis": {}}), true) },
        Row { _server: Some(Server::Bucket(bucket)), ..row("objects", objects, directory(), true) },
        Row { _server: Some(Server::Etcd(member)), ..row("etcd", etcd, json!({"etcd": {}}), true) },
    ]
}

/// A secret in a file, as the scenario language refers to it.
fn written(home: &Path, name: &str, secret: &str) -> serde_json::Value {
    std::fs::write(home.join(name), secret).expect("a secret");
    json!({"file": name})
}

/// One run's worth of parts.
struct Bench {
    cx: Context,
    source: Box<dyn Source>,
    scratch: Box<dyn Scratch>,
    spec: drill_scenarios::Source,
    vault: Vault,
    keys: Keys,
}

impl Bench {
    fn new(row: &Row, home: &Path, run: &str) -> Self {
        let secrets = Arc::new(Secrets::relative_to(home));
        let folder = home.join("runs").join(run);
        std::fs::create_dir_all(&folder).expect("a run's folder");
        let parse =
            |value: &serde_json::Value| serde_json::from_value(value.clone()).expect("a source of the language");
        let spec = parse(&row.source);
        let scratch: drill_scenarios::Scratch = serde_json::from_value(row.scratch.clone()).expect("a scratch");
        let vault = serde_json::from_value(json!({"fs": {"path": "vault"}})).expect("a vault");
        let seal = serde_json::from_value(json!({"identities": [{"file": "identity.txt"}]})).expect("a seal");
        Self {
            cx: Context::new(run, &folder, Clock::system(), secrets.clone()),
            source: sources::open(&spec, &secrets).expect("source"),
            scratch: scratches::open(&scratch, &drill_scenarios::Verify::default()).expect("scratch"),
            spec,
            vault: Vault::open(&vault, &secrets).expect("vault"),
            keys: Keys::open(&seal, &secrets).expect("keys"),
        }
    }

    async fn capture(&self, id: &str) -> Captured {
        let (sealing, mut writer) = Sealing::begin(&self.cx, &self.vault, &self.keys, id).await.expect("seal");
        let captured = self.source.capture(&self.cx, &mut writer).await.expect("capture");
        let about = About { scenario: "conformance".into(), source: self.spec.kind().into(), tool: "test".into() };
        sealing.complete(&self.cx, writer, captured.clone(), about).await.expect("store");
        captured
    }

    async fn restore(&self, id: &str, place: &Place) -> Box<dyn Environment> {
        let located = locate(&self.cx, &self.vault, &self.keys, id, None).await.expect("locate");
        let mut environment = self.scratch.provision(&self.cx, place, located.index()).await.expect("provision");
        let stream = located.stream(&self.cx);
        let restored = environment.restore(&self.cx, located.index(), stream).await.expect("restore");
        assert_eq!(restored.complaints, Vec::<String>::new());
        environment
    }
}

/// What of a source doesn't change by being captured: a base backup begins with a checkpoint, which the cluster's files tell of.
fn lasting(captured: Captured) -> Index {
    let entries = if captured.index.format == Format::PgBase { Vec::new() } else { captured.index.entries };
    Index { entries, ..captured.index }
}

fn home() -> tempfile::TempDir {
    let home = tempfile::Builder::new().prefix("conf").tempdir().expect("a temporary folder");
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o711)).expect("mode");
    let (text, _) = drill_agents::seal::generate(drill_agents::seal::KeyKind::default(), &Clock::system());
    let identity = home.path().join("identity.txt");
    std::fs::write(&identity, secrecy::ExposeSecret::expose_secret(&text)).expect("identity");
    std::fs::set_permissions(&identity, std::fs::Permissions::from_mode(0o600)).expect("mode");
    home
}

/// Everything below a folder, to see that an act changed nothing.
fn listing(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        all.push(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(listing(&entry.path()));
        }
    }
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_brings_back_what_went_in_and_cleans_up() {
    let home = home();
    for (number, row) in rows(home.path()).into_iter().enumerate() {
        let bench = Bench::new(&row, home.path(), &format!("run-{number}"));
        let (cx, kind) = (&bench.cx, row.kind);
        let identity = bench.source.identity(cx).await.expect(kind);
        assert_eq!(bench.source.identity(cx).await.expect(kind), identity, "{kind}: an identity lasts");
        bench.source.estimate(cx).await.expect(kind);

        let [first, again] =
            [bench.capture(&format!("1-{}", cx.run)).await, bench.capture(&format!("2-{}", cx.run)).await];
        let found = differences(&lasting(first), &lasting(again), Level::Content);
        assert_eq!(found, vec![], "{kind}: captures of one state are equal");
        if row.plants {
            let canary = Canary { run: cx.run.clone(), nonce: "4711".into(), planted_at: cx.clock.now() };
            bench.source.plant(cx, &canary).await.expect(kind);
        }
        let id = format!("3-{}", cx.run);
        let second = bench.capture(&id).await;

        let place = bench.scratch.place(cx);
        let before = listing(home.path());
        bench.scratch.admit(cx, &place, &identity, &sources::format(&bench.spec)).await.expect(kind);
        assert_eq!(listing(home.path()), before, "{kind}: admitting makes nothing");

        let environment = bench.restore(&id, &place).await;
        assert!(!environment.identity().is_same_as(&identity), "{kind}: a scratch is never the source");
        for level in [Level::Count, Level::Content] {
            let observed = environment.observe(cx, &second.index, level).await.expect(kind);
            assert_eq!(differences(&second.index, &observed, level), vec![], "{kind} at {level:?}");
        }
        let seen = environment.canary(cx).await.expect(kind);
        assert_eq!(seen.map(|seen| seen.nonce), row.plants.then(|| "4711".to_owned()), "{kind}: the canary came back");
        assert!(environment.root().is_dir(), "{kind}");
        let (root, facts) = (environment.root().to_owned(), environment.facts());
        drop(environment);
        if bench.scratch.keeps() {
            wakes(&bench, &place, &facts).await;
            assert!(root.is_dir(), "{kind}: what is kept stays");
        }

        assert_eq!(bench.scratch.release(cx, &place).await.expect(kind), Removal::Removed, "{kind}");
        assert_eq!(bench.scratch.release(cx, &place).await.expect(kind), Removal::Absent, "{kind}: releasing twice");
        assert!(place.also.iter().chain([&place.folder]).all(|folder| !folder.exists()), "{kind}: nothing is left");
        if row.plants {
            assert_eq!(bench.source.unplant(cx, &cx.run).await.expect(kind), Removal::Removed, "{kind}");
        }
        assert_eq!(bench.source.unplant(cx, &cx.run).await.expect(kind), Removal::Absent, "{kind}: unplanting twice");
    }
}

/// A place that is kept rests, wakes and rests again, and no server runs in between.
async fn wakes(bench: &Bench, place: &Place, facts: &BTreeMap<String, String>) {
    let (cx, scratch) = (&bench.cx, &bench.scratch);
    let servers = || {
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten().map(|process| process.path().join("cwd"));
        processes.filter_map(|cwd| std::fs::read_link(cwd).ok()).filter(|cwd| cwd.starts_with(&place.folder)).count()
    };
    for _ in 0..2 {
        scratch.rest(cx, place).await.expect("rests");
        assert_eq!(servers(), 0, "something runs in what is kept");
        let awake = scratch.wake(cx, place, facts).await.expect("wakes");
        assert_eq!(servers() > 0, facts.contains_key("PGHOST"), "only a server runs");
        drop(awake);
    }
    scratch.rest(cx, place).await.expect("rests");
    assert_eq!(servers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kind_takes_or_removes_what_is_somebody_elses() {
    let home = home();
    for row in rows(home.path()) {
        let bench = Bench::new(&row, home.path(), "run-b");
        let (cx, kind) = (&bench.cx, row.kind);
        let identity = bench.source.identity(cx).await.expect(kind);
        let format = sources::format(&bench.spec);
        let place = bench.scratch.place(cx);
        assert_eq!(bench.scratch.release(cx, &place).await.expect(kind), Removal::Absent, "{kind}: never made");

        std::fs::create_dir_all(&place.folder).expect("folder");
        std::fs::write(place.folder.join("precious"), "x").expect("file");
        let refused = bench.scratch.admit(cx, &place, &identity, &format).await.expect_err(kind);
        assert_eq!(refused.kind(), Kind::Refused, "{kind}: a place that isn't empty");
        let refused = bench.scratch.release(cx, &place).await.expect_err(kind);
        assert_eq!(refused.kind(), Kind::Refused, "{kind}: no mark");
        assert!(place.folder.join("precious").exists(), "{kind}");
        std::fs::remove_dir_all(&place.folder).expect("gone");

        Mark::of("another-run").make_folder(&place.folder).expect("another run's");
        let refused = bench.scratch.release(cx, &place).await.expect_err(kind);
        assert_eq!(refused.kind(), Kind::Refused, "{kind}: another run's mark");
        std::fs::remove_dir_all(&place.folder).expect("gone");
    }
}
