//! Drills of several systems at once: a database and the folder that it points into.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Cluster, Mariadb, RedisServer, Repository, World, check};

const ALSO: &str = "[{name: uploads, source: {directory: {path: uploads, canary: true}}, scratch: {directory: {}}}]";
const CHECKS: &str = "[
  {name: pages, probe: {sql: {query: select count(*) from pages}}, expect: {value: {equals: 3}}},
  {name: the logo, system: uploads, probe: {file: {path: logo.png}}, expect: {text: {equals: logo}}},
  {name: both are seen, probe: {command: {argv: [sh, -c, 'cat wiki.db \"$UPLOADS_ROOT\"/*/*.png | wc -c']}}, expect: {exit: {equals: 0}}},
  {name: pictures, probe: {references: {query: 'select file, size, sha256 from pictures', to: uploads}}, expect: {references: {at_least: 1}, unresolved: {equals: 0}}}]";

/// A wiki: a database whose pages name pictures in a folder.
fn world() -> World {
    let world = World::new();
    world.write("uploads/logo.png", "logo");
    let database = Connection::open(world.path("wiki.db")).expect("a database");
    database
        .execute_batch(
            "create table pages (id integer primary key, title text);
             insert into pages (title) values ('Home'), ('Harbour'), ('Ferries');
             create table pictures (file text, size integer, sha256 text);",
        )
        .expect("pages");
    for n in 0..20 {
        let (file, content) = (format!("2026/{n}.png"), format!("picture {n}"));
        world.write(&format!("uploads/{file}"), &content);
        let digest = (n == 7).then(|| sha256(&content));
        database
            .execute("insert into pictures values (?, ?, ?)", (file, content.len() as i64, digest))
            .expect("a picture");
    }
    drill_of(&world, ALSO, &[]);
    world
}

fn sha256(content: &str) -> String {
    let script = format!("printf %s '{content}' | sha256sum | cut -d' ' -f1");
    let output = std::process::Command::new("sh").args(["-c", &script]).output().expect("sha256sum");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn drill_of(world: &World, also: &str, more: &[(&str, &str)]) {
    let parts = [("source", "{sqlite: {path: wiki.db, canary: true}}"), ("also", also), ("checks", CHECKS)];
    world.scenario(&[&parts, more].concat());
}

fn snapshots(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.path("vault/snapshots")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn findings(record: &Value) -> String {
    record["findings"].to_string()
}

#[test]
fn two_systems_come_back_and_every_reference_between_them_resolves() {
    let world = world();
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    let run = record["run"].as_str().expect("a run");
    let also = &record["also"][0];
    assert_eq!((&also["name"], &also["kinds"]["source"]), (&"uploads".into(), &"directory".into()));
    assert_eq!(record["backup"]["snapshot"], format!("test-{run}"));
    assert_eq!(also["backup"]["snapshot"], format!("test.uploads-{run}"));
    assert_eq!(also["counts"]["files"], 21);
    assert!(record["backup"]["taken_at"].as_str() <= also["backup"]["taken_at"].as_str(), "what points is taken first");
    for id in ["content", "canary", "sealed-bytes", "opens", "restores"] {
        assert_eq!(check(&record, id)["outcome"], "passed", "{id}");
        let further = check(&record, &format!("uploads/{id}"));
        assert_eq!((&further["outcome"], &further["system"]), (&"passed".into(), &"uploads".into()), "{id}");
    }
    let pictures = check(&record, "pictures");
    assert_eq!(
        (&pictures["level"], &pictures["observed"]),
        (&"L5".into(), &"references is 20, unresolved is 0".into())
    );
    assert_eq!(check(&record, "the logo")["level"], "L3");
    assert_eq!(record["assurance"], "L3", "no app, so L4 is not checked and L5 not claimed");
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    let planted = fs::read_dir(world.path("uploads")).expect("uploads").count();
    assert_eq!(planted, 2, "the canary has left");
}

#[test]
fn a_picture_that_the_database_names_and_the_folder_lacks_fails_the_drill_by_name() {
    let world = world();
    fs::remove_file(world.path("uploads/2026/13.png")).expect("removed");
    let record = world.drill_ends(1);
    let failed = check(&record, "pictures");
    assert_eq!(failed["outcome"], "failed", "{failed}");
    assert!(findings(&record).contains("2026/13.png is not there"), "{}", findings(&record));
    assert_eq!(check(&record, "uploads/content")["outcome"], "passed", "it came back as it was taken");

    world.write("uploads/2026/13.png", "picture 13");
    world.write("uploads/2026/7.png", "picture X");
    let record = world.drill_ends(1);
    assert!(findings(&record).contains("2026/7.png has the SHA-256"), "{}", findings(&record));
}

#[test]
fn damage_to_either_snapshot_is_found_and_told_of_its_system() {
    let world = world();
    world.drill_ends(0);
    let named = snapshots(&world);
    assert_eq!(named.len(), 2, "{named:?}");
    for snapshot in named {
        let segment = world.path("vault/snapshots").join(&snapshot).join("000000.age");
        let whole = fs::read(&segment).expect("a segment");
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        fs::write(&segment, damaged).expect("damaged");
        let (finished, record) = world.drill_with(&["--snapshot", "newest"]);
        assert_eq!(finished.code, Some(1), "{snapshot}: {}", finished.stderr);
        let expected = if snapshot.starts_with("test.") { "uploads/sealed-bytes" } else { "sealed-bytes" };
        assert_eq!(check(&record, expected)["outcome"], "failed", "{record:#}");
        fs::write(&segment, whole).expect("mended");
    }
}

#[test]
fn the_snapshots_of_one_run_are_restored_together() {
    let world = world();
    world.drill_ends(0);
    let first = world.newest_record()["run"].as_str().expect("a run").to_owned();
    world.write("uploads/2026/20.png", "picture 20");
    world.drill_ends(0);
    let (finished, record) = world.drill_with(&["--snapshot", &format!("test-{first}")]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let further = &record["also"][0]["backup"];
    assert_eq!(further["snapshot"], format!("test.uploads-{first}"));
    assert_eq!(further["selected"], format!("taken with test-{first}"));
    assert_eq!(record["also"][0]["counts"]["files"], 21, "the older one");

    fs::remove_dir_all(world.path("vault/snapshots").join(format!("test.uploads-{first}"))).expect("removed");
    let (finished, record) = world.drill_with(&["--snapshot", &format!("test-{first}")]);
    assert_eq!(finished.code, Some(1), "one half alone saves nobody: {}", finished.stderr);
    assert!(findings(&record).contains(&format!("test.uploads-{first}")), "{}", findings(&record));
}

#[test]
fn a_system_that_fell_against_earlier_runs_or_differs_is_told_by_its_name() {
    let world = world();
    for n in 0..150 {
        world.write(&format!("uploads/more/{n}"), vec![b'x'; 1_000]);
    }
    world.drill_ends(0);
    fs::remove_dir_all(world.path("uploads/more")).expect("removed");
    let record = world.drill_ends(1);
    assert_eq!(check(&record, "uploads/history")["outcome"], "failed");
    assert_eq!(check(&record, "history")["outcome"], "passed");

    let accepted = "{pattern: 'history:*', because: it was cleared out, owner: web, until: 2099-01-01}";
    drill_of(&world, ALSO, &[("exceptions", &format!("[{accepted}]"))]);
    let record = world.drill_ends(1);
    assert_eq!(check(&record, "uploads/history")["outcome"], "failed", "that is the other system's exception");
    let accepted = accepted.replace("because", "system: uploads, because");
    drill_of(&world, ALSO, &[("exceptions", &format!("[{accepted}]"))]);
    let record = world.drill_ends(0);
    assert!(check(&record, "uploads/history")["differences"].to_string().contains("it was cleared out"));
}

#[test]
fn the_folder_can_be_one_that_another_tool_keeps_and_its_age_is_an_objective_of_its_own() {
    let world = world();
    let repository = Repository::new(&world, "restic");
    fs::rename(world.path("uploads"), world.path("input/uploads")).expect("moved");
    repository.backup("pictures", "2026-10-01T03:00:00");
    world.write("password.txt", Repository::PASSWORD);
    let source = "{restic: {repository: repository, password: {file: password.txt}, max_age: 1h}}";
    let also = format!("[{{name: uploads, source: {source}, scratch: {{directory: {{}}}}}}]");
    let checks = CHECKS
        .replace("path: logo.png", "path: input/uploads/logo.png")
        .replace("to: uploads}", "to: uploads, below: input/uploads}");
    drill_of(&world, &also, &[("checks", &checks.replace("*/*.png", "input/uploads/*/*.png"))]);
    let record = world.drill_ends(1);
    let old = record["objectives"].as_array().expect("objectives").iter().find(|o| o["system"] == "uploads");
    let old = old.unwrap_or_else(|| panic!("{record:#}"));
    assert_eq!((&old["name"], &old["met"]), (&"max_age".into(), &false.into()));
    assert!(findings(&record).contains("newest backup of uploads was"), "{}", findings(&record));
    assert_eq!(check(&record, "pictures")["outcome"], "passed", "{record:#}");
    assert_eq!(record["assurance"], "L2", "restic tells no digests, so the whole is not proved to be equal");
    let said = world.run(&["show", "latest"]).stdout;
    assert!(said.contains("backup age of uploads") && said.contains("taken by"), "{said}");
}

#[test]
fn scratches_that_touch_each_other_or_a_source_are_refused_before_anything_is_done() {
    let world = world();
    fs::create_dir(world.path("there")).expect("a folder");
    for (of_uploads, of_own, told) in [
        ("there", "there/below", "uploads would be restored into"),
        ("uploads/below", "there", "uploads"),
        ("there", "uploads/below", "uploads"),
    ] {
        let folder = |path: &str| format!("{{directory: {{path: {path}}}}}");
        let also = ALSO.replace("scratch: {directory: {}}", &format!("scratch: {}", folder(of_uploads)));
        drill_of(&world, &also, &[("scratch", &folder(of_own))]);
        let refused = world.run(&["run", "scenario.yaml"]);
        assert_eq!(refused.code, Some(2), "{of_uploads} {of_own}: {refused:?}");
        assert!(refused.stderr.contains(told), "{of_uploads} {of_own}: {}", refused.stderr);
        assert!(!world.path("vault/snapshots").exists() && !world.path("uploads/below").exists());
    }
}

#[test]
fn what_a_killed_run_made_of_each_system_is_swept() {
    let world = world();
    let wait = "{name: a moment, probe: {command: {argv: [sleep, '0.3']}}, expect: {exit: {equals: 0}}}]";
    drill_of(&world, ALSO, &[("checks", &CHECKS.replace("}}]", &format!("}}}}, {wait}")))]);
    for said in [
        "canary\"",
        "\"system\":\"uploads\",\"kind\":\"snapshot\"",
        "backup_stored",
        "\"system\":\"uploads\",\"kind\":\"environment\"",
        "uploads/restores",
        "\"stage_started\",\"stage\":\"probe\"",
    ] {
        let mut child = world.start();
        world.wait_for(said);
        child.kill().expect("killed");
        child.wait().expect("gone");
        let swept = world.run(&["sweep"]);
        assert_eq!(swept.code, Some(0), "{said}: {}{}", swept.stdout, swept.stderr);
        assert!(world.leftovers().is_empty(), "{said}: {:?}", world.leftovers());
        assert_eq!(fs::read_dir(world.path("uploads")).expect("uploads").count(), 2, "{said}: the canary has left");
        let tables = Connection::open(world.path("wiki.db")).expect("opens").query_row(
            "select count(*) from sqlite_master where name like '%canary%'",
            [],
            |row| row.get::<_, i64>(0),
        );
        assert_eq!(tables.expect("a count"), 0, "{said}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn environments_of_all_systems_are_kept_and_entered_together() {
    let world = world();
    fs::remove_file(world.path("uploads/2026/3.png")).expect("removed");
    drill_of(&world, ALSO, &[("keep", "{failed: 1h}")]);
    let record = world.drill_ends(1);
    assert_eq!(record["release"]["held"].as_array().map(Vec::len), Some(2), "{}", record["release"]);
    let seen = world.run(&["env", "enter", "latest", "--", "sh", "-c", "ls \"$DRILL_ROOT\" \"$UPLOADS_ROOT\""]);
    assert!(seen.stdout.contains("wiki.db") && seen.stdout.contains("logo.png"), "{seen:?}");
    let released = world.run(&["env", "release", "latest"]);
    assert_eq!(released.code, Some(0), "{released:?}");
    let left: Vec<PathBuf> = world.leftovers();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_system_whose_source_is_gone_ends_the_drill_without_half_a_backup() {
    let world = world();
    fs::remove_dir_all(world.path("uploads")).expect("removed");
    fs::create_dir(world.path("uploads")).expect("an empty one");
    drill_of(&world, &ALSO.replace(", canary: true", ""), &[]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{}\n{record:#}", finished.stderr);
    assert!(findings(&record).contains("not one file in the source"), "{}", findings(&record));
    assert_eq!(snapshots(&world), Vec::<String>::new(), "the database's alone is no backup of the two");
}

#[test]
fn three_servers_of_one_run_are_walled_in_apart_and_reached_by_one_app() {
    let (cluster, mariadb, redis) = (Cluster::start(), Mariadb::start(), RedisServer::start());
    cluster.sql("create table orders as select generate_series(1, 10) as id");
    mariadb.sql("create table invoices as select seq as id from seq_1_to_20");
    redis.fill(30);
    let world = World::new();
    let app = "import http.server as h, os, subprocess as s
run = lambda *argv: s.check_output(argv, text=True).strip()
seen = ' '.join([
    run('psql', '-AtXc', 'select count(*) from orders'),
    run('mariadb', '-NBS', os.environ['BILLING_MYSQL_UNIX_PORT'], '-u', os.environ['BILLING_MYSQL_USER'],
        '-e', 'select count(*) from invoices', os.environ['BILLING_MYSQL_DATABASE']),
    run('redis-cli', '-s', os.environ['CACHE_REDIS_SOCKET'], 'dbsize')])
class Page(h.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(seen.encode())
h.HTTPServer(('127.0.0.1', int(os.environ['DRILL_PORT'])), Page).serve_forever()";
    let app = serde_json::json!({
        "argv": ["python3", "-c", app],
        "ready": {"probe": {"http": {"url": "http://127.0.0.1:${DRILL_PORT}/"}}, "within": "1m"},
    });
    let source = format!("{{postgres: {{url: '{}'}}}}", cluster.url());
    let also = format!(
        "[{{name: billing, source: {{mariadb: {{url: '{}'}}}}, scratch: {{mariadb: {{}}}}}},
          {{name: cache, source: {{redis: {{url: '{}'}}}}, scratch: {{redis: {{}}}}}}]",
        mariadb.url(),
        redis.url()
    );
    let checks = "[{name: all are asked, probe: {http: {url: 'http://127.0.0.1:${DRILL_PORT}/'}}, expect: {body: {equals: 10 20 30}}},
      {name: invoices, system: billing, probe: {sql: {query: select count(*) from invoices}}, expect: {value: {equals: 20}}}]";
    world.scenario(&[
        ("source", &source),
        ("scratch", "{postgres: {}}"),
        ("also", &also),
        ("sandbox", "{}"),
        ("app", &app.to_string()),
        ("checks", checks),
    ]);
    let record = world.drill_ends(0);
    assert_eq!(record["assurance"], "L4", "{record:#}");
    for id in ["content", "billing/content", "cache/content"] {
        assert_eq!(check(&record, id)["outcome"], "passed", "{id}");
    }
    let walled = |environment: &Value| environment["isolation"].to_string().contains("walled in by bubblewrap");
    assert!(walled(&record["environment"]), "{}", record["environment"]);
    for further in record["also"].as_array().expect("systems") {
        assert!(walled(&further["environment"]), "{further:#}");
    }
    let run = record["run"].as_str().expect("a run").replace('-', "").to_lowercase();
    for folder in ["/tmp", "/var/tmp"] {
        let left = fs::read_dir(folder).expect("a folder").flatten();
        let left: Vec<_> = left.filter(|e| e.file_name().to_string_lossy().contains(&run[run.len() - 12..])).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
