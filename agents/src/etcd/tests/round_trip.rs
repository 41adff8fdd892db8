//! What goes in comes back.

use drill_scenarios::Level;
use serde_json::{Value, json};

use super::fixture::Fixture;
use crate::etcd::connection::Connection;
use crate::etcd::message::Bytes;
use crate::{Canary, Removal, Source, differences};

/// Keys whose names and values are any bytes, that were written again, deleted, compacted and leased; users and roles.
async fn rich() -> Fixture {
    let fixture = Fixture::start().await;
    fixture.fill(1000, 100).await;
    let mut connection = Connection::open(&fixture.address()).await.expect("connected");
    let large = vec![7; 1 << 20];
    let odd: [(&[u8], &[u8]); 5] = [
        (b"name with \xff", b"\0\xff"),
        (b"empty", b""),
        (b"\0", b"nul"),
        (b"large", &large),
        ("größe".as_bytes(), b"1"),
    ];
    for (key, value) in odd {
        let put = json!({"key": Bytes(key.to_vec()), "value": Bytes(value.to_vec())});
        let _: Value = connection.ask("kv/put", &put).await.expect("written");
    }
    for words in ["put a 1", "put a 2", "put b 1", "del b", "put c 3", "compact 8", "put a 4"] {
        fixture.ctl(words).await;
    }
    let granted = fixture.ctl("lease grant 4000").await;
    let lease = granted.split_whitespace().nth(1).expect("an id").to_owned();
    fixture.ctl(&format!("put session/1 open --lease={lease}")).await;
    for words in ["user add reader:open-sesame", "role add r", "role grant-permission r readwrite /key/ --prefix=true"]
    {
        fixture.ctl(words).await;
    }
    fixture.ctl("user grant-role reader r").await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_leases_users_and_roles_come_back_as_they_were() {
    let fixture = rich().await;
    let (captured, stream) = fixture.capture().await;
    assert_eq!(captured.notes, []);
    let database = &captured.index.databases[0];
    assert_eq!((database.keyspaces[&0].keys(), database.keyspaces[&0].expiring), (1008, 1), "{database:?}");
    assert_eq!(database.objects["lease"].values().collect::<Vec<_>>(), ["4000 s"]);
    assert_eq!(database.objects["user"], [("reader".to_owned(), "r".to_owned())].into());
    assert_eq!(database.objects["role"]["r"], "readwrite /key/ to /key0");

    let restored = fixture.restore(&captured.index, stream).await;
    assert_eq!(restored.differences(&captured.index).await, []);
    assert_eq!(restored.ctl("get --print-value-only session/1").await, "open\n");
    assert!(restored.ctl("get --from-key --limit=1 --write-out=fields ''").await.contains("\"Count\" : 1008"));
    restored.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_read_is_left_as_it_was() {
    let fixture = rich().await;
    let told = async || {
        let hash = fixture.ctl("endpoint hashkv").await;
        let status = fixture.ctl("endpoint status --write-out=fields").await;
        let kept: Vec<String> =
            status.lines().filter(|line| line.starts_with("\"Revision\"")).map(Into::into).collect();
        (hash, kept, std::fs::read_dir(fixture.folder.join("data/member/snap")).expect("a folder").count())
    };
    let before = told().await;
    fixture.capture().await;
    fixture.source().estimate(&fixture.cx).await.expect("estimate");
    assert_eq!(told().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_written_to_is_captured_as_it_was_at_one_revision() {
    let fixture = Fixture::start().await;
    fixture.fill(20_000, 500).await;
    let mut connection = Connection::open(&fixture.address()).await.expect("connected");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // Two keys that have one value, in every revision.
    let writing = tokio::spawn(async move {
        let mut stopped = stopped;
        for count in 0_u64.. {
            let put = |key: &str| json!({"request_put": {"key": Bytes(key.into()), "value": Bytes(count.to_string().into())}});
            let transaction = json!({"success": [put("first"), put("second")]});
            let _: Value = connection.ask("kv/txn", &transaction).await.expect("written");
            if stopped.try_recv() != Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
                return count;
            }
        }
        0
    });
    let (captured, stream) = fixture.capture().await;
    stop.send(()).expect("it writes");
    assert!(writing.await.expect("written") > 50, "it was not written to");
    let restored = fixture.restore(&captured.index, stream).await;
    assert_eq!(restored.differences(&captured.index).await, []);
    let both = restored.ctl("get --print-value-only first second0").await;
    let values: Vec<&str> = both.split_whitespace().collect();
    assert_eq!(values[0], values[1], "torn");
    restored.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn canaries_are_no_data_and_only_ones_own_is_removed() {
    let fixture = Fixture::start().await;
    fixture.ctl("put a 1").await;
    let (source, cx) = (fixture.source(), &fixture.cx);
    let (before, _) = fixture.capture().await;
    let canary = Canary { run: cx.run.clone(), nonce: "4711".into(), planted_at: cx.clock.now() };
    source.plant(cx, &canary).await.expect("planted");
    source.plant(cx, &canary).await.expect_err("it is there already");
    let (after, stream) = fixture.capture().await;
    let found = differences(&before.index, &after.index, Level::Content);
    assert_eq!(
        found,
        [("setting:revision".to_owned(), "3, was 2".to_owned()), ("setting:revision_after".into(), "3, was 2".into())]
    );
    assert_eq!(after.index.databases[0].keyspaces[&0].keys(), 1);

    let restored = fixture.restore(&after.index, stream).await;
    let seen = restored.environment.canary(cx).await.expect("looked").expect("a canary");
    assert_eq!((seen.nonce, seen.planted_at), (canary.nonce, canary.planted_at));
    restored.release().await;

    fixture.ctl("put drillctl-canary-other {}").await;
    source.unplant(cx, "other").await.expect_err("it carries no mark");
    assert_eq!(source.unplant(cx, &cx.run).await.expect("unplanted"), Removal::Removed);
    assert_eq!(source.unplant(cx, &cx.run).await.expect("again"), Removal::Absent);
    assert_eq!(fixture.ctl("get --keys-only drillctl --prefix").await.trim(), "drillctl-canary-other");
}

/// A page has as many keys as those before it let expect, and an answer has its limit.
#[tokio::test(flavor = "multi_thread")]
async fn large_values_behind_many_small_ones_are_read_in_smaller_pages() {
    let fixture = Fixture::start().await;
    fixture.fill(600, 10).await;
    let mut connection = Connection::open(&fixture.address()).await.expect("connected");
    let large = Bytes(vec![7; 1 << 20]);
    for number in 0..60 {
        let put = json!({"key": Bytes(format!("/large/{number}").into_bytes()), "value": large});
        let _: Value = connection.ask("kv/put", &put).await.expect("written");
    }
    let (captured, _) = fixture.capture().await;
    assert_eq!(captured.index.databases[0].keyspaces[&0].keys(), 660);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_holds_any_more_is_stopped_with_its_place() {
    let fixture = Fixture::start().await;
    fixture.ctl("put a 1").await;
    let (captured, stream) = fixture.capture().await;
    fixture.restore(&captured.index, stream).await.release_by_place().await;
}
