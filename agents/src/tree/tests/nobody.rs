//! The same without the rights of root: each test runs itself again as `nobody`.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{assert_same, captured, nasty, source};
use crate::{Kind, tree, trial};

/// Runs `test` as nobody in the folder that `prepare` has filled as root. In that process it returns the folder.
fn as_nobody(test: &str, prepare: impl FnOnce(&Path)) -> Option<PathBuf> {
    const FOLDER: &str = "DRILLCTL_TEST_FOLDER";
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Some(folder.into());
    }
    let home = tempfile::tempdir().expect("tempdir");
    let work = home.path().join("work");
    std::fs::create_dir(&work).expect("folder");
    prepare(&work);
    if !rustix::process::geteuid().is_root() {
        return Some(home.keep().join("work"));
    }
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).expect("mode");
    std::os::unix::fs::chown(&work, Some(65_534), Some(65_534)).expect("chown");
    let program = home.path().join("tests");
    std::fs::copy(std::env::current_exe().expect("this program"), &program).expect("copied");
    let name = format!("tree::tests::nobody::{test}");
    let output = Command::new(&program)
        .args([&name, "--exact", "--nocapture"])
        .env(FOLDER, &work)
        .uid(65_534)
        .gid(65_534)
        .output();
    let output = output.expect("started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    None
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

#[test]
fn a_nasty_tree_comes_back_equal_without_being_root() {
    let Some(home) = as_nobody("a_nasty_tree_comes_back_equal_without_being_root", |_| {}) else { return };
    let (from, to) = (home.join("from"), home.join("to"));
    std::fs::create_dir(&from).expect("folder");
    nasty::fill(&from);
    runtime().block_on(async {
        let cx = trial::context(&home);
        let (taken, stream) = captured(&cx, &from).await;
        tree::make_root(&to).expect("root");
        let restored = tree::restore(&cx, &to, trial::reader(stream), None).await.expect("restored");
        assert_eq!(restored.notes, []);
        assert_same(&cx, &to, &taken.index);
    });
}

#[test]
fn what_root_took_is_restored_and_compared_but_for_owners() {
    let Some(home) = as_nobody("what_root_took_is_restored_and_compared_but_for_owners", |home| {
        let from = home.join("from");
        std::fs::create_dir(&from).expect("folder");
        nasty::fill(&from);
        for device in ["links/null", "links/disk"] {
            std::fs::remove_file(from.join(device)).expect("only root makes devices");
        }
        runtime().block_on(async {
            let (taken, stream) = captured(&trial::context(home), &from).await;
            std::fs::write(home.join("stream"), stream).expect("stream");
            std::fs::write(home.join("index"), serde_json::to_vec(&taken.index).expect("json")).expect("index");
        });
    }) else {
        return;
    };
    let index: crate::Index = serde_json::from_slice(&std::fs::read(home.join("index")).expect("index")).expect("json");
    let (cx, to) = (trial::context(&home), home.join("to"));
    tree::make_root(&to).expect("root");
    runtime().block_on(async {
        let stream = std::fs::read(home.join("stream")).expect("stream");
        let restored = tree::restore(&cx, &to, trial::reader(stream), None).await.expect("restored");
        assert!(
            restored.notes.iter().any(|note| note.subject == "owned" && note.statement.contains("owner")),
            "{restored:?}"
        );
    });
    assert_same(&cx, &to, &index);
    let secret = std::fs::metadata(to.join("a/size-513")).expect("file");
    assert_eq!(secret.mode() & 0o7777, 0, "reading widened the mode for good");
}

#[test]
fn what_may_not_be_read_is_an_error_that_names_it() {
    let Some(home) = as_nobody("what_may_not_be_read_is_an_error_that_names_it", |home| {
        for from in ["file", "folder"] {
            std::fs::create_dir_all(home.join(from).join("private")).expect("folder");
            std::fs::write(home.join(from).join("secret"), "x").expect("file");
        }
        let mode = |path: &str| {
            std::fs::set_permissions(home.join(path), std::fs::Permissions::from_mode(0o700)).expect("mode")
        };
        mode("file/secret");
        mode("folder/private");
        std::fs::set_permissions(home.join("file/private"), std::fs::Permissions::from_mode(0o755)).expect("mode");
        std::fs::set_permissions(home.join("folder/secret"), std::fs::Permissions::from_mode(0o644)).expect("mode");
    }) else {
        return;
    };
    runtime().block_on(async {
        let cx = trial::context(&home);
        for (from, named) in [("file", "secret"), ("folder", "private")] {
            let denied = trial::captured(&source(&home.join(from), |_| {}), &cx).await.expect_err("denied");
            assert_eq!((denied.kind(), denied.to_string()), (Kind::Denied, format!("reading {named}")));
            assert!(denied.next_step().is_some_and(|hint| hint.contains("exclude")));
            let left_out = source(&home.join(from), |source| source.exclude = vec![named.into()]);
            trial::captured(&left_out, &cx).await.expect("without it");
        }
    });
}
