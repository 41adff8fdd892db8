//! Drills of clusters that Barman backs up.

use std::fs;

use serde_json::Value;

use crate::support::{Barman, World, check, damage, files_below};

const ORDERS: &str =
    "[{name: orders, probe: {sql: {query: select count(*) from orders}}, expect: {value: {at_least: 1}}}]";
/// What has been committed by the instant and nothing that was written later, by the restored database's own word.
const UNTIL: &str = "[{name: orders, probe: {sql: {query: select count(*) from orders}}, expect: {value: {at_least: 1}}}, \
                     {name: none later, probe: {sql: {query: \"select count(*) from orders where at > '${DRILL_TARGET_TIME}'\"}}, expect: {value: {equals: 0}}}]";

/// Writes a scenario that adopts from Barman.
fn scenario(world: &World, more: &str, parts: &[(&str, &str)]) {
    let source = format!("{{barman: {{server: shop, config: barman.conf, database: shop{more}}}}}");
    world.adopting(&source, &[&[("scratch", "{postgres: {}}"), ("checks", ORDERS)], parts].concat());
}

/// How many rows of `orders` came back.
fn orders(record: &Value) -> &str {
    observed(record, "orders").trim_start_matches("value is ")
}

fn observed<'a>(record: &'a Value, id: &str) -> &'a str {
    check(record, id)["observed"].as_str().expect("what was seen")
}

#[test]
fn a_cluster_comes_back_from_barman_to_the_end_of_its_archive_and_nothing_in_its_home_is_changed() {
    let world = World::new();
    let barman = Barman::start(&world);
    barman.order(5);
    barman.backup();
    barman.order(5);
    barman.switch();
    let before = barman.content();
    scenario(&world, ", check: data, max_age: 1h", &[]);
    let record = world.drill_ends(0);
    assert_eq!(barman.content(), before, "the home is as it was");
    assert!(!barman.hook().exists(), "no hook was run");

    assert_eq!(orders(&record), "10", "what came after the backup is there");
    for id in ["repository", "stored-bytes", "opens", "restores", "recovered-to"] {
        assert_eq!(check(&record, id)["outcome"], "passed", "{id}");
    }
    assert_eq!(record["backup"]["adopted"]["about"]["status"], "DONE", "{}", record["backup"]);
    let system = barman.cluster.sql("SELECT system_identifier FROM pg_control_system()");
    assert_eq!(record["source"]["values"]["system_identifier"], system);
    assert_eq!(record["assurance"], "L2", "what was in the source is not known");
    assert!(world.leftovers().is_empty());
    assert_eq!(barman.cluster.sql("SELECT count(*) FROM orders"), "10", "the source serves on");

    scenario(&world, ", recover_to: backup", &[("sandbox", "{}")]);
    let record = world.drill_ends(0);
    assert_eq!(orders(&record), "5", "what came after the backup is not there");
    assert_eq!(barman.content(), before, "nor does a server in a sandbox change anything");
}

#[test]
fn an_instant_that_is_drawn_from_barmans_archive_has_the_rows_of_exactly_that_instant() {
    let world = World::new();
    let barman = Barman::start(&world);
    barman.order(20);
    barman.backup();
    barman.order(400);
    barman.switch();
    scenario(&world, ", recover_to: random", &[("checks", UNTIL)]);
    let record = world.drill_ends(0);
    let wanted = check(&record, "recovered-to")["expected"].as_str().expect("how far");
    let (target, _) = wanted.split_once(", drawn from ").expect("drawn");
    let committed = "SELECT count(*) FROM orders WHERE pg_xact_commit_timestamp(xmin)";
    let until = barman.cluster.sql(&format!("{committed} <= '{target}'"));
    assert_eq!(orders(&record), until, "{wanted}");
    assert!(until.parse::<u32>().is_ok_and(|count| (20..420).contains(&count)), "{until} of 420");

    let at = barman.cluster.sql("SELECT to_char((SELECT pg_xact_commit_timestamp(xmin) FROM orders WHERE number = 400) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
    scenario(&world, &format!(", recover_to: {{at: '{at}'}}"), &[("checks", UNTIL)]);
    assert_eq!(orders(&world.drill_ends(0)), "400", "the transaction of that very instant is in");
}

#[test]
fn damage_in_barmans_home_and_wal_that_is_missing_fail_the_drill() {
    let world = World::new();
    let barman = Barman::start(&world);
    barman.order(3);
    barman.backup();
    barman.order(3);
    barman.switch();
    barman.order(3);
    barman.switch();
    let segments = barman.segments();
    let lost = &segments[segments.len() - 2];
    let aside = world.path("aside");
    fs::rename(lost, &aside).expect("moved");
    scenario(&world, "", &[]);
    let told = world.drill_ends(1)["because"].to_string();
    assert!(told.contains("barman recover: "), "{told}");
    fs::rename(&aside, lost).expect("moved back");

    // Barman's own list of its archive lacks it too, as if it had never come.
    let list = world.path("barman/shop/wals/xlog.db");
    let name = lost.file_name().expect("a name").to_string_lossy().into_owned();
    let whole = fs::read_to_string(&list).expect("a list");
    let less: String = whole.lines().filter(|line| !line.starts_with(&name)).map(|line| format!("{line}\n")).collect();
    fs::write(&list, less).expect("written");
    let told = world.drill_ends(1)["because"].to_string();
    assert!(told.contains("did not recover to the end of the archive"), "{told}");
    fs::write(&list, whole).expect("mended");
    assert_eq!(orders(&world.drill_ends(0)), "9", "all is well again");

    damage(&barman.biggest());
    let record = world.drill_ends(1);
    let told = observed(&record, "stored-bytes");
    assert!(told.contains("barman verify-backup: ") && told.contains("checksum mismatch"), "{told}");
    assert!(record["assurance"].is_null(), "{record:#}");
}

#[test]
fn tablespaces_come_back_from_barman_into_the_scratch_and_not_where_they_are() {
    let world = World::new();
    let barman = Barman::start(&world);
    let place = barman.cluster.folder("fast");
    barman.cluster.sql(&format!("CREATE TABLESPACE fast LOCATION '{}'", place.display()));
    barman.cluster.sql("CREATE TABLE apart TABLESPACE fast AS SELECT 7 AS seven");
    barman.backup();
    barman.cluster.sql("CREATE TABLE later TABLESPACE fast AS SELECT 8 AS eight");
    let before = files_below(&place);
    let seven = "[{name: it is there, probe: {sql: {query: select seven from apart}}, expect: {value: {equals: 7}}}]";
    scenario(&world, "", &[("checks", seven)]);
    world.drill_ends(0);
    assert_eq!(files_below(&place), before, "Barman would have removed what is newer");

    barman.backup_compressed();
    let before = (files_below(&place), barman.content());
    let record = world.drill_ends(0);
    assert_eq!((files_below(&place), barman.content()), before);
    let told = record["findings"].to_string();
    assert!(told.contains("is not known: it is compressed"), "{told}");
    assert!(record["checks"].as_array().is_some_and(|checks| checks.iter().all(|check| check["id"] != "stored-bytes")));
}

#[test]
fn a_server_that_barman_does_not_know_and_a_home_that_is_not_there_say_nothing_of_a_backup() {
    let world = World::new();
    let barman = Barman::start(&world);
    scenario(&world, "", &[]);
    let empty = world.run(&["run", "scenario.yaml"]);
    assert!(empty.code != Some(0), "no backup was ever taken: {empty:?}");
    barman.backup();
    std::thread::sleep(std::time::Duration::from_secs(2));
    scenario(&world, ", max_age: 1s", &[]);
    assert!(world.drill_ends(1)["findings"].to_string().contains("backup age"));

    for (from, to, words) in [
        ("server: shop", "server: web", "names no server web; it names shop"),
        ("server: shop", "server: shop, home: elsewhere", "can't be read"),
        ("config: barman.conf", "config: nowhere.conf", "nowhere.conf can't be read"),
    ] {
        scenario(&world, "", &[]);
        let text = fs::read_to_string(world.path("scenario.yaml")).expect("a scenario").replace(from, to);
        world.write("scenario.yaml", text);
        let finished = world.run(&["run", "scenario.yaml"]);
        assert!(![Some(0), Some(1)].contains(&finished.code), "nothing is known about a backup: {finished:?}");
        assert!(finished.stderr.contains(words), "{words}: {}", finished.stderr);
    }
}
