//! Keys whose time comes while a drill is under way are no difference; keys that lost their time are.

use std::time::Duration;

use super::fixture::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_before_during_and_after_the_restore_is_no_difference() {
    let fixture = Fixture::start().await;
    fixture
        .send("SET stays 1\nDEBUG SET-ACTIVE-EXPIRE 0\nSET before 1 PX 1\nSET meanwhile 1 PX 3000\nSET late 1 EX 9000")
        .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (captured, stream) = fixture.capture().await;
    assert_eq!(captured.index.databases[0].keyspaces[&0].keys(), 4, "an RDB holds what is only not removed yet");
    let restored = fixture.restore(&captured.index, stream).await;
    assert_eq!(restored.differences(&captured.index).await, [], "one has expired");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(restored.send("EXISTS meanwhile").await, "0\n");
    assert_eq!(restored.differences(&captured.index).await, [], "another one has expired");
    restored.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_outlives_its_time_or_is_gone_before_it_is_named() {
    let fixture = Fixture::start().await;
    fixture.send("SET session 1 PX 5000\nSET token 1 EX 9000").await;
    let (captured, stream) = fixture.capture().await;
    let restored = fixture.restore(&captured.index, stream).await;
    restored.send("PERSIST session\nPEXPIRE token 1").await;
    tokio::time::sleep(Duration::from_millis(5100)).await;
    let found = restored.differences(&captured.index).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].0 == "key:0:session" && found[0].1.starts_with("expires never, was 20"), "{found:?}");
    assert_eq!(found[1], ("key:0:token".into(), "is missing".into()));
    restored.release().await;
}
