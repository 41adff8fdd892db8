//! A cluster that asks who one is, before it is backed up and after it is restored.

use drill_scenarios::{EtcdScratch, EtcdSource, Reference};

use super::fixture::Fixture;
use crate::trial::captured;
use crate::{Canary, Kind, Source};

/// A cluster with the users root and ann, who may do little.
async fn guarded() -> Fixture {
    let fixture = Fixture::start().await;
    for words in ["put a 1", "user add root:open-sesame", "user grant-role root root", "user add ann:close-sesame"] {
        fixture.ctl(words).await;
    }
    for words in ["role add r", "role grant-permission r readwrite drillctl --prefix=true", "user grant-role ann r"] {
        fixture.ctl(words).await;
    }
    fixture.ctl("auth enable").await;
    std::fs::write(fixture.folder.join("password"), "open-sesame").expect("a file");
    std::fs::write(fixture.folder.join("wrong"), "wrong-sesame").expect("a file");
    std::fs::write(fixture.folder.join("ann"), "close-sesame").expect("a file");
    fixture
}

fn asked_by(fixture: &Fixture, user: &str, password: &str) -> EtcdSource {
    EtcdSource { user: Some(user.into()), password: Some(Reference::File(password.into())), ..fixture.described() }
}

fn by(user: &str, password: &str) -> EtcdScratch {
    EtcdScratch { user: Some(user.into()), password: Some(Reference::File(password.into())), ..EtcdScratch::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_come_back_with_their_passwords_and_the_restored_cluster_asks_for_them() {
    let fixture = guarded().await;
    let source = fixture.open(&asked_by(&fixture, "root", "password")).expect("source");
    let canary = Canary { run: fixture.cx.run.clone(), nonce: "4711".into(), planted_at: fixture.cx.clock.now() };
    source.plant(&fixture.cx, &canary).await.expect("planted");
    let (captured, stream) = captured(&source, &fixture.cx).await.expect("captured");
    source.unplant(&fixture.cx, &fixture.cx.run).await.expect("unplanted");
    let database = &captured.index.databases[0];
    assert_eq!((database.settings["auth"].as_str(), database.objects["user"].len()), ("on", 2));

    let restored =
        fixture.try_restore(&by("root", "password"), &captured.index, stream.clone()).await.expect("restored");
    assert_eq!(restored.differences(&captured.index).await, []);
    assert!(restored.environment.canary(&fixture.cx).await.expect("looked").is_some());
    assert_eq!(restored.ctl("--user root:open-sesame get --print-value-only a").await, "1\n");
    restored.ctl("--user root:open-sesame auth disable").await;
    let found = restored.differences(&captured.index).await;
    assert_eq!(found, [("setting:auth".to_owned(), "off, was on".to_owned())]);
    restored.release().await;

    for (described, hint) in [(EtcdScratch::default(), "in the scratch"), (by("root", "wrong"), "in the scratch")] {
        let Err(error) = fixture.try_restore(&described, &captured.index, stream.clone()).await else {
            panic!("it was restored")
        };
        assert_eq!(error.kind(), Kind::Denied, "{}", error.chain());
        assert!(error.next_step().is_some_and(|step| step.contains(hint)), "{error:?}");
        assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
        fixture.release().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_user_or_none_and_one_who_may_not_are_told_without_a_password() {
    let fixture = guarded().await;
    for (described, said) in [
        (fixture.described(), "with the role `root`"),
        (asked_by(&fixture, "root", "wrong"), "Check user and password."),
        (asked_by(&fixture, "ann", "ann"), "grant-role NAME root"),
    ] {
        let error = captured(&fixture.open(&described).expect("source"), &fixture.cx).await.expect_err(said);
        assert_eq!(error.kind(), Kind::Denied, "{}", error.chain());
        assert!(error.next_step().is_some_and(|step| step.contains(said)), "{error:?}");
        assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_where_nobody_is_asked_for_one_is_no_obstacle() {
    let fixture = Fixture::start().await;
    fixture.ctl("put a 1").await;
    std::fs::write(fixture.folder.join("password"), "open-sesame").expect("a file");
    let source = fixture.open(&asked_by(&fixture, "root", "password")).expect("source");
    let (captured, _) = captured(&source, &fixture.cx).await.expect("captured");
    assert_eq!(captured.index.databases[0].settings["auth"], "off");
}

/// Tokens of etcd are forgotten when they weren't used for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_forgotten_meanwhile_is_asked_for_again() {
    let fixture = Fixture::start_with(&["--auth-token-ttl", "1"]).await;
    for words in ["put a 1", "user add root:open-sesame", "user grant-role root root", "auth enable"] {
        fixture.ctl(words).await;
    }
    std::fs::write(fixture.folder.join("password"), "open-sesame").expect("a file");
    let address = crate::etcd::address::Address::of(&asked_by(&fixture, "root", "password"), &fixture.cx.secrets);
    let mut connection =
        crate::etcd::connection::Connection::open(&address.expect("an address")).await.expect("connected");
    connection.revision().await.expect("a revision");
    tokio::time::sleep(std::time::Duration::from_millis(3500)).await;
    connection.revision().await.expect("a revision again");
}
