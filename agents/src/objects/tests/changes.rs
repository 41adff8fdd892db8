//! Objects that are replaced or vanish while they are taken.

use super::store::Manner;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_replaced_before_it_is_read_is_taken_as_it_is_then_and_named() {
    let bench = Bench::new([("p/a", Object::of("old")), ("p/b", Object::of("same"))]).await;
    bench.store.meanwhile(|verb, key, all| {
        if (verb, key) == ("get", "p/a") {
            all.insert("p/a".into(), Object::of("new and longer"));
        }
        None
    });
    let (captured, stream) = bench.captured("p").await;
    assert_eq!(notes(&captured), [("a", "It was replaced while the objects were read; the newer one was taken.")]);
    let root = bench.restored("restored", stream).await;
    assert_eq!(bench.differs(&captured.index, &root), []);
    assert_eq!(std::fs::read_to_string(root.join("a")).expect("read"), "new and longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_object_that_becomes_a_big_one_is_taken_whole() {
    let bench = Bench::new([("p/a", Object::of("old"))]).await;
    let big = Object::of(vec![7; 9 << 20]);
    let replacement = big.clone();
    bench.store.meanwhile(move |verb, _, all| {
        if verb == "get" {
            all.insert("p/a".into(), replacement.clone());
        }
        None
    });
    let (captured, stream) = bench.captured("p").await;
    let root = bench.restored("restored", stream).await;
    assert_eq!(bench.differs(&captured.index, &root), []);
    assert_eq!(std::fs::read(root.join("a")).expect("read"), big.content);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_vanishes_is_named_and_one_that_only_can_not_be_read_ends_the_capture() {
    let bench = Bench::new([("p/a", Object::of("a")), ("p/b", Object::of("b"))]).await;
    bench.store.meanwhile(|verb, key, all| {
        if (verb, key) == ("get", "p/a") {
            all.remove("p/a");
        }
        None
    });
    let (captured, _) = bench.captured("p").await;
    assert_eq!(paths(&captured), ["b"]);
    assert_eq!(notes(&captured), [("a", "It vanished while the objects were read.")]);

    bench.store.meanwhile(|verb, key, _| ((verb, key) == ("get", "p/b")).then_some(s3s::S3ErrorCode::NoSuchKey));
    let error = bench.refused("p").await;
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().starts_with("object b is listed in bucket s3://photos/p"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_big_object_that_is_replaced_while_it_is_read_ends_the_capture_however_the_store_tells_versions_apart() {
    for manner in [Manner::Strict, Manner::Deaf, Manner::Tagless] {
        let bench = Bench::new([("p/big", Object::of(vec![1; 20 << 20]))]).await;
        bench.store.behave(manner);
        let mut gets = 0;
        bench.store.meanwhile(move |verb, _, all| {
            gets += usize::from(verb == "get");
            if gets == 2 {
                all.insert("p/big".into(), Object { written: 1_800_000_000, ..Object::of(vec![2; 20 << 20]) });
            }
            None
        });
        let error = bench.refused("p").await;
        let told = format!("{error} {}", error.next_step().unwrap_or_default());
        assert!(told.contains("big") && told.contains("was replaced while it was read"), "{manner:?}: {told}");
    }
}
