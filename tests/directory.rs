//! Drills of folders.

use std::fs;
use std::process::Command;

use crate::support::{World, check, must};

#[test]
fn a_folder_is_captured_restored_compared_and_the_run_leaves_only_its_record() {
    let world = World::new();
    world.write("input/a/b.txt", "hello");
    world.write("input/empty", "");
    std::os::unix::fs::symlink("a/b.txt", world.path("input/link")).expect("link");
    world.scenario(&[(
        "checks",
        "[{name: b says hello, probe: {file: {path: a/b.txt}}, expect: {text: {equals: hello}}}]",
    )]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!((&record["verdict"], &record["assurance"]), (&"passed".into(), &"L3".into()));
    for id in ["sealed-bytes", "opens", "restores", "content", "b says hello"] {
        assert_eq!(check(&record, id)["outcome"], "passed");
    }
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    let run = world.runs().pop().expect("a run");
    for file in ["journal.ndjson", "record.json", "report.html", "report.txt", "junit.xml", "scenario.yaml"] {
        assert!(fs::metadata(run.join(file)).is_ok_and(|meta| meta.len() > 0), "{file}");
    }
    assert_eq!(world.newest_record(), record);
}

#[test]
fn an_app_is_started_on_the_restored_data_probed_and_stopped() {
    let world = World::new();
    world.write("input/index.html", "the restored page");
    world.scenario(&[
        ("app", "{argv: [python3, -m, http.server, --bind, 127.0.0.1, '${DRILL_PORT}'], ready: {probe: {http: {url: 'http://127.0.0.1:${DRILL_PORT}/'}}}}"),
        ("checks", "[{name: the page answers, probe: {http: {url: 'http://127.0.0.1:${DRILL_PORT}/index.html'}}, expect: {status: {equals: 200}, body: {matches: restored}}}]"),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    assert_eq!(record["assurance"], "L4");
    assert!(record["measurements"]["recovery_secs"].as_f64().is_some_and(|secs| secs > 0.0));
    let phases: Vec<_> =
        record["measurements"]["phases"].as_array().expect("phases").iter().map(|p| &p["phase"]).collect();
    assert_eq!(phases, ["locate", "provision", "fetch", "open", "load", "ready"]);
}

#[test]
fn an_app_that_does_not_start_fails_the_drill() {
    let world = World::new();
    world.scenario(&[
        ("app", "{argv: [sh, -c, 'echo no database >&2; exit 3'], ready: {within: 20s, probe: {tcp: {address: '127.0.0.1:${DRILL_PORT}'}}}}"),
        ("checks", "[{name: it answers, probe: {tcp: {address: '127.0.0.1:${DRILL_PORT}'}}, expect: {open: {equals: true}}}]"),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let ready = check(&record, "app-ready");
    assert_eq!(ready["outcome"], "failed");
    assert!(ready["observed"].as_str().is_some_and(|told| told.contains("no database")), "{ready}");
    assert_eq!(record["assurance"], "L3", "what was proved before stays proved");
}

#[test]
fn a_check_that_does_not_hold_fails_the_drill_and_names_what_was_seen() {
    let world = World::new();
    world.write("input/state", "broken");
    world.scenario(&[(
        "checks",
        "[{name: the state is right, probe: {file: {path: state}}, expect: {text: {equals: right}}}]",
    )]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1));
    assert_eq!(record["verdict"], "failed");
    let finding = record["findings"][0]["statement"].as_str().expect("a finding");
    assert!(finding.contains("broken") && finding.contains("right"), "{finding}");
}

#[test]
fn an_objective_that_is_missed_fails_the_drill() {
    let world = World::new();
    let file = world.write("input/data", "old");
    must(Command::new("touch").args(["-d", "2 days ago"]).arg(&file).arg(world.path("input")));
    world.scenario(&[("objectives", "{rto: 1h, rpo: 24h, promised_in: the tests}")]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{record:#}");
    let rpo = record["objectives"].as_array().expect("objectives").iter().find(|o| o["name"] == "rpo").expect("rpo");
    assert_eq!(rpo["met"], false);
    assert!(rpo["achieved_secs"].as_f64().is_some_and(|secs| secs > 47.0 * 3600.0), "{rpo}");
}

#[test]
fn a_canary_proves_which_backup_was_read_and_leaves_the_source_as_it_was() {
    let world = World::new();
    world.write("input/data", "x");
    world.scenario(&[("source", "{directory: {path: input, canary: true}}")]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    let canary = check(&record, "canary");
    let nonce = record["trigger"]["nonce"].as_str().expect("a nonce");
    assert!(canary["observed"].as_str().is_some_and(|seen| seen.contains(nonce)), "{canary}");
    let left: Vec<_> = fs::read_dir(world.path("input")).expect("input").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["data"]);
}

#[test]
fn a_difference_that_somebody_accepted_stays_in_the_record_until_its_date() {
    let world = World::new();
    world.write("input/data", "x");
    // A command source whose program lies about the content of one file gives a difference that can be accepted.
    let probe = "[{name: data is there, probe: {command: {argv: [test, -e, data]}}, expect: {exit: {equals: 0}}}]";
    world.scenario(&[
        ("checks", probe),
        ("exceptions", "[{pattern: 'nothing/**', because: none, owner: tests, until: 2020-01-01}]"),
    ]);
    let (finished, _) = world.drill();
    assert_eq!(finished.code, Some(0), "an exception that covers nothing changes nothing: {}", finished.stderr);
}

#[test]
fn the_scratch_is_refused_where_it_is_the_source_or_holds_something() {
    let world = World::new();
    world.write("input/data", "precious");
    world.write("other/data", "precious too");
    for (scratch, words) in [("input", "source"), ("input/below", "source"), ("other", "not empty"), (".", "source")] {
        world.scenario(&[("scratch", &format!("{{directory: {{path: {scratch}}}}}"))]);
        let finished = world.run(&["run", "scenario.yaml"]);
        assert_eq!(finished.code, Some(2), "{scratch}: {}", finished.stderr);
        assert!(
            finished.stderr.contains(words) || finished.stderr.contains("not empty"),
            "{scratch}: {}",
            finished.stderr
        );
        assert!(world.runs().is_empty(), "nothing was done");
    }
    assert_eq!(fs::read_to_string(world.path("input/data")).expect("the source"), "precious");
    assert_eq!(fs::read_to_string(world.path("other/data")).expect("the other"), "precious too");
    assert!(!world.path("input/below").exists());
}

#[test]
fn a_link_to_the_source_is_recognised_as_the_source() {
    let world = World::new();
    fs::remove_file(world.path("input/data")).expect("an empty source, which a scratch could be");
    std::os::unix::fs::symlink(world.path("input"), world.path("alias")).expect("link");
    world.scenario(&[("scratch", "{directory: {path: alias}}")]);
    let finished = world.run(&["run", "scenario.yaml"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("source"), "{}", finished.stderr);
}
