//! Drills of a real PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Cluster, Finished, World, check, must};

const SCHEMA: &str = "
CREATE SCHEMA sales; CREATE SCHEMA audit;
CREATE TYPE sales.state AS ENUM ('open', 'paid', 'sent');
CREATE TABLE sales.customers (id serial PRIMARY KEY, name text NOT NULL, email text UNIQUE);
CREATE TABLE sales.orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer int REFERENCES sales.customers(id),
    state sales.state NOT NULL DEFAULT 'open',
    net numeric(10,2) NOT NULL, tax numeric(10,2) NOT NULL,
    gross numeric(10,2) GENERATED ALWAYS AS (net + tax) STORED,
    at timestamptz NOT NULL DEFAULT now());
CREATE INDEX orders_at ON sales.orders(at);
CREATE TABLE audit.log (id bigserial, what text, at timestamptz DEFAULT now());
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audit.log(what) VALUES (TG_OP); RETURN NEW; END $$;
CREATE TRIGGER customers_note AFTER INSERT ON sales.customers FOR EACH ROW EXECUTE FUNCTION audit.note();
INSERT INTO sales.customers(name, email) SELECT 'customer ' || n, n || '@example.org' FROM generate_series(1, 5000) n;
INSERT INTO sales.orders(customer, net, tax, at)
    SELECT 1 + n % 5000, n % 1000, (n % 1000) * 0.19, now() - (n || ' seconds')::interval FROM generate_series(1, 1000000) n;
CREATE MATERIALIZED VIEW sales.totals AS SELECT customer, sum(gross) AS total FROM sales.orders GROUP BY customer;
CREATE SEQUENCE sales.invoice START 4242; SELECT nextval('sales.invoice');
SELECT lo_from_bytea(0, '\\xdeadbeef'::bytea);
";

/// The example scenario, in a world of its own, with a scratch that uses these programs.
fn example(world: &World, bin: Option<PathBuf>) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios/postgres.yaml");
    let text = std::fs::read_to_string(root).expect("the example").replace("../target/drill/", "");
    let (before, after) = text.split_once("scratch:\n  postgres:\n").expect("the example has a postgres scratch");
    let bin = bin.map(|bin| format!("    bin: {}\n", bin.display())).unwrap_or_default();
    world.write("scenario.yaml", format!("{before}scratch:\n  postgres:\n{bin}{after}"));
}

fn drill(world: &World, cluster: &Cluster) -> (Finished, Value) {
    let mut command = world.command(&["run", "scenario.yaml", "--json"]);
    command.env("DRILL_POSTGRES_URL", cluster.url());
    let finished = world.finish(command);
    let record = serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {}", finished.stderr));
    (finished, record)
}

/// The server's programs, with a `pg_restore` that does something to the restored database after its work.
pub fn meddling(world: &World, programs: &Path, statement: &str) -> PathBuf {
    let bin = world.path("bin");
    std::fs::create_dir_all(&bin).expect("bin");
    for program in std::fs::read_dir(programs).expect("programs").flatten() {
        let link = bin.join(program.file_name());
        if program.file_name() != "pg_restore" && !link.exists() {
            std::os::unix::fs::symlink(program.path(), link).expect("link");
        }
    }
    let real = programs.display();
    let script = format!(
        "#!/bin/sh\n\"{real}/pg_restore\" \"$@\" || exit $?\nexec \"{real}/psql\" -XAtq -v ON_ERROR_STOP=1 -d shop -c \"{statement}\" >/dev/null\n"
    );
    world.script("bin/pg_restore", &script);
    bin
}

#[test]
fn a_database_with_a_million_rows_is_drilled_and_a_changed_cell_and_a_lost_index_are_named() {
    let cluster = Cluster::start();
    cluster.sql(SCHEMA);
    let world = World::new();
    example(&world, None);
    let (finished, record) = drill(&world, &cluster);
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    let content = check(&record, "content");
    assert!(content["observed"].as_str().is_some_and(|seen| seen.contains("tables")), "{content}");
    assert!(
        record["source"]["values"]["system_identifier"]
            != record["environment"]["identity"]["values"]["system_identifier"]
    );

    every_change_is_named(
        &world,
        &cluster,
        &[
            ("UPDATE sales.orders SET net = net + 1 WHERE id = 500000", "table:sales.orders"),
            ("DROP INDEX sales.orders_at", "index:sales.orders_at"),
        ],
    );
}

#[test]
fn each_kind_of_change_after_the_restore_is_named() {
    let cluster = Cluster::start();
    cluster.sql(&SCHEMA.replace("1000000", "1000"));
    let world = World::new();
    every_change_is_named(
        &world,
        &cluster,
        &[
            ("DELETE FROM sales.orders WHERE id = 5", "table:sales.orders"),
            ("DROP TRIGGER customers_note ON sales.customers", "trigger:"),
            ("ALTER TABLE sales.orders DROP CONSTRAINT orders_customer_fkey", "constraint:"),
            ("SELECT setval('sales.invoice', 1)", "sequence:sales.invoice"),
            ("UPDATE pg_largeobject SET data = 'x'", "large objects"),
            ("CREATE TABLE sales.added (id int)", "sales.added"),
            ("REFRESH MATERIALIZED VIEW sales.totals WITH NO DATA", "sales.totals"),
        ],
    );
}

/// Restores the database with each change made to it afterwards; each must fail the drill with a finding that names the thing.
fn every_change_is_named(world: &World, cluster: &Cluster, changes: &[(&str, &str)]) {
    for (statement, named) in changes {
        example(world, Some(meddling(world, cluster.bin(), statement)));
        let (finished, record) = drill(world, cluster);
        assert_eq!(finished.code, Some(1), "{statement}: {}\n{record:#}", finished.stderr);
        let finding = record["findings"][0]["statement"].to_string();
        assert!(finding.contains(named), "{statement}: {finding}");
    }
    assert!(world.leftovers().is_empty());
}

#[test]
fn a_dump_that_was_cut_off_fails_the_drill() {
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE t AS SELECT n, md5(n::text) FROM generate_series(1, 200000) n");
    let world = World::new();
    let dump = world.script(
        "dump",
        &format!("#!/bin/sh\n'{}/pg_dump' -Fc -Z0 -d '{}' | head -c 3000000\n", cluster.bin().display(), cluster.url()),
    );
    world.scenario(&[
        ("source", &format!("{{command: {{argv: [{}], content: pg_dump}}}}", dump.display())),
        ("scratch", "{postgres: {}}"),
        (
            "checks",
            "[{name: rows, probe: {sql: {query: 'select count(*) from t'}}, expect: {value: {equals: 200000}}}]",
        ),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}\n{record:#}", finished.stderr);
    assert_eq!(check(&record, "restores")["outcome"], "failed");
    assert!(world.leftovers().is_empty());
}

#[test]
fn rows_that_are_written_during_the_capture_do_not_make_it_red() {
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 300000) n");
    let world = World::new();
    world.scenario(&[
        ("source", &format!("{{postgres: {{url: '{}'}}}}", cluster.url())),
        ("scratch", "{postgres: {}}"),
        (
            "checks",
            "[{name: rows, probe: {sql: {query: 'select count(*) from t'}}, expect: {value: {at_least: 300000}}}]",
        ),
    ]);
    let url = cluster.url();
    let writing = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while writing.load(std::sync::atomic::Ordering::Relaxed) {
                must(
                    Command::new("psql").args(["-Xq", "-c", "INSERT INTO t SELECT generate_series(1, 1000)"]).arg(&url),
                );
            }
        });
        let (finished, record) = world.drill();
        writing.store(false, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    });
}

/// What a server has in its catalog that this host can't provide: an extension, and a collation of a locale.
const FOREIGN: &str = "
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (99001, 'postgis', 10, 2200, false, '3.3.2');
CREATE COLLATION public.klingon (provider = libc, locale = 'C');
UPDATE pg_collation SET collcollate = 'tlh_KX.utf8', collctype = 'tlh_KX.utf8' WHERE collname = 'klingon';
CREATE TABLE kept AS SELECT n FROM generate_series(1, 10) n";

const ANSWERS: &str =
    "[{name: it answers, probe: {sql: {query: select count(*) from kept}}, expect: {value: {equals: 10}}}]";

#[test]
fn what_the_host_lacks_leaves_the_drill_without_an_answer_and_says_what_installs_it() {
    let cluster = Cluster::start();
    cluster.sql(FOREIGN);
    let world = World::new();
    let dumped = format!("{{postgres: {{url: '{}'}}}}", cluster.url());
    let foreign = format!(
        "{{command: {{argv: [{}, -Fc, '{}'], content: pg_dump}}}}",
        cluster.bin().join("pg_dump").display(),
        cluster.url()
    );
    for (source, stage) in [(&dumped, "provision"), (&foreign, "restore")] {
        world.scenario(&[("source", source), ("scratch", "{postgres: {}}"), ("checks", ANSWERS)]);
        let (finished, record) = world.drill();
        assert_eq!(finished.code, Some(3), "{stage}: {}\n{record:#}", finished.stderr);
        assert_eq!(record["verdict"], "errored");
        let because = record["because"].as_str().expect("a sentence");
        assert!(
            because.contains(stage) && because.contains("this host lacks") && because.contains("postgis"),
            "{because}"
        );
        assert!(because.contains("tlh_KX"), "{because}");
        let findings = record["findings"].to_string();
        for command in
            ["apt-get install postgresql-", "-postgis-3`", "'tlh_KX.UTF-8 UTF-8' >> /etc/locale.gen && locale-gen`"]
        {
            assert!(findings.contains(command), "{command}: {findings}");
        }
        assert_eq!(record["release"]["leaked"], serde_json::json!([]));
    }
    let accept =
        |pattern: &str| format!("{{pattern: '{pattern}', because: not needed, owner: dba, until: 2999-01-01}}");
    let patterns = ["extension:postgis", "collation:public.klingon", "restore:*postgis*", "restore:*klingon*"];
    let exceptions = format!("[{}]", patterns.map(accept).join(", "));
    world.scenario(&[
        ("source", &dumped),
        ("scratch", "{postgres: {}}"),
        ("checks", ANSWERS),
        ("exceptions", &exceptions),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    assert!(record["findings"].to_string().contains("accepted by dba"), "{record:#}");
}

/// The server's programs, with a `pg_restore` that has one more error to tell of after its work.
fn complaining(world: &World, cluster: &Cluster) -> PathBuf {
    let bin = meddling(world, cluster.bin(), "select");
    let script = format!(
        "#!/bin/sh\n\"{}/pg_restore\" \"$@\"\ncat >&2 <<'END'\npg_restore: error: could not execute query: ERROR:  schema \"sales\" already exists\nCommand was: CREATE SCHEMA sales;\npg_restore: warning: errors ignored on restore: 2\nEND\nexit 1\n",
        cluster.bin().display()
    );
    world.script("bin/pg_restore", &script);
    bin
}

#[test]
fn a_message_that_means_nothing_is_noted_and_any_other_fails() {
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE kept AS SELECT n FROM generate_series(1, 10) n");
    let world = World::new();
    let own = format!("{{postgres: {{url: '{}', schemas: [public]}}}}", cluster.url());
    let pg_dump = cluster.bin().join("pg_dump");
    let foreign = format!(
        "{{command: {{argv: [{}, -Fc, -n, public, '{}'], content: pg_dump}}}}",
        pg_dump.display(),
        cluster.url()
    );
    for source in [&own, &foreign] {
        world.scenario(&[("source", source), ("scratch", "{postgres: {}}"), ("checks", ANSWERS)]);
        let (finished, record) = world.drill();
        assert_eq!(finished.code, Some(0), "{source}: {}\n{record:#}", finished.stderr);
        let findings = record["findings"].to_string();
        assert!(
            findings.contains("already exists") && findings.contains("Every new database has this schema"),
            "{findings}"
        );
    }
    let scratch = format!("{{postgres: {{bin: {}}}}}", complaining(&world, &cluster).display());
    world.scenario(&[("source", &own), ("scratch", &scratch), ("checks", ANSWERS)]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}\n{record:#}", finished.stderr);
    let differences = check(&record, "restores")["differences"].to_string();
    assert!(differences.contains("sales") && !differences.contains("public"), "{differences}");
}
