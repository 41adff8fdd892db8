//! Trees that are as nasty as file systems allow, taken and brought back.
#![allow(clippy::disallowed_methods, reason = "tests start the programs that they compare with")]

mod hostile;
mod kinds;
mod live;
mod nasty;
mod nobody;
mod round_trip;

use std::path::Path;
use std::process::Command;

use drill_scenarios::Level;

use crate::sources::DirectorySource;
use crate::{Captured, Context, Index, Result, differences, trial};

/// The folder as a source, with these options.
fn source(root: &Path, set: impl FnOnce(&mut drill_scenarios::DirectorySource)) -> DirectorySource {
    let mut source = drill_scenarios::DirectorySource {
        path: root.into(),
        exclude: Vec::new(),
        sqlite: Vec::new(),
        one_file_system: false,
        canary: false,
    };
    set(&mut source);
    DirectorySource::open(&source, Path::new("/")).expect("a source")
}

async fn captured(cx: &Context, root: &Path) -> (Captured, Vec<u8>) {
    trial::captured(&source(root, |_| {}), cx).await.expect("captured")
}

/// What is below a root now.
fn observed(cx: &Context, root: &Path, like: &Index) -> Result<Index> {
    let opened = super::open_root(root).expect("a root");
    let mut entries = super::observe(cx, opened, Level::Content, None)?.entries;
    super::in_shape_of(like, &mut entries);
    Ok(Index { entries, ..Index::new(like.format.clone()) })
}

fn assert_same(cx: &Context, root: &Path, index: &Index) {
    let found = differences(index, &observed(cx, root, index).expect("observed"), Level::Content);
    assert!(found.is_empty(), "{found:#?}");
}

/// Runs a program that the tests need.
fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status();
    let status =
        status.unwrap_or_else(|error| panic!("{program}: {error}; install it: apt-get install acl attr tar sqlite3"));
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

/// Packs a tree with the system's own tar.
fn packed(root: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("tar").args(arguments).arg("-cf-").arg("-C").arg(root).arg(".").output();
    let output = output.unwrap_or_else(|error| panic!("tar: {error}; install it: apt-get install tar"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
