//! Environments that stay for people to look at: they stay as long as was said, nothing runs in them but while somebody is in, and
//! then they go without a trace.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Cluster, Finished, World, must};

const FAILS: &str = "[{name: it is there, probe: {file: {path: nowhere}}, expect: {exists: {equals: true}}}]";

/// The run of a world's newest record, and where its environment is or was.
fn newest(world: &World) -> (String, PathBuf) {
    let run = world.runs().pop().expect("a run");
    (run.file_name().expect("an id").to_string_lossy().into_owned(), run.join("scratch"))
}

fn listed(world: &World) -> Vec<Value> {
    let listed = world.run(&["env", "list", "--json"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    serde_json::from_str(&listed.stdout).expect("a list")
}

/// What a program said in the environment of this run.
fn enter(world: &World, run: &str, program: &[&str]) -> Finished {
    let args: Vec<&str> = ["env", "enter", run, "--"].into_iter().chain(program.iter().copied()).collect();
    world.run(&args)
}

/// Processes that carry the run's mark, or whose arguments name it.
fn processes_of(run: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten().map(|process| process.path());
    let texts = processes.map(|process| {
        let read = |name: &str| String::from_utf8_lossy(&fs::read(process.join(name)).unwrap_or_default()).into_owned();
        (read("environ"), read("cmdline"))
    });
    let mark = format!("DRILLCTL_RUN={run}");
    texts.filter(|(environ, line)| environ.contains(&mark) || line.contains(run)).map(|(_, line)| line).collect()
}

fn nothing_runs(run: &str) {
    let since = Instant::now();
    while !processes_of(run).is_empty() {
        assert!(since.elapsed() < Duration::from_secs(10), "{:?}", processes_of(run));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_environment_of_a_failed_run_stays_and_is_entered_and_released() {
    let world = World::new();
    world.scenario(&[("checks", FAILS), ("keep", "{failed: 4h}")]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "what stays by wish is no leak: {}", finished.stderr);
    let (run, scratch) = newest(&world);
    assert_eq!(record["release"]["leaked"], serde_json::json!([]));
    assert_eq!(record["release"]["held"].as_array().map(Vec::len), Some(1), "{record:#}");
    let findings = record["findings"].to_string();
    assert!(findings.contains("Stays until") && findings.contains(&format!("drillctl env enter {run}")), "{findings}");

    let rows = listed(&world);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["run"], run.as_str());
    assert_eq!(rows[0]["scenario"], "test");
    assert_eq!(rows[0]["overdue"], false);
    assert_eq!(rows[0]["folder"].as_str(), scratch.to_str());
    assert!(rows[0]["bytes"].as_u64().is_some_and(|bytes| bytes >= 4096), "{rows:?}");

    let entered = enter(&world, &run, &["sh", "-c", "cat data; echo $DRILL_RUN $DRILL_ROOT; exit 7"]);
    assert_eq!(entered.code, Some(7), "the program's own code: {entered:?}");
    assert_eq!(entered.stdout, format!("data{run} {}\n", scratch.join("data").display()));
    let without = world.run(&["env", "enter", &run]);
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(without.stderr.contains("needs a terminal"), "{}", without.stderr);

    assert!(world.run(&["sweep"]).stdout.contains("nothing to sweep"));
    assert!(scratch.exists(), "its time has not come");
    let released = world.run(&["env", "release", "latest"]);
    assert_eq!(released.code, Some(0), "{released:?}");
    assert!(!scratch.exists() && listed(&world).is_empty());
    let record = world.newest_record();
    assert_eq!(record["release"].get("held"), None, "{record:#}");
    assert_eq!(record["verdict"], "failed");
    let again = world.run(&["env", "release", &run]);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.stderr.contains("keeps no environment"), "{}", again.stderr);
}

#[test]
fn only_what_the_scenario_names_stays() {
    let world = World::new();
    world.scenario(&[("keep", "{failed: 4h}")]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(record["release"].get("held").is_none() && !newest(&world).1.exists(), "a passed one goes");
    world.scenario(&[("keep", "{passed: 4h}")]);
    assert_eq!(world.drill().0.code, Some(0));
    assert!(newest(&world).1.exists());
    world.scenario(&[("checks", FAILS)]);
    assert_eq!(world.drill().0.code, Some(1));
    assert!(!newest(&world).1.exists(), "by default nothing stays");
}

#[test]
fn a_sweep_removes_what_has_stayed_its_time_and_not_before() {
    let world = World::new();
    world.scenario(&[("checks", FAILS), ("keep", "{failed: 4s}")]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let (_, scratch) = newest(&world);
    assert!(world.run(&["sweep"]).stdout.contains("nothing to sweep"));
    assert!(scratch.exists(), "{record:#}");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(listed(&world)[0]["overdue"], true);
    let swept = world.run(&["sweep"]);
    assert_eq!(swept.code, Some(0), "{swept:?}");
    assert!(swept.stdout.contains("removed") && !scratch.exists(), "{}", swept.stdout);
    assert_eq!(world.newest_record()["verdict"], "failed", "its verdict is as it was");
    assert!(world.run(&["sweep"]).stdout.contains("nothing to sweep"));
}

#[test]
fn of_a_killed_run_nothing_stays() {
    let world = World::new();
    world.scenario(&[
        ("keep", "{failed: 4h, errored: 4h, passed: 4h}"),
        ("checks", "[{name: a while, probe: {command: {argv: [sleep, '60']}}, expect: {exit: {equals: 0}}}]"),
    ]);
    let mut child = world.start();
    world.wait_for("\"stage_started\",\"stage\":\"probe\"");
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(newest(&world).1.exists());
    assert_eq!(world.run(&["sweep"]).code, Some(0));
    assert!(!newest(&world).1.exists() && world.leftovers().is_empty());
}

#[test]
fn nobody_removes_an_environment_that_somebody_is_in() {
    let world = World::new();
    world.scenario(&[("checks", FAILS), ("keep", "{failed: 1s}")]);
    assert_eq!(world.drill().0.code, Some(1));
    let (run, scratch) = newest(&world);
    let script = format!("touch {0}/in; while [ ! -e {0}/leave ]; do sleep 0.05; done", world.path("").display());
    let mut inside = world.command(&["env", "enter", &run, "--", "sh", "-c", &script]);
    let mut inside = inside.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("drillctl starts");
    let since = Instant::now();
    while !world.path("in").exists() {
        assert!(since.elapsed() < Duration::from_secs(60), "nobody came in");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1));
    assert!(world.run(&["sweep"]).stdout.contains("nothing to sweep"));
    let refused = world.run(&["env", "release", &run]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("somebody is in"), "{}", refused.stderr);
    assert!(scratch.exists());
    world.write("leave", "");
    assert!(inside.wait().expect("left").success());
    assert_eq!(world.run(&["sweep"]).code, Some(0));
    assert!(!scratch.exists());
}

#[test]
fn a_throw_away_server_that_is_kept_runs_only_while_somebody_is_in() {
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE t AS SELECT n, md5(n::text) AS v FROM generate_series(1, 5000) n");
    let world = World::new();
    for method in ["dump", "physical"] {
        world.scenario(&[
            ("source", &format!("{{postgres: {{url: '{}', method: {method}}}}}", cluster.url())),
            ("scratch", "{postgres: {}}"),
            ("keep", "{failed: 4h}"),
            ("checks", "[{name: rows, probe: {sql: {query: 'select count(*) from t'}}, expect: {value: {equals: 1}}}]"),
        ]);
        let (finished, record) = world.drill();
        assert_eq!(finished.code, Some(1), "{method}: {}", finished.stderr);
        let (run, _) = newest(&world);
        nothing_runs(&run);
        let psql = ["psql", "-XAtqc", "select count(*), min(v) from t"];
        let expected =
            must(Command::new(cluster.bin().join("psql")).args(["-XAtq", "-d", &cluster.url(), "-c", psql[2]]));
        for _ in 0..2 {
            let entered = enter(&world, &run, &psql);
            assert_eq!(entered.code, Some(0), "{method}: {entered:?}\n{record:#}");
            assert_eq!(entered.stdout, String::from_utf8_lossy(&expected.stdout), "{method}");
            nothing_runs(&run);
        }
        killed_while_somebody_is_in(&world, &run);
        assert_eq!(enter(&world, &run, &psql).code, Some(0), "{method}: it is as it was");
        let folders: Vec<PathBuf> =
            listed(&world).iter().map(|row| PathBuf::from(row["folder"].as_str().expect("a path"))).collect();
        assert_eq!(world.run(&["env", "release", &run]).code, Some(0), "{method}");
        nothing_runs(&run);
        assert!(folders.iter().all(|folder| !folder.exists()) && listed(&world).is_empty(), "{method}: {folders:?}");
    }
}

/// A `drillctl env enter` that is killed leaves a server; the next sweep stops it and leaves the environment.
fn killed_while_somebody_is_in(world: &World, run: &str) {
    let mut inside = world.command(&["env", "enter", run, "--", "sleep", "300"]);
    let mut inside =
        inside.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().expect("drillctl starts");
    let since = Instant::now();
    while !processes_of(run).iter().any(|line| line.starts_with("sleep")) {
        assert!(since.elapsed() < Duration::from_secs(60), "nobody came in: {:?}", processes_of(run));
        std::thread::sleep(Duration::from_millis(20));
    }
    inside.kill().expect("killed");
    inside.wait().expect("gone");
    assert!(!processes_of(run).is_empty(), "what was killed left nothing");
    let swept = world.run(&["sweep"]);
    assert_eq!(swept.code, Some(0), "{swept:?}");
    nothing_runs(run);
    assert_eq!(listed(world).len(), 1, "its time has not come");
}
