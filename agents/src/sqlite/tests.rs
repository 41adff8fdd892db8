//! Databases in use, taken and brought back.
#![allow(clippy::disallowed_methods, reason = "tests start the programs that they compare with")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use drill_scenarios::Level;
use proptest::prelude::*;
use rusqlite::Connection;

use super::{copy, observe};
use crate::mark::Removal;
use crate::sources::SqliteSource;
use crate::{Canary, Captured, Context, Database, Kind, Source, tree, trial};

fn source(path: &Path) -> SqliteSource {
    SqliteSource::open(&drill_scenarios::SqliteSource { path: path.into(), canary: true }, Path::new("/"))
        .expect("a source")
}

/// A database with something of everything.
fn fill(path: &Path, journal: &str) -> Connection {
    let connection = Connection::open(path).expect("database");
    connection
        .execute_batch(&format!(
            "pragma journal_mode = {journal};
             create table orders (id integer primary key autoincrement, item text not null, price real, scan blob,
                                  gross as (price * 1.19), net as (price) stored);
             create table \"odd \"\"name\" (a, b, primary key (a, b)) without rowid;
             create index by_item on orders (item);
             create view cheap as select * from orders where price < 1;
             create trigger upper after insert on orders begin update orders set item = upper(item) where id = new.id; end;
             create virtual table notes using fts5(body);
             insert into notes values ('found by words');
             insert into \"odd \"\"name\" values (1, 'null'), ('1', x'00ff'), (1.5, 'ü');
             pragma user_version = 7;"
        ))
        .expect("filled");
    connection
        .execute_batch(
            "with recursive numbers(n) as (select 0 union all select n + 1 from numbers where n < 999)
             insert into orders (item, price, scan) select 'item ' || n, n / 7.0, zeroblob(20) from numbers",
        )
        .expect("rows");
    connection
}

/// Captures the database and restores it; returns where it is.
async fn brought_back(cx: &Context, path: &Path, to: &Path) -> (Captured, PathBuf) {
    let (captured, stream) = trial::captured(&source(path), cx).await.expect("captured");
    tree::make_root(to).expect("root");
    tree::restore(cx, to, trial::reader(stream), None).await.expect("restored");
    let file = to.join(path.file_name().expect("a name"));
    (captured, file)
}

fn names_beside(path: &Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(path.parent().expect("a folder")).expect("folder");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("entry").file_name()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_database_with_all_in_its_log_comes_back_whole() {
    let home = tempfile::tempdir().expect("tempdir");
    let path = home.path().join("from/app.db");
    std::fs::create_dir(home.path().join("from")).expect("folder");
    let live = fill(&path, "wal");
    live.execute_batch("pragma wal_autocheckpoint = 0; insert into orders (item) values ('only in the log')")
        .expect("row");
    let before = names_beside(&path);
    let cx = trial::context(home.path());
    let (captured, restored) = brought_back(&cx, &path, &home.path().join("to")).await;
    assert_eq!(names_beside(&path), before);
    let known = &captured.index.databases[0];
    assert_eq!(known.tables["orders"].rows, 1_001);
    assert_eq!(observe(&cx, &restored, "app.db", Level::Content).expect("observed"), *known);
    assert_eq!(names_beside(&restored), ["app.db"]);
    let shell = Command::new("sqlite3")
        .arg(&restored)
        .arg("select count(*) from orders where item = 'ONLY IN THE LOG'")
        .output();
    let shell = shell.unwrap_or_else(|error| panic!("sqlite3: {error}; install it: apt-get install sqlite3"));
    assert_eq!(String::from_utf8_lossy(&shell.stdout), "1\n");
}

#[tokio::test]
async fn what_is_known_of_a_database_is_all_of_it() {
    let home = tempfile::tempdir().expect("tempdir");
    let path = home.path().join("app.db");
    fill(&path, "delete");
    let known = copy(&trial::context(home.path()), &path, "app.db").expect("copied").database;
    let tables: Vec<_> = known.tables.keys().map(String::as_str).collect();
    let shadows = ["notes_config", "notes_content", "notes_data", "notes_docsize", "notes_idx"];
    assert_eq!(tables, [&shadows[..], &["odd \"name", "orders"]].concat());
    assert_eq!(known.objects["sequence"]["orders"], "at 1000");
    assert_eq!(known.objects["index"]["by_item"], "CREATE INDEX by_item on orders (item)");
    assert_eq!(known.objects["trigger"].len() + known.objects["view"].len(), 2);
    assert_eq!(known.objects["integrity"]["check"], "ok");
    assert_eq!(known.settings["user_version"], "7");
}

#[tokio::test]
async fn a_database_nobody_uses_is_left_without_a_trace() {
    for journal in ["wal", "delete"] {
        let home = tempfile::tempdir().expect("tempdir");
        let path = home.path().join("from/app.db");
        std::fs::create_dir(home.path().join("from")).expect("folder");
        drop(fill(&path, journal));
        let bytes = std::fs::read(&path).expect("bytes");
        let cx = trial::context(home.path());
        let first = trial::captured(&source(&path), &cx).await.expect("captured");
        let second = trial::captured(&source(&path), &cx).await.expect("captured");
        assert_eq!(first.0.index, second.0.index);
        assert!(first.1 == second.1, "{journal}: the streams differ");
        assert_eq!(names_beside(&path), ["app.db"], "{journal}");
        assert!(bytes == std::fs::read(&path).expect("bytes"), "{journal}: the source was written to");
        assert_eq!(names_beside(&home.path().join("x")), ["from"], "{journal}: the copy was left in the run's folder");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_copy_of_a_database_that_is_written_to_all_the_while_is_of_one_moment() {
    for journal in ["wal", "delete"] {
        let home = tempfile::tempdir().expect("tempdir");
        let path = home.path().join("bank.db");
        let live = Connection::open(&path).expect("database");
        live.busy_timeout(std::time::Duration::from_secs(60)).expect("patience");
        live.execute_batch(&format!(
            "pragma journal_mode = {journal}; create table a (n, fill); create table b (n, fill);"
        ))
        .expect("tables");
        let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let (stop, written) = (&stop, &written);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let n = written.fetch_add(1, Ordering::Relaxed);
                    live.execute_batch(&format!(
                        "begin immediate; insert into a values ({n}, zeroblob(4000)); insert into b values (-{n}, zeroblob(4000)); commit"
                    ))
                    .expect("transfer");
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            });
            let cx = trial::context(home.path());
            while written.load(Ordering::Relaxed) < 100 {
                let copied = copy(&cx, &path, "bank.db").expect("copied");
                let at = home.path().join("copy.db");
                let mut bytes = vec![0; usize::try_from(copied.size).expect("small")];
                rustix::io::pread(&copied.file, &mut bytes[..], 0).expect("read");
                std::fs::write(&at, bytes).expect("written");
                let sum = "select (select total(n) from a) + (select total(n) from b)";
                let sum: f64 =
                    super::connect::at_rest(&at).expect("opened").query_row(sum, [], |row| row.get(0)).expect("sum");
                assert_eq!((sum, copied.database.tables["a"].rows), (0.0, copied.database.tables["b"].rows));
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}

#[tokio::test]
async fn a_canary_comes_back_and_leaves_no_trace() {
    for journal in ["wal", "delete"] {
        let home = tempfile::tempdir().expect("tempdir");
        let path = home.path().join("app.db");
        let _live = fill(&path, journal);
        let cx = trial::context(home.path());
        let database = || copy(&cx, &path, "app.db").expect("copied").database;
        let before = database();
        let canary = Canary { run: cx.run.clone(), nonce: "4711".into(), planted_at: cx.clock.now() };
        source(&path).plant(&cx, &canary).await.expect("planted");
        assert_eq!(source(&path).plant(&cx, &canary).await.expect_err("twice").kind(), Kind::Refused);
        assert_eq!(database(), before, "the canary is in the index");
        let (_, restored) = brought_back(&cx, &path, &home.path().join("to")).await;
        let seen = super::seen_canary(&restored, &cx.run).expect("read").expect("seen");
        assert_eq!((seen.nonce, seen.planted_at), (canary.nonce, canary.planted_at));
        assert_eq!(super::seen_canary(&restored, "another").expect("read"), None);
        let later = Context { run: "later".into(), ..cx.clone() };
        let observed = super::observe(&later, &restored, "app.db", Level::Content).expect("observed");
        assert_eq!(observed, before, "another run that restores the snapshot passes over its canary");
        assert_eq!(source(&path).unplant(&cx, "another").await.expect("not there"), Removal::Absent);
        assert_eq!(source(&path).unplant(&cx, &cx.run).await.expect("there"), Removal::Removed);
        assert_eq!(source(&path).unplant(&cx, &cx.run).await.expect("gone"), Removal::Absent);
        assert_eq!(database(), before);
    }
}

#[tokio::test]
async fn a_damaged_database_is_not_backed_up_as_if_it_were_whole() {
    let home = tempfile::tempdir().expect("tempdir");
    let path = home.path().join("app.db");
    drop(fill(&path, "delete"));
    let cx = trial::context(home.path());
    let mut bytes = std::fs::read(&path).expect("bytes");
    let index = (0..bytes.len() / 4096)
        .map(|page| page * 4096)
        .skip(2)
        .find(|at| bytes[*at] == 10 || bytes[*at] == 2)
        .expect("a page of an index");
    bytes[index + 8..index + 40].fill(0xee);
    std::fs::write(&path, bytes).expect("damaged");
    let damaged = trial::captured(&source(&path), &cx).await.expect_err("damaged");
    assert_eq!(damaged.kind(), Kind::Unrestorable, "{damaged}");
    std::fs::write(&path, "this is text, and longer than a header of a hundred bytes would be. ".repeat(50))
        .expect("no database");
    assert_eq!(trial::captured(&source(&path), &cx).await.expect_err("none").kind(), Kind::Unrestorable);
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(trial::captured(&source(&path), &cx).await.expect_err("gone").kind(), Kind::NotFound);
}

async fn query(path: &Path, sql: &str) -> crate::Result<crate::Rows> {
    crate::Rows::of(|answer| super::query(path, sql, answer)).await
}

#[tokio::test]
async fn queries_read_all_types_and_change_nothing() {
    let home = tempfile::tempdir().expect("tempdir");
    let path = home.path().join("app.db");
    let live = fill(&path, "wal");
    let rows =
        query(&path, "select 1 as a, 2.0, 'three', x'04ff', null union all select 5, 6, 7, 8, 9").await.expect("rows");
    assert_eq!(rows.columns, ["a", "2.0", "'three'", "x'04ff'", "null"]);
    let shown: Vec<Option<&str>> = rows.rows[0].iter().map(Option::as_deref).collect();
    assert_eq!(shown, [Some("1"), Some("2.0"), Some("three"), Some("04ff"), None]);
    let many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2500) select i from n";
    let many = query(&path, many).await.expect("rows");
    assert_eq!((many.count, many.rows.len()), (2_500, 1_000));
    assert!(query(&path, "delete from orders").await.is_err());
    assert_eq!(query(&path, "select from").await.expect_err("no query").kind(), Kind::Config);
    assert_eq!(query(&path, "select 1 from gone").await.expect_err("no table").kind(), Kind::Unrestorable);
    drop(live);
    query(&path, "select count(*) from orders").await.expect("rows");
    assert_eq!(names_beside(&path), ["app.db"], "a query left files behind");
    let newest = super::newest(&path, "select '2026-01-31 12:00:00' union all select 'never'").await.expect("newest");
    assert_eq!(newest.map(|time| time.to_string()).as_deref(), Some("2026-01-31T12:00:00Z"));
    assert_eq!(super::newest(&path, "select null").await.expect("newest"), None);
    assert_eq!(super::newest(&path, "select 'never'").await.expect_err("no time").kind(), Kind::Config);
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_is_interrupted() {
    let home = tempfile::tempdir().expect("tempdir");
    let path = home.path().join("app.db");
    drop(fill(&path, "delete"));
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n";
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(200), query(&path, endless)).await;
    assert!(given_up.is_err());
    // The runtime waits for its threads when it ends: if the query went on, so would this test.
}

/// A change, and how to make it on a copy of the database.
fn changed(home: &Path, cx: &Context, change: &str) -> (Database, Database) {
    let path = home.join("app.db");
    drop(fill(&path, "delete"));
    let before = copy(cx, &path, "app.db").expect("copied").database;
    Connection::open(&path).expect("opened").execute_batch(change).expect(change);
    let after = copy(cx, &path, "app.db").expect("copied").database;
    (before, after)
}

#[test]
fn each_change_of_content_or_schema_shows() {
    for (change, subject) in [
        ("update orders set scan = x'00' where id = 500", "table:app.db:orders"),
        ("update orders set item = cast(item as blob) where id = 500", "table:app.db:orders"),
        ("delete from orders where id = 500", "table:app.db:orders"),
        ("drop index by_item", "index:app.db:by_item"),
        ("drop trigger upper", "trigger:app.db:upper"),
        ("drop view cheap; create view cheap as select * from orders where price < 2", "view:app.db:cheap"),
        ("update sqlite_sequence set seq = 5000", "sequence:app.db:orders"),
        ("pragma user_version = 8", "setting:app.db:user_version"),
        ("create table more (x)", "table:app.db:more"),
    ] {
        let home = tempfile::tempdir().expect("tempdir");
        let (before, after) = changed(home.path(), &trial::context(home.path()), change);
        let index = |database| crate::Index { databases: vec![database], ..crate::Index::new(crate::Format::Tar) };
        let found = crate::differences(&index(before), &index(after), Level::Content);
        assert!(found.iter().any(|(named, _)| named == subject), "{change}: {found:?}");
        assert!(found.iter().all(|(named, _)| named == subject), "{change}: {found:?}");
    }
}

#[test]
fn the_order_of_rows_does_not_matter_but_their_number_and_types_do() {
    let home = tempfile::tempdir().expect("tempdir");
    let fingerprint = |name: &str, rows: &str| {
        let path = home.path().join(name);
        Connection::open(&path)
            .expect("database")
            .execute_batch(&format!("create table t (a, b); insert into t values {rows}"))
            .expect("rows");
        let known = copy(&trial::context(home.path()), &path, name).expect("copied").database;
        known.tables["t"].fingerprint.clone().expect("a fingerprint")
    };
    let same = fingerprint("1", "(1, 'a'), (2, 'b'), (null, x'')");
    assert_eq!(same, fingerprint("2", "(null, x''), (2, 'b'), (1, 'a')"));
    for (number, other) in [
        "(1, 'a'), (2, 'b'), (null, '')",
        "(1, 'a'), (2, 'b')",
        "(1.0, 'a'), (2, 'b'), (null, x'')",
        "(1, 'a'), (1, 'a'), (2, 'b'), (null, x'')",
        "(1, 'b'), (2, 'a'), (null, x'')",
    ]
    .into_iter()
    .enumerate()
    {
        assert_ne!(same, fingerprint(&format!("other-{number}"), other), "{other}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damage_in_a_restored_database_is_an_error_or_shows_but_never_panics(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..50)
    ) {
        let home = tempfile::tempdir().expect("tempdir");
        let (cx, path) = (trial::context(home.path()), home.path().join("app.db"));
        drop(fill(&path, "delete"));
        let mut bytes = std::fs::read(&path).expect("bytes");
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        std::fs::write(&path, bytes).expect("damaged");
        let _ = observe(&cx, &path, "app.db", Level::Content);
    }
}
