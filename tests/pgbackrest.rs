//! Drills of clusters that pgBackRest backs up, and recovery to an instant.

use std::fs;

use serde_json::Value;

use crate::support::{Archived, World, check};

const TICKS: &str =
    "[{name: ticks, probe: {sql: {query: select count(*) from ticks}}, expect: {value: {at_least: 1}}}]";
/// What has been committed by the instant and nothing that was written later, by the restored database's own word.
const UNTIL: &str = "[{name: ticks, probe: {sql: {query: select count(*) from ticks}}, expect: {value: {at_least: 1}}}, \
                     {name: none later, probe: {sql: {query: \"select count(*) from ticks where at > '${DRILL_TARGET_TIME}'\"}}, expect: {value: {equals: 0}}}]";

/// Writes a scenario that adopts from the stanza.
fn scenario(world: &World, more: &str, checks: &str) {
    let source = format!(
        "{{pgbackrest: {{stanza: {}, config: pgbackrest.conf, database: shop, \
         secrets: {{PGBACKREST_REPO1_CIPHER_PASS: {{file: passphrase.txt}}}}{more}}}}}",
        Archived::STANZA
    );
    world.adopting(&source, &[("scratch", "{postgres: {}}"), ("checks", checks)]);
}

fn observed<'a>(record: &'a Value, id: &str) -> &'a str {
    check(record, id)["observed"].as_str().expect("what was seen")
}

/// How many rows of `ticks` came back.
fn ticks(record: &Value) -> String {
    observed(record, "ticks").trim_start_matches("value is ").to_owned()
}

#[test]
fn a_cluster_is_recovered_to_the_end_of_its_archive_and_nothing_of_the_repository_is_changed() {
    let world = World::new();
    let archived = Archived::start(&world);
    archived.backup("full");
    archived.tick(5);
    archived.backup("incr");
    archived.tick(5);
    archived.switch();
    let before = archived.content();
    scenario(&world, ", check: data, max_age: 1h", TICKS);
    let record = world.drill_ends(0);
    assert_eq!(archived.content(), before, "the repository is as it was");

    assert_eq!(ticks(&record), "10", "what came after the backup is there");
    let backup = &record["backup"];
    assert_eq!(backup["adopted"]["about"]["type"], "incr", "{backup}");
    assert_eq!(backup["selected"], "the newest of 2 backups");
    for id in ["repository", "stored-bytes", "opens", "restores", "recovered-to"] {
        assert_eq!(check(&record, id)["outcome"], "passed", "{id}");
    }
    assert_eq!(
        record["source"]["values"]["system_identifier"],
        archived.cluster.sql("SELECT system_identifier FROM pg_control_system()")
    );
    assert_eq!(record["assurance"], "L2", "what was in the source is not known");
    assert!(record["findings"].to_string().contains("was not compared with it"), "{}", record["findings"]);
    assert!(world.leftovers().is_empty());
    assert_eq!(archived.cluster.sql("SELECT count(*) FROM ticks"), "10", "the source serves on");

    scenario(&world, ", recover_to: backup", TICKS);
    assert_eq!(ticks(&world.drill_ends(0)), "5", "what came after the backup is not there");
}

#[test]
fn an_instant_that_is_drawn_by_lot_has_the_rows_of_exactly_that_instant() {
    let world = World::new();
    let archived = Archived::start(&world);
    archived.tick(20);
    archived.backup("full");
    archived.tick(400);
    archived.switch();
    scenario(&world, ", recover_to: random", UNTIL);
    let record = world.drill_ends(0);
    let wanted = check(&record, "recovered-to")["expected"].as_str().expect("how far");
    let (target, how) = wanted.split_once(", drawn from ").expect("drawn");
    assert!(how.contains(record["trigger"]["nonce"].as_str().expect("a seed")), "{how}");
    let committed = "SELECT count(*) FROM ticks WHERE pg_xact_commit_timestamp(xmin)";
    let until = archived.cluster.sql(&format!("{committed} <= '{target}'"));
    assert_eq!(ticks(&record), until, "{wanted}");
    assert!(until.parse::<u32>().is_ok_and(|count| (20..420).contains(&count)), "{until} of 420");

    let at = archived.cluster.sql("SELECT to_char((SELECT pg_xact_commit_timestamp(xmin) FROM ticks WHERE number = 400) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
    scenario(&world, &format!(", recover_to: {{at: '{at}'}}"), UNTIL);
    assert_eq!(ticks(&world.drill_ends(0)), "400", "the transaction of that very instant is in");
}

#[test]
fn wal_that_is_missing_and_an_instant_that_the_archive_does_not_reach_fail_the_drill() {
    let world = World::new();
    let archived = Archived::start(&world);
    archived.backup("full");
    scenario(&world, ", recover_to: random", TICKS);
    let told = world.drill_ends(1)["because"].to_string();
    assert!(told.contains("no transaction after the end of the backup"), "{told}");

    archived.tick(2);
    let lost = archived.switch();
    archived.tick(2);
    let newest = archived.switch();
    scenario(&world, ", recover_to: {at: '2099-01-01T00:00:00Z'}", TICKS);
    let told = world.drill_ends(1)["because"].to_string();
    assert!(told.contains("recovery ended before configured recovery target was reached"), "{told}");

    fs::remove_file(archived.segment(&lost)).expect("a segment");
    scenario(&world, "", TICKS);
    let told = world.drill_ends(1)["because"].to_string();
    assert!(told.contains(&newest) && told.contains("did not recover to the end of the archive"), "{told}");

    scenario(&world, ", recover_to: {at: '2001-01-01T00:00:00Z'}", TICKS);
    let (finished, _) = world.drill();
    assert!(![Some(0), Some(1)].contains(&finished.code), "the scenario is wrong, not the backup: {finished:?}");
    assert!(world.newest_journal().contains("before the end of the backup"), "{}", world.newest_journal());
}

#[test]
fn damage_in_the_repository_fails_the_drill_in_the_tools_own_words() {
    let world = World::new();
    let archived = Archived::start(&world);
    archived.backup("full");
    archived.tick(2);
    let newest = archived.switch();
    let damage = |file| {
        let mut bytes = fs::read(&file).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        fs::write(&file, bytes).expect("damaged");
    };
    let file = archived.segment(&newest);
    let sound = fs::read(&file).expect("a segment");
    damage(file.clone());
    scenario(&world, "", TICKS);
    let told = world.drill_ends(1)["because"].to_string();
    assert!(told.contains("did not recover to the end of the archive") && told.contains("unable to get"), "{told}");
    fs::write(&file, sound).expect("mended");

    damage(archived.file("backup", "1259.gz"));
    scenario(&world, ", check: data", TICKS);
    let record = world.drill_ends(1);
    let told = observed(&record, "restores");
    assert!(told.contains("pgbackrest restore: ") && told.contains("raised from local-1 protocol"), "{told}");
    assert_eq!(check(&record, "repository")["outcome"], "failed", "pgbackrest verify finds it too");
}

#[test]
fn an_old_backup_a_wrong_passphrase_and_another_stanza_are_told_apart() {
    let world = World::new();
    let archived = Archived::start(&world);
    archived.backup("full");
    archived.switch();
    std::thread::sleep(std::time::Duration::from_secs(2));
    scenario(&world, ", max_age: 1s", "[{name: up, probe: {sql: {query: select 1}}, expect: {value: {equals: 1}}}]");
    let record = world.drill_ends(1);
    assert_eq!(check(&record, "up")["outcome"], "passed");
    assert!(record["findings"].to_string().contains("backup age"), "{}", record["findings"]);

    world.write("passphrase.txt", "another-passphrase-altogether");
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}\n{record:#}", finished.stderr);
    assert!(observed(&record, "opens").contains("does not open"), "{record:#}");
    let told = format!("{}{}{}", finished.stdout, finished.stderr, world.newest_journal());
    assert!(!told.contains("another-passphrase") && !told.contains(Archived::PASSPHRASE));

    world.write("passphrase.txt", Archived::PASSPHRASE);
    let text =
        fs::read_to_string(world.path("scenario.yaml")).expect("a scenario").replace("stanza: shop", "stanza: web");
    world.write("scenario.yaml", text);
    let finished = world.run(&["run", "scenario.yaml"]);
    assert!(![Some(0), Some(1)].contains(&finished.code), "nothing is known about a backup: {finished:?}");
    assert!(finished.stderr.contains("stanza web") && finished.stderr.contains("is not there"), "{}", finished.stderr);
}

#[test]
fn tablespaces_come_back_into_the_scratch_and_not_where_they_are() {
    let world = World::new();
    let archived = Archived::start(&world);
    let place = archived.cluster.folder("fast");
    archived.cluster.sql(&format!("CREATE TABLESPACE fast LOCATION '{}'", place.display()));
    archived.cluster.sql("CREATE TABLE apart TABLESPACE fast AS SELECT 7 AS seven");
    archived.backup("full");
    archived.switch();
    let before = crate::support::files_below(&place);
    scenario(
        &world,
        "",
        "[{name: it is there, probe: {sql: {query: select seven from apart}}, expect: {value: {equals: 7}}}]",
    );
    world.drill_ends(0);
    assert_eq!(crate::support::files_below(&place), before);
}

#[test]
fn a_run_that_is_killed_while_it_restores_is_swept_and_nothing_runs_on() {
    let world = World::new();
    let archived = Archived::start(&world);
    archived.backup("full");
    archived.switch();
    scenario(&world, "", TICKS);
    let mut child = world.start();
    world.wait_for("\"stage_started\",\"stage\":\"restore\"");
    std::thread::sleep(std::time::Duration::from_millis(700));
    child.kill().expect("killed");
    child.wait().expect("gone");
    let swept = world.run(&["sweep"]);
    assert_eq!(swept.code, Some(0), "{}{}", swept.stdout, swept.stderr);
    assert_eq!(world.newest_record()["verdict"], "aborted");
    assert!(world.leftovers().is_empty());
    let run = world.runs().pop().expect("a run");
    let run = run.file_name().expect("an id").to_string_lossy().into_owned();
    let mut processes = fs::read_dir("/proc").expect("/proc").flatten();
    let environ = |process: &fs::DirEntry| fs::read(process.path().join("environ")).unwrap_or_default();
    assert!(!processes.any(|process| String::from_utf8_lossy(&environ(&process)).contains(&run)), "something runs on");
}
