//! The examples in `scenarios/`, to the byte, each against the real thing that it is about. `postgres.yaml` is run in
//! `postgres.rs`, `mariadb.yaml` in `mariadb.rs`, `redis.yaml` in `redis.rs`, `wordpress.yaml` in `wordpress.rs`, `quickstart.yaml` by `make drill`, `container.yaml` by `tests/image`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Archived, Barman, Bucket, Cluster, Finished, World, check, files_below, must};

/// What a checkout holds that the examples speak of: `docs`, the example below `scenarios`, an identity.
fn checkout(example: &str) -> World {
    let world = World::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    must(Command::new("cp").arg("-a").arg(root.join("docs")).arg(world.path("docs")));
    let text = fs::read(root.join("scenarios").join(example)).expect("the example");
    world.write(&format!("scenarios/{example}"), text);
    let identity = fs::read(world.path("identity.txt")).expect("an identity");
    world.write("target/drill/identity.txt", identity);
    world
}

/// Runs an example; returns how it ended and the record, or nothing if there was no run.
fn run(world: &World, example: &str, more: &[&str], environment: &[(&str, &str)]) -> (Finished, Option<Value>) {
    let file = format!("scenarios/{example}");
    let mut command = world.command(&["run", &file, "--json"]);
    command.args(more).envs(environment.iter().copied());
    let finished = world.finish(command);
    let record = serde_json::from_str(&finished.stdout).ok();
    (finished, record)
}

/// Runs an example that must pass, with every check of it.
fn passes(world: &World, example: &str, environment: &[(&str, &str)]) -> Value {
    let (finished, record) = run(world, example, &[], environment);
    let record = record.unwrap_or_else(|| panic!("{example}: no record: {finished:?}"));
    assert_eq!(finished.code, Some(0), "{example}: {}\n{record:#}", finished.stderr);
    let checks = record["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["outcome"] == "passed"), "{checks:#?}");
    assert_eq!(record["release"]["leaked"], serde_json::json!([]), "{example}");
    record
}

#[test]
fn the_folder_of_the_example_is_drilled_and_its_web_server_asked() {
    let world = checkout("directory.yaml");
    let record = passes(&world, "directory.yaml", &[]);
    assert_eq!(record["assurance"], "L4", "{record:#}");
    world.write("docs/empty.md", "");
    let (finished, record) = run(&world, "directory.yaml", &[], &[]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(record.expect("a record")["assurance"], "L2", "an L3 check fails on the empty file");
}

#[test]
fn the_live_database_of_the_example_is_drilled_and_old_orders_fail_it() {
    let world = checkout("sqlite.yaml");
    let database = rusqlite::Connection::open(world.path("target/drill/orders.db")).expect("a database");
    database
        .execute_batch(
            "PRAGMA journal_mode = wal;
             CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, placed_at TEXT);
             INSERT INTO orders (customer_id, placed_at)
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                 SELECT i % 70 + 1, datetime('now', '-' || i || ' minutes') FROM n;",
        )
        .expect("orders");
    let record = passes(&world, "sqlite.yaml", &[]);
    assert_eq!(check(&record, "canary")["outcome"], "passed");
    let achieved = record["measurements"]["recovery_point_secs"].as_f64().expect("a recovery point");
    assert!((0.0..600.0).contains(&achieved), "the newest order is a minute old, not {achieved} s");

    database.execute("DELETE FROM orders WHERE placed_at > datetime('now', '-100 minutes')", []).expect("deleted");
    database.execute("UPDATE orders SET placed_at = datetime(placed_at, '-8 days')", []).expect("aged");
    let (finished, record) = run(&world, "sqlite.yaml", &[], &[]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let findings = record.expect("a record")["findings"].to_string();
    assert!(findings.contains("The newest order is recent") && findings.contains("recovery point"), "{findings}");
}

#[test]
fn the_programs_archive_of_the_example_is_drilled_under_its_passphrase() {
    let world = checkout("command.yaml");
    let refused = run(&world, "command.yaml", &[], &[]).0;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("DRILL_PASSPHRASE"), "{}", refused.stderr);

    let passphrase = [("DRILL_PASSPHRASE", "correct horse battery staple")];
    let record = passes(&world, "command.yaml", &passphrase);
    let snapshot = record["backup"]["snapshot"].as_str().expect("an id");
    let folder = world.path("target/drill/vault/snapshots").join(snapshot);
    assert!(folder.join("key.age").exists(), "the snapshot's own identity, under the passphrase");

    world.write("docs/picture.png", "no page");
    let (finished, record) = run(&world, "command.yaml", &[], &passphrase);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let findings = record.expect("a record")["findings"].to_string();
    assert!(findings.contains("Nothing but pages and their figures came back"), "{findings}");

    let newest = ["--snapshot", snapshot];
    let (finished, record) = run(&world, "command.yaml", &newest, &[("DRILL_PASSPHRASE", "wrong")]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(check(&record.expect("a record"), "opens")["outcome"], "failed");
}

#[test]
fn the_app_of_the_example_reaches_nobody_from_its_sandbox_and_the_report_says_whom_it_tried() {
    let world = checkout("sandbox.yaml");
    let record = passes(&world, "sandbox.yaml", &[]);
    let told = record["findings"].to_string();
    for tried in ["reach 192.0.2.25:25 (smtp)", "reach 198.51.100.7:443 (https)", "look up the name hooks.example.org"]
    {
        assert!(told.contains(tried), "{tried}: {told}");
    }
    let isolation = record["environment"]["isolation"].to_string();
    assert!(isolation.contains("1.5 processors (cgroup") || !rustix::process::geteuid().is_root(), "{isolation}");
}

#[test]
fn the_server_of_the_example_is_copied_and_recovered_and_a_user_without_the_right_is_refused() {
    let world = checkout("postgres-physical.yaml");
    let cluster = Cluster::start();
    cluster.sql(
        "CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS what FROM generate_series(1, 100000) n;
         CREATE INDEX ON orders (what); CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
         GRANT EXECUTE ON FUNCTION pg_control_system() TO reader",
    );
    cluster.sql("CREATE DATABASE billing");
    let path = format!("{}:{}", cluster.bin().display(), std::env::var("PATH").expect("a path"));
    let url = cluster.url();
    let record = passes(&world, "postgres-physical.yaml", &[("DRILL_POSTGRES_URL", &url), ("PATH", &path)]);
    assert_eq!(check(&record, "canary")["outcome"], "passed");
    let content = check(&record, "content")["observed"].to_string();
    assert!(content.contains("shop") && content.contains("billing") && content.contains(" paths"), "{content}");
    assert!(record["measurements"]["recovery_point_secs"].as_f64().is_some_and(|secs| secs < 600.0), "{record:#}");

    let reader = url.replace("postgres@", "reader@");
    let refused = run(&world, "postgres-physical.yaml", &[], &[("DRILL_POSTGRES_URL", &reader)]).0;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("ALTER ROLE reader REPLICATION"), "{}", refused.stderr);
}

/// The S3 example with this endpoint in place of its own.
fn offsite(endpoint: &str) -> World {
    let world = checkout("s3-vault.yaml");
    let text = fs::read_to_string(world.path("scenarios/s3-vault.yaml")).expect("the example");
    assert!(text.contains("http://127.0.0.1:9000"), "the endpoint of the example");
    world.write("scenarios/s3-vault.yaml", text.replace("http://127.0.0.1:9000", endpoint));
    world
}

const OPENS_BUCKET: [(&str, &str); 2] =
    [("DRILL_S3_ACCESS_KEY_ID", Bucket::ACCESS_KEY_ID), ("DRILL_S3_SECRET_ACCESS_KEY", Bucket::SECRET_ACCESS_KEY)];

#[test]
fn the_bucket_of_the_example_is_drilled_and_an_object_changed_in_it_fails_at_the_first_level() {
    let bucket = Bucket::start("drills");
    let world = offsite(&bucket.endpoint());
    let record = passes(&world, "s3-vault.yaml", &OPENS_BUCKET);
    let location = format!("bucket s3://drills/handbook at {}", bucket.endpoint());
    assert_eq!(record["backup"]["location"], location);
    let snapshot = record["backup"]["snapshot"].as_str().expect("an id");
    assert!(!world.path("target/drill/restored").exists(), "the scratch is gone");

    let segment = bucket.object(&format!("handbook/snapshots/{snapshot}/000000.age"));
    let whole = fs::read(&segment).expect("a segment");
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(&segment, changed).expect("changed");
    let (finished, record) = run(&world, "s3-vault.yaml", &["--snapshot", "newest"], &OPENS_BUCKET);
    let record = record.unwrap_or_else(|| panic!("no record: {finished:?}"));
    assert_eq!(finished.code, Some(1), "{}\n{record:#}", finished.stderr);
    assert_eq!(check(&record, "sealed-bytes")["outcome"], "failed", "{record:#}");
    assert_eq!(record["assurance"], Value::Null);
    assert!(record["findings"][0].to_string().contains("segment 000000"), "{}", record["findings"]);

    fs::write(&segment, whole).expect("mended");
    let (finished, record) = run(&world, "s3-vault.yaml", &["--snapshot", "newest"], &OPENS_BUCKET);
    assert_eq!(finished.code, Some(0), "{}\n{:#}", finished.stderr, record.expect("a record"));
}

#[test]
fn a_bucket_that_refuses_the_keys_or_does_not_answer_is_refused_in_clear_words() {
    let bucket = Bucket::start("another");
    let wrong = [OPENS_BUCKET[0], ("DRILL_S3_SECRET_ACCESS_KEY", "not-the-key-of-the-bucket")];
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let nowhere = format!("http://{closed}");
    for (endpoint, keys, code, said) in [
        (bucket.endpoint(), wrong, 2, "SignatureDoesNotMatch\n  See to it that the vault's keys are right"),
        (nowhere, OPENS_BUCKET, 3, "Connection refused"),
    ] {
        let world = offsite(&endpoint);
        let finished = run(&world, "s3-vault.yaml", &[], &keys).0;
        let told = format!("{}{}", finished.stdout, finished.stderr);
        assert_eq!(finished.code, Some(code), "{told}");
        assert!(told.contains("s3://drills/handbook") && told.contains(said), "{said}: {told}");
        assert!(!told.contains("-key-of-the-bucket"), "{told}");
        assert!(world.runs().is_empty(), "nothing was begun");
    }
}

#[test]
fn what_restic_and_borg_took_of_the_docs_is_adopted_by_the_examples() {
    for (tool, example, variable) in
        [("restic", "restic.yaml", "RESTIC_PASSWORD"), ("borg", "borg.yaml", "BORG_PASSPHRASE")]
    {
        let world = checkout(example);
        let repository = format!("target/drill/{tool}");
        let secret = [(variable, "a-password-of-yours")];
        let steps: [&[&str]; 2] = match tool {
            "restic" => [&["init", "--repo", &repository], &["--repo", &repository, "backup", "docs"]],
            _ => [
                &["init", "--encryption", "repokey", &repository],
                &["create", &format!("{repository}::docs-{{now}}"), "docs"],
            ],
        };
        for step in steps {
            let mut command = Command::new(tool);
            command.args(step).envs(secret).env("HOME", world.path("home")).current_dir(world.path(""));
            must(&mut command);
        }
        let record = passes(&world, example, &secret);
        assert_eq!(check(&record, "The front page is there")["outcome"], "passed");
        let (finished, _) = run(&world, example, &["--snapshot", "ffff"], &secret);
        assert_eq!(finished.code, Some(1), "{tool}: there is no such backup: {}", finished.stderr);
    }
}

#[test]
fn the_nightly_archives_of_the_example_are_adopted_from_their_bucket() {
    let bucket = Bucket::start("offsite");
    let world = checkout("files.yaml");
    let text = fs::read_to_string(world.path("scenarios/files.yaml")).expect("the example");
    world.write("scenarios/files.yaml", text.replace("http://127.0.0.1:9000", &bucket.endpoint()));
    let identity = fs::read_to_string(world.path("identity.txt")).expect("an identity");
    let recipient = identity.split_whitespace().find(|word| word.starts_with("age1")).expect("a public key");
    let object = bucket.object("nightly");
    fs::create_dir_all(&object).expect("a prefix");
    let script = format!(
        "set -o pipefail; tar -czf - docs | age -r {recipient} > {}/docs-$(date -u +%Y%m%dT%H%M%SZ).tar.gz.age",
        object.display()
    );
    must(Command::new("bash").args(["-c", &script]).current_dir(world.path("")));
    let keys = [("S3_KEY_ID", Bucket::ACCESS_KEY_ID), ("S3_SECRET", Bucket::SECRET_ACCESS_KEY)];
    let record = passes(&world, "files.yaml", &keys);
    assert_eq!(record["assurance"], "L3", "{record:#}");
}

#[test]
fn a_cluster_that_pgbackrest_backs_up_is_recovered_to_an_instant_by_the_example() {
    let world = checkout("pgbackrest.yaml");
    let archived = Archived::start(&world);
    archived.cluster.sql("CREATE TABLE orders AS SELECT clock_timestamp() AS at");
    archived.backup("full");
    archived.tick(200);
    archived.switch();
    fs::create_dir_all(world.path("target/drill")).expect("folder");
    fs::rename(world.path("pgbackrest.conf"), world.path("target/drill/pgbackrest.conf")).expect("moved");
    let record = passes(&world, "pgbackrest.yaml", &[("DRILL_CIPHER_PASS", Archived::PASSPHRASE)]);
    assert_eq!(check(&record, "No order is newer than that instant")["outcome"], "passed");
}

#[test]
fn a_cluster_that_barman_backs_up_is_recovered_to_an_instant_by_the_example() {
    let world = checkout("barman.yaml");
    let barman = Barman::start(&world);
    barman.order(5);
    barman.backup();
    barman.order(200);
    barman.switch();
    fs::create_dir_all(world.path("target/drill")).expect("folder");
    fs::rename(world.path("barman.conf"), world.path("target/drill/barman.conf")).expect("moved");
    let record = passes(&world, "barman.yaml", &[]);
    assert_eq!(check(&record, "No order is newer than that instant")["outcome"], "passed");
}

#[test]
fn every_example_is_run_by_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let entries = fs::read_dir(folder).expect("the examples").flatten().map(|entry| entry.path());
    let files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|is| is == "yaml")).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let runners = [
        "tests/examples.rs",
        "tests/postgres.rs",
        "tests/mariadb.rs",
        "tests/redis.rs",
        "tests/wordpress.rs",
        "tests/image",
        "Makefile",
    ];
    let read = |name: &&str| fs::read_to_string(root.join(name)).expect("a runner");
    let text: String = runners.iter().map(read).collect();
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("//!")).collect();
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(text.iter().any(|line| line.contains(&name)), "no test runs {name}");
    }
}

#[test]
fn what_etckeeper_keeps_is_adopted_by_the_example_through_git_itself() {
    let world = checkout("tool.yaml");
    let kept = world.path("target/drill/etc");
    must(Command::new("cp").arg("-r").arg(world.path("docs")).arg(&kept));
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=etckeeper", "-c", "user.email=root@example.org"];
        must(Command::new("git").arg("-C").arg(&kept).args(who).args(args))
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "A state"]);
    let record = passes(&world, "tool.yaml", &[]);
    assert_eq!(record["assurance"], "L3", "git vouches for its repository: {record:#}");

    let objects = files_below(&kept.join(".git/objects"));
    let biggest = objects.iter().max_by_key(|path| fs::metadata(path).expect("an object").len()).expect("objects");
    fs::set_permissions(biggest, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("mode");
    fs::write(biggest, "torn").expect("damaged");
    let (finished, record) = run(&world, "tool.yaml", &[], &[]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(check(&record.expect("a record"), "repository")["outcome"], "failed");
}
