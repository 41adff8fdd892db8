//! Damage to a snapshot, and what can't be drilled at all.

use drill_scenarios::EtcdScratch;

use serde_json::{Value, json};

use super::fixture::Fixture;
use crate::etcd::connection::Connection;
use crate::trial::captured;
use crate::{Format, Index, Kind};

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_cut_off_changed_or_none_is_the_backups_fault() {
    let fixture = Fixture::start().await;
    fixture.fill(1000, 100).await;
    let (captured, stream) = fixture.capture().await;
    let mut flipped = stream.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (what, damaged) in [
        ("cut between pages", stream[..middle - middle % 4096 + 32].to_vec()),
        ("cut anywhere", stream[..middle + 77].to_vec()),
        ("without its digest", stream[..stream.len() - 32].to_vec()),
        ("flipped", flipped),
        ("none", b"no snapshot at all".to_vec()),
    ] {
        let restored = fixture.try_restore(&EtcdScratch::default(), &captured.index, damaged).await;
        let Err(error) = restored else { panic!("{what}: it was restored") };
        assert_eq!(error.kind(), Kind::Unrestorable, "{what}: {}", error.chain());
        assert!(error.to_string().contains("is cut off or was changed"), "{what}: {error}");
        fixture.release().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_programs_of_this_host_are_too_old_for_leaves_no_answer() {
    let fixture = Fixture::start().await;
    fixture.ctl("put a 1").await;
    let (captured, stream) = fixture.capture().await;
    let mut future = captured.index.clone();
    future.databases[0].version = "99.1.0".into();
    let Err(error) = fixture.try_restore(&EtcdScratch::default(), &future, stream).await else { panic!("restored") };
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("older than the source, which is 99.1.0"), "{error}");
    let tree = fixture.try_restore(&EtcdScratch::default(), &Index::new(Format::Tar), Vec::new()).await;
    assert!(tree.is_err(), "a tree is no snapshot");
    let nowhere = EtcdScratch { bin: Some("nowhere".into()), ..EtcdScratch::default() };
    let Err(error) = fixture.try_restore(&nowhere, &captured.index, Vec::new()).await else { panic!("restored") };
    assert!(error.kind() == Kind::Config && error.to_string().contains("there is no etcd in nowhere"), "{error:?}");
}

/// Members of a cluster that says so don't hold the same: whichever is backed up may be the wrong one.
#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_told_and_one_that_says_that_members_disagree_ends_the_drill() {
    let fixture = Fixture::start().await;
    fixture.ctl("put a 1").await;
    for (alarm, raised) in [("NOSPACE", true), ("CORRUPT", false)] {
        let mut connection = Connection::open(&fixture.address()).await.expect("connected");
        let activate = json!({"action": "ACTIVATE", "alarm": alarm});
        let _: Value = connection.ask("maintenance/alarm", &activate).await.expect("raised");
        let taken = captured(&fixture.source(), &fixture.cx).await;
        assert_eq!(taken.is_ok(), raised, "{alarm}");
        match taken {
            Ok((captured, stream)) => {
                assert!(captured.notes[0].statement.contains("takes no writes"), "{:?}", captured.notes);
                let restored = fixture.restore(&captured.index, stream).await;
                assert_eq!(restored.differences(&captured.index).await, [], "the alarm comes back too");
                restored.ctl("alarm disarm").await;
                let found = restored.differences(&captured.index).await;
                assert_eq!(found, [("alarm:NOSPACE".to_owned(), "is missing".to_owned())]);
                restored.release().await;
            }
            Err(error) => assert!(error.to_string().contains("members do not agree"), "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_the_source_or_not_the_one_that_was_started_ends_the_drill() {
    let fixture = Fixture::start().await;
    fixture.ctl("put a 1").await;
    let (captured, stream) = fixture.capture().await;
    let restored = fixture.restore(&captured.index, stream.clone()).await;
    let told: Value = serde_json::from_str(&restored.ctl("endpoint status --write-out=json").await).expect("JSON");
    let id = told[0]["Status"]["header"]["cluster_id"].as_u64().expect("an id");
    restored.release().await;
    // A cluster's id comes from its name and token, which are those of the run.
    let mut same = captured.index.clone();
    same.databases[0].settings.insert("cluster_id".into(), format!("{id:x}"));
    let Err(error) = fixture.try_restore(&EtcdScratch::default(), &same, stream.clone()).await else {
        panic!("restored")
    };
    assert_eq!(error.kind(), Kind::Refused, "{}", error.chain());
    fixture.release().await;

    let bin = fixture.folder.join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    for (program, more) in [("etcd", "--name another"), ("etcdctl", "")] {
        let script = bin.join(program);
        std::fs::write(&script, format!("#!/bin/sh\nexec {program} \"$@\" {more}\n")).expect("a script");
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    }
    let described = EtcdScratch { bin: Some(bin), ..EtcdScratch::default() };
    let Err(error) = fixture.try_restore(&described, &captured.index, stream).await else { panic!("restored") };
    assert_eq!(error.kind(), Kind::Refused, "{}", error.chain());
    assert!(error.to_string().contains("not the one that was started"), "{error}");
    fixture.release().await;
}
