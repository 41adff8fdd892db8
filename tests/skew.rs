//! Drills of a dump that goes into another major of PostgreSQL than it comes from.

use serde_json::Value;

use crate::postgres::meddling;
use crate::support::{Cluster, World, check, newer_postgres};

/// Things that the newer server words differently, gives other rights, brings in another version or has no more.
const SCHEMA: &str = "
CREATE ROLE clerk NOLOGIN; CREATE EXTENSION citext;
CREATE TABLE orders (id integer PRIMARY KEY, net numeric NOT NULL, note citext, at timestamptz DEFAULT now());
INSERT INTO orders SELECT n, n, 'order ' || n FROM generate_series(1, 1000) n;
GRANT ALL ON orders TO clerk;
CREATE VIEW dear AS SELECT id, net FROM orders WHERE net > 900;
CREATE VIEW \"by \\day\" AS SELECT date_trunc('day', at) AS day, E'a\\n\\\\b' AS text, count(*) FROM orders GROUP BY 1;
CREATE MATERIALIZED VIEW totals AS SELECT id % 10 AS digit, sum(net) FROM orders GROUP BY 1;
CREATE FUNCTION worth(one integer) RETURNS numeric LANGUAGE sql BEGIN ATOMIC SELECT net FROM orders WHERE id = one; END;
CREATE RULE keep AS ON DELETE TO dear DO INSTEAD UPDATE orders SET note = 'gone' WHERE id = OLD.id;
CREATE PUBLICATION outward FOR TABLE orders;";
const ROWS: &str =
    "[{name: rows, probe: {sql: {query: 'select count(*) from orders'}}, expect: {value: {equals: 1000}}}]";

/// Writes a scenario that drills this cluster's database into a scratch of this description.
fn scenario(world: &World, cluster: &Cluster, scratch: &str) {
    let source = format!("{{postgres: {{url: '{}', bin: {}}}}}", cluster.url(), cluster.bin().display());
    world.scenario(&[("source", &source), ("scratch", &format!("{{postgres: {scratch}}}")), ("checks", ROWS)]);
}

/// What a finding on this subject says.
fn said<'a>(record: &'a Value, subject: &str) -> &'a str {
    let findings = record["findings"].as_array().expect("findings");
    let found = findings.iter().find(|finding| finding["subject"] == subject);
    found.and_then(|found| found["statement"].as_str()).unwrap_or_else(|| panic!("nothing on {subject}: {findings:#?}"))
}

#[test]
fn a_dump_that_is_restored_into_a_newer_major_passes_and_what_that_changes_is_named() {
    let world = World::new();
    let newer = newer_postgres(&world);
    let cluster = Cluster::start();
    cluster.sql("ALTER SYSTEM SET old_snapshot_threshold = '1h'");
    cluster.restart();
    cluster.sql(SCHEMA);
    scenario(&world, &cluster, &format!("{{bin: {}, version: 18}}", newer.display()));
    let record = world.drill_ends(0);
    assert_eq!(check(&record, "content")["differences_total"], 0);
    assert_eq!(record["assurance"], "L3");
    let version = cluster.sql("SELECT split_part(current_setting('server_version'), ' ', 1)");
    let versions = said(&record, "version");
    assert!(versions.contains(&format!("PostgreSQL {version}")) && versions.contains(" 18."), "{versions}");
    assert!(said(&record, "setting old_snapshot_threshold").contains("does not know it"));
    assert!(said(&record, "extension citext").contains("1.6 at the source"));
    assert!(said(&record, "right MAINTAIN").contains("here on"));
    let reworded = said(&record, "definitions");
    assert!(
        ["materialised view 1", "publication 1", "view 2"].iter().all(|part| reworded.contains(part)),
        "{reworded}"
    );
}

#[test]
fn a_definition_that_changed_on_the_way_into_a_newer_major_fails_the_drill() {
    let world = World::new();
    let newer = newer_postgres(&world);
    let cluster = Cluster::start();
    cluster.sql(SCHEMA);
    for (statement, named) in [
        ("CREATE OR REPLACE VIEW dear AS SELECT id, net FROM orders WHERE net > 901", "view:public.dear"),
        ("CREATE OR REPLACE RULE keep AS ON DELETE TO dear DO INSTEAD NOTHING", "rule:keep on public.dear"),
        ("REVOKE SELECT ON orders FROM clerk", "grant:table public.orders"),
        ("ALTER PUBLICATION outward DROP TABLE orders", "publication:outward"),
        ("ALTER EXTENSION citext SET SCHEMA pg_catalog", "extension:citext"),
    ] {
        let bin = meddling(&world, &newer, statement);
        scenario(&world, &cluster, &format!("{{bin: {}}}", bin.display()));
        let differences = check(&world.drill_ends(1), "content")["differences"].to_string();
        assert!(differences.contains(named), "{statement}: {differences}");
    }
    assert!(world.leftovers().is_empty());
}

#[test]
fn what_a_newer_major_has_no_more_leaves_the_drill_without_an_answer() {
    let world = World::new();
    let newer = newer_postgres(&world);
    let cluster = Cluster::start();
    cluster.sql("CREATE EXTENSION adminpack; CREATE COLLATION german (provider = icu, locale = 'de')");
    cluster.sql("CREATE TABLE orders AS SELECT n FROM generate_series(1, 1000) n");
    scenario(&world, &cluster, &format!("{{bin: {}}}", newer.display()));
    let told = world.drill_ends(3)["findings"].to_string();
    assert!(told.contains("PostgreSQL 17 and newer have adminpack no more"), "{told}");
    assert!(told.contains("Name a PostgreSQL that was built with ICU"), "{told}");
}

#[test]
fn a_dump_of_a_newer_major_is_refused_by_an_older_scratch_before_anything_is_begun() {
    let world = World::new();
    let newer = newer_postgres(&world);
    let (older, cluster) = (Cluster::start(), Cluster::start_from(newer.clone()));
    cluster.sql("CREATE TABLE orders AS SELECT n FROM generate_series(1, 1000) n");
    let older = older.bin();
    let major = older.parent().and_then(|folder| folder.file_name()).expect("a major").to_string_lossy().into_owned();
    scenario(&world, &cluster, &format!("{{version: {major}}}"));
    let refused = world.run(&["run", "scenario.yaml"]);
    let words = format!("a dump of PostgreSQL 18 does not fit version {major}");
    assert!(refused.code == Some(2) && refused.stderr.contains(&words), "{refused:?}");
    assert!(refused.stderr.contains("Set `version` of the scratch to 18 or more"), "{refused:?}");
    scenario(&world, &cluster, &format!("{{bin: {}}}", older.display()));
    let refused = world.run(&["run", "scenario.yaml"]);
    let words = format!("PostgreSQL 18 or newer in {}: found {major}.", older.display());
    assert!(refused.code == Some(2) && refused.stderr.contains(&words), "{refused:?}");
    assert!(world.runs().is_empty(), "nothing was begun");

    let dump = newer.join("pg_dump");
    let source = format!("{{command: {{argv: [{}, -Fc, '{}'], content: pg_dump}}}}", dump.display(), cluster.url());
    let scratch = format!("{{postgres: {{version: {major}}}}}");
    world.scenario(&[("source", &source), ("scratch", &scratch), ("checks", ROWS)]);
    let told = world.drill_ends(3)["findings"].to_string();
    assert!(told.contains("unsupported version") && told.contains("as new as the pg_dump"), "{told}");
}
