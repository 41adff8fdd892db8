//! The folder as a source and as a scratch, from plan to release.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use drill_scenarios::{Level, Newest};
use rusqlite::Connection;

use super::{nasty, source};
use crate::mark::Removal;
use crate::scratches::DirectoryScratch;
use crate::{
    Canary, Captured, Context, Environment, Format, Identity, Index, Kind, Place, Scratch, Source, differences, trial,
};

fn scratch(path: Option<PathBuf>) -> DirectoryScratch {
    DirectoryScratch::open(&drill_scenarios::DirectoryScratch { path }, &drill_scenarios::Verify::default())
}

fn scratch_that_reads_back(read_back: bool) -> DirectoryScratch {
    let verify = drill_scenarios::Verify { read_back: Some(read_back), ..Default::default() };
    DirectoryScratch::open(&drill_scenarios::DirectoryScratch { path: None }, &verify)
}

/// A home with a folder to take, and a context whose run's folder is beside it.
fn home() -> (tempfile::TempDir, PathBuf, Context) {
    let home = tempfile::tempdir().expect("tempdir");
    let (from, run) = (home.path().join("from"), home.path().join("run"));
    std::fs::create_dir(&from).expect("folder");
    std::fs::create_dir(&run).expect("folder");
    let cx = trial::context(&run);
    (home, from, cx)
}

async fn brought_back(cx: &Context, source: &dyn Source) -> (Captured, Box<dyn Environment>, Place) {
    let scratch = scratch(None);
    let place = scratch.place(cx);
    let identity = source.identity(cx).await.expect("identity");
    scratch.admit(cx, &place, &identity, &Format::Tar).await.expect("admitted");
    assert!(!place.folder.exists(), "admitting made something");
    let (captured, stream) = trial::captured(source, cx).await.expect("captured");
    let mut environment = scratch.provision(cx, &place, &captured.index).await.expect("provisioned");
    assert_ne!(environment.identity(), identity);
    environment.restore(cx, &captured.index, trial::reader(stream)).await.expect("restored");
    (captured, environment, place)
}

#[tokio::test]
async fn a_tree_with_a_canary_and_a_database_in_use_goes_all_the_way() {
    let (_home, from, cx) = home();
    nasty::fill(&from);
    std::fs::create_dir(from.join("data")).expect("folder");
    let live = Connection::open(from.join("data/app.db")).expect("database");
    live.execute_batch("pragma journal_mode = wal; create table t (at); insert into t values ('2026-01-31 12:00:00')")
        .expect("rows");
    let source = source(&from, |source| {
        source.sqlite = vec!["./data/app.db".into()];
        source.canary = true;
    });
    let canary = Canary { run: cx.run.clone(), nonce: "4711".into(), planted_at: cx.clock.now() };
    source.plant(&cx, &canary).await.expect("planted");
    assert_eq!(source.plant(&cx, &canary).await.expect_err("twice").kind(), Kind::Refused);

    let (captured, environment, place) = brought_back(&cx, &source).await;
    let observed = environment.observe(&cx, &captured.index, Level::Content).await.expect("observed");
    assert_eq!(differences(&captured.index, &observed, Level::Content), []);
    assert_eq!(observed, captured.index);
    let paths: Vec<_> = observed.entries.iter().map(|entry| entry.path.to_string()).collect();
    assert!(
        paths.contains(&"data/app.db".into())
            && !paths.iter().any(|path| path.contains("canary") || path.contains("-wal"))
    );
    let counted = environment.observe(&cx, &captured.index, Level::Count).await.expect("counted");
    assert_eq!(differences(&captured.index, &counted, Level::Count), []);

    let later = Context { run: "a-later-run".into(), ..cx.clone() };
    let observed = environment.observe(&later, &captured.index, Level::Content).await.expect("observed");
    assert_eq!(observed, captured.index, "another run that restores the snapshot passes over its canary");
    let newest = environment.newest(&later, None, None).await.expect("newest").expect("a time");
    assert!(!newest.1.contains("canary"), "a canary is no data: {newest:?}");
    assert_eq!(environment.canary(&later).await.expect("read"), None, "it is not the later run's");

    let seen = environment.canary(&cx).await.expect("read").expect("seen");
    assert_eq!((seen.nonce, seen.planted_at), (canary.nonce, canary.planted_at));
    let sql = Newest::Sql("select max(at) from t".into());
    let newest = environment.newest(&cx, Some(&sql), None).await.expect("newest").expect("a time");
    assert_eq!(newest.0.to_string(), "2026-01-31T12:00:00Z");
    let rows = environment.query(&cx, "select count(*) from t", None).await.expect("rows");
    assert_eq!(rows.rows, [[Some("1".to_owned())]]);
    environment.query(&cx, "select 1", Some(Path::new("data/app.db"))).await.expect("by name");
    for outside in ["../../../from/data/app.db", "/etc/passwd", "links/absolute", "data"] {
        environment.query(&cx, "select 1", Some(Path::new(outside))).await.expect_err(outside);
    }

    assert_eq!(std::fs::metadata(&place.folder).expect("folder").permissions().mode() & 0o777, 0o700);
    let scratch = scratch(None);
    assert_eq!(scratch.release(&cx, &place).await.expect("released"), Removal::Removed);
    assert_eq!(scratch.release(&cx, &place).await.expect("again"), Removal::Absent);
    assert_eq!(source.unplant(&cx, "another").await.expect("not there"), Removal::Absent);
    assert_eq!(source.unplant(&cx, &cx.run).await.expect("there"), Removal::Removed);
    assert_eq!(source.unplant(&cx, &cx.run).await.expect("gone"), Removal::Absent);
}

#[tokio::test]
async fn each_change_in_the_restored_tree_is_a_difference_that_names_it() {
    let (_home, from, cx) = home();
    nasty::fill(&from);
    let (captured, environment, _place) = brought_back(&cx, &source(&from, |_| {})).await;
    let root = environment.root().to_owned();
    let path = |path: &str| root.join(path);
    std::fs::write(path("a/size-1"), "2").expect("same size");
    std::fs::write(path("a/size-1024"), "shorter").expect("other size");
    std::fs::remove_file(path("a-b")).expect("removed");
    std::fs::write(path("added"), "x").expect("added");
    std::fs::set_permissions(path("a/size-1048576"), std::fs::Permissions::from_mode(0o640)).expect("mode");
    std::os::unix::fs::chown(path("owned"), Some(1), Some(2)).expect("owner");
    std::fs::remove_file(path("links/up")).expect("removed");
    symlink("elsewhere", path("links/up")).expect("link");
    std::fs::remove_file(path("zzz")).expect("removed");
    std::fs::copy(path("a/size-513"), path("zzz")).expect("no longer one file");
    rustix::fs::removexattr(path("a/b"), "user.on-a-folder").expect("attribute");
    let observed = environment.observe(&cx, &captured.index, Level::Content).await.expect("observed");
    let found: BTreeMap<_, _> = differences(&captured.index, &observed, Level::Content).into_iter().collect();
    for (path, says) in [
        ("a/size-1", "sha256"),
        ("a/size-1024", "size 7, was 1024"),
        ("a-b", "is missing"),
        ("added", "was not in the backup"),
        ("a/size-1048576", "mode 0640, was 0644"),
        ("owned", "owner 1:2, was 1234:4321"),
        ("links/up", "link to elsewhere, was .."),
        ("zzz", "is a file, was another name of a/size-513"),
        ("a/b", "attribute user.on-a-folder is missing"),
    ] {
        assert!(found.get(path).is_some_and(|statement| statement.contains(says)), "{path}: {:?}", found.get(path));
    }
    let counted = environment.observe(&cx, &captured.index, Level::Count).await.expect("counted");
    let found = differences(&captured.index, &counted, Level::Count);
    let named: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(named, ["a-b", "a/size-1024", "added", "zzz"]);
}

#[tokio::test]
async fn the_newest_data_is_the_newest_file_or_the_newest_that_is_asked_for() {
    let (_home, from, cx) = home();
    let touch = |path: &str, secs: u64| {
        let file = std::fs::File::create(from.join(path)).expect("file");
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs)).expect("time");
    };
    std::fs::create_dir(from.join("log")).expect("folder");
    touch("log/old", 1_000);
    touch("log/new", 2_000);
    touch("newest", 3_000);
    let source = source(&from, |_| {});
    let canary = Canary { run: cx.run.clone(), nonce: "1".into(), planted_at: cx.clock.now() };
    source.plant(&cx, &canary).await.expect("planted");
    let (captured, environment, _place) = brought_back(&cx, &source).await;
    assert_eq!(captured.newest_at.map(|time| time.as_second()), Some(3_000));
    for (how, secs, path) in [
        (None, Some(3_000), "newest"),
        (Some(Newest::Files("log/*".into())), Some(2_000), "log/new"),
        (Some(Newest::Files("*/old".into())), Some(1_000), "log/old"),
        (Some(Newest::Files("none/**".into())), None, ""),
    ] {
        let found = environment.newest(&cx, how.as_ref(), None).await.expect("newest");
        assert_eq!(found.as_ref().map(|(time, _)| time.as_second()), secs, "{how:?}");
        assert!(found.is_none_or(|(_, how)| how.contains(path)));
    }
    let sql = Newest::Sql("select 1".into());
    assert_eq!(environment.newest(&cx, Some(&sql), None).await.expect_err("no database").kind(), Kind::Config);
}

#[tokio::test]
async fn what_could_harm_or_can_not_work_is_refused_before_anything_is_made() {
    let (home, from, cx) = home();
    let identity = source(&from, |_| {}).identity(&cx).await.expect("identity");
    std::fs::create_dir_all(from.join("deep/er")).expect("folders");
    std::fs::create_dir_all(home.path().join("full/of")).expect("folders");
    symlink(&from, home.path().join("alias")).expect("link");
    let dump = Format::PgDump;
    let outside = Format::File("../x".into());
    for (path, format, kind) in [
        ("from", &Format::Tar, Kind::Refused),
        ("from/deep/er", &Format::Tar, Kind::Refused),
        ("from/new", &Format::Tar, Kind::Refused),
        ("alias/new", &Format::Tar, Kind::Refused),
        ("run/../from/deep/er", &Format::Tar, Kind::Refused),
        ("full", &Format::Tar, Kind::Refused),
        ("absent/new", &Format::Tar, Kind::Config),
        ("new", &dump, Kind::Config),
        ("new", &outside, Kind::Config),
    ] {
        let scratch = scratch(Some(home.path().join(path)));
        let refused = scratch.admit(&cx, &scratch.place(&cx), &identity, format).await.expect_err(path);
        assert_eq!(refused.kind(), kind, "{path}: {refused}");
        assert!(refused.next_step().is_some(), "{path}: no hint");
    }
    let empty = home.path().join("empty");
    std::fs::create_dir(&empty).expect("folder");
    let itself = Identity::of_path("folder", &empty).expect("identity");
    let scratch = scratch(Some(empty));
    let refused = scratch.admit(&cx, &scratch.place(&cx), &itself, &Format::Tar).await.expect_err("the source itself");
    assert_eq!(refused.kind(), Kind::Refused);
    scratch.admit(&cx, &scratch.place(&cx), &identity, &Format::Tar).await.expect("elsewhere");
}

#[tokio::test]
async fn only_what_carries_this_runs_mark_is_released() {
    let (home, _from, cx) = home();
    let scratch = scratch(Some(home.path().join("env")));
    let place = scratch.place(&cx);
    scratch.provision(&cx, &place, &Index::new(Format::Tar)).await.expect("provisioned");
    let mut another = cx.clone();
    another.run = "run-2".into();
    assert_eq!(scratch.release(&another, &place).await.expect_err("another run's").kind(), Kind::Refused);
    assert!(place.folder.exists());
    assert_eq!(scratch.release(&cx, &place).await.expect("this run's"), Removal::Removed);
}

#[tokio::test]
async fn a_file_that_is_no_canary_is_never_removed_as_one() {
    let (_home, from, cx) = home();
    let path = from.join(format!(".drillctl-canary-{}", cx.run));
    let source = source(&from, |_| {});
    for foreign in ["precious", "{\"run\":\"another\",\"nonce\":\"1\",\"planted_at\":\"2026-01-01T00:00:00Z\"}"] {
        std::fs::write(&path, foreign).expect("file");
        assert_eq!(source.unplant(&cx, &cx.run).await.expect_err("foreign").kind(), Kind::Refused);
        assert!(path.exists());
    }
    std::fs::write(&path, "").expect("what a run leaves that dies while it plants");
    assert_eq!(source.unplant(&cx, &cx.run).await.expect("empty"), Removal::Removed);
}

#[tokio::test]
async fn a_single_file_is_restored_and_compared_by_its_content() {
    let (_home, _from, cx) = home();
    let scratch = scratch(None);
    let place = scratch.place(&cx);
    let content = b"whatever a program writes".repeat(10_000);
    let kind = crate::EntryKind::File { size: content.len() as u64, sha256: crate::Sha256::of(&content) };
    let path = crate::PathText::new("dump.bin");
    let entry = crate::Entry { path, kind, mode: 0, uid: 5, gid: 5, mtime_ns: 5, xattrs: BTreeMap::new() };
    let index = Index { entries: vec![entry], ..Index::new(Format::File("dump.bin".into())) };
    let mut environment = scratch.provision(&cx, &place, &index).await.expect("provisioned");
    environment.restore(&cx, &index, trial::reader(content)).await.expect("restored");
    let observed = environment.observe(&cx, &index, Level::Content).await.expect("observed");
    assert_eq!(observed, index);
    std::fs::write(environment.root().join("dump.bin"), "less").expect("changed");
    let observed = environment.observe(&cx, &index, Level::Content).await.expect("observed");
    assert!(differences(&index, &observed, Level::Content)[0].1.contains("size 4, was 250000"));
}

#[tokio::test]
async fn only_reading_back_sees_what_became_of_a_file_after_it_was_written() {
    for (read_back, changed, how) in [
        (true, vec!["file".to_owned()], "read back"),
        (false, vec![], "digested while they were written, not read back"),
    ] {
        let (_home, from, cx) = home();
        std::fs::write(from.join("file"), "as it was").expect("file");
        let (captured, stream) = trial::captured(&source(&from, |_| {}), &cx).await.expect("captured");
        let scratch = scratch_that_reads_back(read_back);
        let mut environment = scratch.provision(&cx, &scratch.place(&cx), &captured.index).await.expect("provisioned");
        environment.restore(&cx, &captured.index, trial::reader(stream)).await.expect("restored");
        // What a failing disk does: other bytes, and nothing else tells.
        let path = environment.root().join("file");
        let time = std::fs::metadata(&path).and_then(|meta| meta.modified()).expect("time");
        std::fs::write(&path, "As it was").expect("changed");
        std::fs::File::open(&path).and_then(|file| file.set_modified(time)).expect("time set");
        let observed = environment.observe(&cx, &captured.index, Level::Content).await.expect("observed");
        let found: Vec<_> =
            differences(&captured.index, &observed, Level::Content).into_iter().map(|(path, _)| path).collect();
        assert_eq!(found, changed, "read back: {read_back}");
        let told = environment.how_observed().expect("there are two ways");
        assert!(told.starts_with(how), "{told}");
    }
}

#[tokio::test]
async fn an_estimate_is_close_to_what_it_becomes() {
    let (_home, from, cx) = home();
    nasty::fill(&from);
    let source = source(&from, |_| {});
    let estimate = source.estimate(&cx).await.expect("estimate");
    let (captured, stream) = trial::captured(&source, &cx).await.expect("captured");
    assert_eq!(estimate.items, captured.index.entries.len() as u64);
    let (told, real) = (estimate.stream_bytes, stream.len() as u64);
    assert!(told > real / 10 * 9 && told < real / 10 * 12, "{told} for {real}");
}

#[tokio::test]
async fn a_database_that_is_not_among_the_files_is_a_mistake_in_the_scenario() {
    let (_home, from, cx) = home();
    let absent = source(&from, |source| source.sqlite = vec!["app.db".into()]);
    assert_eq!(trial::captured(&absent, &cx).await.expect_err("absent").kind(), Kind::Config);
    let outside = drill_scenarios::DirectorySource {
        path: from,
        exclude: Vec::new(),
        sqlite: vec!["../app.db".into()],
        one_file_system: false,
        canary: false,
    };
    let refused = crate::sources::DirectorySource::open(&outside, Path::new("/")).expect_err("outside");
    assert_eq!(refused.kind(), Kind::Config);
}
