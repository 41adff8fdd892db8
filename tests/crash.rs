//! Killed and interrupted runs: whatever the moment, nothing stays behind after a sweep, and the journal folds to Aborted.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Cluster, EtcdServer, Mariadb, RedisServer, World, must};

const STAGES: [&str; 7] = ["capture", "store", "provision", "restore", "verify", "probe", "release"];

/// A drill whose every stage takes a moment.
fn slow_world() -> World {
    let world = World::new();
    for folder in 0..40 {
        for file in 0..50 {
            world.write(&format!("input/{folder}/{file}"), vec![file as u8; 20_000]);
        }
    }
    world.scenario(&[
        ("source", "{directory: {path: input, canary: true}}"),
        ("app", "{argv: [python3, -m, http.server, --bind, 127.0.0.1, '${DRILL_PORT}'], ready: {probe: {http: {url: 'http://127.0.0.1:${DRILL_PORT}/'}}}}"),
        ("checks", "[{name: a moment, probe: {command: {argv: [sleep, '0.3']}}, expect: {exit: {equals: 0}}}]"),
    ]);
    world
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("not zero")
}

fn started(stage: &str) -> String {
    format!("\"stage_started\",\"stage\":\"{stage}\"")
}

/// No process of any run of this world is left.
fn no_process_left(world: &World) {
    let runs: Vec<String> =
        world.runs().iter().map(|run| run.file_name().expect("an id").to_string_lossy().into_owned()).collect();
    let since = Instant::now();
    loop {
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let left: Vec<_> = processes
            .filter(|process| {
                let environ = fs::read(process.path().join("environ")).unwrap_or_default();
                let environ = String::from_utf8_lossy(&environ).into_owned();
                runs.iter().any(|run| environ.contains(&format!("DRILLCTL_RUN={run}")))
            })
            .map(|process| process.path())
            .collect();
        if left.is_empty() {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(5), "left running: {left:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn nothing_left(world: &World) {
    no_process_left(world);
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    let canaries = fs::read_dir(world.path("input")).expect("input").flatten();
    let canaries: Vec<_> = canaries.filter(|entry| entry.file_name().to_string_lossy().contains("canary")).collect();
    assert!(canaries.is_empty(), "{canaries:?}");
}

#[test]
fn a_run_killed_in_any_stage_is_swept_and_leaves_nothing() {
    for stage in STAGES {
        let world = slow_world();
        let mut child = world.start();
        world.wait_for(&started(stage));
        child.kill().expect("killed");
        child.wait().expect("gone");
        let over = world.newest_journal().contains("run_ended");
        let swept = world.run(&["sweep"]);
        assert_eq!(swept.code, Some(0), "{stage}: {}{}", swept.stdout, swept.stderr);
        nothing_left(&world);
        if !over {
            let record = world.newest_record();
            assert_eq!(record["verdict"], "aborted", "{stage}");
            assert_eq!(record["release"]["leaked"].as_array().map(Vec::len), Some(0), "{stage}: {record:#}");
        }
        let again = world.run(&["sweep"]);
        assert!(again.stdout.contains("nothing to sweep"), "{stage}: {}", again.stdout);
    }
}

#[test]
fn a_run_that_is_told_to_stop_cleans_up_by_itself() {
    for (stage, signal) in STAGES.into_iter().take(6).zip([Signal::TERM, Signal::INT].into_iter().cycle()) {
        let world = slow_world();
        let mut child = world.start();
        world.wait_for(&started(stage));
        kill_process(pid(&child), signal).expect("told");
        let status = child.wait().expect("gone");
        assert_eq!(status.code(), Some(130), "{stage}: {}", world.newest_journal());
        nothing_left(&world);
        assert_eq!(world.newest_record()["verdict"], "aborted", "{stage}");
        assert!(world.run(&["sweep"]).stdout.contains("nothing to sweep"), "{stage}");
    }
}

/// Kills a run when it has been in this stage for so long that its server is up or coming up.
fn kill_in(world: &World, stage: &str, into: Duration) {
    let mut child = world.start();
    world.wait_for(&started(stage));
    std::thread::sleep(into);
    child.kill().expect("killed");
    child.wait().expect("gone");
}

/// Sweeps, after which nothing of the run is at work.
fn swept(world: &World, stage: &str) {
    let swept = world.run(&["sweep"]);
    assert_eq!(swept.code, Some(0), "{stage}: {}{}", swept.stdout, swept.stderr);
    no_process_left(world);
}

#[test]
fn a_throw_away_mariadb_of_a_killed_run_is_stopped_and_removed() {
    let server = Mariadb::start();
    server.sql("CREATE TABLE t AS SELECT seq AS id FROM seq_1_to_300000");
    let world = World::new();
    world.scenario(&[
        ("source", &format!("{{mariadb: {{url: '{}', canary: true}}}}", server.url())),
        ("scratch", "{mariadb: {}}"),
        (
            "checks",
            "[{name: rows, probe: {sql: {query: 'select count(*) from t'}}, expect: {value: {equals: 300000}}}]",
        ),
    ]);
    for stage in ["capture", "provision", "restore", "verify"] {
        kill_in(&world, stage, Duration::from_millis(300));
        swept(&world, stage);
        assert!(world.leftovers().is_empty(), "{stage}: {:?}", world.leftovers());
        assert_eq!(server.sql("SHOW TABLES LIKE 'drillctl%'"), "", "{stage}");
    }
}

#[test]
fn a_throw_away_cluster_of_a_killed_run_is_stopped_and_removed() {
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 300000) AS id");
    let world = World::new();
    world.scenario(&[
        ("source", &format!("{{postgres: {{url: '{}', canary: true}}}}", cluster.url())),
        ("scratch", "{postgres: {}}"),
        (
            "checks",
            "[{name: rows, probe: {sql: {query: 'select count(*) from t'}}, expect: {value: {equals: 300000}}}]",
        ),
    ]);
    for stage in ["capture", "provision", "restore", "verify"] {
        kill_in(&world, stage, Duration::from_millis(700));
        swept(&world, stage);
        assert!(world.leftovers().is_empty(), "{stage}: {:?}", world.leftovers());
        let schemas = cluster.sql("select count(*) from pg_namespace where nspname like '%canary%'");
        assert_eq!(schemas, "0", "{stage}");
        let run = world.runs().pop().expect("a run");
        let servers = must(Command::new("ps").args(["-eo", "args"]));
        let servers = String::from_utf8_lossy(&servers.stdout).into_owned();
        assert!(!servers.contains(&*run.to_string_lossy()), "{stage}: {servers}");
        fs::remove_dir_all(run).expect("make room for the next");
    }
}

/// Redis writes over its own environment, so it is known by its folder alone.
#[test]
fn a_throw_away_redis_of_a_killed_run_is_stopped_and_removed() {
    let server = RedisServer::start();
    server.fill(200_000);
    let world = World::new();
    world.scenario(&[
        ("source", &format!("{{redis: {{url: '{}', canary: true}}}}", server.url())),
        ("scratch", "{redis: {}}"),
        ("checks", "[{name: wait, probe: {command: {argv: [sleep, '60']}}, expect: {exit: {equals: 0}}}]"),
    ]);
    for stage in ["capture", "restore", "verify", "probe"] {
        kill_in(&world, stage, Duration::from_millis(300));
        let run = world.runs().pop().expect("a run");
        let socket = run.file_name().expect("an id").to_string_lossy().replace('-', "").to_lowercase();
        let socket = format!("drillctl-{}", &socket[socket.len() - 12..]);
        let serving = || {
            let servers = must(Command::new("ps").args(["-eo", "args"]));
            String::from_utf8_lossy(&servers.stdout).contains(&socket)
        };
        assert!(stage != "probe" || serving(), "the throw-away server outlives the drill that was killed");
        swept(&world, stage);
        assert!(!serving(), "{stage}: it still runs");
        assert!(!Path::new("/tmp").join(&socket).exists() && world.leftovers().is_empty(), "{stage}");
        assert_eq!(server.send(&["DBSIZE"]), "200000", "{stage}: the canary is gone");
        fs::remove_dir_all(run).expect("make room for the next");
    }
}

#[test]
fn a_throw_away_etcd_of_a_killed_run_is_stopped_and_removed() {
    let server = EtcdServer::start();
    server.fill(20_000);
    let world = World::new();
    world.scenario(&[
        ("source", &format!("{{etcd: {{endpoints: ['{}'], canary: true}}}}", server.endpoint())),
        ("scratch", "{etcd: {}}"),
        ("checks", "[{name: wait, probe: {command: {argv: [sleep, '60']}}, expect: {exit: {equals: 0}}}]"),
    ]);
    for stage in ["capture", "restore", "probe"] {
        kill_in(&world, stage, Duration::from_millis(100));
        let run = world.runs().pop().expect("a run");
        let name = run.file_name().expect("an id").to_string_lossy().into_owned();
        let serving = || {
            let servers = must(Command::new("ps").args(["-eo", "args"]));
            String::from_utf8_lossy(&servers.stdout).contains(&format!("etcd --name {name}"))
        };
        assert!(stage != "probe" || serving(), "the throw-away server outlives the drill that was killed");
        swept(&world, stage);
        assert!(!serving(), "{stage}: it still runs");
        let short = name.replace('-', "").to_lowercase();
        let sockets = Path::new("/tmp").join(format!("drillctl-{}", &short[short.len() - 12..]));
        assert!(!sockets.exists() && world.leftovers().is_empty(), "{stage}");
        assert_eq!(server.ctl(&["get", "drillctl", "--prefix"]), "", "{stage}: the canary is gone");
        fs::remove_dir_all(run).expect("make room for the next");
    }
}

#[test]
fn the_plain_copy_of_a_database_does_not_outlive_a_killed_capture() {
    let world = World::new();
    let database = rusqlite::Connection::open(world.path("input/app.db")).expect("a database");
    database.execute_batch("CREATE TABLE t(b); INSERT INTO t SELECT zeroblob(200000000)").expect("a big row");
    world.scenario(&[("source", "{sqlite: {path: input/app.db}}")]);
    let mut child = world.start();
    let copies = || {
        let run = world.runs().pop().into_iter().flat_map(fs::read_dir);
        let files = run.flat_map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>());
        files.filter(|path| path.extension().is_some_and(|end| end == "sqlite")).collect::<Vec<_>>()
    };
    let since = Instant::now();
    while copies().is_empty() {
        assert!(since.elapsed() < Duration::from_secs(60), "no copy was made: {}", world.newest_journal());
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(!copies().is_empty(), "the kill came too late");
    assert_eq!(world.run(&["sweep"]).code, Some(0));
    assert_eq!(copies(), Vec::<std::path::PathBuf>::new());
    assert_eq!(world.newest_record()["verdict"], "aborted");
}

#[test]
fn a_scratch_that_does_not_carry_the_runs_mark_is_left_alone() {
    let world = slow_world();
    let mut child = world.start();
    world.wait_for(&started("verify"));
    child.kill().expect("killed");
    child.wait().expect("gone");
    let scratch = world.runs().pop().expect("a run").join("scratch");
    let mark = fs::read_dir(&scratch)
        .expect("scratch")
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().contains("drillctl"));
    fs::remove_file(mark.expect("a mark").path()).expect("unmarked");
    fs::write(scratch.join("precious"), "somebody else's").expect("file");
    let swept = world.run(&["sweep"]);
    assert_eq!(swept.code, Some(4), "{}{}", swept.stdout, swept.stderr);
    assert_eq!(fs::read_to_string(scratch.join("precious")).expect("still there"), "somebody else's");
    let record = world.newest_record();
    assert_eq!(record["release"]["leaked"].as_array().map(Vec::len), Some(1), "{record:#}");
}

#[test]
fn a_line_that_was_cut_off_in_the_journal_is_forgotten() {
    let world = slow_world();
    let mut child = world.start();
    world.wait_for(&started("restore"));
    child.kill().expect("killed");
    child.wait().expect("gone");
    let path = world.runs().pop().expect("a run").join("journal.ndjson");
    let mut journal = fs::read(&path).expect("journal");
    journal.extend_from_slice(b"{\"seq\":99,\"at\":\"2026-");
    fs::write(&path, journal).expect("torn");
    assert_eq!(world.run(&["sweep"]).code, Some(0));
    nothing_left(&world);
    assert_eq!(world.newest_record()["verdict"], "aborted");
    assert_eq!(world.run(&["list"]).code, Some(0));
}

#[test]
fn a_run_at_work_is_not_swept() {
    let world = slow_world();
    let mut child = world.start();
    world.wait_for(&started("capture"));
    let swept = world.run(&["sweep"]);
    assert!(swept.stdout.contains("nothing to sweep"), "{}", swept.stdout);
    assert!(child.wait().expect("ends").success(), "{}", world.newest_journal());
}

#[test]
fn a_stage_that_outlasts_its_deadline_is_stopped_and_everything_released() {
    let world = World::new();
    let slow = world.script("slow", "#!/bin/sh\necho begun\nsleep 300\n");
    world.scenario(&[
        ("source", &format!("{{command: {{argv: [{}], content: {{file: out}}}}}}", slow.display())),
        ("deadlines", "{capture: 1s}"),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "what can't be found out in time is errored: {}", finished.stderr);
    assert_eq!(record["verdict"], "errored");
    assert!(record["because"].as_str().is_some_and(|why| why.contains("capture")), "{}", record["because"]);
    assert_eq!(record["release"]["leaked"], serde_json::json!([]));
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}
