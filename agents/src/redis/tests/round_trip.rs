//! What goes in comes back.

use drill_scenarios::Level;

use super::fixture::{Fixture, RICH};
use crate::{Canary, Removal, Source, ValueType, differences};

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_type_and_form_come_back_as_they_were() {
    let fixture = Fixture::start().await;
    fixture.send(RICH).await;
    let (captured, stream) = fixture.capture().await;
    let database = &captured.index.databases[0];
    let types: Vec<u64> = database.keyspaces[&0].types.values().copied().collect();
    assert_eq!(types, [11, 3, 4, 2, 3, 2], "{database:?}");
    assert_eq!((database.keyspaces[&9].keys(), database.keyspaces[&0].expiring), (1, 2));
    assert!(database.objects["function"]["shop"].contains("register_function"), "{:?}", database.objects);

    let restored = fixture.restore(&captured.index, stream).await;
    assert_eq!(restored.differences(&captured.index).await, []);
    assert_eq!(restored.send("HGET hash:short born\nFCALL hello 0").await, "1815\nhello\n");
    let newest = restored.environment.newest(&fixture.cx, None, None).await.expect("newest").expect("a time");
    assert!((newest.0 - captured.taken_at).get_seconds().abs() < 5, "{newest:?}");
    restored.release().await;
}

/// Thresholds of zero make a server store everything in its general form.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_the_same_however_a_server_stores_it() {
    let fixture = Fixture::start().await;
    fixture.send(RICH).await;
    assert_eq!(fixture.send("OBJECT ENCODING hash:short\nOBJECT ENCODING scores:short").await, "listpack\nlistpack\n");
    let general = "CONFIG SET hash-max-listpack-entries 0 zset-max-listpack-entries 0 set-max-intset-entries 0 \
                   list-max-listpack-size 1 stream-node-max-entries 1 rdbcompression no\nDEBUG RELOAD";
    assert_eq!(fixture.changed_by(general).await, []);
    let encodings = "OBJECT ENCODING hash:short\nOBJECT ENCODING scores:short\nOBJECT ENCODING set:numbers";
    assert_eq!(fixture.send(encodings).await, "hashtable\nskiplist\nhashtable\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_written_to_is_captured_as_it_was_at_one_instant() {
    let fixture = Fixture::start().await;
    fixture.send("EVAL \"for i = 1, 100000 do redis.call('SET', 'key:' .. i, 0) end\" 0").await;
    let writing = "EVAL \"for i = 1, 100000 do redis.call('INCR', 'key:' .. i) end\" 0\n".repeat(20);
    let ((captured, stream), _) = tokio::join!(fixture.capture(), fixture.send(&writing));
    let restored = fixture.restore(&captured.index, stream).await;
    assert_eq!(restored.differences(&captured.index).await, []);
    let one = restored.send(
        "EVAL \"local v = redis.call('GET', 'key:1') for i = 1, 100000 do \
         if redis.call('GET', 'key:' .. i) ~= v then return 'torn' end end return 'one'\" 0",
    );
    assert_eq!(one.await, "one\n");
    restored.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn canaries_are_no_data_and_only_ones_own_is_removed() {
    let fixture = Fixture::start().await;
    fixture.send("SET a 1").await;
    let (source, cx) = (fixture.source(), &fixture.cx);
    let (before, _) = fixture.capture().await;
    let canary = Canary { run: cx.run.clone(), nonce: "4711".into(), planted_at: cx.clock.now() };
    source.plant(cx, &canary).await.expect("planted");
    source.plant(cx, &canary).await.expect_err("it is there already");
    let (after, stream) = fixture.capture().await;
    assert_eq!(differences(&before.index, &after.index, Level::Content), []);
    assert_eq!(after.index.databases[0].keyspaces[&0].types, [(ValueType::String, 1)].into());

    let restored = fixture.restore(&after.index, stream).await;
    let seen = restored.environment.canary(cx).await.expect("looked").expect("a canary");
    assert_eq!((seen.nonce, seen.planted_at), (canary.nonce, canary.planted_at));
    restored.release().await;

    fixture.send("SET drillctl:canary:other {}").await;
    source.unplant(cx, "other").await.expect_err("it carries no mark");
    assert_eq!(source.unplant(cx, &cx.run).await.expect("unplanted"), Removal::Removed);
    assert_eq!(source.unplant(cx, &cx.run).await.expect("again"), Removal::Absent);
    assert_eq!(fixture.send("EXISTS drillctl:canary:other").await, "1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_writes_its_rdb_to_disk_first_is_captured_too_and_each_is_left_as_it_was() {
    for diskless in ["no", "yes"] {
        let fixture = Fixture::start_with(&["--repl-diskless-sync", diskless]).await;
        fixture.send(RICH).await;
        let told = async || {
            let told = fixture.send("CONFIG GET *\nDBSIZE\nSELECT 9\nDBSIZE").await;
            let mut lines: Vec<String> = told.lines().map(Into::into).collect();
            // Settings are told in no order.
            lines.sort_unstable();
            lines
        };
        let before = told().await;
        let (captured, stream) = fixture.capture().await;
        assert_eq!(told().await, before, "diskless {diskless}");
        let written = fixture.folder.join("source/dump.rdb").exists();
        assert_eq!(written, diskless == "no", "its disk is left alone if the server can do without");
        assert!(fixture.send("INFO replication").await.contains("connected_slaves:0"), "diskless {diskless}");
        let restored = fixture.restore(&captured.index, stream).await;
        assert_eq!(restored.differences(&captured.index).await, [], "diskless {diskless}");
        restored.release().await;
    }
}
