//! Whatever is changed in the restored data is found and named.

use super::fixture::{Fixture, RICH};

/// What is done to the restored data, what is named, and in which words.
const CHANGES: [(&str, &str, &str); 19] = [
    ("DEL string:text", "key:0:string:text", "is missing"),
    ("SET string:text hullo", "key:0:string:text", "holds another value"),
    ("DEL string:text\nSADD string:text hello", "key:0:string:text", "is a set, was a string"),
    ("SET string:new 1", "key:0:string:new", "was not in the backup"),
    ("PERSIST expiring:hash", "key:0:expiring:hash", "expires never, was 2100-01-01T00:00:00Z"),
    (
        "PEXPIREAT expiring:hash 4102444800001",
        "key:0:expiring:hash",
        "expires 2100-01-01T00:00:00.001Z, was 2100-01-01T00:00:00Z",
    ),
    ("PEXPIREAT set:numbers 4102444800000", "key:0:set:numbers", "expires 2100-01-01T00:00:00Z, was never"),
    ("LSET list:long 1000 x", "key:0:list:long", "holds another value"),
    ("LMOVE list:short list:short LEFT RIGHT", "key:0:list:short", "holds another value"),
    ("SREM set:big \"member 77\"", "key:0:set:big", "holds another value"),
    ("HSET hash:short born 1816", "key:0:hash:short", "holds another value"),
    ("HDEL hash:big \"field 1\"", "key:0:hash:big", "holds another value"),
    ("ZADD scores:big 1 \"member 1999\"", "key:0:scores:big", "holds another value"),
    ("XDEL stream:orders 400-7", "key:0:stream:orders", "holds another value"),
    ("XACK stream:orders shipping 5-0", "key:0:stream:orders", "holds another value"),
    ("XGROUP DESTROY stream:orders billing", "key:0:stream:orders", "holds another value"),
    ("SET \"name with \\xff\" 2", "key:0:name with %FF", "holds another value"),
    ("SELECT 9\nFLUSHDB", "key:9:in:nine", "is missing"),
    ("FUNCTION DELETE shop", "function:shop", "is missing"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_named() {
    let fixture = Fixture::start().await;
    fixture.send(RICH).await;
    let (captured, stream) = fixture.capture().await;
    for (change, subject, statement) in CHANGES {
        let restored = fixture.restore(&captured.index, stream.clone()).await;
        restored.send(change).await;
        let found = restored.differences(&captured.index).await;
        let found: Vec<(&str, &str)> =
            found.iter().map(|(subject, words)| (subject.as_str(), words.as_str())).collect();
        assert_eq!(found, [(subject, statement)], "{change}");
        restored.release().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_moved_on_and_a_stream_that_would_give_an_id_twice_are_not_the_same() {
    let fixture = Fixture::start().await;
    fixture.send("XADD s 1-1 a b\nXADD s 2-2 a b\nXGROUP CREATE s g 0").await;
    for change in ["XGROUP SETID s g 1-1", "XSETID s 9-9", "XGROUP CREATECONSUMER s g ann"] {
        let found = fixture.changed_by(change).await;
        assert_eq!(found, [("keys:0".into(), "1 keys, were 1; 1 of 1 groups of keys differ".into())], "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_can_be_named_is_told_as_a_number() {
    let fixture = Fixture::start().await;
    fixture.send("EVAL \"for i = 1, 120000 do redis.call('SET', 'key:' .. i, i) end\" 0").await;
    let (captured, stream) = fixture.capture().await;
    let restored = fixture.restore(&captured.index, stream).await;
    restored.send("FLUSHALL").await;
    let found = restored.differences(&captured.index).await;
    let (named, rest): (Vec<_>, Vec<_>) = found.iter().partition(|(subject, _)| subject.starts_with("key:"));
    assert!(named.len() > 90_000 && named.len() <= 100_000, "{}", named.len());
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert!(rest[0].0 == "keys:0" && rest[0].1.starts_with("0 keys, were 120000; "), "{rest:?}");
    restored.release().await;
}
