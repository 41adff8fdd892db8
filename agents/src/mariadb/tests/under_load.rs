//! A source that is written to while it is captured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fixture::{Fixture, database, subjects};
use crate::mariadb::fingerprint::{self, Holder};

const SCHEMA: &str = "
    CREATE TABLE account (id int AUTO_INCREMENT PRIMARY KEY, balance bigint NOT NULL);
    CREATE TABLE movement (id bigint AUTO_INCREMENT PRIMARY KEY, account int NOT NULL, amount bigint NOT NULL);
    CREATE TABLE quiet (id int PRIMARY KEY);
    CREATE TABLE note (id int) ENGINE = MyISAM;
    CREATE TABLE still (id int) ENGINE = MyISAM;
    INSERT INTO account (balance) SELECT 1000 FROM seq_1_to_20000;
    INSERT INTO movement (account, amount) SELECT seq % 20000 + 1, 1 FROM seq_1_to_100000;
    INSERT INTO quiet SELECT seq FROM seq_1_to_100; INSERT INTO still VALUES (1)";

/// Captures with and without the lock while somebody writes, and compares.
async fn capture_while_somebody_writes(lock: bool) {
    let fixture = Fixture::start().await;
    fixture.fill(SCHEMA).await;
    let mut session = fixture.session().await;
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut writes = 0;
            while !stop.load(Ordering::Relaxed) {
                let account = writes % 20_000 + 1;
                for sql in [
                    "BEGIN".to_owned(),
                    format!("UPDATE account SET balance = balance - 1 WHERE id = {account}"),
                    format!("INSERT INTO movement (account, amount) VALUES ({account}, 1)"),
                    "COMMIT".to_owned(),
                    "INSERT INTO note VALUES (1)".to_owned(),
                ] {
                    session.run("writing", &sql).await.expect("write");
                }
                writes += 1;
            }
            writes
        }
    });
    let source = fixture.open(&drill_scenarios::MariadbSource { lock, ..fixture.described() }).expect("source");
    let (captured, stream) = fixture.capture(&source).await;
    stop.store(true, Ordering::Relaxed);
    assert!(writing.await.expect("writer") > 50, "the writer did write");
    let facts = database(&captured);
    let restless: Vec<&str> = facts.restless.iter().map(String::as_str).collect();
    if lock {
        assert_eq!(restless, ["table:note"], "what one transaction reads is exact");
    } else {
        assert_eq!(restless, ["table:account", "table:movement", "table:note"]);
        let why = captured.notes.iter().find(|note| note.subject == "database shop").expect("a note");
        assert!(why.statement.contains("`lock` is false"), "{why:?}");
    }
    let counter = &facts.objects["auto_increment"]["movement"];
    assert!(counter.starts_with("between "), "{counter}");
    assert!(subjects(&captured).contains(&"table still"), "not transactional is said");
    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    let mut session = environed.session().await;
    session.run("changing", "UPDATE quiet SET id = 1000 WHERE id = 1").await.expect("change");
    session.run("changing", "DROP TABLE note").await.expect("drop");
    session.run("changing", "ALTER TABLE movement AUTO_INCREMENT = 4000000").await.expect("counter");
    let found = environed.differences(&fixture.cx, &captured).await;
    for subject in ["table:quiet", "table:note", "auto_increment:movement"] {
        assert!(found.contains(subject), "{subject} in {found:?}");
    }
    environed.release(&fixture.cx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_are_those_of_the_dump_while_others_write() {
    capture_while_somebody_writes(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_what_changed_is_compared_by_no_more_than_that_it_is_there() {
    capture_while_somebody_writes(false).await;
}

#[tokio::test]
async fn a_table_that_was_read_may_be_changed_while_the_others_are() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t AS SELECT 1 AS v; CREATE TABLE u AS SELECT 1 AS v").await;
    let mut reader = fixture.session().await;
    reader.prepare().await.expect("prepared");
    let holders = Holder::all(&mut reader).await.expect("tables");
    reader.begin().await.expect("begun");
    let read = fingerprint::contents(&mut reader, holders.iter(), true).await.expect("read");
    assert_eq!(read.len(), 2);
    let mut other = fixture.session().await;
    other.run("preparing", "SET SESSION lock_wait_timeout = 1").await.expect("set");
    other.run("changing", "ALTER TABLE t ADD COLUMN w int").await.expect("nobody is in the way");
    reader.run("reading", "SELECT v FROM u").await.expect("the transaction goes on");
}
