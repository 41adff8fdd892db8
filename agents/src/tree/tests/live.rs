//! Trees that change while they are read. The bounded queue makes it certain: the capture stands still in the middle of a big file until
//! its segments are taken.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{assert_same, captured, source};
use crate::{Captured, SEGMENT_BYTES, SealWriter, Source, tree, trial};

const BIG: u64 = 6 * SEGMENT_BYTES as u64;

/// Takes the tree; `meanwhile` happens when a part of its first file was read.
async fn captured_while(root: &Path, home: &Path, meanwhile: impl FnOnce()) -> (Captured, Vec<u8>) {
    let (cx, source) = (trial::context(home), source(root, |_| {}));
    let (mut out, mut queue) = SealWriter::new(1, &cx.buffers);
    let capture = tokio::spawn(async move {
        let captured = source.capture(&cx, &mut out).await;
        out.finish().await.expect("finished");
        captured
    });
    let mut stream = queue.recv().await.expect("a first segment").to_vec();
    meanwhile();
    while let Some(segment) = queue.recv().await {
        stream.extend_from_slice(&segment);
    }
    (capture.await.expect("no panic").expect("captured"), stream)
}

fn big_file(path: &Path) -> File {
    let mut file = File::options().create_new(true).read(true).write(true).open(path).expect("file");
    for n in 0..BIG >> 20 {
        file.write_all(&vec![u8::try_from(n).expect("small"); 1 << 20]).expect("content");
    }
    file
}

/// What was noted of each path; and what was stored is what the index says, whatever became of the source.
async fn told(home: &Path, captured: Captured, stream: Vec<u8>) -> Vec<(String, String)> {
    let (cx, to) = (trial::context(home), home.join("to"));
    tree::make_root(&to).expect("root");
    tree::restore(&cx, &to, trial::reader(stream), None).await.expect("restored");
    assert_same(&cx, &to, &captured.index);
    captured.notes.into_iter().map(|note| (note.subject, note.statement)).collect()
}

#[tokio::test]
async fn a_file_that_is_written_to_while_it_is_read_is_told_of() {
    let home = tempfile::tempdir().expect("tempdir");
    let root = home.path().join("from");
    std::fs::create_dir(&root).expect("folder");
    let file = big_file(&root.join("a-busy"));
    let (captured, stream) = captured_while(&root, home.path(), || {
        file.write_all_at(b"changed", 0).expect("begin");
        file.write_all_at(b"changed", BIG - 7).expect("end");
    })
    .await;
    let told = told(home.path(), captured, stream).await;
    assert!(
        matches!(&told[..], [(path, what)] if path == "a-busy" && what.starts_with("It changed while")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_is_cut_where_it_ended_and_told_of() {
    let home = tempfile::tempdir().expect("tempdir");
    let root = home.path().join("from");
    std::fs::create_dir(&root).expect("folder");
    let mut file = big_file(&root.join("a-log"));
    let (captured, stream) = captured_while(&root, home.path(), || file.write_all(b"more").expect("appended")).await;
    let told = told(home.path(), captured, stream).await;
    assert!(matches!(&told[..], [(path, what)] if path == "a-log" && what.starts_with("It changed while")), "{told:?}");
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_leaves_a_whole_archive_and_is_told_of() {
    let home = tempfile::tempdir().expect("tempdir");
    let root = home.path().join("from");
    std::fs::create_dir(&root).expect("folder");
    let file = big_file(&root.join("a-cut"));
    std::fs::write(root.join("b"), "comes after").expect("file");
    let (captured, stream) =
        captured_while(&root, home.path(), || file.set_len(BIG - SEGMENT_BYTES as u64 - 1).expect("cut")).await;
    let told = told(home.path(), captured, stream).await;
    assert!(matches!(&told[..], [(path, what)] if path == "a-cut" && what.starts_with("It shrank while")), "{told:?}");
}

#[tokio::test]
async fn what_vanishes_or_turns_into_a_link_is_not_followed() {
    let home = tempfile::tempdir().expect("tempdir");
    let (root, outside) = (home.path().join("from"), home.path().join("outside"));
    for folder in [&root, &outside, &root.join("folder"), &root.join("gone")] {
        std::fs::create_dir(folder).expect("folder");
    }
    big_file(&root.join("a"));
    // More than is read ahead while the big file is stored.
    (0..2_000).for_each(|n| std::fs::write(root.join(format!("b{n}")), "x").expect("file"));
    std::fs::write(root.join("gone-file"), "x").expect("file");
    std::fs::write(outside.join("secret"), "secret").expect("file");
    let (captured, stream) = captured_while(&root, home.path(), || {
        std::fs::remove_dir(root.join("gone")).expect("removed");
        std::fs::remove_file(root.join("gone-file")).expect("removed");
        std::fs::remove_dir(root.join("folder")).expect("removed");
        symlink(&outside, root.join("folder")).expect("link");
    })
    .await;
    let told: Vec<_> = told(home.path(), captured, stream).await;
    let vanished = "It vanished while the tree was read.".to_owned();
    assert_eq!(told, [("gone".into(), vanished.clone()), ("gone-file".into(), vanished)]);
    assert!(home.path().join("to/folder").is_symlink());
}

#[tokio::test(flavor = "multi_thread")]
async fn swapping_folders_and_files_for_links_all_the_while_never_leads_out() {
    let home = tempfile::tempdir().expect("tempdir");
    let (root, outside) = (home.path().join("from"), home.path().join("outside"));
    for folder in [&root, &outside, &root.join("folder"), &home.path().join("swap")] {
        std::fs::create_dir(folder).expect("folder");
    }
    for folder in [&outside, &root.join("folder")] {
        std::fs::write(folder.join("file"), if folder == &outside { "very secret" } else { "harmless" }).expect("file");
    }
    std::fs::write(root.join("file"), "harmless").expect("file");
    symlink(&outside, home.path().join("swap/folder")).expect("link");
    symlink(outside.join("file"), home.path().join("swap/file")).expect("link");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for name in ["folder", "file"] {
                    let (a, b) = (root.join(name), home.path().join("swap").join(name));
                    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).expect("exchanged");
                }
            }
        });
        let cx = trial::context(home.path());
        for _ in 0..300 {
            let (_, stream) =
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(captured(&cx, &root)));
            assert!(!stream.windows(11).any(|window| window == b"very secret"), "the capture was led out");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[tokio::test]
async fn a_run_that_is_asked_to_stop_stops_in_the_middle_of_a_file() {
    let home = tempfile::tempdir().expect("tempdir");
    let root = home.path().join("from");
    std::fs::create_dir(&root).expect("folder");
    big_file(&root.join("a"));
    let (cx, source) = (trial::context(home.path()), source(&root, |_| {}));
    let (mut out, mut queue) = SealWriter::new(1, &cx.buffers);
    let cancel = cx.cancel.clone();
    let capture = tokio::spawn(async move { source.capture(&cx, &mut out).await });
    queue.recv().await.expect("a first segment");
    cancel.cancel();
    while queue.recv().await.is_some() {}
    let stopped = capture.await.expect("no panic").expect_err("stopped");
    assert_eq!(stopped.kind(), crate::Kind::Interrupted);
}

#[tokio::test]
async fn what_is_left_out_is_left_out_with_all_below_it_and_told() {
    let home = tempfile::tempdir().expect("tempdir");
    let root = home.path().join("from");
    std::fs::create_dir_all(root.join("cache/deep")).expect("folders");
    std::fs::create_dir_all(root.join("src")).expect("folders");
    for file in ["cache/deep/x", "a.tmp", "src/b.tmp", "src/kept"] {
        std::fs::write(root.join(file), file).expect("file");
    }
    let source = source(&root, |source| source.exclude = vec!["/cache/".into(), "*.tmp".into(), "*.bak".into()]);
    let cx = trial::context(home.path());
    let (captured, stream) = trial::captured(&source, &cx).await.expect("captured");
    let paths: Vec<_> = captured.index.entries.iter().map(|entry| entry.path.to_string()).collect();
    assert_eq!(paths, [".", "src", "src/kept"]);
    assert!(!stream.windows(5).any(|window| window == b"a.tmp"));
    let told: Vec<_> = captured.notes.iter().map(|note| note.statement.as_str()).collect();
    assert_eq!(
        told,
        [
            "1 path was left out by the exclusion `/cache/`, with everything below it.",
            "2 paths were left out by the exclusion `*.tmp`, with everything below them.",
            "Nothing matched the exclusion `*.bak`.",
        ]
    );
}

#[tokio::test]
async fn other_file_systems_are_left_out_if_that_is_asked_for() {
    let home = tempfile::tempdir().expect("tempdir");
    let root = home.path().join("from");
    std::fs::create_dir_all(root.join("mounted")).expect("folders");
    super::run("mount", &["-t", "tmpfs", "tmpfs", root.join("mounted").to_str().expect("utf8")]);
    std::fs::write(root.join("mounted/file"), "elsewhere").expect("file");
    let cx = trial::context(home.path());
    let here = source(&root, |source| source.one_file_system = true);
    let everything = captured(&cx, &root).await.0;
    let here = trial::captured(&here, &cx).await.expect("captured").0;
    super::run("umount", &[root.join("mounted").to_str().expect("utf8")]);
    assert_eq!((everything.index.entries.len(), here.index.entries.len()), (3, 2));
    assert_eq!(here.notes[0].subject, "mounted");
}
