//! Drills of a real MariaDB.

use serde_json::Value;

use crate::support::{Finished, Mariadb, World, check, mariadb_bin};

const SCHEMA: &str = "
CREATE TABLE customers (id int AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL, email varchar(100) UNIQUE);
CREATE TABLE orders (
    id bigint AUTO_INCREMENT PRIMARY KEY, customer int NOT NULL, net decimal(10,2) NOT NULL,
    gross decimal(12,4) AS (net * 1.19) STORED, at datetime(6) NOT NULL DEFAULT current_timestamp(6),
    KEY by_time (at), CONSTRAINT belongs FOREIGN KEY (customer) REFERENCES customers (id));
CREATE VIEW totals AS SELECT customer, sum(gross) AS total FROM orders GROUP BY customer;
CREATE FUNCTION vat(net decimal(10,2)) RETURNS decimal(10,2) DETERMINISTIC RETURN net * 0.19;
CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW SET NEW.at = OLD.at;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM customers WHERE name = 'gone';
CREATE SEQUENCE invoice START WITH 4242;
INSERT INTO customers (name, email) SELECT concat('customer ', seq), concat(seq, '@example.org') FROM seq_1_to_5000;
INSERT INTO orders (customer, net, at)
    SELECT 1 + seq % 5000, seq % 1000, now(6) - INTERVAL seq SECOND FROM seq_1_to_1000000;
";

/// The example scenario, in a world of its own, with a client that does this to the restored database after its work.
fn example(world: &World, statement: Option<&str>) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/mariadb.yaml");
    let text = std::fs::read_to_string(root).expect("the example").replace("../target/drill/", "");
    let bin = statement.map(|statement| meddling(world, statement)).unwrap_or_default();
    let (before, after) = text.split_once("scratch:\n  mariadb:\n").expect("the example has a mariadb scratch");
    world.write("scenario.yaml", format!("{before}scratch:\n  mariadb:\n{bin}{after}"));
}

fn meddling(world: &World, statement: &str) -> String {
    for (name, path) in
        [("mariadbd", mariadb_bin("mariadbd")), ("mariadb-install-db", mariadb_bin("mariadb-install-db"))]
    {
        world.script(&format!("bin/{name}"), &format!("#!/bin/sh\nexec '{}' \"$@\"\n", path.display()));
    }
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec mariadb --version\nfirst=$1; shift\nmariadb \"$first\" \"$@\" || exit $?\nexec mariadb \"$first\" -e \"{statement}\" \"$@\" </dev/null >/dev/null\n"
    );
    world.script("bin/mariadb", &script);
    "    bin: bin\n".into()
}

fn drill(world: &World, server: &Mariadb) -> (Finished, Value) {
    let mut command = world.command(&["run", "scenario.yaml", "--json"]);
    command.env("DRILL_MARIADB_URL", server.url());
    let finished = world.finish(command);
    let record = serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {}", finished.stderr));
    (finished, record)
}

#[test]
fn the_database_of_the_example_with_a_million_rows_is_drilled() {
    let server = Mariadb::start();
    server.sql(SCHEMA);
    let world = World::new();
    example(&world, None);
    let (finished, record) = drill(&world, &server);
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    let checks = record["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["outcome"] == "passed"), "{checks:#?}");
    assert_eq!(record["assurance"], "L3", "{record:#}");
    let content = check(&record, "content")["observed"].to_string();
    assert!(content.contains("2 tables"), "{content}");
    assert_eq!(check(&record, "canary")["outcome"], "passed");
    assert_eq!(record["release"]["leaked"], serde_json::json!([]));
    assert_ne!(record["source"]["values"]["datadir"], record["environment"]["identity"]["values"]["datadir"]);
    assert_eq!(server.sql("SHOW TABLES LIKE 'drillctl%'"), "", "the canary is gone");
    assert!(world.leftovers().is_empty());
}

#[test]
fn each_kind_of_damage_fails_the_drill_with_words_that_name_it() {
    let server = Mariadb::start();
    server.sql(&SCHEMA.replace("1_to_1000000", "1_to_1000"));
    let world = World::new();
    for (statement, named) in [
        ("UPDATE orders SET net = net + 0.01 WHERE id = 500", "table:orders"),
        ("ALTER TABLE orders DROP CONSTRAINT belongs; DROP TABLE customers", "table:customers"),
        ("DROP FUNCTION vat", "function:vat"),
        ("DROP TRIGGER touch", "trigger:touch"),
        ("DROP EVENT nightly", "event:nightly"),
        ("DROP INDEX by_time ON orders", "index:orders.by_time"),
        ("DELETE FROM orders WHERE id > 990; ALTER TABLE orders AUTO_INCREMENT = 991", "auto_increment:orders"),
    ] {
        example(&world, Some(statement));
        let (finished, record) = drill(&world, &server);
        assert_eq!(finished.code, Some(1), "{statement}: {}\n{record:#}", finished.stderr);
        let observed = check(&record, "content").to_string();
        assert!(record["findings"].to_string().contains(named) || observed.contains(named), "{statement}: {record:#}");
    }
    assert!(world.leftovers().is_empty());
}

#[test]
fn a_dump_that_was_cut_off_fails_the_drill_and_a_missing_program_leaves_it_without_an_answer() {
    let server = Mariadb::start();
    server.sql("CREATE TABLE t AS SELECT seq, md5(seq) AS v FROM seq_1_to_200000");
    let world = World::new();
    let dump = world.script(
        "dump",
        &format!(
            "#!/bin/sh\nmariadb-dump --no-defaults -uroot -S '{}' shop | head -c \"$1\"\n",
            server.socket().display()
        ),
    );
    let drilled = |bytes: &str, scratch: &str| {
        let source = format!("{{command: {{argv: [{}, '{bytes}'], content: mariadb_dump}}}}", dump.display());
        world.scenario(&[
            ("source", &source),
            ("scratch", scratch),
            (
                "checks",
                "[{name: rows, probe: {sql: {query: 'select count(*) from t'}}, expect: {value: {equals: 200000}}}]",
            ),
        ]);
        world.run(&["run", "scenario.yaml", "--json"])
    };
    let whole = drilled("1000000000", "{mariadb: {}}");
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let cut = drilled("3000000", "{mariadb: {}}");
    assert_eq!(cut.code, Some(1), "{cut:?}");
    let record = world.newest_record();
    assert_eq!(check(&record, "restores")["outcome"], "failed");
    assert!(record["findings"].to_string().contains("the dump is cut"), "{record:#}");

    std::fs::create_dir(world.path("nothing")).expect("folder");
    let missing = drilled("1000000000", "{mariadb: {bin: nothing}}");
    assert_eq!(missing.code, Some(2), "{missing:?}");
    let said = format!("{}{}", missing.stdout, missing.stderr);
    assert!(said.contains("there is no mariadb-install-db"), "{said}");
    assert!(world.leftovers().is_empty());
    assert_eq!(server.sql("SELECT count(*) FROM t"), "200000");
}
