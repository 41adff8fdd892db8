//! The end of a scratch, however it came.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::fixture::{Environed, Fixture};
use crate::mark::Removal;
use crate::scratches::PostgresScratch;
use crate::{Context, Format, Index, Kind, Mark, Scratch};

fn scratch() -> PostgresScratch {
    PostgresScratch::open(&drill_scenarios::PostgresScratch::default()).expect("scratch")
}

fn postmaster(folder: &Path) -> Pid {
    let file = std::fs::read_to_string(folder.join("data/postmaster.pid")).expect("a server runs");
    Pid::from_raw(file.lines().next().expect("a pid").parse().expect("a number")).expect("not zero")
}

fn works_in(folder: &Path) -> bool {
    let data = folder.join("data");
    let processes = std::fs::read_dir("/proc").expect("proc").flatten();
    processes.filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok()).any(|cwd| cwd.starts_with(&data))
}

/// Number of the shared memory that the server holds.
fn segment(folder: &Path) -> String {
    let file = std::fs::read_to_string(folder.join("data/postmaster.pid")).expect("a server runs");
    let line = file.lines().nth(6).expect("key and number");
    line.split_whitespace().last().expect("a number").to_owned()
}

fn is_held(segment: &str) -> bool {
    let table = std::fs::read_to_string("/proc/sysvipc/shm").expect("shm");
    table.lines().any(|line| line.split_whitespace().nth(1) == Some(segment))
}

async fn provisioned(cx: &Context) -> Environed {
    Environed::provision(cx, scratch(), &Index::new(Format::PgDump)).await.expect("provision")
}

#[tokio::test]
async fn nothing_is_left_and_releasing_again_is_success() {
    let fixture = Fixture::start().await;
    let cx = &fixture.cx;
    assert_eq!(scratch().release(cx, &scratch().place(cx)).await.expect("never made"), Removal::Absent);
    let Environed { scratch, place, environment } = provisioned(cx).await;
    let facts = environment.facts();
    assert!(Path::new(&facts["PGHOST"]).join(".s.PGSQL.5432").exists());
    assert_eq!(scratch.release(cx, &place).await.expect("release"), Removal::Removed);
    assert!(!works_in(&place.folder) && !place.folder.exists() && !place.also[0].exists());
    assert_eq!(scratch.release(cx, &place).await.expect("again"), Removal::Absent);
}

#[tokio::test]
async fn a_server_that_was_killed_or_lost_its_maker_leaves_nothing() {
    let fixture = Fixture::start().await;
    let cx = &fixture.cx;
    let environed = provisioned(cx).await;
    let place = environed.place.clone();
    let segment = segment(&place.folder);
    assert!(is_held(&segment));
    kill_process(postmaster(&place.folder), Signal::KILL).expect("kill");
    environed.release(cx).await;
    assert!(!works_in(&place.folder) && !place.folder.exists() && !place.also[0].exists());
    assert!(!is_held(&segment), "shared memory is left");

    let environed = provisioned(cx).await;
    std::mem::forget(environed.environment);
    assert!(works_in(&place.folder));
    assert_eq!(scratch().release(cx, &place).await.expect("swept"), Removal::Removed);
    assert!(!works_in(&place.folder) && !place.folder.exists());
}

#[tokio::test]
async fn what_was_half_made_is_removed() {
    let fixture = Fixture::start().await;
    let (cx, place) = (&fixture.cx, scratch().place(&fixture.cx));
    Mark::of(&cx.run).make_folder(&place.folder).expect("make");
    std::fs::create_dir(place.folder.join("data")).expect("half");
    std::fs::create_dir(&place.also[0]).expect("not marked yet");
    assert_eq!(scratch().release(cx, &place).await.expect("release"), Removal::Removed);
    assert!(!place.folder.exists() && !place.also[0].exists());
}

#[tokio::test]
async fn the_cluster_of_another_run_is_neither_stopped_nor_removed() {
    let fixture = Fixture::start().await;
    let environed = provisioned(&fixture.cx).await;
    let other = Context { run: "another".into(), ..fixture.cx.clone() };
    let refused = environed.scratch.release(&other, &environed.place).await.expect_err("not its own");
    assert_eq!(refused.kind(), Kind::Refused);
    environed.client().await.batch_execute("SELECT 1").await.expect("it still answers");
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn a_folder_for_sockets_that_is_there_already_is_a_trap() {
    let fixture = Fixture::start().await;
    let (cx, place) = (&fixture.cx, scratch().place(&fixture.cx));
    std::fs::create_dir(&place.also[0]).expect("trap");
    assert!(Environed::provision(cx, scratch(), &Index::new(Format::PgDump)).await.is_err());
    scratch().release(cx, &place).await.expect("release");
}

#[tokio::test]
async fn a_run_that_is_stopped_leaves_the_restore_at_once() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n").await;
    let (captured, stream) = fixture.capture(&fixture.source()).await;
    let mut environed = provisioned(&fixture.cx).await;
    fixture.cx.cancel.cancel();
    let restoring = environed.environment.restore(&fixture.cx, &captured.index, super::fixture::reader(stream));
    assert_eq!(restoring.await.expect_err("stopped").kind(), Kind::Interrupted);
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn a_cluster_whose_account_may_not_enter_the_runs_folder_is_made_elsewhere() {
    let fixture = Fixture::start().await;
    let cx = &fixture.cx;
    std::fs::set_permissions(&cx.folder, std::fs::Permissions::from_mode(0o700)).expect("mode");
    let environed = provisioned(cx).await;
    let place = environed.place.clone();
    let is_root = crate::Account::current().is_root();
    assert_eq!(place.folder.starts_with("/var/tmp"), is_root, "{}", place.folder.display());
    environed.release(cx).await;
    assert!(!place.folder.exists());

    let given = drill_scenarios::PostgresScratch { path: Some("run/mine".into()), ..Default::default() };
    let given = PostgresScratch::open(&given).expect("scratch");
    let admitted = given.admit(cx, &given.place(cx), &crate::Identity::default(), &Format::PgDump).await;
    assert_eq!(admitted.err().map(|error| error.kind()), is_root.then_some(Kind::Refused));
}
