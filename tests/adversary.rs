//! What must never happen: a green drill that proves nothing, a drill that harms what it protects, a record that gets lost.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{World, check, must};

const SLEEPS: &str = "{argv: [sleep, '600'], ready: {within: 5s, probe: {tcp: {address: '127.0.0.1:PORT'}}}}";

#[test]
fn who_listened_before_the_app_is_not_taken_for_it() {
    let world = World::new();
    let production = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = production.local_addr().expect("an address").port().to_string();
    world.scenario(&[("app", &SLEEPS.replace("PORT", &port))]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{record:#}");
    assert!(record["because"].as_str().is_some_and(|why| why.contains(&port)), "{record:#}");
    world.scenario(&[
        ("app", "{argv: [python3, -m, http.server, --bind, 127.0.0.1, '${DRILL_PORT}'], ready: {probe: {tcp: {address: '127.0.0.1:${DRILL_PORT}'}}}}"),
        ("checks", &format!("[{{name: it is open, probe: {{tcp: {{address: '127.0.0.1:{port}'}}}}, expect: {{open: {{equals: true}}}}}}]")),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "a check is not answered by production either: {record:#}");
}

#[test]
fn an_app_that_dies_after_it_was_ready_fails_the_drill() {
    let world = World::new();
    world.scenario(&[
        ("app", "{argv: [sh, -c, 'touch up; sleep 0.5; exit 7'], ready: {probe: {file: {path: up}}}}"),
        ("checks", "[{name: a moment, probe: {command: {argv: [sleep, '1']}}, expect: {exit: {equals: 0}}}]"),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{record:#}");
    assert!(check(&record, "app-runs")["observed"].as_str().is_some_and(|how| how.contains("exited with 7")));
}

#[test]
fn a_look_at_some_content_does_not_prove_that_all_of_it_is_equal() {
    let world = World::new();
    world.write("input/data", "x");
    world.scenario(&[("verify", "{level: count}")]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(record["assurance"], "L2", "{record:#}");
}

#[test]
fn a_snapshot_with_a_canary_is_restored_by_a_later_run_and_its_canary_is_no_data() {
    let world = World::new();
    let file = world.write("input/data", "old");
    must(Command::new("touch").args(["-d", "90 days ago"]).arg(&file));
    world.scenario(&[
        ("source", "{directory: {path: input, canary: true}}"),
        ("objectives", "{rto: 1h, rpo: 200d, promised_in: the tests}"),
    ]);
    assert_eq!(world.drill().0.code, Some(0));
    let (finished, record) = world.drill_with(&["--snapshot", "newest"]);
    assert_eq!(finished.code, Some(0), "{record:#}");
    let age = record["measurements"]["recovery_point_secs"].as_f64().expect("an age");
    assert!(age > 89.0 * 86400.0, "the canary counts as data: {age}");
}

#[test]
fn data_from_the_future_does_not_keep_the_recovery_point() {
    let world = World::new();
    let file = world.write("input/data", "x");
    must(Command::new("touch").args(["-d", "2 days"]).arg(&file));
    world.scenario(&[("objectives", "{rto: 1h, rpo: 24h, promised_in: the tests}")]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{record:#}");
}

#[test]
fn a_snapshot_of_another_scenario_is_refused() {
    let world = World::new();
    world.scenario(&[]);
    assert_eq!(world.drill().0.code, Some(0));
    let snapshot = world.newest_snapshot().file_name().expect("an id").to_string_lossy().into_owned();
    world.scenario(&[("name", "other")]);
    let finished = world.run(&["run", "scenario.yaml", "--snapshot", &snapshot]);
    assert_eq!(finished.code, Some(2), "{}", finished.stdout);
    assert!(finished.stderr.contains("is of scenario test"), "{}", finished.stderr);
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn a_vault_in_the_source_is_refused_unless_it_is_left_out() {
    let world = World::new();
    world.write("input/data", "x");
    symlink(world.path("input"), world.path("alias")).expect("link");
    for vault in ["{fs: {path: input/backups/vault}}", "{fs: {path: alias/vault}}"] {
        world.scenario(&[("vault", vault)]);
        let finished = world.run(&["run", "scenario.yaml"]);
        assert_eq!(finished.code, Some(2), "{vault}: {}", finished.stderr);
        assert!(finished.stderr.contains("lies in the source"), "{}", finished.stderr);
        assert_eq!(fs::read_dir(world.path("input")).expect("input").count(), 1);
    }
    world.scenario(&[
        ("vault", "{fs: {path: input/backups/vault}}"),
        ("source", "{directory: {path: input, exclude: [/backups]}}"),
    ]);
    assert_eq!(world.drill().0.code, Some(0));
}

#[test]
fn a_sweep_removes_no_folder_but_a_run_that_never_began() {
    let world = World::new();
    world.scenario(&[]);
    assert_eq!(world.drill().0.code, Some(0));
    let run = world.runs().pop().expect("a run");
    fs::remove_file(run.join("journal.ndjson")).expect("lost");
    world.write("state/runs/archive/20261123T132749123Z-7f3a2c9b/record.json", "{}");
    world.write("victim/precious", "x");
    symlink(world.path("victim"), world.path("state/runs/20261123T132749123Z-7f3a2c9b")).expect("link");
    fs::create_dir_all(world.path("state/runs/20261123T132749123Z-00000000/logs")).expect("a run that never began");
    world.write("state/runs/20261123T132749123Z-00000000/space.json", "[]");
    let swept = world.run(&["sweep"]);
    assert_eq!(swept.code, Some(3), "{}{}", swept.stdout, swept.stderr);
    assert!(swept.stderr.contains("lost its journal"), "{}", swept.stderr);
    assert!(run.join("record.json").exists() && run.join("report.html").exists());
    assert!(world.path("state/runs/archive/20261123T132749123Z-7f3a2c9b/record.json").exists());
    assert_eq!(fs::read_dir(world.path("victim")).expect("victim").count(), 1);
    assert!(!world.path("state/runs/20261123T132749123Z-00000000").exists());
}

/// A place that is unmounted whatever happens.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn what_is_mounted_in_the_scratch_is_not_removed_with_it() {
    let world = World::new();
    world.write("production/precious", "x");
    let mounted = Mounted(world.path("scratch/data/mnt"));
    let production = world.path("production");
    world.scenario(&[
        ("scratch", "{directory: {path: scratch}}"),
        ("checks", &format!("[{{name: mounts, probe: {{command: {{argv: [sh, -c, 'mkdir mnt; mount --bind {} mnt']}}}}, expect: {{exit: {{equals: 0}}}}}}]", production.display())),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(4), "{record:#}");
    assert!(record["release"]["leaked"].to_string().contains("mounted"), "{record:#}");
    assert!(production.join("precious").exists());
    drop(mounted);
    assert_eq!(world.run(&["sweep"]).code, Some(0));
    assert!(production.join("precious").exists() && !world.path("scratch").exists());
}

#[test]
fn a_journal_that_can_not_be_written_any_more_keeps_nothing_from_being_released() {
    let world = World::new();
    world.write("input/data", "x");
    let limit = "prlimit --pid $PPID --fsize=1; kill -0 $PPID";
    world.scenario(&[
        ("source", "{directory: {path: input, canary: true}}"),
        ("scratch", "{directory: {path: scratch}}"),
        (
            "checks",
            &format!(
                "[{{name: full, probe: {{command: {{argv: [sh, -c, '{limit}']}}}}, expect: {{exit: {{equals: 0}}}}}}]"
            ),
        ),
    ]);
    let drillctl = world.command(&["run", "scenario.yaml", "--quiet"]);
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(drillctl.get_program()).args(drillctl.get_args());
    ignoring.current_dir(world.path("")).env("DRILLCTL_STATE", world.path("state"));
    let finished = world.finish(ignoring);
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert!(finished.stderr.contains("journal"), "{}", finished.stderr);
    assert!(!world.path("scratch").exists(), "the scratch is left behind");
    assert!(!world.newest_journal().contains("run_ended"));
}

#[test]
fn a_record_that_was_changed_is_noticed() {
    let world = World::new();
    world.scenario(&[]);
    assert_eq!(world.drill().0.code, Some(0));
    assert_eq!(world.run(&["show"]).code, Some(0));
    let path = world.runs().pop().expect("a run").join("record.json");
    let record = fs::read_to_string(&path).expect("a record");
    fs::write(&path, record.replace("A drill of the tests", "Another drill")).expect("changed");
    let shown = world.run(&["show"]);
    assert_eq!(shown.code, Some(3), "{}", shown.stderr);
    assert!(shown.stderr.contains("was changed"), "{}", shown.stderr);
}

#[test]
fn what_others_wrote_does_not_command_the_terminal() {
    let world = World::new();
    world.write("input/data", "x");
    world.scenario(&[]);
    assert_eq!(world.drill().0.code, Some(0));
    let path = world.newest_snapshot().join("snapshot.json");
    let header = fs::read_to_string(&path).expect("a header");
    fs::write(&path, header.replace("\"directory\"", "\"\\u001b[2Jdirectory\"")).expect("changed");
    let mut list = Command::new("script");
    list.args(["-qec", &format!("{} vault list scenario.yaml", env!("CARGO_BIN_EXE_drillctl")), "/dev/null"]);
    let listed = world.finish({
        list.current_dir(world.path("")).env("DRILLCTL_STATE", world.path("state"));
        list
    });
    assert!(listed.stdout.contains("u{1b}[2Jdirectory") && !listed.stdout.contains("\u{1b}[2J"), "{listed:?}");
}

#[test]
fn doctor_makes_nothing_and_believes_no_folder_that_it_can_not_write() {
    let world = World::new();
    assert_eq!(world.run(&["doctor"]).code, Some(0));
    assert!(!world.path("state").exists());
    fs::create_dir_all(world.path("state/runs")).expect("state");
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", env!("CARGO_BIN_EXE_drillctl"), "doctor"]);
    nobody.current_dir("/").env("DRILLCTL_STATE", world.path("state"));
    let finished = world.finish(nobody);
    assert_eq!(finished.code, Some(2), "{}", finished.stdout);
}

fn is_running(seconds: &str) -> bool {
    let processes = must(Command::new("ps").args(["-eo", "args"]));
    String::from_utf8_lossy(&processes.stdout).lines().any(|line| line == format!("sleep {seconds}"))
}

#[test]
fn what_a_source_leaves_running_in_a_group_of_its_own_is_stopped() {
    let world = World::new();
    let script = "setsid sleep 77731 >/dev/null 2>&1 & sleep 0.5; tar -C input -cf - .";
    world.scenario(&[("source", &format!("{{command: {{argv: [sh, -c, '{script}'], content: tar}}}}"))]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{record:#}");
    assert!(!is_running("77731"));
    assert!(record["release"]["removed"].to_string().contains("outlived"), "{record:#}");
}

#[test]
fn what_the_source_of_a_killed_run_left_running_is_swept() {
    let world = World::new();
    world.scenario(&[("source", "{command: {argv: [sh, -c, 'sleep 77732'], content: tar}}")]);
    let mut child = world.start();
    world.wait_for("snapshot");
    while !is_running("77732") {}
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(is_running("77732"));
    assert_eq!(world.run(&["sweep"]).code, Some(0));
    assert!(!is_running("77732"));
}

#[test]
fn a_source_without_a_single_file_is_no_backup() {
    let world = World::new();
    fs::remove_file(world.path("input/data")).expect("removed");
    fs::create_dir(world.path("input/mount")).expect("a folder");
    world.scenario(&[]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{record:#}");
    assert!(record["because"].as_str().is_some_and(|why| why.contains("not one file")), "{record:#}");
    assert!(world.leftovers().is_empty());
}

#[test]
fn a_newer_snapshot_without_a_header_is_told_where_nobody_remembers_it() {
    let world = World::new();
    world.scenario(&[]);
    assert_eq!(world.drill().0.code, Some(0));
    assert_eq!(world.drill().0.code, Some(0));
    fs::remove_file(world.newest_snapshot().join("snapshot.json")).expect("removed");
    fs::remove_dir_all(world.path("state")).expect("forgotten");
    let (finished, record) = world.drill_with(&["--snapshot", "newest"]);
    assert_eq!(finished.code, Some(0), "{record:#}");
    let how = record["backup"]["selected"].as_str().expect("how");
    assert!(how.contains("1 newer without a header") && how.contains("no run of this installation"), "{how}");
}

#[test]
fn a_sweep_goes_by_no_scenario_that_was_changed() {
    let world = World::new();
    world.scenario(&[(
        "checks",
        "[{name: dies, probe: {command: {argv: [sh, -c, 'kill -9 $PPID']}}, expect: {exit: {equals: 0}}}]",
    )]);
    assert_eq!(world.run(&["run", "scenario.yaml"]).code, None);
    let copy = world.runs().pop().expect("a run").join("scenario.yaml");
    let text = fs::read_to_string(&copy).expect("a scenario");
    fs::write(&copy, text.replace("vault}", "elsewhere}")).expect("changed");
    let swept = world.run(&["sweep"]);
    assert_eq!(swept.code, Some(3), "{}", swept.stdout);
    assert!(swept.stderr.contains("not the scenario"), "{}", swept.stderr);
    fs::write(&copy, text).expect("restored");
    assert_eq!(world.run(&["sweep"]).code, Some(0));
}
