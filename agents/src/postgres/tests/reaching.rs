//! Reaching a source, and not reaching it.

use drill_scenarios::Reference;

use super::fixture::{Fixture, capture};
use crate::{Canary, Error, Kind, Source};

const HBA: &str = "local all app scram-sha-256";
const APP: &str =
    "CREATE ROLE app LOGIN PASSWORD 'correct horse'; CREATE TABLE t (v integer); ALTER TABLE t OWNER TO app";

fn described(fixture: &Fixture, password: &str) -> drill_scenarios::PostgresSource {
    std::fs::write(fixture.folder.join("password"), format!("{password}\n")).expect("password");
    drill_scenarios::PostgresSource {
        url: Some(fixture.url("app", "shop")),
        password: Some(Reference::File("password".into())),
        ..fixture.described()
    }
}

async fn refused(fixture: &Fixture, described: &drill_scenarios::PostgresSource) -> Error {
    fixture.open(described).expect("source").identity(&fixture.cx).await.expect_err("not reached")
}

#[tokio::test]
async fn a_password_reaches_the_server_and_pg_dump_and_no_text() {
    let fixture = Fixture::start_with(&[], HBA).await;
    fixture.fill(APP).await;
    let right = fixture.open(&described(&fixture, "correct horse")).expect("source");
    right.identity(&fixture.cx).await.expect("identity");
    let (captured, _) = capture(&fixture.cx, &right).await.expect("capture");
    assert_eq!(captured.index.databases[0].tables["public.t"].rows, 0);
    assert!(!format!("{right:?}").contains("correct horse"));

    std::fs::write(fixture.folder.join("url"), fixture.url("app:correct%20horse", "shop")).expect("url");
    let from = drill_scenarios::PostgresSource {
        url: None,
        url_from: Some(Reference::File("url".into())),
        ..fixture.described()
    };
    let from = fixture.open(&from).expect("source");
    capture(&fixture.cx, &from).await.expect("capture");
    assert_eq!(fixture.cx.secrets.scrub("correct horse, correct%20horse"), "[secret], [secret]");
}

#[tokio::test]
async fn what_keeps_us_from_the_source_is_told_apart() {
    let fixture = Fixture::start_with(&[], HBA).await;
    fixture.fill(APP).await;
    let wrong = refused(&fixture, &described(&fixture, "wrong")).await;
    assert_eq!(wrong.kind(), Kind::Denied, "{}", wrong.chain());
    assert!(wrong.chain().contains("password authentication failed") && wrong.next_step().is_some());

    let elsewhere = |url: String| drill_scenarios::PostgresSource { url: Some(url), ..fixture.described() };
    let missing = refused(&fixture, &elsewhere(fixture.url("postgres", "nowhere"))).await;
    assert_eq!(missing.kind(), Kind::NotFound, "{}", missing.chain());
    let nobody = refused(&fixture, &elsewhere(fixture.url("nobody_at_all", "shop"))).await;
    assert_eq!(nobody.kind(), Kind::Denied, "{}", nobody.chain());
    let down = refused(&fixture, &elsewhere("postgresql://u@/d?host=/nonexistent".into())).await;
    assert_eq!(down.kind(), Kind::Unavailable, "{}", down.chain());
    assert!(down.is_temporary());
}

#[tokio::test]
async fn rights_that_are_missing_are_denied_by_name() {
    let fixture = Fixture::start_with(&[], HBA).await;
    let client = fixture.fill(APP).await;
    client.batch_execute("CREATE TABLE closed (v integer)").await.expect("table");
    let source = fixture.open(&described(&fixture, "correct horse")).expect("source");
    let error = capture(&fixture.cx, &source).await.expect_err("may not read");
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.chain().contains("permission denied for table closed"), "{}", error.chain());
    let canary = Canary { run: "r".into(), nonce: "n".into(), planted_at: fixture.cx.clock.now() };
    let error = source.plant(&fixture.cx, &canary).await.expect_err("may not create");
    assert_eq!((error.kind(), error.next_step().is_some()), (Kind::Denied, true), "{}", error.chain());
}

#[tokio::test]
async fn a_url_that_is_malformed_or_holds_a_password_is_refused_without_quoting_it() {
    let fixture = Fixture::start().await;
    let open = |url: &str| {
        let described = drill_scenarios::PostgresSource { url: Some(url.into()), ..fixture.described() };
        fixture.open(&described).expect_err("refused")
    };
    let held = open("postgresql://u:sesame@h/d");
    assert_eq!(held.kind(), Kind::Config);
    assert!(!held.chain().contains("sesame") && held.next_step().is_some_and(|hint| hint.contains("url_from")));
    assert_eq!(open("postgresql://u@h:port/d").kind(), Kind::Config);
    assert_eq!(open("postgresql://u@h/d?sslmode=verify-ca").kind(), Kind::Config);
}

#[tokio::test]
async fn a_pg_dump_that_is_missing_is_said_before_anything_is_done() {
    let fixture = Fixture::start().await;
    fixture.fill("").await;
    let without = drill_scenarios::PostgresSource { bin: Some("empty".into()), ..fixture.described() };
    let error = refused(&fixture, &without).await;
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.next_step().is_some_and(|hint| hint.contains("Correct `bin`")), "{error:?}");
}

#[tokio::test]
async fn identity_is_the_servers_own_and_estimates_grow_with_the_data() {
    let fixture = Fixture::start().await;
    let client = fixture.fill("CREATE TABLE t (v text)").await;
    let source = fixture.source();
    let identity = source.identity(&fixture.cx).await.expect("identity");
    assert!(identity.values["system_identifier"].parse::<u64>().is_ok_and(|id| id > 0));
    assert_eq!(identity.values["database"], "shop");
    let before = source.estimate(&fixture.cx).await.expect("estimate");
    client
        .batch_execute("INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
        .await
        .expect("insert");
    let after = source.estimate(&fixture.cx).await.expect("estimate");
    assert_eq!(after.items, 1);
    assert!(
        after.stream_bytes > before.stream_bytes + 20_000_000 && after.restored_bytes > after.stream_bytes,
        "{after:?}"
    );
}
