//! What goes in comes back.

use drill_scenarios::{Level, Newest};

use super::fixture::{Environed, Fixture, RICH, database, scratch, subjects};
use crate::mark::Removal;
use crate::trial::{captured, reader};
use crate::{Canary, Kind, Source};

#[tokio::test]
async fn a_database_with_one_of_everything_comes_back_without_a_difference() {
    let fixture = Fixture::start().await;
    fixture.fill(RICH).await;
    let (captured, stream) = fixture.capture(&fixture.source()).await;
    let facts = database(&captured);
    let noted = ["table old", "table older", "table odds", "table versioned", "table merged"];
    assert_eq!(subjects(&captured), noted, "what a dump can't hold whole is said: {:?}", captured.notes);
    assert_eq!(facts.tables["item"].rows, 20_000);
    assert!(!facts.tables.contains_key("merged") && facts.objects["table"].contains_key("merged"));
    assert_eq!(facts.objects["index"]["item.by_long"], "KEY `by_long` (`customer`,`net`) COMMENT 'two columns'");
    assert_eq!(facts.objects["auto_increment"]["empty_"], "at 1");
    assert!(facts.objects["function"]["vat"].contains("-- 19 % in the land of 'quotes'"), "comments are a part");
    assert_eq!(facts.restless, [""; 0]);
    assert!(facts.roles.contains(&"app@10.0.%".to_owned()), "{:?}", facts.roles);
    let (again, _) = fixture.capture(&fixture.source()).await;
    assert_eq!(again.index, captured.index, "an unchanged source gives an equal index");

    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    let noted: Vec<&str> = restored.notes.iter().map(|note| note.subject.as_str()).collect();
    assert_eq!(noted, ["scratch server"], "it is faster than one that is kept");
    let (observed, differences) = environed.differences_at(&fixture.cx, &captured, Level::Content).await;
    assert_eq!(differences, [].into());
    assert_eq!(observed.tables, facts.tables);
    let (counted, differences) = environed.differences_at(&fixture.cx, &captured, Level::Count).await;
    assert_eq!((counted.tables["item"].rows, counted.tables["item"].fingerprint.as_ref()), (20_000, None));
    assert_eq!(differences, [].into());
    let total = environed.environment.query(&fixture.cx, "SELECT count(*) FROM totals", None).await;
    assert_eq!(total.expect("a view whose definer exists by name only").rows, [[Some("3".into())]]);
    let login = environed
        .environment
        .query(
            &fixture.cx,
            "SELECT count(*) FROM mysql.global_priv WHERE user = 'app' AND json_value(priv, '$.account_locked') = 1",
            None,
        )
        .await;
    assert_eq!(login.expect("accounts").rows, [[Some("1".into())]], "nobody can log in");
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn a_stream_that_is_cut_or_garbage_is_unrestorable_and_an_empty_database_is_a_backup_too() {
    let fixture = Fixture::start().await;
    let (empty, stream) = fixture.capture(&fixture.source()).await;
    assert_eq!(database(&empty).tables, [].into());
    let mut environed = Environed::provision(&fixture.cx, scratch(), &empty.index).await.expect("provision");
    let restored = environed.environment.restore(&fixture.cx, &empty.index, reader(stream)).await.expect("restore");
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(environed.differences(&fixture.cx, &empty).await, [].into());

    fixture.fill("CREATE TABLE t AS SELECT seq, md5(seq) AS v FROM seq_1_to_20000; CREATE INDEX i ON t (seq)").await;
    let (captured, whole) = fixture.capture(&fixture.source()).await;
    let cuts = [0, 3, 100, whole.len() / 2, whole.len() - 1];
    let streams = cuts.iter().map(|cut| whole[..*cut].to_vec()).chain([vec![7; 1 << 20]]);
    for bytes in streams {
        let length = bytes.len();
        let failed = environed.environment.restore(&fixture.cx, &captured.index, reader(bytes)).await;
        let error = failed.expect_err("cut");
        assert_eq!(error.kind(), Kind::Unrestorable, "{length} of {} bytes: {}", whole.len(), error.chain());
    }
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn the_canary_comes_back_and_is_no_difference_and_a_timestamp_tells_the_newest() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t (at timestamp NULL); INSERT INTO t VALUES ('2026-02-03 04:05:06')").await;
    let source = fixture.source();
    let (cx, now) = (&fixture.cx, fixture.cx.clock.now());
    let canary = Canary { run: cx.run.clone(), nonce: "it's 42\\".into(), planted_at: now };
    let others = Canary { run: "another".into(), ..canary.clone() };
    source.plant(cx, &canary).await.expect("plant");
    source.plant(cx, &others).await.expect("plant another's");
    let (captured, stream) = fixture.capture(&source).await;
    assert_eq!(subjects(&captured), ["table drillctl_canary_another"]);

    let (environed, restored) = fixture.restore(&captured, stream).await;
    assert_eq!(restored.complaints, [""; 0]);
    assert_eq!(environed.differences(cx, &captured).await, [].into());
    let seen = environed.environment.canary(cx).await.expect("canary").expect("it came back");
    assert_eq!((seen.nonce.as_str(), seen.planted_at), ("it's 42\\", now));
    let newest = environed.environment.newest(cx, None, None).await.expect("newest");
    assert_eq!(newest.map(|(at, _)| at), Some(now));
    let sql = Newest::Sql("select max(at) from t".into());
    let newest = environed.environment.newest(cx, Some(&sql), None).await.expect("newest").expect("one");
    assert_eq!(newest.0.to_string(), "2026-02-03T04:05:06Z");
    let wrong = Newest::Sql("select 'no time'".into());
    assert_eq!(environed.environment.newest(cx, Some(&wrong), None).await.expect_err("no time").kind(), Kind::Config);
    let files = Newest::Files("*".into());
    assert_eq!(environed.environment.newest(cx, Some(&files), None).await.expect_err("no files").kind(), Kind::Config);
    environed.release(cx).await;

    assert_eq!(source.unplant(cx, &cx.run).await.expect("unplant"), Removal::Removed);
    assert_eq!(source.unplant(cx, &cx.run).await.expect("again"), Removal::Absent);
    let left = "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'drillctl%'";
    assert_eq!(
        fixture.session().await.text("counting", left).await.expect("count"),
        "1",
        "another run's is left alone"
    );
    fixture.fill("CREATE TABLE drillctl_canary_mine (v int)").await;
    assert_eq!(source.unplant(cx, "mine").await.expect_err("no mark").kind(), Kind::Refused);
}

#[tokio::test]
async fn what_the_server_does_not_take_is_a_complaint_and_what_it_lacks_is_no_fault_of_the_backup() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t (v int); CREATE TABLE u (v int)").await;
    let (mut captured, stream) = fixture.capture(&fixture.source()).await;
    let text = String::from_utf8(stream).expect("a dump in ASCII");
    let broken = text.replacen("CREATE TABLE `t`", "CREATE TABEL `t`", 1).into_bytes();
    let (environed, restored) = fixture.restore(&captured, broken).await;
    assert!(restored.complaints[0].starts_with("ERROR 1064 (42000): You have an error"), "{:?}", restored.complaints);
    let found = environed.differences(&fixture.cx, &captured).await;
    assert!(found.contains("table:t") && !found.contains("table:u"), "it went on: {found:?}");
    environed.release(&fixture.cx).await;

    for (setting, needed, told) in [
        ("engines", "InnoDB, ROCKSDB", "apt-get install mariadb-plugin-rocksdb"),
        ("collations", "utf8mb4_0900_ai_ci", "as new as the source"),
    ] {
        let mut lacking = captured.clone();
        lacking.index.databases[0].settings.insert(setting.into(), needed.into());
        let error = Environed::provision(&fixture.cx, scratch(), &lacking.index).await.err().expect("lacks it");
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.next_step().is_some_and(|hint| hint.contains(told)), "{error:?}");
        crate::Scratch::release(&scratch(), &fixture.cx, &crate::Scratch::place(&scratch(), &fixture.cx))
            .await
            .expect("release");
    }
    captured.index.databases[0].version = "99.1.1-MariaDB".into();
    let error = Environed::provision(&fixture.cx, scratch(), &captured.index).await.err().expect("older");
    assert!(error.chain().contains("does not fit the older"), "{}", error.chain());
}

#[tokio::test]
async fn a_dump_that_lacks_what_the_database_has_is_seen() {
    let fixture = Fixture::start().await;
    fixture.fill(RICH).await;
    let bin = fixture.folder.join("bin");
    std::fs::create_dir(&bin).expect("bin");
    for (option, instead, lost) in [
        ("--triggers", "--skip-triggers", "trigger:touch"),
        ("--routines", "--skip-routines", "function:vat"),
        ("--events", "--skip-events", "event:nightly"),
        ("--quick", "--ignore-table=shop.twins", "table:twins"),
        ("--hex-blob", "--no-data", "table:item"),
    ] {
        let arguments = format!("$(printf '%s\\n' \"$@\" | sed 's/^{option}$/{instead}/')");
        let path = bin.join("mariadb-dump");
        std::fs::write(&path, format!("#!/bin/sh\nexec mariadb-dump {arguments}\n")).expect("script");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
        let described = drill_scenarios::MariadbSource { bin: Some("bin".into()), ..fixture.described() };
        let (taken, stream) = captured(&fixture.open(&described).expect("source"), &fixture.cx).await.expect("capture");
        let (environed, _) = fixture.restore(&taken, stream).await;
        let found = environed.differences(&fixture.cx, &taken).await;
        assert!(found.contains(lost), "{instead}: {found:?}");
        environed.release(&fixture.cx).await;
    }
}

#[tokio::test]
async fn probes_query_and_can_change_nothing() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t AS SELECT seq AS n, nullif(seq, 2) AS v FROM seq_1_to_1500; CREATE TABLE m (v int) ENGINE = MyISAM").await;
    let (_, environed) = fixture.round_trip().await;
    let query = |sql: &'static str| environed.environment.query(&fixture.cx, sql, None);
    let rows = query("SELECT n, v FROM t ORDER BY n").await.expect("rows");
    assert_eq!((rows.count, rows.rows.len()), (1500, 1000));
    assert_eq!(rows.columns, ["n", "v"]);
    assert_eq!(rows.rows[1], [Some("2".into()), None]);
    for change in ["DELETE FROM t", "INSERT INTO m VALUES (1)", "DROP TABLE t", "TRUNCATE t"] {
        assert_eq!(query(change).await.expect_err(change).kind(), Kind::Config, "{change}");
    }
    assert_eq!(query("SELECT count(*) FROM t").await.expect("count").rows, [[Some("1500".into())]]);
    assert_eq!(query("SELEC").await.expect_err("no SQL").kind(), Kind::Config);
    assert_eq!(query("SELECT * FROM gone").await.expect_err("no table").kind(), Kind::NotFound);
    environed.release(&fixture.cx).await;
}
