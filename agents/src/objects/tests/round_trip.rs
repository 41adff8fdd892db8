//! What is taken comes back, and what is lost of it is named.

use super::*;
use crate::Removal;

/// An object with all that a store can tell of one.
fn rich() -> Object {
    Object {
        headers: [
            ("content-type", "image/jpeg"),
            ("cache-control", "max-age=60"),
            ("content-disposition", "attachment"),
            ("content-encoding", "identity"),
        ]
        .into(),
        metadata: [("camera", "Leica M3"), ("content-type", "mine")].into(),
        ..Object::of("a picture")
    }
}

async fn bench() -> Bench {
    let noise: Vec<u8> = (0..20_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    Bench::new([
        ("2026/", Object { metadata: [("album", "yes")].into(), ..Object::default() }),
        ("2026/big.raw", Object { headers: [("content-type", "image/raw")].into(), ..Object::of(noise) }),
        ("2026/empty", Object::of("")),
        ("2026/may/ä ö + % ? #.jpg", rich()),
        ("2027/elsewhere", Object::of("not below the prefix")),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_back_with_all_that_the_store_tells_of_them_and_nothing_is_written_to_it() {
    let bench = bench().await;
    let source = bench.source("2026", &[]);
    let estimate = source.estimate(&bench.cx).await.expect("estimated");
    assert!(estimate.items == 4 && estimate.restored_bytes > 20_000_000, "{estimate:?}");
    let (captured, stream) = bench.captured("2026").await;
    assert_eq!(paths(&captured), [".", "big.raw", "empty", "may/ä ö + %25 ? #.jpg"]);
    assert_eq!((notes(&captured), captured.newest_at.map(|time| time.as_second())), (vec![], Some(1_700_000_000)));

    let root = bench.restored("restored", stream).await;
    assert_eq!(bench.differs(&captured.index, &root), []);
    let picture = root.join("may/ä ö + % ? #.jpg");
    assert_eq!(std::fs::read(&picture).expect("read"), b"a picture");
    for (name, value) in [
        ("user.content-type", "image/jpeg"),
        ("user.cache-control", "max-age=60"),
        ("user.content-disposition", "attachment"),
        ("user.content-encoding", "identity"),
        ("user.camera", "Leica M3"),
        ("user.x-amz-meta-content-type", "mine"),
    ] {
        let attribute = xattr::get(&picture, name).expect("attributes");
        assert_eq!(attribute.as_deref(), Some(value.as_bytes()), "{name}");
    }
    assert_eq!(xattr::get(&root, "user.album").expect("attributes").as_deref(), Some(&b"yes"[..]));
    assert_eq!((bench.store.asked("put"), bench.store.asked("delete")), (0, 0));
    let again = bench.captured("2026").await.0;
    assert_eq!(differences(&captured.index, &again.index, Level::Content), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_lost_of_an_object_is_named() {
    let bench = bench().await;
    let (captured, stream) = bench.captured("2026").await;
    let path = |root: &Path| root.join("may/ä ö + % ? #.jpg");
    type Loss = (&'static str, fn(&Path), &'static str);
    let losses: [Loss; 6] = [
        (
            "type",
            |file| xattr::remove(file, "user.content-type").expect("removed"),
            "attribute user.content-type is missing",
        ),
        (
            "meta",
            |file| xattr::set(file, "user.camera", b"a toy").expect("set"),
            "attribute user.camera 6120746f79, was 4c65696361204d33",
        ),
        ("tag", |file| xattr::remove(file, "user.etag").expect("removed"), "attribute user.etag is missing"),
        ("content", |file| std::fs::write(file, "a fixture").expect("written"), "sha256 "),
        ("time", |file| std::fs::write(file, "a picture").expect("written"), "modified "),
        ("all", |file| std::fs::remove_file(file).expect("removed"), "is missing"),
    ];
    for (name, lose, words) in losses {
        let root = bench.restored(name, stream.clone()).await;
        lose(&path(&root));
        let found = bench.differs(&captured.index, &root);
        let [(subject, statement)] = &found[..] else { panic!("{name}: {found:?}") };
        assert!(subject == "may/ä ö + %25 ? #.jpg" && statement.contains(words), "{name}: {subject} {statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_objects_are_taken_in_order_though_the_listing_fails_in_between() {
    let bench = Bench::new([]).await;
    let key = |number: usize| format!("p/{:03}/{number:05}", number % 7);
    bench
        .store
        .change(|all| all.extend((0..2_500).map(|number| (key(number), Object::of(format!("object {number}"))))));
    for prefix in ["p", ""] {
        let mut lists = 0;
        bench.store.meanwhile(move |verb, _, _| {
            lists += usize::from(verb == "list");
            (verb == "list" && lists == 2).then_some(s3s::S3ErrorCode::SlowDown)
        });
        let (captured, stream) = bench.captured(prefix).await;
        assert_eq!(captured.index.entries.len(), 2_500, "below {prefix:?}");
        let root = bench.restored(&format!("restored-{prefix}"), stream).await;
        assert_eq!(bench.differs(&captured.index, &root), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_planted_below_the_prefix_comes_back_and_is_no_data() {
    let bench = bench().await;
    let source = bench.source("2026", &[]);
    let canary = crate::Canary { run: "run-1".into(), nonce: "4711".into(), planted_at: bench.cx.clock.now() };
    source.plant(&bench.cx, &canary).await.expect("planted");
    let twice = source.plant(&bench.cx, &canary).await.expect_err("it is there already");
    assert_eq!(twice.kind(), Kind::Refused);
    let (captured, stream) = bench.captured("2026").await;
    assert_eq!(captured.index.entries.len(), 4, "{:?}", paths(&captured));
    let root = bench.restored("restored", stream).await;
    assert_eq!(tree::seen_canary(&root, "run-1").expect("looked").map(|seen| seen.nonce), Some("4711".into()));

    assert_eq!(source.unplant(&bench.cx, "run-1").await.expect("removed"), Removal::Removed);
    assert_eq!(source.unplant(&bench.cx, "run-1").await.expect("absent"), Removal::Absent);
    bench.store.change(|all| drop(all.insert("2026/.drillctl-canary-run-1".into(), Object::of("somebody's"))));
    let error = source.unplant(&bench.cx, "run-1").await.expect_err("not ours");
    assert_eq!(error.kind(), Kind::Refused);
    assert_eq!(bench.store.asked("delete"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_and_big_objects_are_read_at_the_pace_of_the_source() {
    let bench = Bench::new([("p/big", Object::of(vec![1; 3 << 20])), ("p/c", Object::of(vec![2; 1 << 20]))]).await;
    bench.store.change(|all| all.extend((0..8).map(|number| (format!("p/{number}"), Object::of(vec![3; 256 << 10])))));
    let limits = drill_scenarios::Limits { bandwidth: Some("8MiB/s".parse().expect("a rate")), ..Default::default() };
    let cx = bench.cx.clone().limited(crate::Limits::new(&limits, &bench.cx.clock));
    let before = cx.clock.elapsed();
    let (captured, _) = trial::captured(&bench.source("p", &[]), &cx).await.expect("captured");
    let took = cx.clock.elapsed() - before;
    assert_eq!(captured.index.entries.len(), 10);
    // 6 MiB; the last pieces begin when the others have had their time.
    assert!(took >= std::time::Duration::from_millis(600), "{took:?}");
}
