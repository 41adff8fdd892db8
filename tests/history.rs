//! Backups that hold less than those before them: the drill says so, with what there was.

use std::fs;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Cluster, Repository, World, check};

/// A world with a database, and a scenario that drills it.
fn shop(history: &str, exceptions: &str) -> (World, Connection) {
    let world = World::new();
    let database = Connection::open(world.path("shop.db")).expect("a database");
    database
        .execute_batch(
            "CREATE TABLE orders(id INTEGER PRIMARY KEY, what TEXT); CREATE TABLE jobs(id); CREATE TABLE notes(id);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO orders SELECT i, 'order ' || i FROM n;
             INSERT INTO jobs SELECT id FROM orders WHERE id <= 500; INSERT INTO notes VALUES (1), (2)",
        )
        .expect("tables");
    drills(&world, history, exceptions);
    (world, database)
}

fn drills(world: &World, history: &str, exceptions: &str) {
    world.scenario(&[
        ("source", "{sqlite: {path: shop.db}}"),
        ("history", history),
        ("exceptions", exceptions),
        ("checks", "[{name: it is there, probe: {file: {path: shop.db}}, expect: {exists: {equals: true}}}]"),
    ]);
}

fn differences(record: &Value) -> Vec<String> {
    let differences = check(record, "history")["differences"].as_array().cloned().unwrap_or_default();
    let line =
        |one: &Value| format!("{} {}", one["subject"].as_str().unwrap_or(""), one["statement"].as_str().unwrap_or(""));
    differences.iter().map(line).collect()
}

#[test]
fn a_table_that_lost_its_rows_fails_the_drill_until_somebody_accepts_it() {
    let (world, database) = shop("{}", "[]");
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(
        record["checks"].as_array().expect("checks").iter().all(|check| check["id"] != "history"),
        "nothing before"
    );
    assert_eq!(record["counts"]["tables"]["shop.db:orders"], 2000);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(check(&record, "history")["observed"], "held against 1 earlier backup");

    database.execute_batch("DELETE FROM orders WHERE id > 900; DELETE FROM jobs; DROP TABLE notes").expect("lost");
    for backups in ["twice", "and again: what failed is no measure"] {
        let (finished, record) = world.drill();
        assert_eq!(finished.code, Some(1), "{backups}: {}", finished.stderr);
        let found = differences(&record);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("history:table:shop.db:jobs is empty; it had 500 rows on 20"), "{found:?}");
        assert!(found[1].starts_with("history:table:shop.db:notes is gone; it had 2 rows on"), "{found:?}");
        assert!(
            found[2].starts_with("history:table:shop.db:orders fell to 900 rows; it had 2,000 rows on"),
            "{found:?}"
        );
        assert_eq!(record["findings"][0]["severity"], "critical", "{record:#}");
    }

    let until = |year: &str| {
        format!(
            "[{{pattern: 'history:table:shop.db:*', because: old orders were archived, owner: shop team, until: {year}-06-30}}]"
        )
    };
    drills(&world, "{}", &until("2020"));
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "an exception that has expired: {}", finished.stderr);
    let found = differences(&record);
    assert!(
        found.iter().all(|line| line.ends_with("; shop team accepted it until 2020-06-30, which is over")),
        "{found:?}"
    );

    drills(&world, "{}", &until("2999"));
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(check(&record, "history")["differences_total"], 3);
    assert!(record["findings"].to_string().contains("3 differences accepted by shop team"), "{record:#}");
    drills(&world, "{}", "[]");
    assert_eq!(world.drill().0.code, Some(0), "what passed so is the measure from now on");
}

#[test]
fn how_far_rows_may_fall_and_which_tables_come_and_go_is_the_scenarios() {
    let (world, database) = shop("{may_fall: 50%, ignore: ['*:jobs']}", "[]");
    assert_eq!(world.drill().0.code, Some(0));
    database.execute_batch("DELETE FROM orders WHERE id > 1500; DELETE FROM jobs").expect("fewer");
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let findings = record["findings"].to_string();
    assert!(findings.contains("It fell to 1,500 rows; it had 2,000 rows on"), "{findings}");
    let excluded = record["scope"]["excluded"].to_string();
    assert!(excluded.contains("Rows of tables that match `*:jobs`"), "{excluded}");
    database.execute_batch("DELETE FROM orders WHERE id > 1300").expect("fewer");
    drills(&world, "{may_fall: 10%, ignore: ['*:jobs']}", "[]");
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(differences(&record).len(), 1, "{record:#}");
}

#[test]
fn a_backup_that_shrank_fails_and_its_record_folds_without_those_before_it() {
    let world = World::new();
    world.write("input/big", vec![7; 3_000_000]);
    world.scenario(&[]);
    assert_eq!(world.drill().0.code, Some(0));
    fs::remove_file(world.path("input/big")).expect("gone");
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let found = differences(&record);
    assert!(
        found.len() == 1 && found[0].starts_with("history:bytes fell to ") && found[0].contains("2.9 MiB"),
        "{found:?}"
    );
    let runs = world.runs();
    fs::remove_dir_all(&runs[0]).expect("the first is gone");
    let shown = world.run(&["show", "latest", "--json"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert_eq!(serde_json::from_str::<Value>(&shown.stdout).expect("a record"), record);
}

#[test]
fn a_marker_that_never_changes_fails_where_the_scenario_says_how_long_it_may() {
    let world = World::new();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    fs::File::options()
        .write(true)
        .open(world.path("input/data"))
        .and_then(|file| file.set_modified(old))
        .expect("aged");
    world.scenario(&[]);
    assert_eq!(world.drill().0.code, Some(0));
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(
        record["findings"].to_string().contains("It is of 2023-11-14 22:13:20 UTC, as in the backup of 20"),
        "{record:#}"
    );
    world.scenario(&[("history", "{newest_may_stand: 30d}")]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(differences(&record)[0].starts_with("history:newest is of 2023-11-14 22:13:20 UTC"), "{record:#}");
    world.write("input/data", "new");
    assert_eq!(world.drill().0.code, Some(0), "it moves again");
}

#[test]
fn a_journal_that_can_not_be_read_is_told_and_the_others_count() {
    let (world, database) = shop("{}", "[]");
    assert_eq!(world.drill().0.code, Some(0));
    assert_eq!(world.drill().0.code, Some(0));
    let damaged = world.runs()[0].join("journal.ndjson");
    fs::write(&damaged, "no journal\nat all\n").expect("damaged");
    database.execute_batch("DELETE FROM orders").expect("lost");
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(check(&record, "history")["observed"], "1 difference");
    assert!(record["findings"].to_string().contains("can't be read: nothing is held against it"), "{record:#}");
}

#[test]
fn a_dump_of_another_program_is_counted_for_the_runs_after_it() {
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n");
    let world = World::new();
    let pg_dump = cluster.bin().join("pg_dump");
    let source = format!("{{command: {{argv: [{}, -Fc, '{}'], content: pg_dump}}}}", pg_dump.display(), cluster.url());
    world.scenario(&[
        ("source", &source),
        ("scratch", "{postgres: {}}"),
        ("checks", "[{name: it answers, probe: {sql: {query: select 1}}, expect: {value: {equals: 1}}}]"),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(record["counts"]["tables"]["public.t"], 1000, "{record:#}");
    cluster.sql("TRUNCATE t");
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(check(&record, "history")["level"], "L2", "nothing was compared with the source");
    assert!(differences(&record)[0].contains("history:table:public.t is empty; it had 1,000 rows"), "{record:#}");
}

#[test]
fn a_backup_that_another_tool_took_is_held_against_the_one_before_it() {
    let world = World::new();
    world.write("input/big", vec![7; 3_000_000]);
    world.write("password.txt", Repository::PASSWORD);
    let repository = Repository::new(&world, "restic");
    repository.backup("first", "2026-10-01T03:00:00");
    let scenario = fs::read_to_string(world.scenario(&[
        ("source", "{restic: {repository: repository, password: {file: password.txt}}}"),
        ("checks", "[{name: it is there, probe: {file: {path: input/data}}, expect: {exists: {equals: true}}}]"),
    ]));
    let own = |line: &&str| !line.starts_with("vault:") && !line.starts_with("seal:");
    let lines: Vec<String> =
        scenario.expect("a scenario").lines().filter(own).map(|line| format!("{line}\n")).collect();
    world.write("scenario.yaml", lines.concat());
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!((&record["counts"]["files"], &record["counts"]["bytes"]), (&2.into(), &3_000_004.into()), "{record:#}");
    fs::remove_file(world.path("input/big")).expect("gone");
    repository.backup("second", "2026-10-02T03:00:00");
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(differences(&record), ["history:bytes fell to 4 B; it had 2.9 MiB on 2026-10-01"]);
}

#[test]
fn a_copy_of_a_cluster_is_not_held_against_a_dump_of_one_of_its_databases() {
    let (world, cluster) = (World::new(), Cluster::start());
    cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id");
    for (method, held) in [("dump", false), ("physical", false), ("dump", true)] {
        world.scenario(&[
            ("source", &format!("{{postgres: {{url: '{}', method: {method}}}}}", cluster.url())),
            ("scratch", "{postgres: {}}"),
            (
                "checks",
                "[{name: rows, probe: {sql: {query: select count(*) from t}}, expect: {value: {equals: 1000}}}]",
            ),
        ]);
        let (finished, record) = world.drill();
        assert_eq!(finished.code, Some(0), "{method}: {}\n{record:#}", finished.stderr);
        let checks = record["checks"].as_array().expect("checks");
        assert_eq!(checks.iter().any(|check| check["id"] == "history"), held, "{method}: its own kind alone counts");
    }
}
