//! Reaching a source, and not reaching it.

use drill_scenarios::Reference;

use super::fixture::{Fixture, database, subjects};
use crate::trial::captured;
use crate::{Canary, Error, Kind, Source};

const APP: &str =
    "CREATE USER app IDENTIFIED BY 'correct horse'; CREATE TABLE t (v int); CREATE FUNCTION f() RETURNS int RETURN 1";
const READER: &str = "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON shop.* TO app; GRANT SELECT ON mysql.proc TO app";

fn described(fixture: &Fixture, password: &str) -> drill_scenarios::MariadbSource {
    std::fs::write(fixture.folder.join("password"), format!("{password}\n")).expect("password");
    drill_scenarios::MariadbSource {
        url: Some(fixture.url("app", "shop")),
        password: Some(Reference::File("password".into())),
        ..fixture.described()
    }
}

async fn refused(fixture: &Fixture, described: &drill_scenarios::MariadbSource) -> Error {
    fixture.open(described).expect("source").identity(&fixture.cx).await.expect_err("not reached")
}

#[tokio::test]
async fn a_password_reaches_the_server_and_the_dump_and_no_text() {
    let fixture = Fixture::start().await;
    fixture.fill(APP).await;
    fixture.fill(READER).await;
    let right = fixture.open(&described(&fixture, "correct horse")).expect("source");
    right.identity(&fixture.cx).await.expect("identity");
    let (taken, _) = captured(&right, &fixture.cx).await.expect("capture");
    assert_eq!(database(&taken).tables["t"].rows, 0);
    assert_eq!(database(&taken).objects["function"].len(), 1);
    assert_eq!(subjects(&taken), ["database shop"], "who lacks RELOAD reads twice, and it is said");
    assert!(!format!("{right:?}").contains("correct horse"));

    std::fs::write(fixture.folder.join("url"), fixture.url("app:correct%20horse", "shop")).expect("url");
    let from = drill_scenarios::MariadbSource {
        url: None,
        url_from: Some(Reference::File("url".into())),
        ..fixture.described()
    };
    captured(&fixture.open(&from).expect("source"), &fixture.cx).await.expect("capture");
    assert_eq!(fixture.cx.secrets.scrub("correct horse, correct%20horse"), "[secret], [secret]");
}

#[tokio::test]
async fn what_keeps_us_from_the_source_is_told_apart() {
    let fixture = Fixture::start().await;
    fixture.fill(APP).await;
    let wrong = refused(&fixture, &described(&fixture, "wrong")).await;
    assert_eq!(wrong.kind(), Kind::Denied, "{}", wrong.chain());
    assert!(wrong.chain().contains("Access denied") && wrong.next_step().is_some());
    let elsewhere = |url: String| drill_scenarios::MariadbSource { url: Some(url), ..fixture.described() };
    let missing = refused(&fixture, &elsewhere(fixture.url("root", "nowhere"))).await;
    assert_eq!(missing.kind(), Kind::NotFound, "{}", missing.chain());
    let down = refused(&fixture, &elsewhere("mariadb://u@localhost/d?socket=/nonexistent/s".into())).await;
    assert_eq!(down.kind(), Kind::Unavailable, "{}", down.chain());
    assert!(down.is_temporary());
    let system = fixture.open(&elsewhere(fixture.url("root", "mysql"))).expect_err("the server's own");
    assert_eq!(system.kind(), Kind::Config);
    let held = fixture.open(&elsewhere("mariadb://u:sesame@h/d".into())).expect_err("refused");
    assert!(!held.chain().contains("sesame") && held.next_step().is_some_and(|hint| hint.contains("url_from")));
    let without = drill_scenarios::MariadbSource { bin: Some("empty".into()), ..fixture.described() };
    let error = refused(&fixture, &without).await;
    assert!(error.next_step().is_some_and(|hint| hint.contains("Correct `bin`")), "{error:?}");
}

#[tokio::test]
async fn a_user_from_whom_something_is_hidden_is_refused_with_what_to_grant() {
    let fixture = Fixture::start().await;
    fixture.fill(APP).await;
    fixture.fill("GRANT SELECT ON shop.* TO app").await;
    let source = described(&fixture, "correct horse");
    let error = refused(&fixture, &source).await;
    assert_eq!(error.kind(), Kind::Denied);
    assert_eq!(error.next_step(), Some("Grant it: `GRANT SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO 'app'@'%'`."));
    fixture.fill("GRANT SHOW VIEW, TRIGGER, EVENT ON `sh%`.* TO app").await;
    let error = refused(&fixture, &source).await;
    assert!(
        error.next_step().is_some_and(|hint| hint.contains("GRANT SELECT ON mysql.proc TO 'app'@'%'")),
        "{error:?}"
    );
    assert_eq!(
        captured(&fixture.open(&source).expect("source"), &fixture.cx).await.expect_err("too").kind(),
        Kind::Denied
    );
    let canary = Canary { run: "r".into(), nonce: "n".into(), planted_at: fixture.cx.clock.now() };
    let error = fixture.open(&source).expect("source").plant(&fixture.cx, &canary).await.expect_err("may not create");
    assert_eq!((error.kind(), error.next_step().is_some()), (Kind::Denied, true), "{}", error.chain());
}

#[tokio::test]
async fn identity_is_the_servers_own_and_estimates_grow_with_the_data() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t (v text)").await;
    let source = fixture.source();
    let identity = source.identity(&fixture.cx).await.expect("identity");
    assert_eq!(identity.values["database"], "shop");
    assert!(identity.values["version"].ends_with("-MariaDB"), "{identity}");
    assert!(identity.values.contains_key("inode") && identity.values.contains_key("hostname"), "{identity}");
    let before = source.estimate(&fixture.cx).await.expect("estimate");
    fixture.fill("INSERT INTO t SELECT repeat('x', 1000) FROM seq_1_to_20000; ANALYZE TABLE t").await;
    let after = source.estimate(&fixture.cx).await.expect("estimate");
    assert_eq!(after.items, 1);
    assert!(
        after.stream_bytes > before.stream_bytes + 15_000_000 && after.restored_bytes > after.stream_bytes,
        "{after:?}"
    );
}

#[tokio::test]
async fn a_lock_that_is_not_had_soon_is_done_without() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t (v int)").await;
    let mut other = fixture.session().await;
    other.run("locking", "LOCK TABLES t WRITE").await.expect("locked");
    let source = fixture.source();
    let capturing = captured(&source, &fixture.cx);
    let freeing = async {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        other.run("unlocking", "UNLOCK TABLES").await.expect("unlocked");
    };
    let (taken, ()) = tokio::join!(capturing, freeing);
    let (taken, _) = taken.expect("captured");
    let why = taken.notes.iter().find(|note| note.subject == "database shop").expect("a note");
    assert!(why.statement.contains("kept the lock from being had within 3 s"), "{why:?}");
}

#[tokio::test]
async fn a_dump_that_is_cut_or_fails_is_no_backup() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t AS SELECT seq FROM seq_1_to_10000").await;
    let path = fixture.folder.join("bin/mariadb-dump");
    std::fs::create_dir(fixture.folder.join("bin")).expect("bin");
    let described = drill_scenarios::MariadbSource { bin: Some("bin".into()), ..fixture.described() };
    for (script, told) in [
        ("mariadb-dump \"$@\" | head -c 5000", "its dump is cut"),
        ("mariadb-dump \"$@\" | sed '$d'", "its dump is cut"),
        ("mariadb-dump \"$@\"; echo 'it broke' >&2; exit 3", "it broke"),
        ("kill -9 $$", "signal 9"),
    ] {
        let version = "[ \"$1\" = --version ] && exec mariadb-dump --version\n";
        std::fs::write(&path, format!("#!/bin/sh\n{version}{script}\n")).expect("script");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
        let failed = captured(&fixture.open(&described).expect("source"), &fixture.cx).await.expect_err(script);
        assert!(failed.chain().contains(told), "{script}: {}", failed.chain());
        assert_eq!(failed.kind(), Kind::Unavailable, "{script}");
    }
    let script = "#!/bin/sh\n[ \"$1\" = --version ] || echo 'Warning: beware' >&2\nexec mariadb-dump \"$@\"\n";
    std::fs::write(&path, script).expect("script");
    let (taken, _) = captured(&fixture.open(&described).expect("source"), &fixture.cx).await.expect("captured");
    assert!(taken.notes.iter().any(|note| note.statement == "Warning: beware"), "{:?}", taken.notes);
}
