//! Drills of SQLite databases.

use std::process::Command;

use rusqlite::Connection;

use crate::support::{World, check, must};

fn live_database(world: &World, name: &str) -> Connection {
    let db = Connection::open(world.path(name)).expect("a database");
    db.execute_batch(
        "PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0;
         CREATE TABLE orders(id INTEGER PRIMARY KEY, item TEXT, at TEXT);
         CREATE INDEX orders_at ON orders(at);",
    )
    .expect("schema");
    for id in 0..500 {
        db.execute("INSERT INTO orders(id, item, at) VALUES (?1, 'thing', datetime('now'))", [id]).expect("row");
    }
    db
}

#[test]
fn a_live_database_is_taken_with_what_stands_only_in_its_wal() {
    let world = World::new();
    let _live = live_database(&world, "input/app.db");
    world.scenario(&[
        ("source", "{sqlite: {path: input/app.db, canary: true}}"),
        ("checks", "[{name: all orders are back, probe: {sql: {query: select count(*) from orders}}, expect: {value: {equals: 500}}}]"),
        ("objectives", "{rpo: 1h, promised_in: the tests, newest: {sql: 'select max(at) from orders'}}"),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    assert_eq!(check(&record, "canary")["outcome"], "passed");
    assert!(record["measurements"]["newest_by"].as_str().is_some_and(|by| by.contains("select max(at)")), "{record:#}");
    let tables = must(Command::new("sqlite3").arg(world.path("input/app.db")).arg(".tables"));
    assert_eq!(String::from_utf8_lossy(&tables.stdout).trim(), "orders", "the canary left the source");
}

#[test]
fn a_database_in_a_folder_is_taken_by_its_online_backup() {
    let world = World::new();
    let _live = live_database(&world, "input/app.db");
    world.write("input/readme", "text");
    world.scenario(&[
        ("source", "{directory: {path: input, sqlite: [app.db]}}"),
        (
            "checks",
            "[{name: orders, probe: {sql: {query: select count(*) from orders}}, expect: {value: {equals: 500}}}, \
                     {name: no journal, probe: {file: {path: 'app.db-*'}}, expect: {count: {equals: 0}}}]",
        ),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    let content = check(&record, "content")["observed"].as_str().expect("text").to_owned();
    assert!(content.contains("500 rows"), "{content}");
}
