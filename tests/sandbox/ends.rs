//! How a sandbox ends: by a limit that was reached, by a kill, and after every run. Nothing of it stays.

use super::*;

#[test]
fn a_fork_bomb_is_bounded_and_leaves_the_drill_without_an_answer() {
    let world = World::new();
    let bomb = "import os, time\nwhile True:\n    try:\n        if os.fork() == 0: time.sleep(1000)\n    except OSError: break\n";
    let app = app(&world, &format!("{bomb}\nraise SystemExit('bombed')"));
    world.scenario(&[("sandbox", "{processes: 40}"), ("app", &app)]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{}\n{record:#}", finished.stderr);
    assert!(findings(&record).contains("40 processes"), "{record:#}");
    assert!(findings(&record).contains("sandbox: {processes: …}"), "{record:#}");
    nothing_left(&world);
}

#[test]
fn a_program_that_takes_too_much_memory_is_killed_and_the_limit_named() {
    let world = World::new();
    let app = app(&world, "hog = bytearray(400 << 20)\nfor at in range(0, len(hog), 4096): hog[at] = 1");
    world.scenario(&[("sandbox", "{memory: 100MiB}"), ("app", &app)]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{}\n{record:#}", finished.stderr);
    assert!(findings(&record).contains("100MiB of memory"), "{record:#}");
    world.scenario(&[("sandbox", "{memory: 800MiB}"), ("app", &app)]);
    assert_eq!(world.drill().0.code, Some(0), "with more it serves");
    nothing_left(&world);
}

#[test]
fn what_is_written_beyond_the_limit_ends_the_sandbox() {
    let world = World::new();
    let app = app(
        &world,
        "import time\nfor n in range(100):\n    open(f'f{n}', 'wb').write(bytes(4 << 20)); time.sleep(0.05)",
    );
    world.scenario(&[("sandbox", "{disk: 20MiB}"), ("app", &app)]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{}\n{record:#}", finished.stderr);
    assert!(findings(&record).contains("more than 20MiB were written"), "{record:#}");
    nothing_left(&world);
}

#[test]
fn a_program_that_leaves_its_session_is_gone_after_the_run() {
    let world = World::new();
    let daemon = "import subprocess\nsubprocess.Popen(['setsid', '-f', 'env', '-i', 'sleep', '98765'])";
    let app = app(&world, daemon);
    let checks = "[{name: it runs, probe: {command: {argv: [sh, -c, 'grep -l 98765 /proc/[0-9]*/cmdline | head -n 1']}}, expect: {stdout: {matches: cmdline}}}]";
    world.scenario(&[("sandbox", "{}"), ("app", &app), ("checks", checks)]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    nothing_left(&world);
    assert_eq!(processes("98765"), 0, "it carries no mark, and is gone all the same");
}

#[test]
fn a_sandbox_that_is_killed_ends_the_run_without_an_answer_and_soon() {
    let world = World::new();
    let checks =
        "[{name: a while, probe: {command: {argv: [sleep, '54321'], timeout: 10m}}, expect: {exit: {equals: 0}}}]";
    world.scenario(&[("sandbox", "{}"), ("app", SERVES), ("checks", checks)]);
    let mut child = world.start();
    wait_for_process(&world, "54321");
    let since = Instant::now();
    must(Command::new("kill").arg("-9").arg(first_process(&world)));
    let status = child.wait().expect("ends");
    assert!(since.elapsed() < Duration::from_secs(90), "it hung");
    assert_eq!(status.code(), Some(3), "{}", world.newest_journal());
    assert!(findings(&world.newest_record()).contains("the sandbox has ended"), "{:#}", world.newest_record());
    nothing_left(&world);
}

#[test]
fn a_killed_drill_takes_its_sandbox_along_and_sweep_removes_the_rest() {
    let cluster = Cluster::start();
    let checks =
        "[{name: a while, probe: {command: {argv: [sleep, '45678'], timeout: 10m}}, expect: {exit: {equals: 0}}}]";
    let database = format!("{{postgres: {{url: '{}'}}}}", cluster.url());
    for (source, scratch) in [("{directory: {path: input}}", "{directory: {}}"), (&database, "{postgres: {}}")] {
        let world = World::new();
        world.scenario(&[("source", source), ("scratch", scratch), ("sandbox", "{}"), ("checks", checks)]);
        let mut child = world.start();
        wait_for_process(&world, "45678");
        assert!(!groups(&world).is_empty() || !rustix::process::geteuid().is_root(), "root makes control groups");
        child.kill().expect("killed");
        child.wait().expect("gone");
        let swept = world.run(&["sweep"]);
        assert_eq!(swept.code, Some(0), "{}{}", swept.stdout, swept.stderr);
        nothing_left(&world);
        assert_eq!(processes("45678"), 0);
        assert_eq!(world.newest_record()["release"]["leaked"].as_array().map(Vec::len), Some(0));
    }
}
