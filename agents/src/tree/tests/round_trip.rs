//! What goes in comes out: by our own hand, by the system's tar, and the other way round.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use super::{assert_same, captured, nasty, observed, packed};
use crate::{EntryKind, tree, trial};

#[tokio::test]
async fn a_nasty_tree_comes_back_equal() {
    let home = tempfile::tempdir().expect("tempdir");
    let (from, to) = (home.path().join("from"), home.path().join("to"));
    std::fs::create_dir(&from).expect("folder");
    nasty::fill(&from);
    nasty::deepen(&from);
    let cx = trial::context(home.path());
    let (taken, stream) = captured(&cx, &from).await;
    let told: Vec<_> = taken.notes.iter().map(|note| note.subject.as_str()).collect();
    assert_eq!(told, ["links/socket"]);
    assert_same(&cx, &from, &taken.index);
    assert!(stream.len() < 12 << 20, "holes are stored: {}", stream.len());

    tree::make_root(&to).expect("root");
    let restored = tree::restore(&cx, &to, trial::reader(stream), None).await.expect("restored");
    assert_eq!(restored, crate::Restored::default());
    assert_same(&cx, &to, &taken.index);
    let sparse = std::fs::metadata(to.join("sparse")).expect("sparse file");
    assert_eq!(sparse.len(), 1 << 30);
    assert!(sparse.blocks() * 512 < 1 << 20, "holes are filled: {} blocks", sparse.blocks());
}

#[tokio::test]
async fn what_was_digested_while_it_was_written_is_what_reading_it_back_finds() {
    let home = tempfile::tempdir().expect("tempdir");
    let (from, to) = (home.path().join("from"), home.path().join("to"));
    std::fs::create_dir(&from).expect("folder");
    nasty::fill(&from);
    std::fs::write(from.join("big"), b"0123456789abcdef".repeat(200_000)).expect("file");
    let cx = trial::context(home.path());
    let mut stream = packed(&from, &["--format=gnu", "--sparse"]);
    // Of a path that the archive holds twice, the last member counts.
    std::fs::write(from.join("big"), "shorter").expect("file");
    let end = stream.iter().rposition(|byte| *byte != 0).expect("content") + 1;
    stream.truncate(end.next_multiple_of(512));
    stream.extend(packed(&from, &["--format=gnu", "--sparse"]));

    tree::make_root(&to).expect("root");
    let written = std::sync::Arc::<tree::Written>::default();
    tree::restore(&cx, &to, trial::reader(stream), Some(written.clone())).await.expect("restored");
    let observe = |written| {
        let root = tree::open_root(&to).expect("root");
        tree::observe(&cx, root, drill_scenarios::Level::Content, written).expect("observed").entries
    };
    let (digested, read) = (observe(Some(&written)), observe(None));
    assert_eq!(digested, read);
    let kind = EntryKind::File { size: 7, sha256: crate::Sha256::of(b"shorter") };
    assert!(read.iter().any(|entry| entry.kind == kind), "the later member took its place");
}

#[tokio::test]
async fn an_unchanged_tree_is_taken_alike_twice() {
    let home = tempfile::tempdir().expect("tempdir");
    let from = home.path().join("from");
    std::fs::create_dir(&from).expect("folder");
    nasty::fill(&from);
    let cx = trial::context(home.path());
    let (first, second) = (captured(&cx, &from).await, captured(&cx, &from).await);
    assert_eq!(first.0.index, second.0.index);
    assert!(first.1 == second.1, "the streams differ");
}

#[tokio::test]
async fn the_systems_tar_unpacks_it_alike() {
    let home = tempfile::tempdir().expect("tempdir");
    let (from, to) = (home.path().join("from"), home.path().join("to"));
    std::fs::create_dir(&from).expect("folder");
    std::fs::create_dir(&to).expect("folder");
    nasty::fill(&from);
    let cx = trial::context(home.path());
    let (taken, stream) = captured(&cx, &from).await;
    let archive = home.path().join("archive.tar");
    std::fs::write(&archive, stream).expect("archive");
    let output = Command::new("tar")
        .args(["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf"])
        .args([archive.as_os_str(), "-C".as_ref(), to.as_os_str()])
        .output()
        .unwrap_or_else(|error| panic!("tar: {error}; install it: apt-get install tar"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let warnings: Vec<_> = stderr.lines().filter(|line| !line.contains("time stamp")).collect();
    assert!(output.status.success() && warnings.is_empty(), "{warnings:#?}");
    assert_same(&cx, &to, &taken.index);
    assert!(std::fs::metadata(to.join("sparse")).expect("sparse file").blocks() * 512 < 1 << 20);
}

#[tokio::test]
async fn what_the_systems_tar_packs_is_unpacked_alike_in_each_of_its_formats() {
    let home = tempfile::tempdir().expect("tempdir");
    let from = home.path().join("from");
    std::fs::create_dir(&from).expect("folder");
    nasty::fill(&from);
    std::fs::remove_file(from.join("links/socket")).expect("tar warns of sockets");
    let cx = trial::context(home.path());
    let (taken, _) = captured(&cx, &from).await;
    let pax = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "--sparse", "--format=pax"];
    for (name, with) in
        [("pax-1.0", "--sparse-version=1.0"), ("pax-0.1", "--sparse-version=0.1"), ("pax-0.0", "--sparse-version=0.0")]
    {
        let to = home.path().join(name);
        tree::make_root(&to).expect("root");
        let stream = packed(&from, &[&pax[..], &[with]].concat());
        tree::restore(&cx, &to, trial::reader(stream), None).await.expect(name);
        assert_same(&cx, &to, &taken.index);
    }
    let to = home.path().join("gnu");
    tree::make_root(&to).expect("root");
    let stream = packed(&from, &["--numeric-owner", "--sparse", "--format=gnu"]);
    tree::restore(&cx, &to, trial::reader(stream), None).await.expect("gnu");
    let mut known = taken.index.clone();
    for entry in &mut known.entries {
        // The GNU format holds neither of these.
        entry.xattrs.clear();
        entry.mtime_ns -= entry.mtime_ns.rem_euclid(1_000_000_000);
    }
    let mut index = observed(&cx, &to, &known).expect("observed");
    index.entries.iter_mut().for_each(|entry| entry.mtime_ns -= entry.mtime_ns.rem_euclid(1_000_000_000));
    assert_eq!(crate::differences(&known, &index, drill_scenarios::Level::Content), []);
}

#[tokio::test]
async fn an_empty_folder_is_a_tree_too() {
    let home = tempfile::tempdir().expect("tempdir");
    let (from, to) = (home.path().join("from"), home.path().join("to"));
    std::fs::create_dir(&from).expect("folder");
    let cx = trial::context(home.path());
    let (taken, stream) = captured(&cx, &from).await;
    assert_eq!(taken.index.entries.len(), 1);
    assert_eq!(taken.index.entries[0].kind, EntryKind::Directory);
    tree::make_root(&to).expect("root");
    tree::restore(&cx, &to, trial::reader(stream), None).await.expect("restored");
    assert_same(&cx, &to, &taken.index);
}
