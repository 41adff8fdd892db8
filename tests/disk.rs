//! Full disks: a clear error, everything released, the journal whole.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{World, must};

/// A small file system of its own, unmounted when it is dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&at).expect("a mount point");
        must(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size},mode=711"), "tmpfs"]).arg(&at));
        Self(at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state: u64 = 7;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// A source that doesn't say how much there is: the check before the run can't know.
fn unforeseen(world: &World) -> String {
    world.write("input/noise", noise(24 << 20));
    let script = world.script("backup", "#!/bin/sh\nexec tar -C \"$(dirname \"$0\")/input\" -cf - .\n");
    format!("{{command: {{argv: [{}], content: tar}}}}", script.display())
}

fn errored(world: &World, at: &Path) {
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{}\n{record:#}", finished.stderr);
    assert_eq!(record["verdict"], "errored");
    let because = record["findings"].to_string();
    assert!(because.contains("space"), "{because}");
    assert!(because.contains(&*at.to_string_lossy()), "{because}");
    assert_eq!(record["release"]["leaked"].as_array().map(Vec::len), Some(0), "{record:#}");
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    assert!(world.newest_journal().contains("run_ended"));
}

#[test]
fn too_little_space_is_refused_before_anything_is_done() {
    let world = World::new();
    world.write("input/noise", noise(24 << 20));
    let small = Small::mount(world.path("small"), "20m");
    world.scenario(&[("scratch", "{directory: {path: small/scratch}}")]);
    let finished = world.run(&["run", "scenario.yaml"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("space") && finished.stderr.contains("small"), "{}", finished.stderr);
    assert!(world.runs().is_empty() && !small.0.join("scratch").exists());
}

#[test]
fn a_vault_that_fills_up_leaves_no_half_snapshot() {
    let world = World::new();
    let source = unforeseen(&world);
    let small = Small::mount(world.path("vault"), "20m");
    world.scenario(&[("source", &source)]);
    errored(&world, &small.0);
}

#[test]
fn a_scratch_that_fills_up_is_released() {
    let world = World::new();
    let source = unforeseen(&world);
    let small = Small::mount(world.path("small"), "20m");
    world.scenario(&[("source", &source), ("scratch", "{directory: {path: small/scratch}}")]);
    errored(&world, &small.0);
    assert!(!small.0.join("scratch").exists());
}

#[test]
fn a_state_folder_that_the_scratch_fills_up_keeps_its_journal() {
    let world = World::new();
    let source = unforeseen(&world);
    let small = Small::mount(world.path("state"), "20m");
    world.scenario(&[("source", &source)]);
    errored(&world, &small.0);
}

/// A drill into the small file system, of a program that says how much it writes and waits until `go` is there.
fn waiting(world: &World, name: &str) -> String {
    let script = format!(
        "#!/bin/sh\ncat \"$(dirname \"$0\")/input/noise\"\nwhile [ ! -e \"$(dirname \"$0\")/{name}\" ]; do sleep 0.05; done\n"
    );
    let script = world.script(&format!("wait-for-{name}"), &script);
    format!("{{command: {{argv: [{}], content: {{file: noise}}, expected_bytes: 25165824}}}}", script.display())
}

fn into_small(world: &World, source: &str, scratch: &str, checks: &str) {
    let scratch = format!("{{directory: {{path: small/{scratch}}}}}");
    world.scenario(&[("source", source), ("scratch", &scratch), ("checks", checks)]);
}

const THERE: &str = "[{name: it is there, probe: {file: {path: noise}}, expect: {exists: {equals: true}}}]";

#[test]
fn two_runs_do_not_count_on_the_same_space_and_a_dead_one_counts_no_more() {
    let world = World::new();
    world.write("input/noise", noise(24 << 20));
    // Room for one, which needs 24 MiB, a tenth and 16 MiB, and not for two.
    let small = Small::mount(world.path("small"), "72m");
    into_small(&world, &waiting(&world, "go"), "first", THERE);
    let mut first = world.start();
    world.wait_for("\"stage_started\",\"stage\":\"capture\"");
    let run = world.runs().pop().expect("a run").file_name().expect("an id").to_string_lossy().into_owned();

    into_small(&world, "{directory: {path: input}}", "second", THERE);
    for command in ["run", "plan"] {
        let refused = world.run(&[command, "scenario.yaml"]);
        assert_eq!(refused.code, Some(2), "{command}: {refused:?}");
        let named = format!("of which run {run} at work has reserved");
        assert!(refused.stderr.contains(&named) && refused.stderr.contains("Wait for its end"), "{}", refused.stderr);
    }
    assert!(!small.0.join("second").exists());
    let doctor = world.run(&["doctor", "--json"]);
    assert!(doctor.stdout.contains(&format!("run {run} has reserved 42.4 MiB for the restore")), "{}", doctor.stdout);

    first.kill().expect("killed");
    first.wait().expect("gone");
    assert_eq!(world.drill().0.code, Some(0), "a run that died has reserved nothing");
    let doctor = world.run(&["doctor", "--json"]);
    assert!(!doctor.stdout.contains("has reserved"), "{}", doctor.stdout);
    assert_eq!(world.run(&["sweep"]).code, Some(0));
}

#[test]
fn what_a_run_has_written_is_no_longer_reserved() {
    let world = World::new();
    world.write("input/noise", noise(24 << 20));
    // What the first has written and what the second needs fit; what the first had reserved would not.
    let _small = Small::mount(world.path("small"), "84m");
    let checks = "[{name: a while, probe: {command: {argv: [sh, -c, 'while [ ! -e ../../../go ]; do sleep 0.05; done']}}, expect: {exit: {equals: 0}}}]";
    into_small(&world, "{directory: {path: input}}", "first", checks);
    let mut first = world.start();
    world.wait_for("\"stage_started\",\"stage\":\"probe\"");
    into_small(&world, "{directory: {path: input}}", "second", THERE);
    let planned = world.run(&["plan", "scenario.yaml"]);
    assert_eq!(planned.code, Some(0), "{planned:?}");
    assert!(!planned.stdout.contains("reserved"), "{}", planned.stdout);
    let (second, record) = world.drill();
    assert_eq!(second.code, Some(0), "{}{record:#}", second.stderr);
    world.write("go", "");
    assert!(first.wait().expect("ends").success());
    for run in world.runs() {
        assert!(!run.join("space.json").exists(), "nothing is reserved by a run that is over");
    }
}

#[test]
fn the_copy_of_a_database_needs_room_in_the_state_folder() {
    let world = World::new();
    let database = rusqlite::Connection::open(world.path("input/app.db")).expect("a database");
    database.execute_batch("CREATE TABLE t(b); INSERT INTO t SELECT zeroblob(30000000)").expect("a big row");
    drop(database);
    let _small = Small::mount(world.path("state"), "40m");
    std::fs::create_dir_all(world.path("roomy")).expect("a folder");
    for source in ["{sqlite: {path: input/app.db}}", "{directory: {path: input, sqlite: [app.db]}}"] {
        world.scenario(&[("source", source), ("scratch", "{directory: {path: roomy/scratch}}")]);
        let refused = world.run(&["run", "scenario.yaml"]);
        assert_eq!(refused.code, Some(2), "{source}: {refused:?}");
        assert!(refused.stderr.contains("too little space for the temporary copy"), "{}", refused.stderr);
        assert!(world.runs().is_empty());
    }
}

#[test]
fn a_source_that_can_not_tell_how_much_there_is_is_said_to() {
    let world = World::new();
    let source = "{command: {argv: [echo, hello], content: {file: noise}}}";
    world.scenario(&[("source", source), ("checks", THERE)]);
    let planned = world.run(&["plan", "scenario.yaml"]);
    assert!(planned.stdout.contains("how much there is isn't known"), "{planned:?}");
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(record["findings"].to_string().contains("`expected_bytes`"), "{record:#}");
    world.scenario(&[("source", &source.replace("}}}", "}, expected_bytes: 6}}")), ("checks", THERE)]);
    assert!(!world.drill().1["findings"].to_string().contains("`expected_bytes`"));
}
