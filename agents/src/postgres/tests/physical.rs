//! A whole cluster, copied and recovered.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use drill_scenarios::Level;

use super::fixture::{Environed, Fixture, RICH, capture, reader};
use crate::postgres::cluster::Cluster;
use crate::postgres::programs::Programs;
use crate::postgres::site::Site;
use crate::scratches::PostgresScratch;
use crate::{Canary, Captured, Format, Kind, Scratch, Source, differences};

fn scratch() -> PostgresScratch {
    PostgresScratch::open(&drill_scenarios::PostgresScratch::default()).expect("scratch")
}

/// Everything that is not the same as when it was captured.
async fn found(fixture: &Fixture, environed: &Environed, captured: &Captured) -> Vec<(String, String)> {
    let observed = environed.environment.observe(&fixture.cx, &captured.index, Level::Content).await.expect("observe");
    differences(&captured.index, &observed, Level::Content)
}

/// Restores what must not come up; returns kind and words of the error.
async fn refused(fixture: &Fixture, captured: &Captured, stream: Vec<u8>) -> (Kind, String) {
    let mut environed = Environed::provision(&fixture.cx, scratch(), &captured.index).await.expect("provision");
    let stream = stream.chunks(1 << 20).map(Bytes::copy_from_slice).collect();
    let failed = environed.environment.restore(&fixture.cx, &captured.index, reader(stream)).await;
    let error = failed.expect_err("it must not come up");
    environed.release(&fixture.cx).await;
    (error.kind(), error.chain())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_database_of_a_cluster_comes_back_and_nothing_of_what_it_was_set_to_do() {
    let fixture = Fixture::start().await;
    let client = fixture.fill(RICH).await;
    let more = "CREATE UNLOGGED TABLE hasty AS SELECT 1 AS v; CREATE TABLE kept AS SELECT 'x' AS v;
                CREATE MATERIALIZED VIEW stale AS SELECT * FROM kept; INSERT INTO kept VALUES ('y')";
    client.batch_execute(more).await.expect("more");
    let settings = [
        "archive_command TO 'touch /nonexistent/archived'",
        "shared_preload_libraries TO 'no_such_library'",
        "restore_command TO 'false'",
        "data_directory TO '/nonexistent'",
        "listen_addresses TO '*'",
    ];
    for setting in settings {
        client.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.ok();
    }
    client.batch_execute("CREATE DATABASE \"Other \"\"db\"\"\"").await.expect("another");
    let other = fixture.try_connect("postgres", "Other \"db\"").await.expect("connect");
    other.batch_execute("CREATE TABLE kept AS SELECT n FROM generate_series(1, 100) n").await.expect("fill");
    let source = fixture.cluster();
    let (cx, identity) = (&fixture.cx, source.identity(&fixture.cx).await.expect("identity"));
    let canary = Canary { run: cx.run.clone(), nonce: "42".into(), planted_at: cx.clock.now() };
    source.plant(cx, &canary).await.expect("plant");

    let (captured, stream) = fixture.capture(&source).await;
    let names: Vec<&str> = captured.index.databases.iter().map(|database| database.name.as_str()).collect();
    assert_eq!(names, ["shop", "Other \"db\"", "postgres", "template1"]);
    let noted: Vec<&str> = captured.notes.iter().map(|note| note.subject.as_str()).collect();
    assert_eq!(noted, ["table shop:public.hasty", "table shop:public.scrap"], "{:?}", captured.notes);
    assert!(captured.index.databases.iter().all(|database| database.restless.is_empty()));
    assert!(captured.index.entries.len() > 900 && captured.index.format == Format::PgBase);

    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert!(!environed.environment.identity().is_same_as(&identity));
    assert!(identity.values.contains_key("inode"), "the source tells its folder: {identity}");
    assert_eq!(found(&fixture, &environed, &captured).await, []);
    let seen = environed.environment.canary(cx).await.expect("canary").expect("it came back");
    assert_eq!((seen.nonce.as_str(), seen.planted_at), ("42", canary.planted_at));
    let told = "SELECT concat_ws(' ', current_setting('archive_mode'), current_setting('archive_command'),
                current_setting('shared_preload_libraries'), current_setting('restore_command'), current_setting('listen_addresses'),
                pg_is_in_recovery(), current_setting('data_directory'))";
    let told: String = environed.client().await.query_one(told, &[]).await.expect("asked").get(0);
    assert_eq!(told, format!("off (disabled)    f {}", environed.place.folder.join("data").display()));
    environed.release(cx).await;
}

/// As if the cluster had been made on a host with other libraries.
const SORTED_ELSEWHERE: &str = "
    CREATE COLLATION german (provider = icu, locale = 'de');
    CREATE TABLE people (name text COLLATE german PRIMARY KEY, town text, born date);
    CREATE INDEX by_town ON people (town); CREATE INDEX by_birth ON people (born);
    UPDATE pg_collation SET collversion = '1.2.3' WHERE collname = 'german';
    UPDATE pg_database SET datcollversion = '4.5.6' WHERE datname = 'shop'";

#[tokio::test(flavor = "multi_thread")]
async fn indexes_that_were_built_by_other_rules_for_sorting_are_named_and_are_no_fault_of_the_backup() {
    let fixture = Fixture::start().await;
    fixture.fill(SORTED_ELSEWHERE).await;
    let (captured, stream) = fixture.capture(&fixture.cluster()).await;
    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    let told: Vec<String> = restored.notes.iter().map(|note| format!("{}: {}", note.subject, note.statement)).collect();
    assert!(
        told[0].contains("shop: By collation default, the index public.by_town is sorted by version 4.5.6"),
        "{told:?}"
    );
    assert!(told[1].contains("german, the index public.people_pkey is sorted by version 1.2.3"), "{told:?}");
    assert!(!told.concat().contains("by_birth"), "{told:?}");
    environed.release(&fixture.cx).await;
}

const SCHEMA: &str = "
    CREATE TABLE account (id serial PRIMARY KEY, balance bigint NOT NULL);
    CREATE TABLE movement (id bigserial PRIMARY KEY, account integer NOT NULL, amount bigint NOT NULL);
    CREATE TABLE still AS SELECT n FROM generate_series(1, 10000) n;
    INSERT INTO account (balance) SELECT 1000 FROM generate_series(1, 20000)";

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_the_files_are_copied_is_named_and_the_rest_compared() {
    let fixture = Fixture::start().await;
    let client = fixture.fill(SCHEMA).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut writes = 0;
            while !stop.load(Ordering::Relaxed) {
                let sql = format!(
                    "BEGIN; UPDATE account SET balance = balance - 1 WHERE id = {0};
                     INSERT INTO movement (account, amount) VALUES ({0}, 1); COMMIT",
                    writes % 20_000 + 1
                );
                client.batch_execute(&sql).await.expect("write");
                writes += 1;
            }
            writes
        }
    });
    let (captured, stream) = fixture.capture(&fixture.cluster()).await;
    stop.store(true, Ordering::Relaxed);
    let writes: i64 = writing.await.expect("writer");
    let restless = &captured.index.databases[0].restless;
    let expected = ["sequence:public.movement_id_seq", "table:public.account", "table:public.movement"];
    assert_eq!(restless, &expected);
    let note = captured.notes.iter().find(|note| note.subject == "database shop").expect("a note");
    assert!(note.statement.contains("table:public.movement"), "{note:?}");

    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(found(&fixture, &environed, &captured).await, []);
    let client = environed.client().await;
    let sum = "SELECT count(*), (SELECT sum(1000 - balance)::bigint FROM account) FROM movement";
    let row = client.query_one(sum, &[]).await.expect("asked");
    let (moved, taken): (i64, i64) = (row.get(0), row.get(1));
    assert!(
        moved == taken && moved > 0 && moved <= writes,
        "a transaction is there whole or not at all: {moved}, {taken}"
    );
    client.batch_execute("DELETE FROM still WHERE n = 5; DROP TABLE account").await.expect("change");
    let subjects: BTreeSet<String> = found(&fixture, &environed, &captured).await.into_iter().map(|(s, _)| s).collect();
    assert!(subjects.contains("table:shop:public.still"), "{subjects:?}");
    assert!(subjects.contains("table:shop:public.account"), "{subjects:?}");
    assert!(!subjects.contains("table:shop:public.movement"), "{subjects:?}");
    environed.release(&fixture.cx).await;
}

/// The archive made anew after this was done to its files.
fn changed(stream: &[u8], change: impl FnOnce(&Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("tempdir");
    let (file, files) = (folder.path().join("b.tar"), folder.path().join("files"));
    std::fs::create_dir(&files).expect("folder");
    std::fs::write(&file, stream).expect("archive");
    let unpacked = Command::new("tar").arg("-xpf").arg(&file).arg("-C").arg(&files).status().expect("tar");
    assert!(unpacked.success());
    change(&files);
    let packed = Command::new("tar").args(["--format=ustar", "-cf", "-", "-C"]).arg(&files).arg(".").output();
    packed.expect("tar").stdout
}

fn position(stream: &[u8], of: &[u8]) -> usize {
    stream.windows(of.len()).position(|window| window == of).expect("it is in the archive")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_in_a_file_of_the_cluster_is_named_with_its_table() {
    let fixture = Fixture::start().await;
    let client = fixture.fill("CREATE TABLE t AS SELECT 'a needle in the heap' AS v").await;
    let path: String = client.query_one("SELECT pg_relation_filepath('t')", &[]).await.expect("asked").get(0);
    let (captured, stream) = fixture.capture(&fixture.cluster()).await;
    let mut stream = stream.concat();
    let at = position(&stream, b"a needle in the heap");
    stream[at] = b'A';
    let (environed, restored) = fixture.restore(&captured, vec![stream.into()]).await;
    assert_eq!(restored.complaints, [""; 0]);
    let found = found(&fixture, &environed, &captured).await;
    let subjects: Vec<&str> = found.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(subjects, [path.as_str(), "table:shop:public.t"], "{found:?}");
    assert!(found[0].1.starts_with("sha256 "), "{found:?}");
    environed.release(&fixture.cx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_can_not_be_recovered_is_unrestorable() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n").await;
    let (captured, stream) = fixture.capture(&fixture.cluster()).await;
    let stream = stream.concat();
    let without = changed(&stream, |files| {
        let wal = std::fs::read_dir(files.join("pg_wal")).expect("WAL").flatten();
        let segments: Vec<_> = wal.filter(|entry| entry.path().is_file()).collect();
        assert!(!segments.is_empty());
        segments.iter().for_each(|segment| std::fs::remove_file(segment.path()).expect("removed"));
    });
    let (kind, said) = refused(&fixture, &captured, without).await;
    assert_eq!(kind, Kind::Unrestorable, "{said}");
    assert!(said.contains("does not come up"), "{said}");

    let control = changed(&stream, |files| {
        let file = files.join("global/pg_control");
        let mut bytes = std::fs::read(&file).expect("control file");
        bytes[40] ^= 0xff;
        std::fs::write(&file, bytes).expect("changed");
    });
    let (kind, said) = refused(&fixture, &captured, control).await;
    assert_eq!(kind, Kind::Unrestorable, "{said}");
    assert!(said.contains("1 of its files are not what its manifest says: global/pg_control"), "{said}");

    for length in [stream.len() / 2, stream.len() - 1000, 0] {
        let (kind, said) = refused(&fixture, &captured, stream[..length].to_vec()).await;
        assert_eq!(kind, Kind::Unrestorable, "{length}: {said}");
        assert!(said.contains("cut off"), "{said}");
    }
    let linked = changed(&stream, |files| {
        std::os::unix::fs::symlink("/nonexistent", files.join("pg_tblspc/16385")).expect("link");
    });
    let (kind, said) = refused(&fixture, &captured, linked).await;
    assert_eq!(kind, Kind::Unrestorable, "{said}");
    assert!(said.contains("pg_tblspc/16385 in the backup leads out"), "{said}");
}

#[tokio::test]
async fn who_may_not_copy_a_cluster_or_has_one_that_no_stream_carries_is_told_so_before() {
    let fixture = Fixture::start().await;
    let rights = "CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader;
                  GRANT EXECUTE ON FUNCTION pg_control_system() TO reader";
    let client = fixture.fill(rights).await;
    let described = drill_scenarios::PostgresSource {
        method: drill_scenarios::PostgresMethod::Physical,
        url: Some(fixture.url("reader", "shop")),
        ..fixture.described()
    };
    let source = crate::sources::BaseBackupSource::open(&described, &fixture.cx.secrets).expect("source");
    let denied = source.identity(&fixture.cx).await.expect_err("no right");
    assert_eq!(denied.kind(), Kind::Denied);
    assert!(denied.next_step().is_some_and(|hint| hint.contains("ALTER ROLE reader REPLICATION")), "{denied:?}");
    client.batch_execute("ALTER ROLE reader REPLICATION").await.expect("right");
    source.identity(&fixture.cx).await.expect("now it may");
    capture(&fixture.cx, &source).await.expect("and needs no more");

    let folder = fixture.folder.join("fast");
    std::fs::create_dir(&folder).expect("folder");
    let account = crate::postgres::site::account().expect("account");
    std::os::unix::fs::chown(&folder, Some(account.uid), Some(account.gid)).expect("chown");
    client.batch_execute(&format!("CREATE TABLESPACE fast LOCATION '{}'", folder.display())).await.expect("tablespace");
    let refused = fixture.cluster().identity(&fixture.cx).await.expect_err("a tablespace");
    assert_eq!(refused.kind(), Kind::Config);
    assert!(refused.chain().contains("fast"), "{}", refused.chain());
}

#[tokio::test]
async fn an_answer_of_another_server_than_the_one_that_was_started_ends_the_drill() {
    let fixture = Fixture::start().await;
    let (cx, place, bin) = (&fixture.cx, scratch().place(&fixture.cx), fixture.folder.join("bin"));
    let real = Programs::fitting(cx, None, &["postgres"], 0).await.expect("PostgreSQL").version;
    std::fs::create_dir(&bin).expect("bin");
    let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'postgres (PostgreSQL) {real}' || exec sleep 60\n");
    std::fs::write(bin.join("postgres"), script).expect("a server that never answers");
    std::fs::set_permissions(bin.join("postgres"), std::fs::Permissions::from_mode(0o755)).expect("mode");
    let programs = Programs::fitting(cx, Some(&bin), &["postgres"], 0).await.expect("programs");
    let site = Site::make(cx, &place, programs).expect("site");
    let source = fixture.folder.join("sockets/.s.PGSQL.5432");
    std::os::unix::fs::symlink(source, site.sockets.join(".s.PGSQL.5432")).expect("a way to the source");
    let another = Cluster::start(cx, site, ("postgres", "postgres"), Duration::from_secs(60)).await;
    assert_eq!(another.expect_err("the source").kind(), Kind::Refused);
    scratch().release(cx, &place).await.expect("release");
}

#[tokio::test]
async fn a_copied_cluster_goes_neither_into_the_source_nor_under_another_version() {
    let fixture = Fixture::start().await;
    fixture.fill("").await;
    let (cx, identity) = (&fixture.cx, fixture.cluster().identity(&fixture.cx).await.expect("identity"));
    let admitted = scratch().admit(cx, &scratch().place(cx), &identity, &Format::PgBase).await;
    admitted.expect("elsewhere");
    let another = drill_scenarios::PostgresScratch { version: Some(99), ..Default::default() };
    let another = PostgresScratch::open(&another).expect("scratch");
    let unfit = another.admit(cx, &another.place(cx), &identity, &Format::PgBase).await.expect_err("another version");
    assert!(unfit.chain().contains("a physical backup of PostgreSQL"), "{}", unfit.chain());
    std::os::unix::fs::symlink(fixture.folder.join("source"), fixture.folder.join("alias")).expect("link");
    std::os::unix::fs::symlink(fixture.folder.join("source/base"), fixture.folder.join("deep")).expect("link");
    for path in ["source/base/here", "alias/here", "deep/here"] {
        let inside = drill_scenarios::PostgresScratch { path: Some(path.into()), ..Default::default() };
        let inside = PostgresScratch::open(&inside).expect("scratch");
        let refused = inside.admit(cx, &inside.place(cx), &identity, &Format::PgBase).await.expect_err(path);
        assert_eq!(refused.kind(), Kind::Refused, "{path}");
    }
}
