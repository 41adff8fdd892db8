//! Whatever is changed in the restored data is found and named.

use super::fixture::Fixture;

/// What is done to the restored cluster, what is named, and in which words.
const CHANGES: [(&str, &str, &str); 8] = [
    ("del a", "key:a", "is missing"),
    ("put a 2", "key:a", "holds another value"),
    ("put a 1", "key:a", "was written at revision 1003, was 1002"),
    ("put new 1", "key:new", "was not in the backup"),
    ("put /key/000500 x", "key:/key/000500", "holds another value"),
    ("user delete ann", "user:ann", "is missing"),
    ("role revoke-permission r /app/ /app0", "role:r", ", was readwrite /app/ to /app0"),
    ("user revoke-role ann r", "user:ann", ", was r"),
];

async fn filled() -> Fixture {
    let fixture = Fixture::start().await;
    for _ in 0..1000 / 100 {
        fixture.fill(1000, 10).await;
    }
    for words in ["put a 1", "user add ann:open-sesame", "role add r", "user grant-role ann r"] {
        fixture.ctl(words).await;
    }
    fixture.ctl("role grant-permission r readwrite /app/ --prefix=true").await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_named() {
    let fixture = filled().await;
    let (captured, stream) = fixture.capture().await;
    let revision: i64 = captured.index.databases[0].settings["revision"].parse().expect("a number");
    for (change, subject, statement) in CHANGES {
        let restored = fixture.restore(&captured.index, stream.clone()).await;
        restored.ctl(change).await;
        let statement = statement.replace("1003", &(revision + 1).to_string()).replace("1002", &revision.to_string());
        assert_eq!(restored.differences(&captured.index).await, [(subject.to_owned(), statement)], "{change}");
        restored.release().await;
    }
}

/// As long as etcd knows the earlier revision, every key can be named; a backup that never had it tells no more than how many.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_older_than_it_says_is_told_by_its_revision_and_by_its_keys() {
    let fixture = filled().await;
    let (_, older) = fixture.capture().await;
    fixture.ctl("put b 1").await;
    let (captured, _) = fixture.capture().await;
    let revision: i64 = captured.index.databases[0].settings["revision"].parse().expect("a number");
    let restored = fixture.restore(&captured.index, older).await;
    let found = restored.differences(&captured.index).await;
    let [(keys, how_many), (setting, what)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((keys.as_str(), setting.as_str()), ("keys:0", "setting:revision"));
    assert!(how_many.starts_with("1001 keys, were 1002; 1 of "), "{how_many}");
    assert_eq!(*what, format!("{}, was {revision}", revision - 1));
    restored.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_in_the_backup_or_not_is_no_difference_and_what_came_later_is() {
    let fixture = filled().await;
    let (mut captured, _) = fixture.capture().await;
    let settings = &mut captured.index.databases[0].settings;
    let revision: i64 = settings["revision"].parse().expect("a number");
    settings.insert("revision_after".into(), (revision + 1).to_string());
    for (put, found) in [("b", vec![]), ("c", vec!["key:b", "key:c"])] {
        fixture.ctl(&format!("put {put} 1")).await;
        let (_, stream) = fixture.capture().await;
        let restored = fixture.restore(&captured.index, stream).await;
        let differing = restored.differences(&captured.index).await;
        assert_eq!(differing.iter().map(|(subject, _)| subject.as_str()).collect::<Vec<_>>(), found, "{put}");
        restored.release().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_keys_that_were_lost_are_named_up_to_what_a_report_can_hold() {
    let fixture = Fixture::start().await;
    fixture.fill(12_000, 10).await;
    let (captured, stream) = fixture.capture().await;
    let restored = fixture.restore(&captured.index, stream).await;
    restored.ctl("del --from-key=true ''").await;
    let found = restored.differences(&captured.index).await;
    let (named, rest): (Vec<_>, Vec<_>) = found.iter().partition(|(subject, _)| subject.starts_with("key:"));
    assert_eq!(named.len(), 10_000);
    assert!(named.iter().all(|(_, statement)| statement == "is missing"));
    assert_eq!(rest.len(), 1, "the others are told as a number");
    assert!(
        rest.iter().all(|(subject, words)| subject == "keys:0" && words.starts_with("0 keys, were 12000; ")),
        "{rest:?}"
    );
    restored.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_got_a_role_and_auth_that_was_switched_off_are_told() {
    let fixture = Fixture::start().await;
    for words in ["put a 1", "user add root:open-sesame", "user add ann:open-sesame", "role add r"] {
        fixture.ctl(words).await;
    }
    assert_eq!(fixture.changed_by("user grant-role ann r").await, [("user:ann".to_owned(), "r, was ".to_owned())]);
}
