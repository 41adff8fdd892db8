//! Reaching a cluster, and what is said where it fails.

use std::time::Duration;

use drill_scenarios::EtcdSource;

use super::fixture::Fixture;
use crate::trial::captured;
use crate::{Kind, Source};

fn at(endpoints: &[String]) -> EtcdSource {
    EtcdSource { endpoints: endpoints.to_vec(), ..EtcdSource::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_does_not_answer_is_passed_over_and_told() {
    let fixture = Fixture::start().await;
    fixture.ctl("put a 1").await;
    let [nowhere, there] = ["/nowhere/client:0".to_owned(), fixture.socket().display().to_string()];
    let endpoints = [&nowhere, &there].map(|path| format!("unix://{path}"));
    let source = fixture.open(&at(&endpoints)).expect("source");
    let (captured, _) = captured(&source, &fixture.cx).await.expect("captured");
    assert_eq!(captured.notes.len(), 1, "{:?}", captured.notes);
    assert!(captured.notes[0].statement.contains("/nowhere/client:0"), "{:?}", captured.notes);
    let whereabouts = source.whereabouts().await;
    assert_eq!(whereabouts.paths, [nowhere, there].map(std::path::PathBuf::from));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_not_there_or_goes_away_is_unavailable() {
    let fixture = Fixture::start().await;
    let nowhere = at(&["unix:///nowhere/a".into(), "unix:///nowhere/b".into()]);
    let error = fixture.open(&nowhere).expect("source").identity(&fixture.cx).await.expect_err("nobody");
    assert_eq!((error.kind(), error.is_temporary()), (Kind::Unavailable, true), "{}", error.chain());
    assert!(error.chain().contains("none of 2 members of etcd can be used"), "{}", error.chain());

    fixture.fill(20_000, 2000).await;
    let slow = drill_scenarios::Limits { bandwidth: Some("20MiB/s".parse().expect("rate")), ..Default::default() };
    let cx = fixture.cx.clone().limited(crate::Limits::new(&slow, &fixture.cx.clock));
    let (source, cx) = (fixture.source(), &cx);
    let killing = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        fixture.kill();
    };
    let (gone, ()) = tokio::join!(captured(&source, cx), killing);
    let error = gone.expect_err("it broke off");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    assert!(error.chain().contains("snapshot"), "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_a_gateway_is_told_from_one_that_is_down() {
    let fixture = Fixture::start().await;
    let folder = fixture.folder.join("no-gateway");
    std::fs::create_dir(&folder).expect("a folder");
    let member = super::fixture::member(&folder, &["--enable-grpc-gateway=false"]);
    let running = member.log_to(&folder.join("log")).start(&fixture.cx).expect("started");
    let endpoint = format!("unix://{}", folder.join("client:0").display());
    let source = fixture.open(&at(&[endpoint])).expect("source");
    let error = loop {
        let error = source.identity(&fixture.cx).await.expect_err("no gateway");
        if !error.is_temporary() {
            break error;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(error.kind(), Kind::Config, "{}", error.chain());
    assert!(error.next_step().is_some_and(|step| step.contains("--enable-grpc-gateway")), "{error:?}");
    running.stop().await;
}

/// A cluster of three of which one is left: it still answers, and may be behind what the others had agreed on.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_has_lost_the_others_is_not_read() {
    let fixture = Fixture::start().await;
    let peers: Vec<String> = (0..3).map(|_| format!("http://127.0.0.1:{}", free_port())).collect();
    let cluster = format!("a={},b={},c={}", peers[0], peers[1], peers[2]);
    let mut members = Vec::new();
    for (name, peer) in ["a", "b", "c"].iter().zip(&peers) {
        let folder = fixture.folder.join(name);
        std::fs::create_dir(&folder).expect("a folder");
        let among = ["--name", name, "--initial-cluster", &cluster, "--listen-peer-urls", peer];
        let quiet = ["--heartbeat-interval", "50", "--election-timeout", "500"];
        let options = [&among[..], &["--initial-advertise-peer-urls", peer], &quiet].concat();
        let started = super::fixture::member(&folder, &options).log_to(&folder.join("log")).start(&fixture.cx);
        members.push(started.expect("started"));
    }
    let source =
        fixture.open(&at(&[format!("unix://{}", fixture.folder.join("a/client:0").display())])).expect("source");
    let mut looks = 0;
    while let Err(error) = source.identity(&fixture.cx).await {
        looks += 1;
        assert!(error.is_temporary() && looks < 500, "{}", error.chain());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    members.truncate(1);
    let refused = async {
        loop {
            match source.identity(&fixture.cx).await {
                Err(error) if error.chain().contains("has no leader") => break error.kind(),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let kind = tokio::time::timeout(Duration::from_secs(30), refused).await.expect("it is still read");
    assert_eq!(kind, Kind::Unavailable);
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    free.expect("a free port").port()
}
