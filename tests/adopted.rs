//! Drills of backups that other tools took.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::support::{Repository, World, check, must};

const CHECKS: &str =
    "[{name: the page is there, probe: {file: {path: input/index.html}}, expect: {exists: {equals: true}}}]";
const TOOLS: [&str; 2] = ["restic", "borg"];

/// A world with a repository, two backups in it that differ, and a tree with what trees have.
fn world() -> World {
    let world = World::new();
    world.write("input/index.html", "first");
    world.write("input/a folder/ünïcode", vec![b'x'; 100_000]);
    let noise: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    world.write("input/noise", noise);
    std::os::unix::fs::symlink("index.html", world.path("input/link")).expect("link");
    fs::hard_link(world.path("input/noise"), world.path("input/another name")).expect("hard link");
    fs::set_permissions(world.path("input/a folder"), fs::Permissions::from_mode(0o1750)).expect("mode");
    must(Command::new("setfattr").args(["-n", "user.note", "-v", "kept"]).arg(world.path("input/index.html")));
    must(Command::new("touch").args(["-d", "2024-02-29T12:00:00.123456789"]).arg(world.path("input/index.html")));
    world
}

/// Writes a scenario that adopts from the repository.
fn scenario(world: &World, tool: &str, more: &str) {
    world.write("password.txt", Repository::PASSWORD);
    let secret = if tool == "restic" { "password" } else { "passphrase" };
    let source = format!("{{{tool}: {{repository: repository, {secret}: {{file: password.txt}}{more}}}}}");
    world.adopting(&source, &[("checks", CHECKS)]);
}

#[test]
fn the_newest_is_restored_compared_and_not_one_byte_of_its_repository_changed() {
    for tool in TOOLS {
        let world = world();
        let repository = Repository::new(&world, tool);
        repository.backup("first", "2026-10-01T03:00:00");
        world.write("input/index.html", "second");
        repository.backup("second", "2026-10-02T03:00:00");
        let before = repository.content();
        scenario(&world, tool, ", check: data");
        let record = world.drill_ends(0);
        assert_eq!(repository.content(), before, "{tool}: the repository is as it was");

        let backup = &record["backup"];
        assert_eq!(backup["taken_at"], "2026-10-02T03:00:00Z", "{tool}: {backup}");
        assert_eq!(backup["selected"], "the newest of 2 backups");
        assert!(backup["adopted"]["tool"].as_str().is_some_and(|told| told.contains(tool)), "{backup}");
        for id in ["repository", "stored-bytes", "opens", "restores", "content", "the page is there"] {
            assert_eq!(check(&record, id)["outcome"], "passed", "{tool}: {id}");
        }
        assert_eq!(record["source"]["values"]["repository"].as_str().map(str::len), Some(64), "its own id");
        let level = if tool == "borg" { "L3" } else { "L2" };
        assert_eq!(check(&record, "content")["level"], level, "restic tells no digests of files, Borg does");
        assert!(world.leftovers().is_empty());
        let run = world.runs().pop().expect("a run");
        assert!(!run.join("notes").exists(), "{tool}: what it noted for itself is gone");
    }
}

#[test]
fn a_backup_older_than_it_may_be_fails_the_drill_though_it_restores() {
    for tool in TOOLS {
        let world = world();
        Repository::new(&world, tool).backup("old", "2026-01-01T03:00:00");
        scenario(&world, tool, ", max_age: 26h");
        let record = world.drill_ends(1);
        assert_eq!(check(&record, "content")["outcome"], "passed", "{tool}");
        let findings = record["findings"].to_string();
        assert!(findings.contains("backup age") && findings.contains("the 26 h it may be"), "{findings}");
    }
}

#[test]
fn where_there_is_no_backup_that_fits_nobody_is_saved() {
    for (tool, filter) in
        [("restic", ", host: another"), ("restic", ", tags: [nightly]"), ("borg", ", archives: 'web-*'")]
    {
        let world = world();
        Repository::new(&world, tool).backup("first", "2026-10-01T03:00:00");
        scenario(&world, tool, filter);
        let record = world.drill_ends(1);
        assert!(
            check(&record, "backup-there")["observed"].as_str().is_some_and(|told| told.contains("none that fits"))
        );
        assert_eq!(record["assurance"], Value::Null);
    }
}

#[test]
fn a_named_one_one_before_an_instant_and_one_drawn_by_a_recorded_seed_are_restored() {
    let world = world();
    let repository = Repository::new(&world, "borg");
    for day in 1..=3 {
        repository.backup(&format!("night-{day}"), &format!("2026-10-0{day}T03:00:00"));
    }
    let name = |record: &Value| record["backup"]["adopted"]["about"]["name"].as_str().map(str::to_owned);
    scenario(&world, "borg", ", select: {id: night-2}");
    assert_eq!(name(&world.drill_ends(0)).as_deref(), Some("night-2"));
    scenario(&world, "borg", ", select: {before: 2026-10-02T00:00:00Z}");
    assert_eq!(name(&world.drill_ends(0)).as_deref(), Some("night-1"));
    scenario(&world, "borg", ", select: random");
    let record = world.drill_ends(0);
    let (seed, how) = (record["trigger"]["nonce"].as_str().expect("a seed"), &record["backup"]["selected"]);
    assert!(how.as_str().is_some_and(|how| how.contains(seed)), "{how}");
    let (finished, record) = world.drill_with(&["--snapshot", "night-1"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(name(&record).as_deref(), Some("night-1"), "whoever starts the run may name another");
}

#[test]
fn damage_in_the_repository_fails_the_drill_in_the_tools_own_words() {
    for tool in TOOLS {
        let world = world();
        let repository = Repository::new(&world, tool);
        repository.backup("first", "2026-10-01T03:00:00");
        repository.damage(&repository.data_file());
        scenario(&world, tool, "");
        let record = world.drill_ends(1);
        assert_eq!(record["assurance"], Value::Null, "{tool}: not even its bytes are what they were");
        let because = record["because"].to_string();
        assert!(["restores", "stored-bytes"].iter().any(|id| because.contains(id)), "{tool}: {because}");
    }
}

#[test]
fn a_password_that_does_not_open_the_repository_is_a_failed_drill_and_is_told_nowhere() {
    for tool in TOOLS {
        let world = world();
        Repository::new(&world, tool).backup("first", "2026-10-01T03:00:00");
        scenario(&world, tool, "");
        world.write("password.txt", "another-password-altogether");
        let (finished, record) = world.drill();
        assert_eq!(finished.code, Some(1), "{}\n{record:#}", finished.stderr);
        let opens = check(&record, "opens");
        assert!(opens["observed"].as_str().is_some_and(|told| told.contains("does not open")), "{tool}: {opens}");
        let told = format!("{}{}{}", finished.stdout, finished.stderr, world.newest_journal());
        assert!(!told.contains("another-password"), "{tool}");
    }
}

#[test]
fn a_repository_that_is_not_there_is_an_error_and_no_verdict() {
    for tool in TOOLS {
        let world = world();
        scenario(&world, tool, "");
        let finished = world.run(&["run", "scenario.yaml"]);
        assert_ne!(finished.code, Some(0), "{tool}");
        assert_ne!(finished.code, Some(1), "{tool}: nothing is known about a backup");
        assert!(finished.stderr.contains("repository"), "{tool}: {}", finished.stderr);
    }
}

#[test]
fn the_plan_names_the_backup_and_there_is_no_vault_to_look_into() {
    let world = world();
    let repository = Repository::new(&world, "restic");
    repository.backup("first", "2026-10-01T03:00:00");
    scenario(&world, "restic", "");
    let planned = world.run(&["plan", "scenario.yaml"]);
    assert_eq!(planned.code, Some(0), "{}", planned.stderr);
    assert!(planned.stdout.contains("of 2026-10-01 03:00"), "{}", planned.stdout);
    let listed = world.run(&["vault", "list", "scenario.yaml"]);
    assert_eq!(listed.code, Some(2));
    assert!(listed.stderr.contains("has no vault: it restores what another tool took"), "{}", listed.stderr);
}

#[test]
fn a_backup_that_is_restored_into_its_own_repository_is_refused() {
    let world = world();
    let repository = Repository::new(&world, "restic");
    repository.backup("first", "2026-10-01T03:00:00");
    let before = repository.content();
    scenario(&world, "restic", "");
    let text = fs::read_to_string(world.path("scenario.yaml")).expect("a scenario");
    world.write("scenario.yaml", text.replace("{directory: {}}", "{directory: {path: repository/scratch}}"));
    let finished = world.run(&["run", "scenario.yaml"]);
    assert_ne!(finished.code, Some(0));
    assert!(finished.stderr.contains("is the source or lies in it"), "{}", finished.stderr);
    assert_eq!(repository.content(), before);
}
