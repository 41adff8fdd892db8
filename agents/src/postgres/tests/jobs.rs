//! Several dumps under one snapshot, and loading them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::fixture::{Environed, Fixture, RICH, capture, reader};
use crate::postgres::dump::Part;
use crate::postgres::scope::Scope;
use crate::postgres::shares;
use crate::scratches::PostgresScratch;
use crate::{Canary, Format, Kind, Source, tree};

/// Tables of odd names and every family, each with more than is worth a place of its own.
const BIG: &str = r#"
CREATE FUNCTION filler(n integer) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT repeat(md5(n::text), 30)';
CREATE SCHEMA "Odd. *schema*";
CREATE TABLE "Odd. *schema*"."a|b(c)? ""$1"" ü" AS SELECT n, filler(n) AS v FROM generate_series(1, 7000) n;
CREATE TABLE parted (n serial, v text) PARTITION BY RANGE (n);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (7000);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (7000) TO (20000);
INSERT INTO parted (v) SELECT filler(n) FROM generate_series(1, 14000) n;
CREATE TABLE parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
CREATE TABLE child (more integer) INHERITS (parent);
INSERT INTO parent (v) SELECT filler(n) FROM generate_series(1, 7000) n;
INSERT INTO child (id, v) SELECT n, filler(n) FROM generate_series(1, 7000) n;
CREATE UNLOGGED TABLE hasty AS SELECT filler(n) FROM generate_series(1, 7000) n;
CREATE TABLE refers (id integer PRIMARY KEY, parent bigint REFERENCES parent);
INSERT INTO refers SELECT n, n FROM generate_series(1, 100) n;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM parted;
SELECT lo_from_bytea(0, decode(repeat(md5('x'), 100000), 'hex'));
"#;

/// The files of an archive: for each folder its pieces, put together.
fn folders(stream: &[u8]) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut folders = BTreeMap::<PathBuf, Vec<u8>>::new();
    tree::read_files(stream, 1 << 20, |path, bytes| {
        folders.entry(path.parent().expect("a folder").into()).or_default().extend(bytes);
        Ok(())
    })
    .expect("an archive of small files");
    folders
}

#[tokio::test]
async fn a_database_with_one_of_everything_comes_back_from_several_dumps_without_a_difference() {
    let fixture = Fixture::start().await;
    fixture.fill(RICH).await.batch_execute(BIG).await.expect("big tables");
    let (one, _) = fixture.capture(&fixture.source()).await;
    let source = fixture.source_with_jobs(4);
    let canary = Canary { run: fixture.cx.run.clone(), nonce: "n".into(), planted_at: fixture.cx.clock.now() };
    source.plant(&fixture.cx, &canary).await.expect("plant");
    source.plant(&fixture.cx, &Canary { run: "another".into(), ..canary }).await.expect("plant another's");
    let (captured, stream) = fixture.capture(&source).await;
    assert_eq!(captured.index.format, Format::PgDumps);
    assert_eq!(captured.index.databases, one.index.databases, "the facts are those of one dump");
    let names: Vec<PathBuf> = folders(&stream.concat()).into_keys().collect();
    let expected = ["data-01", "data-02", "data-03", "data-04", "post-data", "pre-data"];
    assert_eq!(names, expected.map(PathBuf::from));

    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    assert!(environed.environment.canary(&fixture.cx).await.expect("canary").is_some());
    let others = "SELECT to_regnamespace('drillctl_canary_another') IS NULL";
    assert!(environed.client().await.query_one(others, &[]).await.expect("asked").get::<_, bool>(0));
    assert!(!environed.place.folder.join("post-data.pgdump").exists(), "it has done its duty");
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn a_table_that_is_read_in_pieces_has_the_fingerprint_of_the_whole() {
    let fixture = Fixture::start().await;
    let sql = "CREATE TABLE sparse (n integer, v text) WITH (fillfactor = 10);
               INSERT INTO sparse SELECT n, repeat('x', 600) FROM generate_series(1, 40000) n; ANALYZE sparse";
    let client = fixture.fill(sql).await;
    let pages = client.query_one("SELECT relpages FROM pg_class WHERE relname = 'sparse'", &[]).await.expect("asked");
    assert!(pages.get::<_, i32>(0) > 2 * 16_384, "three pieces");
    let (captured, stream) = fixture.capture(&fixture.source()).await;
    let (environed, _) = fixture.restore(&captured, stream).await;
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    let client = environed.client().await;
    client.batch_execute("UPDATE sparse SET v = 'y' WHERE n = 20000").await.expect("change");
    assert_eq!(environed.differences(&fixture.cx, &captured).await, ["rows of public.sparse".to_owned()].into());
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn every_table_is_dealt_to_one_dump_whatever_its_name_and_family() {
    let fixture = Fixture::start().await;
    let client = fixture.fill(BIG).await;
    let parts = shares::deal(&client, &Scope::default(), 3).await.expect("dealt");
    let [Part::RowsBut(but), Part::RowsOf(second), Part::RowsOf(third)] = &parts[..] else { panic!("{parts:?}") };
    assert_eq!(*but, [second.clone(), third.clone()].concat(), "what others take, the first does not");
    let names: BTreeSet<&str> = but.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names.len(), but.len(), "none twice");
    assert!(!second.is_empty() && !third.is_empty() && names.len() < 6, "{names:?}: the first has its share too");
    let roots = ["parted", "counted", "refers"];
    assert!(names.is_disjoint(&roots.into()), "{names:?}: what holds no rows of its own, or few, is not dealt");

    let one_schema = Scope { schemas: vec!["Odd. *schema*".into()] };
    let parts = shares::deal(&client, &one_schema, 2).await.expect("dealt");
    assert!(matches!(&parts[..], [Part::RowsBut(none)] if none.is_empty()), "the only table is the first's: {parts:?}");
}

#[tokio::test]
async fn chosen_schemas_are_taken_by_several_dumps_too() {
    let fixture = Fixture::start().await;
    fixture
        .fill(BIG)
        .await
        .batch_execute("CREATE TABLE \"Odd. *schema*\".second AS TABLE child")
        .await
        .expect("second");
    let mut described = fixture.described();
    (described.schemas, described.jobs) = (vec!["Odd. *schema*".into()], 2);
    let source = fixture.open(&described).expect("source");
    let (captured, stream) = fixture.capture(&source).await;
    let names: Vec<PathBuf> = folders(&stream.concat()).into_keys().collect();
    assert_eq!(names, ["data-01", "data-02", "post-data", "pre-data"].map(PathBuf::from));
    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    environed.release(&fixture.cx).await;
}

/// Whoever writes the archive anew does it with its members in this order.
fn archive(fixture: &Fixture, members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut queue) = crate::SealWriter::new(64, &fixture.cx.buffers);
    let mut archive = tree::Archive::new(&fixture.cx, &mut out);
    for (path, bytes) in members {
        archive.put_own(Path::new(path), 0, bytes).expect("put");
    }
    archive.finish().expect("finish");
    let written = futures::executor::block_on(out.finish()).expect("written");
    let mut bytes = Vec::new();
    while let Ok(piece) = queue.try_recv() {
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(bytes.len() as u64, written);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_cut_or_lacks_a_piece_is_unrestorable() {
    let fixture = Fixture::start().await;
    fixture.fill(BIG).await;
    let (captured, stream) = capture(&fixture.cx, &fixture.source_with_jobs(2)).await.expect("capture");
    let whole = stream.concat();
    let folders = folders(&whole);
    let [first, second, after, before] =
        ["data-01", "data-02", "post-data", "pre-data"].map(|name| &folders[Path::new(name)][..]);
    let (now, later) = second.split_at(1 << 20);
    let (later, last) = later.split_at(100_000);
    let scratch = PostgresScratch::open(&drill_scenarios::PostgresScratch::default()).expect("scratch");
    for (damage, bytes) in [
        ("cut in the middle", whole[..whole.len() / 2].to_vec()),
        ("cut before its end", whole[..whole.len() - 20_000].to_vec()),
        ("empty", Vec::new()),
        ("garbage", vec![7; 1 << 20]),
        ("without the end", archive(&fixture, &[("pre-data/0", before), ("data-01/0", &first[..1 << 20])])),
        (
            "a dump lacks its end",
            archive(&fixture, &[("pre-data/0", before), ("data-02/0", now), ("post-data/0", after)]),
        ),
        (
            "a dump lacks a piece",
            archive(
                &fixture,
                &[("pre-data/0", before), ("data-02/0", now), ("data-02/2", &last[..1 << 19]), ("post-data/0", after)],
            ),
        ),
        ("out of order", archive(&fixture, &[("data-02/0", now), ("data-02/1", later), ("pre-data/0", before)])),
        ("something else", archive(&fixture, &[("pre-data/0", before), ("readme", b"x")])),
    ] {
        let mut environed =
            Environed::provision(&fixture.cx, scratch.clone(), &captured.index).await.expect("provision");
        let stream = bytes.chunks(1 << 20).map(|piece| piece.to_vec().into()).collect();
        let failed = environed.environment.restore(&fixture.cx, &captured.index, reader(stream)).await;
        let error = failed.expect_err(damage);
        assert_eq!(error.kind(), Kind::Unrestorable, "{damage}: {}", error.chain());
        environed.release(&fixture.cx).await;
    }
}

#[tokio::test]
async fn a_dump_that_may_not_be_taken_says_why_and_leaves_nothing_running() {
    let fixture = Fixture::start().await;
    fixture.fill(BIG).await.batch_execute("CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader; GRANT EXECUTE ON FUNCTION pg_control_system() TO reader; ALTER TABLE child ENABLE ROW LEVEL SECURITY").await.expect("a reader");
    let described =
        drill_scenarios::PostgresSource { url: Some(fixture.url("reader", "shop")), jobs: 3, ..fixture.described() };
    let source = fixture.open(&described).expect("source");
    let denied = capture(&fixture.cx, &source).await.expect_err("row security");
    assert!(denied.chain().contains("row-level security"), "{}", denied.chain());
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drillctl' AND usename = 'reader'";
    let client = fixture.client().await;
    for _ in 0..200 {
        if client.query_one(left, &[]).await.expect("asked").get::<_, i64>(0) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("sessions are left");
}
