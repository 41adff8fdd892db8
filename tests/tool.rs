//! Drills of what a tool keeps that drillctl doesn't know, through programs of the user's.

use std::fs;

use serde_json::Value;

use crate::support::{World, check, must};

const CHECKS: &str = "[{name: the page is there, probe: {file: {path: page}}, expect: {text: {matches: night}}}]";
/// Lists archives named by their instant, and hands one out.
const LIST: &str = "#!/bin/sh
for archive in kept/*.tar; do
  id=$(basename \"$archive\" .tar)
  echo \"{\\\"id\\\": \\\"$id\\\", \\\"taken_at\\\": \\\"${id}T03:00:00Z\\\", \\\"bytes\\\": $(stat -c %s \"$archive\")}\"
done
";
const FETCH: &str = "#!/bin/sh\ntest \"$TOKEN\" = hunter22 || exit 77\nexec cat \"kept/$1.tar\"\n";

/// A world whose tool keeps two nights.
fn world() -> World {
    let world = World::new();
    for night in ["2026-10-01", "2026-10-02"] {
        world.write("page", format!("of the night {night}"));
        fs::create_dir_all(world.path("kept")).expect("a folder");
        let archive = world.path(&format!("kept/{night}.tar"));
        must(std::process::Command::new("tar").arg("-cf").arg(archive).arg("-C").arg(world.path("")).arg("page"));
    }
    world.script("list", LIST);
    world.script("fetch", FETCH);
    world.write("token", "hunter22");
    scenario(&world, "");
    world
}

fn scenario(world: &World, more: &str) {
    let programs = "list: [./list], fetch: [./fetch, '${DRILL_BACKUP}'], secrets: {TOKEN: {file: token}}";
    world.adopting(&format!("{{tool: {{name: keeper, {programs}, content: tar{more}}}}}"), &[("checks", CHECKS)]);
}

fn findings(record: &Value) -> String {
    record["findings"].to_string()
}

#[test]
fn the_newest_is_listed_handed_out_and_compared_with_what_was_handed_out() {
    let world = world();
    let record = world.drill_ends(0);
    let backup = &record["backup"];
    assert_eq!((&backup["snapshot"], &backup["taken_at"]), (&"2026-10-02".into(), &"2026-10-02T03:00:00Z".into()));
    assert_eq!((&backup["adopted"]["tool"], &backup["adopted"]["candidates"]), (&"keeper".into(), &2.into()));
    assert_eq!(backup["adopted"]["about"]["bytes"], "10240");
    assert_eq!(check(&record, "content")["level"], "L3");
    assert_eq!(record["assurance"], Value::Null, "nothing vouches for the bytes");
    assert!(!world.newest_journal().contains("hunter22"));

    scenario(&world, ", check: [./sound]");
    world.script("sound", "#!/bin/sh\nexit 0\n");
    assert_eq!(world.drill_ends(0)["assurance"], "L3", "the tool vouches for its repository");
    world.script("sound", "#!/bin/sh\necho pack 7 is torn >&2; exit 1\n");
    let record = world.drill_ends(1);
    assert_eq!(check(&record, "repository")["outcome"], "failed");
    assert!(findings(&record).contains("pack 7 is torn"), "{}", findings(&record));
    world.script("sound", "#!/bin/sh\necho no route to host >&2; exit 1\n");
    assert_eq!(world.drill_ends(3)["verdict"], "errored");

    let (finished, record) = world.drill_with(&["--snapshot", "2026-10-01"]);
    assert_eq!(finished.code, Some(3), "its check still can't reach it: {record:#}");
    scenario(&world, ", select: {before: '2026-10-02T00:00:00Z'}");
    assert_eq!(world.drill_ends(0)["backup"]["snapshot"], "2026-10-01");
    scenario(&world, ", max_age: 26h");
    let record = world.drill_ends(1);
    assert!(findings(&record).contains("newest backup was"), "{}", findings(&record));
}

#[test]
fn what_the_programs_end_with_says_who_is_at_fault() {
    for (fetch, code, told) in [
        ("cat kept/$1.tar; exit 1", 1, "fetch exited with 1"),
        ("head -c 700 kept/$1.tar", 1, "restores"),
        ("exit 0", 1, "there is nothing in 2026-10-02"),
        ("echo the disk is bad >&2; exit 65", 1, "the disk is bad"),
        ("echo come back later >&2; exit 75", 3, "come back later"),
        ("echo dial tcp: i/o timeout >&2; exit 1", 3, "i/o timeout"),
        ("kill -9 $$", 1, "fetch"),
        ("cat kept/$1.tar; sleep 60 &", 3, "still holds its output"),
    ] {
        let world = world();
        world.script("fetch", &format!("#!/bin/sh\n{fetch}\n"));
        let record = world.drill_ends(code);
        assert!(record.to_string().contains(told), "{fetch}: {record:#}");
        assert!(world.leftovers().is_empty(), "{fetch}: {:?}", world.leftovers());
    }
}

#[test]
fn a_list_that_is_none_or_could_do_harm_is_refused_with_its_line() {
    for (list, code, told) in [
        ("echo 'two backups'", 2, "says `two backups`"),
        ("echo '{\"id\": \"a\"}'", 2, "missing field `taken_at`"),
        ("echo '{\"id\": \"--delete\", \"taken_at\": \"2026-10-02T03:00:00Z\"}'", 2, "begins with no hyphen"),
        ("exit 1", 3, "list exited with 1"),
        ("exit 78", 3, "list exited with 78"),
    ] {
        let world = world();
        world.script("list", &format!("#!/bin/sh\n{list}\n"));
        let refused = world.run(&["run", "scenario.yaml"]);
        assert_eq!(refused.code, Some(code), "{list}: {refused:?}");
        assert!(refused.stderr.contains(told), "{list}: {}", refused.stderr);
        assert!(world.runs().is_empty(), "{list}: nothing was done");
    }
    for (list, told) in [("exit 0", "holds none that fits"), ("echo torn >&2; exit 65", "torn")] {
        let world = world();
        world.script("list", &format!("#!/bin/sh\n{list}\n"));
        let record = world.drill_ends(1);
        assert!(findings(&record).contains(told), "{list}: {}", findings(&record));
    }
}
