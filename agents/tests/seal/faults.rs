//! What happens between here and a bucket: cut connections, refusals, slowness, wrong bytes. Each ends as it should, and costs no
//! more requests than it must.

use std::net::SocketAddr;
use std::time::Duration;

use drill_agents::{Context, Format, Index, Kind, Limits, SEGMENT_BYTES, Vault};
use drill_scenarios::Checksum;

use super::proxy::{Fault, Proxy, Seen};
use super::s3::{bucket, vault_at, vault_with};
use super::{Home, complete, noise, read_all, store, words};

/// The second segment of a stream that has three.
const SECOND: &str = "000001.age";
const HEADER: &str = "snapshot.json";

/// A home, its bucket behind a proxy, and the stream that is stored there.
struct Scene {
    home: Home,
    server: SocketAddr,
    plain: Vec<u8>,
}

impl Scene {
    async fn new() -> Self {
        let home = Home::new();
        let server = bucket(&home).await;
        Self { home, server, plain: noise(2 * SEGMENT_BYTES + 1) }
    }

    /// A vault behind a proxy with these faults.
    async fn faulty(&self, fault: impl Fn(&Seen, usize) -> Option<Fault> + Send + Sync + 'static) -> (Vault, Proxy) {
        let proxy = Proxy::before(self.server, Box::new(fault)).await;
        (vault_at(&self.home, proxy.address), proxy)
    }

    async fn store(&self, vault: &Vault, id: &str) -> drill_agents::Result<drill_agents::seal::Stored> {
        store(&self.home, (vault, &self.home.keys), id, &self.plain, &Index::new(Format::Tar)).await
    }

    /// The run under these limits.
    fn limited(&self, written: &drill_scenarios::Limits) -> Context {
        self.home.cx.clone().limited(Limits::new(written, &self.home.cx.clock))
    }

    /// Stores without any fault.
    async fn stored(&self, id: &str) {
        self.store(&vault_at(&self.home, self.server), id).await.expect("stored");
    }

    async fn read(&self, vault: &Vault, id: &str) -> drill_agents::Result<Vec<u8>> {
        let located = drill_agents::seal::locate(&self.home.cx, vault, &self.home.keys, id, None).await?;
        read_all(located.stream(&self.home.cx)).await
    }

    /// That what lies in the bucket is what was to be stored.
    async fn is_whole(&self, id: &str) -> bool {
        self.read(&vault_at(&self.home, self.server), id).await.expect("read") == self.plain
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_repeats_its_own_segment_only() {
    let scene = Scene::new().await;
    let (vault, proxy) =
        scene.faulty(|seen, before| (seen.is("PUT", SECOND) && before == 0).then_some(Fault::CutUpload(5 << 20))).await;
    scene.store(&vault, "s-1").await.expect("stored");
    let uploads = ["000000.age", SECOND, "000002.age", HEADER].map(|name| proxy.seen("PUT", name).len());
    assert_eq!(uploads, [1, 2, 1, 1]);
    let sizes: Vec<_> = proxy.seen("PUT", SECOND).iter().map(|seen| seen.body).collect();
    assert_eq!(sizes[0], sizes[1], "the whole segment again, in one request");
    assert!(scene.is_whole("s-1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_cut_asks_only_for_the_rest() {
    let scene = Scene::new().await;
    scene.stored("s-1").await;
    let cuts = [Fault::CutAnswer(5 << 20), Fault::ShortAnswer(3 << 20)];
    let (vault, proxy) = scene.faulty(move |seen, n| cuts.get(n).copied().filter(|_| seen.is("GET", SECOND))).await;
    assert!(scene.read(&vault, "s-1").await.expect("read") == scene.plain);
    let reads = proxy.seen("GET", SECOND);
    let starts: Vec<_> = reads.iter().map(|read| read.header("range").expect("range").to_owned()).collect();
    let end = starts[0].rsplit('-').next().expect("end").to_owned();
    assert_eq!(
        starts,
        [format!("bytes=0-{end}"), format!("bytes={}-{end}", 5 << 20), format!("bytes={}-{end}", 8 << 20)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_cut_over_and_over_goes_through_while_it_gets_on_and_is_given_up_when_it_does_not() {
    let scene = Scene::new().await;
    scene.stored("s-1").await;
    let (vault, proxy) = scene.faulty(|seen, _| seen.is("GET", SECOND).then_some(Fault::CutAnswer(3 << 20))).await;
    assert!(scene.read(&vault, "s-1").await.expect("read") == scene.plain);
    assert_eq!(proxy.seen("GET", SECOND).len(), 6, "16 MiB, 3 MiB at a time");

    let (vault, proxy) = scene.faulty(|seen, _| seen.is("GET", SECOND).then_some(Fault::CutAnswer(7))).await;
    let error = scene.read(&vault, "s-1").await.expect_err("gets nowhere");
    assert_eq!((error.kind(), proxy.seen("GET", SECOND).len()), (Kind::Unavailable, 4), "{}", words(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_temporary_is_tried_again_and_what_is_not_is_not() {
    for (status, kind, uploads) in [
        (503, None, 2),
        (500, None, 2),
        (429, None, 2),
        (403, Some(Kind::Denied), 1),
        (400, Some(Kind::Unavailable), 1),
    ] {
        let scene = Scene::new().await;
        let once = move |seen: &Seen, before| (seen.is("PUT", SECOND) && before == 0).then_some(Fault::Answer(status));
        let (vault, proxy) = scene.faulty(once).await;
        let stored = scene.store(&vault, "s-1").await;
        assert_eq!(stored.as_ref().err().map(|error| error.kind()), kind, "{status}");
        assert_eq!(proxy.seen("PUT", SECOND).len(), uploads, "{status}");
        if stored.is_ok() {
            assert!(scene.is_whole("s-1").await);
            let (vault, proxy) =
                scene.faulty(move |seen, n| (seen.is("GET", SECOND) && n == 0).then_some(Fault::Answer(status))).await;
            assert!(scene.read(&vault, "s-1").await.expect("read") == scene.plain, "{status}");
            assert_eq!(proxy.seen("GET", SECOND).len(), 2, "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_change_on_their_way_there_are_refused_by_the_store_and_sent_again() {
    let scene = Scene::new().await;
    let flip = |always: bool| {
        move |seen: &Seen, n: usize| {
            (seen.is("PUT", SECOND) && (n == 0 || always)).then_some(Fault::FlipUpload(1 << 20))
        }
    };
    let (vault, proxy) = scene.faulty(flip(false)).await;
    scene.store(&vault, "s-1").await.expect("stored");
    let sent = proxy.seen("PUT", SECOND);
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|seen| seen.header("x-amz-checksum-crc32c").is_some()), "by default");
    assert!(scene.is_whole("s-1").await);

    let (vault, proxy) = scene.faulty(flip(true)).await;
    let error = scene.store(&vault, "s-2").await.expect_err("never arrives");
    assert_eq!((error.kind(), proxy.seen("PUT", SECOND).len()), (Kind::Unavailable, 4), "{}", words(&error));
    assert!(words(&error).contains("BadDigest"), "{}", words(&error));
    assert!(!vault.exists("s-2").await.expect("asked"), "it never became a snapshot");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checksum_is_the_one_that_the_scenario_chooses() {
    let scene = Scene::new().await;
    for (checksum, attempts, md5) in [(Checksum::Md5, 2, true), (Checksum::None, 1, false)] {
        let flip = |seen: &Seen, n| (seen.is("PUT", SECOND) && n == 0).then_some(Fault::FlipUpload(1 << 20));
        let proxy = Proxy::before(scene.server, Box::new(flip)).await;
        let vault = vault_with(&scene.home, proxy.address, checksum);
        scene.store(&vault, &format!("s-{md5}")).await.expect("stored");
        let sent = proxy.seen("PUT", SECOND);
        let headers = ["content-md5", "x-amz-checksum-crc32c"].map(|name| sent[0].header(name).is_some());
        assert_eq!((sent.len(), headers), (attempts, [md5, false]), "{checksum:?}");
    }
    assert!(scene.is_whole("s-true").await);
    let unseen = vault_at(&scene.home, scene.server);
    assert_eq!(scene.read(&unseen, "s-false").await.expect_err("nobody saw it").kind(), Kind::Corrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_change_on_their_way_back_are_called_damage() {
    let scene = Scene::new().await;
    scene.stored("s-1").await;
    let (vault, _) = scene.faulty(|seen, _| seen.is("GET", SECOND).then_some(Fault::FlipAnswer(1 << 20))).await;
    let error = scene.read(&vault, "s-1").await.expect_err("flipped");
    let said = "Corrupt: segment 000001 (2 of 3) of snapshot s-1 does not have the digest that was stored";
    assert_eq!(words(&error), said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_store_is_waited_for() {
    let scene = Scene::new().await;
    let (vault, proxy) = scene.faulty(|seen, _| seen.path.contains(SECOND).then_some(Fault::Slow(10))).await;
    scene.store(&vault, "s-1").await.expect("stored");
    assert!(scene.read(&vault, "s-1").await.expect("read") == scene.plain);
    assert_eq!((proxy.seen("PUT", SECOND).len(), proxy.seen("GET", SECOND).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_is_never_written_over_another_where_the_store_sees_to_that() {
    let scene = Scene::new().await;
    let (vault, proxy) = scene.faulty(|_, _| None).await;
    assert!(!vault.capabilities().conditional_writes, "not believed unseen");
    vault.probe_write(&scene.home.cx).await.expect("writable");
    assert!(vault.capabilities().conditional_writes);
    let error = in_the_way(&scene, &vault, "s-1").await.expect_err("in the way");
    assert_eq!(error.kind(), Kind::Refused, "{}", words(&error));
    assert!(words(&error).contains("snapshot s-1 has a header in bucket s3://backups/drills"), "{}", words(&error));
    assert_eq!(std::fs::read(header_file(&scene, "s-1")).expect("header"), b"another");
    assert!(proxy.seen("PUT", HEADER).iter().all(|seen| seen.header("if-none-match") == Some("*")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_says_yes_to_conditions_and_overwrites_is_seen_through() {
    let scene = Scene::new().await;
    // What is asked to be written only where nothing is finds nothing there.
    let root = scene.home.path("s3");
    let overwrites = move |seen: &Seen, _| {
        let file = root.join(seen.path.trim_start_matches('/'));
        if seen.header("if-none-match").is_some() && file.exists() {
            std::fs::remove_file(file).expect("removed");
        }
        None
    };
    let (vault, proxy) = scene.faulty(overwrites).await;
    vault.probe_write(&scene.home.cx).await.expect("writable");
    assert!(!vault.capabilities().conditional_writes);
    scene.store(&vault, "s-1").await.expect("stored");
    assert_eq!(proxy.seen("PUT", HEADER)[0].header("if-none-match"), None, "what it ignores is not asked");
    assert!(scene.is_whole("s-1").await);

    // One that doesn't know conditions at all.
    let unknown = |seen: &Seen, _| seen.header("if-none-match").map(|_| Fault::Answer(501));
    let (vault, _) = scene.faulty(unknown).await;
    vault.probe_write(&scene.home.cx).await.expect("writable");
    assert!(!vault.capabilities().conditional_writes);
    scene.store(&vault, "s-2").await.expect("stored");
    assert!(std::fs::read_dir(scene.home.path("s3/backups/drills")).expect("bucket").count() == 1, "no probe is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_whose_answer_was_lost_is_known_again() {
    let scene = Scene::new().await;
    let lose = |seen: &Seen, n| (seen.is("PUT", HEADER) && n == 0).then_some(Fault::LoseAnswer);
    let (vault, proxy) = scene.faulty(lose).await;
    vault.probe_write(&scene.home.cx).await.expect("writable");
    scene.store(&vault, "s-1").await.expect("its own");
    assert_eq!(proxy.seen("PUT", HEADER).len(), 2);
    assert!(scene.is_whole("s-1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_asked_to_stop_does_not_try_again() {
    let scene = Scene::new().await;
    let (vault, proxy) = scene.faulty(|seen, _| (seen.method == "PUT").then_some(Fault::Answer(503))).await;
    let vault = vault.within(&scene.home.cx);
    scene.home.cx.cancel.cancel();
    let error = vault.probe_write(&scene.home.cx).await.expect_err("refused");
    assert_eq!((error.kind(), proxy.seen("PUT", "").len()), (Kind::Unavailable, 1), "{}", words(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bandwidth_is_kept_both_ways_and_evenly() {
    let scene = Scene::new().await;
    let (cx, limited) = (&scene.home.cx, scene.limited(&bandwidth("8MiB/s")));
    let (vault, proxy) = scene.faulty(|_, _| None).await;
    let vault = vault.within(&limited);
    let before = cx.clock.elapsed();
    scene.store(&vault, "s-1").await.expect("stored");
    let (stored, at_least) = (cx.clock.elapsed() - before, Duration::from_millis(3_800));
    assert!(stored >= at_least, "32 MiB in {stored:?}");
    assert!(proxy.seen("PUT", SECOND)[0].header("transfer-encoding").is_none());
    let pause = proxy.longest_pause();
    assert!(pause < Duration::from_millis(1_200), "it came in bursts, {pause:?} apart");
    let before = cx.clock.elapsed();
    assert!(scene.read(&vault, "s-1").await.expect("read") == scene.plain);
    let read = cx.clock.elapsed() - before;
    assert!(read >= at_least, "32 MiB in {read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_with_a_limited_upload_is_dealt_with_as_with_any_other() {
    let scene = Scene::new().await;
    let faults = [Fault::CutUpload(5 << 20), Fault::Answer(503), Fault::FlipUpload(7)];
    let (vault, proxy) = scene.faulty(move |seen, n| faults.get(n).copied().filter(|_| seen.is("PUT", SECOND))).await;
    let limited = scene.limited(&bandwidth("1GiB/s"));
    scene.store(&vault.within(&limited), "s-1").await.expect("stored");
    assert_eq!(proxy.seen("PUT", SECOND).len(), 4);
    assert!(scene.is_whole("s-1").await);

    let (vault, _) = scene.faulty(|seen, _| (seen.method == "PUT").then_some(Fault::Answer(403))).await;
    let error = vault.within(&limited).probe_write(&scene.home.cx).await.expect_err("refused");
    assert_eq!(error.kind(), Kind::Denied, "{}", words(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_requests_are_under_way_than_the_scenario_allows() {
    let scene = Scene::new().await;
    let limited =
        scene.limited(&drill_scenarios::Limits { concurrency: std::num::NonZero::new(1), ..Default::default() });
    let (vault, proxy) = scene.faulty(|_, _| Some(Fault::Slow(1))).await;
    scene.store(&vault, "s-1").await.expect("stored");
    assert!(proxy.most_at_once() > 1, "without a limit several are");
    let (vault, proxy) = scene.faulty(|_, _| Some(Fault::Slow(1))).await;
    scene.store(&vault.within(&limited), "s-2").await.expect("stored");
    assert_eq!(proxy.most_at_once(), 1);
}

fn bandwidth(rate: &str) -> drill_scenarios::Limits {
    drill_scenarios::Limits { bandwidth: Some(rate.parse().expect("rate")), ..Default::default() }
}

/// Stores while somebody else's header appears under the same id before the last step.
async fn in_the_way(scene: &Scene, vault: &Vault, id: &str) -> drill_agents::Result<()> {
    let (sealing, mut writer) = drill_agents::seal::Sealing::begin(&scene.home.cx, vault, &scene.home.keys, id).await?;
    writer.write(b"content").await?;
    std::fs::create_dir_all(header_file(scene, id).parent().expect("folder")).expect("folder");
    std::fs::write(header_file(scene, id), "another").expect("in the way");
    complete(&scene.home.cx, sealing, writer, &Index::new(Format::Tar)).await.map(drop)
}

fn header_file(scene: &Scene, id: &str) -> std::path::PathBuf {
    scene.home.path("s3/backups/drills/snapshots").join(id).join(HEADER)
}
