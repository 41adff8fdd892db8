//! Real programs as apps: a server, and each way in which an app can fail.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::*;
use crate::Clock;
use crate::probes::fake::Fake;

fn app(argv: &[&str], ready: &Value) -> Value {
    json!({"argv": argv, "ready": ready})
}

fn start(fake: &Fake, app: Value) -> Result<RunningApp> {
    let app: App = serde_json::from_value(app).expect("an app");
    RunningApp::start(&app, fake.within())
}

async fn ready(app: &mut RunningApp, fake: &Fake) -> Readiness {
    app.ready(fake.within(), fake.cx.clock.now()).await.expect("could look")
}

async fn not_ready(app: &mut RunningApp, fake: &Fake) -> String {
    match ready(app, fake).await {
        Readiness::NotReady(why) => why,
        Readiness::Ready(took) => panic!("ready after {took:?}"),
    }
}

fn http() -> Value {
    json!({"http": {"url": "http://127.0.0.1:${DRILL_PORT}/index.html"}})
}

fn with_port() -> Fake {
    Fake::new().fact("DRILL_PORT", free_port().expect("a port"))
}

/// Whether anything of the app is left, whoever's child it is by now.
async fn left(fake: &Fake) -> usize {
    crate::process::stop_marked(&fake.cx.run).await.expect("stops")
}

#[tokio::test]
async fn a_real_server_on_the_restored_data_gets_ready_and_is_stopped() {
    let fake = with_port();
    std::fs::create_dir(fake.root.join("site")).expect("folder");
    std::fs::write(fake.root.join("site/index.html"), "<h1>restored</h1>").expect("write");
    let expected = json!({"probe": http(), "expect": {"status": {"equals": 200}, "body": {"matches": "restored"}}});
    let mut server = app(&["python3", "-m", "http.server", "--bind", "127.0.0.1", "${DRILL_PORT}"], &expected);
    server["folder"] = "site".into();
    let mut server = start(&fake, server).expect("starts");
    assert!(matches!(ready(&mut server, &fake).await, Readiness::Ready(took) if took > Duration::ZERO));
    assert_eq!(server.has_ended(), None);
    let look = json!({"tcp": {"address": "127.0.0.1:${DRILL_PORT}"}});
    assert_eq!(fake.values(look.clone()).await["open"], Scalar::Bool(true));
    server.stop().await.expect("stops");
    assert_eq!(fake.values(look).await["open"], Scalar::Bool(false));
    let log = fake.home.path().join("logs/app.log");
    assert!(std::fs::read_to_string(&log).expect("log").contains("GET /index.html"));
    assert_eq!(std::fs::metadata(&log).expect("log").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn an_app_that_ends_is_noticed_at_once_with_its_last_words_and_without_its_secrets() {
    let fake = with_port();
    std::fs::write(fake.home.path().join("key"), "hunter22\n").expect("write");
    let ready = json!({"probe": http(), "within": "10m"});
    let script = "for n in 1 2 3 4 5 6 7 8; do echo line $$n; done; echo \"no such table, key $$KEY\" >&2; exit 3";
    let mut failing = app(&["sh", "-c", script], &ready);
    failing["secrets"] = json!({"KEY": {"file": "key"}});
    let began = Clock::system();
    let mut failing = start(&fake, failing).expect("starts");
    let why = not_ready(&mut failing, &fake).await;
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(why.starts_with("sh exited with 3; its last lines: line "), "{why}");
    assert!(why.contains("no such table, key [secret]") && !why.contains("line 2"), "{why}");
    failing.stop().await.expect("stopping what has ended");
    let log = std::fs::read_to_string(fake.home.path().join("logs/app.log")).expect("log");
    assert!(log.contains("line 1\n") && log.contains("key [secret]\n") && !log.contains("hunter22"), "{log}");
}

#[tokio::test]
async fn an_answer_of_somebody_else_does_not_make_an_ended_app_ready() {
    let fake = with_port();
    let squatter = TcpListener::bind(("127.0.0.1", fake.facts["DRILL_PORT"].parse().expect("a port"))).expect("bind");
    let look = json!({"probe": {"tcp": {"address": "127.0.0.1:${DRILL_PORT}"}}, "within": "10s"});
    let server = app(&["python3", "-m", "http.server", "--bind", "127.0.0.1", "${DRILL_PORT}"], &look);
    let mut server = start(&fake, server).expect("starts");
    let why = not_ready(&mut server, &fake).await;
    assert!(why.contains("exited with 1") && why.contains("Address already in use"), "{why}");
    drop(squatter);
}

#[tokio::test]
async fn an_app_that_does_not_answer_in_time_is_not_ready() {
    let fake = with_port();
    let ready = json!({"probe": http(), "within": "700ms"});
    let mut deaf = start(&fake, app(&["sleep", "600"], &ready)).expect("starts");
    let why = not_ready(&mut deaf, &fake).await;
    assert!(why.starts_with("not ready within 700ms: GET http://127.0.0.1:"), "{why}");
    assert!(why.ends_with("; it wrote nothing"), "{why}");
    deaf.stop().await.expect("stops");
    assert_eq!(left(&fake).await, 0);
}

#[tokio::test]
async fn without_expectations_a_probe_must_reach_something() {
    let fake = with_port();
    for (probe, why) in [
        (json!({"tcp": {"address": "127.0.0.1:${DRILL_PORT}"}}), "nobody listens"),
        (json!({"file": {"path": "pid"}}), "the file is not there"),
        (json!({"command": {"argv": ["false"]}}), "the program exited with 1"),
    ] {
        let waiting = app(&["sleep", "600"], &json!({"probe": probe, "within": "100ms"}));
        let said = not_ready(&mut start(&fake, waiting).expect("starts"), &fake).await;
        assert!(said.contains(why), "{said}");
    }
    let look = json!({"probe": {"file": {"path": "pid"}}});
    let mut writing = start(&fake, app(&["sh", "-c", "sleep 0.2; touch pid; exec sleep 600"], &look)).expect("starts");
    assert!(matches!(ready(&mut writing, &fake).await, Readiness::Ready(took) if took >= Duration::from_millis(200)));
}

#[tokio::test]
async fn stopping_takes_daemons_and_the_deaf_along_but_not_other_programs_of_the_run() {
    let fake = Fake::new();
    let look = json!({"probe": {"file": {"path": "ready"}}});
    let script = "setsid sh -c \"trap '' TERM; touch ready; while :; do sleep 0.1; done\" >/dev/null 2>&1 & wait";
    let server_of_the_scratch = crate::process::Program::new("sleep").arg("600").start(&fake.cx).expect("starts");
    let mut daemonic = start(&fake, app(&["sh", "-c", script], &look)).expect("starts");
    assert!(matches!(ready(&mut daemonic, &fake).await, Readiness::Ready(_)));
    daemonic.stop().await.expect("stops");
    assert_eq!(left(&fake).await, 1, "only the scratch's own server is left");
    drop(server_of_the_scratch);
}

#[tokio::test]
async fn what_should_be_in_the_backup_and_is_not_is_told_from_what_the_host_lacks() {
    let fake = Fake::new();
    let look = json!({"probe": {"file": {"path": "x"}}});
    let kind = |app: Value| start(&fake, app).expect_err("can't start").kind();
    assert_eq!(kind(app(&["bin/server"], &look)), Kind::Unrestorable);
    let mut in_folder = app(&["true"], &look);
    in_folder["folder"] = "absent".into();
    assert_eq!(kind(in_folder.clone()), Kind::Unrestorable);
    in_folder["folder"] = "..".into();
    assert_eq!(kind(in_folder), Kind::Refused);
    assert_eq!(kind(app(&["no-such-program"], &look)), Kind::Config);
    assert_eq!(kind(app(&["true", "${NOPE}"], &look)), Kind::Config);
}

#[tokio::test]
async fn a_flood_of_output_neither_stops_the_app_nor_fills_the_disk() {
    let fake = Fake::new();
    let look = json!({"probe": {"file": {"path": "done"}}});
    let line = "x".repeat(1000);
    let script = format!("yes {line} | head -c 100000000; touch done; exec sleep 600");
    let mut flooding = start(&fake, app(&["sh", "-c", &script], &look)).expect("starts");
    assert!(matches!(ready(&mut flooding, &fake).await, Readiness::Ready(_)));
    flooding.stop().await.expect("stops");
    let length = std::fs::metadata(fake.home.path().join("logs/app.log")).expect("log").len();
    assert!(length <= log::LONGEST as u64 && length > log::LONGEST as u64 / 2, "{length}");
}
