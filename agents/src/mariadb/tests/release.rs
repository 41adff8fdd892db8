//! The end of a scratch, however it came.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::fixture::{Environed, Fixture, scratch};
use crate::mark::Removal;
use crate::{Context, Format, Identity, Index, Kind, Mark, Scratch, Source};

fn server(folder: &Path) -> Pid {
    let file = std::fs::read_to_string(folder.join("data/mariadb.pid")).expect("a server runs");
    Pid::from_raw(file.trim().parse().expect("a number")).expect("not zero")
}

fn works_in(folder: &Path) -> bool {
    let data = folder.join("data");
    let processes = std::fs::read_dir("/proc").expect("proc").flatten();
    processes.filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok()).any(|cwd| cwd.starts_with(&data))
}

async fn provisioned(cx: &Context) -> Environed {
    Environed::provision(cx, scratch(), &Index::new(Format::MariadbDump)).await.expect("provision")
}

#[tokio::test]
async fn nothing_is_left_and_releasing_again_is_success() {
    let fixture = Fixture::start().await;
    let cx = &fixture.cx;
    assert_eq!(scratch().release(cx, &scratch().place(cx)).await.expect("never made"), Removal::Absent);
    let Environed { scratch, place, environment } = provisioned(cx).await;
    assert!(Path::new(&environment.facts()["MYSQL_UNIX_PORT"]).exists());
    let source = fixture.source().identity(cx).await.expect("identity");
    assert!(!environment.identity().is_same_as(&source) && source.is_same_as(&source), "{source}");
    let tcp = std::fs::read_to_string(format!("/proc/{}/net/unix", server(&place.folder).as_raw_nonzero()));
    assert!(tcp.is_ok_and(|sockets| sockets.contains(&environment.facts()["MYSQL_UNIX_PORT"])));
    let scheduler = environment.query(cx, "SELECT @@event_scheduler, @@skip_networking", None).await.expect("settings");
    assert_eq!(scheduler.rows, [[Some("OFF".into()), Some("1".into())]]);
    assert_eq!(scratch.release(cx, &place).await.expect("release"), Removal::Removed);
    assert!(!works_in(&place.folder) && !place.folder.exists() && !place.also[0].exists());
    assert_eq!(scratch.release(cx, &place).await.expect("again"), Removal::Absent);
}

#[tokio::test]
async fn a_server_that_was_killed_or_lost_its_maker_leaves_nothing_and_that_of_another_run_is_left_alone() {
    let fixture = Fixture::start().await;
    let cx = &fixture.cx;
    let environed = provisioned(cx).await;
    let place = environed.place.clone();
    kill_process(server(&place.folder), Signal::KILL).expect("kill");
    environed.release(cx).await;
    assert!(!works_in(&place.folder) && !place.folder.exists() && !place.also[0].exists());

    let environed = provisioned(cx).await;
    let other = Context { run: "another".into(), ..cx.clone() };
    let refused = environed.scratch.release(&other, &environed.place).await.expect_err("not its own");
    assert_eq!(refused.kind(), Kind::Refused);
    environed.session().await.run("asking", "SELECT 1").await.expect("it still answers");
    std::mem::forget(environed.environment);
    assert!(works_in(&place.folder));
    assert_eq!(scratch().release(cx, &place).await.expect("swept"), Removal::Removed);
    assert!(!works_in(&place.folder) && !place.folder.exists());
    fixture.session().await.run("asking", "SELECT 1").await.expect("the source was not stopped");
}

#[tokio::test]
async fn what_was_half_made_is_removed_and_a_folder_for_sockets_that_is_there_already_is_a_trap() {
    let fixture = Fixture::start().await;
    let (cx, place) = (&fixture.cx, scratch().place(&fixture.cx));
    Mark::of(&cx.run).make_folder(&place.folder).expect("make");
    std::fs::create_dir(place.folder.join("data")).expect("half");
    std::fs::create_dir(&place.also[0]).expect("not marked yet");
    assert_eq!(scratch().release(cx, &place).await.expect("release"), Removal::Removed);
    assert!(!place.folder.exists() && !place.also[0].exists());
    std::fs::create_dir(&place.also[0]).expect("trap");
    assert!(Environed::provision(cx, scratch(), &Index::new(Format::MariadbDump)).await.is_err());
    scratch().release(cx, &place).await.expect("release");
}

#[tokio::test]
async fn a_run_that_is_stopped_leaves_the_restore_at_once() {
    let fixture = Fixture::start().await;
    fixture.fill("CREATE TABLE t AS SELECT seq FROM seq_1_to_1000").await;
    let (captured, stream) = fixture.capture(&fixture.source()).await;
    let mut environed = provisioned(&fixture.cx).await;
    fixture.cx.cancel.cancel();
    let restoring = environed.environment.restore(&fixture.cx, &captured.index, crate::trial::reader(stream));
    assert_eq!(restoring.await.expect_err("stopped").kind(), Kind::Interrupted);
    environed.release(&fixture.cx).await;
}

#[tokio::test]
async fn a_scratch_takes_only_what_it_can_restore_where_it_may() {
    let fixture = Fixture::start().await;
    let (cx, identity) = (&fixture.cx, fixture.source().identity(&fixture.cx).await.expect("identity"));
    let open = |path: &str| {
        let described = drill_scenarios::MariadbScratch { path: Some(path.into()), ..Default::default() };
        crate::scratches::MariadbScratch::open(&described).expect("scratch")
    };
    let (ordinary, format) = (scratch(), Format::MariadbDump);
    ordinary.admit(cx, &ordinary.place(cx), &identity, &format).await.expect("admitted");
    let tar = ordinary.admit(cx, &ordinary.place(cx), &identity, &Format::Tar).await.expect_err("no tree");
    assert_eq!(tar.kind(), Kind::Config);
    let inside = open("source/data/here");
    for source in [identity, Identity::default()] {
        let refused = inside.admit(cx, &inside.place(cx), &source, &format).await.expect_err("inside");
        assert_eq!(refused.kind(), Kind::Refused);
    }
    std::fs::set_permissions(&cx.folder, std::fs::Permissions::from_mode(0o700)).expect("mode");
    let is_root = crate::Account::current().is_root();
    assert_eq!(ordinary.place(cx).folder.starts_with("/var/tmp"), is_root);
    let given = open("run/mine");
    let admitted = given.admit(cx, &given.place(cx), &Identity::default(), &format).await;
    assert_eq!(admitted.err().map(|error| error.kind()), is_root.then_some(Kind::Refused));
}

#[tokio::test]
async fn a_server_that_does_not_start_says_why() {
    let fixture = Fixture::start().await;
    let settings = [("innodb_page_size".to_owned(), "7".to_owned()), ("no_such_setting".to_owned(), "1".to_owned())];
    let described = drill_scenarios::MariadbScratch { settings: settings.into(), ..Default::default() };
    let broken = crate::scratches::MariadbScratch::open(&described).expect("scratch");
    let failed = Environed::provision(&fixture.cx, broken.clone(), &Index::new(Format::MariadbDump)).await;
    let error = failed.err().expect("does not start");
    assert!(
        error.chain().contains("no-such-setting") || error.chain().contains("no_such_setting"),
        "{}",
        error.chain()
    );
    broken.release(&fixture.cx, &broken.place(&fixture.cx)).await.expect("release");
}

#[tokio::test]
async fn the_stock_client_goes_to_the_scratch_and_not_to_the_server_of_the_host() {
    let fixture = Fixture::start().await;
    let environed = provisioned(&fixture.cx).await;
    let client = std::process::Command::new("mariadb")
        .args(["--batch", "--skip-column-names", "--execute", "SELECT @@socket"])
        .env("HOME", environed.environment.root())
        .output()
        .expect("client");
    let said = String::from_utf8_lossy(&client.stdout).into_owned();
    assert_eq!(said.trim(), environed.environment.facts()["MYSQL_UNIX_PORT"], "{client:?}");
    environed.release(&fixture.cx).await;
}
