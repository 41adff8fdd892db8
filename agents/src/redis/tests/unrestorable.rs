//! Damage to an RDB, and what can't be drilled at all.

use super::fixture::{Fixture, RICH};
use crate::{Format, Index, Kind};

#[tokio::test(flavor = "multi_thread")]
async fn an_rdb_that_is_cut_off_changed_or_none_is_the_backups_fault() {
    let fixture = Fixture::start().await;
    fixture.send(RICH).await;
    let (captured, stream) = fixture.capture().await;
    let mut flipped = stream.clone();
    // In the text of a value: only the checksum can tell that it was changed. Keys come in any order, and cuts elsewhere have other words.
    let at = flipped.windows(6).position(|window| window == b"\x05hello").expect("a value");
    flipped[at + 1] ^= 1;
    for (damaged, said) in [
        (stream[..at + 3].to_vec(), "Short read"),
        (stream[..stream.len() - 4].to_vec(), "Short read"),
        (flipped, "checksum"),
        (b"no RDB at all".to_vec(), "Wrong signature"),
    ] {
        let Err(error) = fixture.try_restore(&captured.index, damaged).await else { panic!("{said}: it was restored") };
        assert_eq!(error.kind(), Kind::Unrestorable, "{said}: {}", error.chain());
        assert!(error.to_string().contains(said), "{said}: {error}");
        fixture.release().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_program_of_this_host_can_not_load_leaves_no_answer() {
    let fixture = Fixture::start().await;
    fixture.send("SET a 1").await;
    let (captured, stream) = fixture.capture().await;
    let mut newer = stream.clone();
    newer[5..9].copy_from_slice(b"0099");
    let Err(error) = fixture.try_restore(&captured.index, newer).await else { panic!("it was restored") };
    assert_eq!(error.kind(), Kind::Config, "{}", error.chain());
    assert!(error.to_string().contains("RDB format version 99"), "{error}");
    fixture.release().await;

    let mut future = captured.index.clone();
    future.databases[0].version = "99.1.0".into();
    let Err(error) = fixture.try_restore(&future, stream).await else { panic!("it was restored") };
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("older than the source, which is 99.1.0"), "{error}");
    assert!(fixture.try_restore(&Index::new(Format::Tar), Vec::new()).await.is_err(), "a tree is no RDB");
}
