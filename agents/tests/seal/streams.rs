//! Streams of every length come back as they were, in bounded memory.

use drill_agents::seal::{About, Sealing};
use drill_agents::{Captured, Format, Index, Kind, SEGMENT_BYTES};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Home, noise, read_all};

#[test]
fn a_stream_of_any_length_comes_back_as_it_was() {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let near = |border: usize| border.saturating_sub(3)..border + 3;
    let lengths = prop_oneof![near(0), 0..100_000_usize, near(SEGMENT_BYTES), near(2 * SEGMENT_BYTES)];
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let noise = noise(2 * SEGMENT_BYTES + 3);
    runner
        .run(&(lengths, any::<bool>()), |(length, compresses)| {
            let plain = if compresses { vec![7; length] } else { noise[..length].to_vec() };
            runtime.block_on(async {
                let home = Home::new();
                let stored = home.store("s-1", &plain).await;
                prop_assert_eq!(stored.header.stream_bytes(), length as u64);
                prop_assert_eq!(stored.header.segments.len(), length.div_ceil(SEGMENT_BYTES).max(1));
                prop_assert!(home.read("s-1").await.expect("read") == plain, "{length} bytes differ");
                Ok(())
            })
        })
        .expect("every length");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocking_reader_gets_the_same_stream_and_busy_times_are_counted() {
    let home = Home::new();
    let plain = noise(SEGMENT_BYTES + 5);
    home.store("s-1", &plain).await;
    let mut stream = home.locate("s-1").await.expect("located").stream(&home.cx);
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut stream.blocking(), &mut bytes).expect("read");
        bytes
    });
    assert!(read.await.expect("thread") == plain);
    let [fetched, opened, loaded] = home.cx.timings.read();
    assert!(!fetched.is_zero() && !opened.is_zero() && loaded.is_zero());
    assert_eq!(home.cx.progress.read(), (0, plain.len() as u64), "whoever restores counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_does_not_grow_with_the_stream() {
    // What the program itself takes is not in here: under 30 MiB.
    half_a_gib_within(Home::new(), 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_memory_is_scarce_less_is_under_way() {
    let mut home = Home::new();
    home.cx.low_memory = true;
    half_a_gib_within(home, 96).await;
}

/// Stores and reads half a GiB that doesn't compress; neither may take more than so many MiB.
async fn half_a_gib_within(home: Home, most: u64) {
    let (sealing, mut writer) = Sealing::begin(&home.cx, &home.vault, &home.keys, "s-1").await.expect("begun");
    let piece = noise(1 << 20);
    let before = peak_after_reset();
    for _ in 0..512 {
        writer.write(&piece).await.expect("written");
    }
    let captured = Captured {
        index: Index::new(Format::Tar),
        taken_at: Timestamp::UNIX_EPOCH,
        newest_at: None,
        notes: Vec::new(),
    };
    let about = About { scenario: "books".into(), source: "command".into(), tool: "drillctl test".into() };
    sealing.complete(&home.cx, writer, captured, about).await.expect("stored");
    let grown = peak().saturating_sub(before);
    assert!(grown < most << 10, "storing half a GiB took {} MiB", grown >> 10);

    // From here on memory is used again that storing took.
    let mut stream = home.locate("s-1").await.expect("located").stream(&home.cx);
    let mut read = 0;
    while let Some(piece) = stream.next().await.expect("piece") {
        read += piece.len();
    }
    assert_eq!(read, 512 << 20);
    let grown = peak().saturating_sub(before);
    assert!(grown < most << 10, "storing and reading half a GiB took {} MiB", grown >> 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_asked_to_stop_stops_storing_and_reading() {
    let home = Home::new();
    home.store("s-1", &noise(4 * SEGMENT_BYTES)).await;
    let located = home.locate("s-1").await.expect("located");
    let (sealing, mut writer) = Sealing::begin(&home.cx, &home.vault, &home.keys, "s-2").await.expect("begun");
    home.cx.cancel.cancel();
    let read = read_all(located.stream(&home.cx)).await.expect_err("stopped");
    assert_eq!(read.kind(), Kind::Interrupted);
    let error = loop {
        if let Err(error) = writer.write(&vec![0; SEGMENT_BYTES]).await {
            break error;
        }
    };
    assert_eq!(sealing.abandon(writer, error).await.kind(), Kind::Interrupted);
    assert!(!home.vault.exists("s-2").await.expect("asked"));
}

/// Peak of this process's memory in KiB, from now on.
fn peak_after_reset() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").expect("reset");
    peak()
}

fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("peak");
    line.split_whitespace().nth(1).expect("number").parse().expect("KiB")
}
