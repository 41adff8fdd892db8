//! Reaching a server: passwords, users and their rights, and what is said where it fails.

use drill_scenarios::{RedisSource, Reference};

use super::fixture::Fixture;
use crate::trial::captured;
use crate::{Canary, Kind, Source};

fn with_password(fixture: &Fixture, password: &str) -> RedisSource {
    std::fs::write(fixture.folder.join("password"), password).expect("a file");
    RedisSource {
        url: Some(fixture.url()),
        password: Some(Reference::File("password".into())),
        ..RedisSource::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens_the_server_and_a_wrong_or_missing_one_is_named_without_being_told() {
    let fixture = Fixture::start_with(&["--requirepass", "open sesame"]).await;
    let identity = async |source: &RedisSource| fixture.open(source).expect("source").identity(&fixture.cx).await;
    identity(&with_password(&fixture, "open sesame")).await.expect("it opens");
    let wrong = identity(&with_password(&fixture, "close sesame")).await.expect_err("wrong");
    assert_eq!((wrong.kind(), wrong.next_step()), (Kind::Denied, Some("Check user and password.")));
    assert!(!format!("{wrong:?}").contains("sesame"), "{wrong:?}");
    let missing =
        identity(&RedisSource { url: Some(fixture.url()), ..RedisSource::default() }).await.expect_err("none");
    assert_eq!(missing.kind(), Kind::Denied, "{}", missing.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_needs_no_more_rights_than_the_hint_says() {
    let fixture = Fixture::start_with(&["--port", "0", "--bind", "127.0.0.1"]).await;
    let port = free_port();
    fixture.send(&format!("SET a 1\nACL SETUSER drill on >secret-word +ping +info\nCONFIG SET port {port}")).await;
    let url_from = fixture.folder.join("url");
    std::fs::write(&url_from, format!("redis://drill:secret-word@127.0.0.1:{port}")).expect("a file");
    let described = RedisSource { url_from: Some(Reference::File(url_from)), ..RedisSource::default() };
    let (source, cx) = (fixture.open(&described).expect("source"), &fixture.cx);
    source.identity(cx).await.expect("it may ask");
    let denied = captured(&source, cx).await.expect_err("no right");
    assert_eq!(denied.kind(), Kind::Denied, "{}", denied.chain());
    let hint = denied.next_step().expect("a hint");
    let rights = hint.split('`').filter(|part| part.contains('+'));
    let rights: String = rights.map(|part| part.replace("ACL SETUSER NAME", "") + " ").collect();
    fixture.send(&format!("ACL SETUSER drill {rights}")).await;
    captured(&source, cx).await.expect("captured");
    let canary = Canary { run: cx.run.clone(), nonce: "4711".into(), planted_at: cx.clock.now() };
    source.plant(cx, &canary).await.expect("planted");
    source.unplant(cx, &cx.run).await.expect("unplanted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_or_goes_away_is_unavailable() {
    let fixture = Fixture::start().await;
    let nowhere = RedisSource { url: Some("unix:///nowhere/s".into()), ..RedisSource::default() };
    let error = fixture.open(&nowhere).expect("source").identity(&fixture.cx).await.expect_err("nobody");
    assert_eq!((error.kind(), error.is_temporary()), (Kind::Unavailable, true), "{}", error.chain());

    // Slow enough to be killed in the middle of it.
    fixture
        .send("CONFIG SET rdb-key-save-delay 1000\nEVAL \"for i = 1, 100000 do redis.call('SET', i, i) end\" 0")
        .await;
    let (source, cx) = (fixture.source(), &fixture.cx);
    let killing = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        fixture.kill();
    };
    let (gone, ()) = tokio::join!(captured(&source, cx), killing);
    let error = gone.expect_err("it broke off");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    free.expect("a free port").port()
}
