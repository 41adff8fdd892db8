//! Leases run out while a drill is under way.

use std::time::Duration;

use super::fixture::Fixture;

/// A cluster with a key that goes with a lease of this many seconds, which is told.
async fn leased(secs: u32) -> (Fixture, String) {
    let fixture = Fixture::start().await;
    fixture.ctl("put stays 1").await;
    let lease = grant(&fixture, secs).await;
    fixture.ctl(&format!("put goes 1 --lease={lease}")).await;
    (fixture, lease)
}

async fn grant(fixture: &Fixture, secs: u32) -> String {
    let granted = fixture.ctl(&format!("lease grant {secs}")).await;
    granted.split_whitespace().nth(1).expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_goes_with_its_lease_is_no_difference_and_one_that_is_taken_away_is() {
    let (fixture, _) = leased(3).await;
    let (captured, stream) = fixture.capture().await;
    let restored = fixture.restore(&captured.index, stream.clone()).await;
    assert_eq!(restored.differences(&captured.index).await, []);
    for _ in 0..100 {
        if restored.ctl("get goes").await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(restored.ctl("get goes").await, "", "its time has come");
    assert_eq!(restored.differences(&captured.index).await, []);
    restored.ctl("del stays").await;
    assert_eq!(restored.differences(&captured.index).await, [("key:stays".to_owned(), "is missing".to_owned())]);
    restored.release().await;

    let restored = fixture.restore(&captured.index, stream).await;
    restored.ctl("del goes").await;
    assert_eq!(restored.differences(&captured.index).await, [("key:goes".to_owned(), "is missing".to_owned())]);
    restored.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_lost_or_was_granted_for_another_time_is_named() {
    let (fixture, lease) = leased(5000).await;
    let (captured, stream) = fixture.capture().await;
    let restored = fixture.restore(&captured.index, stream).await;
    restored.ctl(&format!("lease revoke {lease}")).await;
    let lost = |subject: String| (subject, "is missing".to_owned());
    let found = restored.differences(&captured.index).await;
    assert_eq!(found, [lost("key:goes".into()), lost(format!("lease:{lease}"))]);
    restored.release().await;

    let mut other = captured.index.clone();
    let leases = other.databases[0].objects.get_mut("lease").expect("leases");
    leases.insert(lease.clone(), "5001 s".into());
    let found = crate::differences(&captured.index, &other, drill_scenarios::Level::Content);
    assert_eq!(found, [(format!("lease:{lease}"), "5001 s, was 5000 s".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_moved_to_another_lease_is_named_with_both() {
    let (fixture, lease) = leased(5000).await;
    let other = grant(&fixture, 6000).await;
    let (captured, stream) = fixture.capture().await;
    let restored = fixture.restore(&captured.index, stream).await;
    restored.ctl(&format!("put goes 1 --lease={other}")).await;
    restored.ctl("put stays 1 --lease=0").await;
    let found = restored.differences(&captured.index).await;
    assert_eq!(found[0], ("key:goes".to_owned(), format!("lease {other}, was {lease}")));
    assert!(found[1].0 == "key:stays" && found[1].1.starts_with("was written at revision "), "{found:?}");
    restored.release().await;
}
