//! What goes in comes back.

use drill_scenarios::{Level, Newest};

use super::fixture::{Environed, Fixture, RICH, capture, reader};
use crate::mark::Removal;
use crate::scratches::PostgresScratch;
use crate::{Canary, Format, Kind, Scratch, Source};

#[tokio::test]
async fn a_database_with_one_of_everything_comes_back_without_a_difference() {
    let fixture = Fixture::start().await;
    fixture.fill(RICH).await;
    let source = fixture.source();
    let (captured, stream) = fixture.capture(&source).await;
    let database = &captured.index.databases[0];
    assert_eq!(captured.notes, [], "nothing was left out");
    assert_eq!(database.tables["sales.item"].rows, 20_000);
    assert_eq!(database.tables["large objects"].rows, 3);
    assert!(database.roles.contains(&"Weird \"role\" ü".to_owned()));
    let (again, _) = fixture.capture(&source).await;
    assert_eq!(again.index, captured.index, "an unchanged source gives an equal index");

    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    let noted: Vec<&str> = restored.notes.iter().map(|note| note.subject.as_str()).collect();
    assert_eq!(noted, ["scratch server"], "it is faster than one that is kept");
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    let counted = environed.environment.observe(&fixture.cx, &captured.index, Level::Count).await.expect("observe");
    let item = &counted.databases[0].tables["sales.item"];
    assert_eq!((item.rows, item.fingerprint.as_ref()), (20_000, None));
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn an_empty_database_is_a_backup_too() {
    let fixture = Fixture::start().await;
    fixture.fill("").await;
    let (captured, stream) = fixture.capture(&fixture.source()).await;
    assert_eq!(captured.index.databases[0].tables, [].into());
    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn chosen_schemas_come_back_with_their_extensions_and_nothing_else() {
    let fixture = Fixture::start().await;
    fixture.fill(RICH).await;
    let mut described = fixture.described();
    described.schemas = vec!["sales".into(), "Odd \"schema\" ß".into()];
    let source = fixture.open(&described).expect("source");
    let canary = Canary { run: fixture.cx.run.clone(), nonce: "n".into(), planted_at: fixture.cx.clock.now() };
    source.plant(&fixture.cx, &canary).await.expect("plant");
    let (captured, stream) = fixture.capture(&source).await;
    let tables = &captured.index.databases[0].tables;
    assert!(tables.contains_key("sales.item") && !tables.keys().any(|name| name.starts_with("public.")), "{tables:?}");
    assert!(captured.notes.iter().any(|note| note.subject == "large objects"), "{:?}", captured.notes);
    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    assert!(environed.environment.canary(&fixture.cx).await.expect("canary").is_some());
    environed.release(&fixture.cx).await;

    described.schemas = vec!["nowhere".into()];
    let missing = fixture.open(&described).expect("source").identity(&fixture.cx).await.expect_err("no such schema");
    assert_eq!(missing.kind(), Kind::NotFound);
}

#[tokio::test]
async fn the_canary_comes_back_and_is_no_difference() {
    let fixture = Fixture::start().await;
    let client = fixture.fill("CREATE TABLE t (at timestamptz); INSERT INTO t VALUES ('2026-02-03 04:05:06+00')").await;
    let source = fixture.source();
    let (cx, now) = (&fixture.cx, fixture.cx.clock.now());
    let canary = Canary { run: cx.run.clone(), nonce: "it's 42".into(), planted_at: now };
    let others = Canary { run: "another".into(), ..canary.clone() };
    source.plant(cx, &canary).await.expect("plant");
    source.plant(cx, &others).await.expect("plant another's");
    let (captured, stream) = fixture.capture(&source).await;
    let left: Vec<&str> = captured.notes.iter().map(|note| note.subject.as_str()).collect();
    assert_eq!(left, ["schema drillctl_canary_another"]);

    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(environed.differences(cx, &captured).await, [].into());
    let seen = environed.environment.canary(cx).await.expect("canary").expect("it came back");
    assert_eq!((seen.nonce.as_str(), seen.planted_at), ("it's 42", now));
    let newest = environed.environment.newest(cx, None, None).await.expect("newest");
    assert_eq!(newest.map(|(at, _)| at), Some(now));
    let sql = Newest::Sql("select max(at) from t".into());
    let newest = environed.environment.newest(cx, Some(&sql), None).await.expect("newest").expect("one");
    assert_eq!(newest.0.to_string(), "2026-02-03T04:05:06Z");
    let wrong = Newest::Sql("select 'no time'".into());
    assert_eq!(environed.environment.newest(cx, Some(&wrong), None).await.expect_err("no time").kind(), Kind::Config);
    environed.release(cx).await;

    assert_eq!(source.unplant(cx, &cx.run).await.expect("unplant"), Removal::Removed);
    assert_eq!(source.unplant(cx, &cx.run).await.expect("again"), Removal::Absent);
    let left =
        client.query_one("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'drillctl%'", &[]).await.expect("count");
    assert_eq!(left.get::<_, i64>(0), 1, "another run's is left alone");
}

#[tokio::test]
async fn rows_of_a_materialised_view_are_compared_only_if_it_was_fresh() {
    let fixture = Fixture::start().await;
    let sql = "CREATE TABLE t (v integer); INSERT INTO t VALUES (1);
               CREATE MATERIALIZED VIEW stale AS SELECT * FROM t; CREATE VIEW between AS SELECT * FROM stale;
               CREATE MATERIALIZED VIEW reader AS SELECT * FROM between; CREATE MATERIALIZED VIEW other AS SELECT 7 AS v;
               INSERT INTO t VALUES (2)";
    fixture.fill(sql).await;
    let (captured, stream) = fixture.capture(&fixture.source()).await;
    let tables: Vec<&String> = captured.index.databases[0].tables.keys().collect();
    assert_eq!(tables, ["public.other", "public.t"]);
    let noted: Vec<&str> = captured.notes.iter().map(|note| note.subject.as_str()).collect();
    assert_eq!(noted, ["materialised view public.stale", "materialised view public.reader"]);
    let (environed, _) = fixture.restore(&captured, stream).await;
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn a_stream_that_is_cut_or_garbage_is_unrestorable() {
    let fixture = Fixture::start().await;
    fixture
        .fill("CREATE TABLE t AS SELECT n, md5(n::text) FROM generate_series(1, 20000) n; CREATE INDEX i ON t (n)")
        .await;
    let (captured, stream) = fixture.capture(&fixture.source()).await;
    let whole = stream.concat();
    let scratch = PostgresScratch::open(&drill_scenarios::PostgresScratch::default()).expect("scratch");
    let mut environed = Environed::provision(&fixture.cx, scratch, &captured.index).await.expect("provision");
    let cuts = [0, 3, 100, whole.len() / 2, whole.len() - 1];
    let streams =
        cuts.iter().map(|cut| whole[..*cut].to_vec()).chain([b"-- a plain dump\n".repeat(9), vec![7; 1 << 20]]);
    for bytes in streams {
        let length = bytes.len();
        let failed = environed.environment.restore(&fixture.cx, &captured.index, reader(vec![bytes.into()])).await;
        let error = failed.expect_err("cut");
        assert_eq!(error.kind(), Kind::Unrestorable, "{length} of {} bytes: {}", whole.len(), error.chain());
    }
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn a_dump_that_somebody_else_made_is_restored_without_its_roles() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE ROLE somebody; CREATE TABLE t (v integer); ALTER TABLE t OWNER TO somebody").await;
    let (mut captured, stream) = fixture.capture(&fixture.source()).await;
    captured.index.databases.clear();
    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert!(restored.notes[0].statement.contains("owners and grants are not restored"));
    let observed = environed.environment.observe(&fixture.cx, &captured.index, Level::Content).await.expect("observe");
    assert_eq!(observed.databases[0].tables["public.t"].rows, 0);
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn what_the_server_does_not_take_is_a_complaint() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE ROLE somebody; CREATE TABLE t (v integer); ALTER TABLE t OWNER TO somebody").await;
    let (mut captured, stream) = fixture.capture(&fixture.source()).await;
    captured.index.databases[0].roles.clear();
    let (environed, restored) = fixture.restore(&captured, stream).await;
    let [complaint] = &restored.complaints[..] else { panic!("{:?}", restored.complaints) };
    assert!(
        complaint.contains("OWNER TO somebody") && complaint.contains("role \"somebody\" does not exist"),
        "{complaint}"
    );
    let expected = ["grant table public.t", "owner table public.t"].map(String::from);
    assert_eq!(environed.differences(&fixture.cx, &captured).await, expected.into());
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn a_scratch_takes_only_what_it_can_restore() {
    let fixture = Fixture::start().await;
    fixture.fill("").await;
    let (cx, identity) = (&fixture.cx, fixture.source().identity(&fixture.cx).await.expect("identity"));
    let open = |change: fn(&mut drill_scenarios::PostgresScratch)| {
        let mut described = drill_scenarios::PostgresScratch::default();
        change(&mut described);
        PostgresScratch::open(&described)
    };
    let ordinary = open(|_| {}).expect("ordinary");
    let place = ordinary.place(cx);
    ordinary.admit(cx, &place, &identity, &Format::PgDump).await.expect("admitted");
    let tar = ordinary.admit(cx, &place, &identity, &Format::Tar).await.expect_err("no tree");
    assert_eq!(tar.kind(), Kind::Config);
    let old = open(|scratch| scratch.version = Some(9)).expect("old");
    assert!(
        old.admit(cx, &place, &identity, &Format::PgDump).await.expect_err("too old").chain().contains("does not fit")
    );
    let inside = open(|scratch| scratch.path = Some("source/base/here".into())).expect("inside");
    let refused = inside.admit(cx, &inside.place(cx), &identity, &Format::PgDump).await.expect_err("inside");
    assert_eq!(refused.kind(), Kind::Refused);
    let opened = open(|scratch| drop(scratch.settings.insert("listen_addresses".into(), "*".into())));
    assert_eq!(opened.expect_err("ours").kind(), Kind::Config);
    let broken = open(|scratch| drop(scratch.settings.insert("work_mem".into(), "lots".into()))).expect("broken");
    let (captured, _) = capture(cx, &fixture.source()).await.expect("capture");
    let failed = Environed::provision(cx, broken.clone(), &captured.index).await.err().expect("does not start");
    assert!(failed.chain().contains("work_mem"), "{}", failed.chain());
    broken.release(cx, &broken.place(cx)).await.expect("release");
}

#[tokio::test]
async fn a_database_keeps_its_encoding_and_name_and_a_locale_that_is_missing_here_is_noted() {
    let fixture = Fixture::start().await;
    let client = fixture.try_connect("postgres", "postgres").await.expect("connect");
    let create = "CREATE DATABASE \"Shops \"\"1\"\"\" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'";
    client.batch_execute(create).await.expect("create");
    let client = fixture.try_connect("postgres", "Shops \"1\"").await.expect("connect");
    client.batch_execute("CREATE TABLE \"é\" AS SELECT 'ÄÖÜ' AS v").await.expect("fill");
    let described = drill_scenarios::PostgresSource {
        url: Some(fixture.url("postgres", "Shops%20%221%22")),
        ..fixture.described()
    };
    let (mut captured, stream) = fixture.capture(&fixture.open(&described).expect("source")).await;
    let database = &mut captured.index.databases[0];
    assert_eq!((database.name.as_str(), database.settings["encoding"].as_str()), ("Shops \"1\"", "LATIN1"));
    database.settings.extend(["collate", "ctype"].map(|name| (name.to_owned(), "xx_YY.utf8".to_owned())));
    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert!(restored.notes[0].statement.contains("xx_yy.utf8"), "{:?}", restored.notes);
    assert_eq!(environed.environment.facts()["PGDATABASE"], "Shops \"1\"");
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn the_database_that_every_cluster_has_is_restored_under_its_name() {
    let fixture = Fixture::start().await;
    let client = fixture.try_connect("postgres", "postgres").await.expect("connect");
    client
        .batch_execute("CREATE TABLE t AS SELECT 1 AS v; ALTER DATABASE postgres SET search_path = public")
        .await
        .expect("fill");
    let described =
        drill_scenarios::PostgresSource { url: Some(fixture.url("postgres", "postgres")), ..fixture.described() };
    let (captured, stream) = fixture.capture(&fixture.open(&described).expect("source")).await;
    assert!(captured.notes[0].statement.contains("search_path"), "{:?}", captured.notes);
    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(environed.differences(&fixture.cx, &captured).await, [].into());
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn probes_query_without_changing_anything() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t AS SELECT n, nullif(n, 2) AS v FROM generate_series(1, 1500) n").await;
    let (captured, stream) = fixture.capture(&fixture.source()).await;
    let (environed, _) = fixture.restore(&captured, stream).await;
    let query = |sql: &'static str| environed.environment.query(&fixture.cx, sql, None);
    let rows = query("SELECT n, v FROM t ORDER BY n").await.expect("rows");
    assert_eq!((rows.count, rows.rows.len()), (1500, 1000));
    assert_eq!(rows.columns, ["n", "v"]);
    assert_eq!(rows.rows[1], [Some("2".into()), None]);
    query("DELETE FROM t").await.expect("delete");
    assert_eq!(query("SELECT count(*) FROM t").await.expect("count").rows, [[Some("1500".into())]]);
    assert_eq!(query("SELEC").await.expect_err("no SQL").kind(), Kind::Config);
    assert_eq!(query("SELECT * FROM gone").await.expect_err("no table").kind(), Kind::NotFound);
    environed.release(&fixture.cx).await;
}
