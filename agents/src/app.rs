//! The application on the restored data: started, watched until it is ready, and stopped with everything that it started.
//!
//! What it writes goes line by line through drillctl into its log, so that its secrets don't stand there.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drill_scenarios::{App, Judgement, Ready, Scalar};
use jiff::Timestamp;
use tokio::io::AsyncRead;
use tokio::task::JoinSet;

use crate::probes::{Outfit, Seen, Start, Within, observe, until};
use crate::process::{Running, each_line, how, stop_carrying};
use crate::scratches::Environment;
use crate::{Context, Error, Kind, Result, Secrets};

/// Name of the variable that tells the app's processes from others of the run.
const MARK: &str = "DRILLCTL_APP";
/// Bytes of the log, after which the rest is dropped.
const LONGEST_LOG: usize = 64 << 20;
/// Lines that are repeated where the app is not ready, and bytes of each.
const TOLD: (usize, usize) = (5, 300);

/// The application on the restored data. Dropping it kills its process group.
#[derive(Debug)]
pub struct RunningApp {
    running: Running,
    ready: Ready,
    facts: BTreeMap<String, String>,
    run: String,
    began: Duration,
    log: Arc<Mutex<Log>>,
    readers: JoinSet<()>,
}

/// What came of waiting for the app.
#[derive(Debug, Clone, PartialEq)]
pub enum Readiness {
    /// It was ready this long after it was started.
    Ready(Duration),
    /// It was not, and why; with the last lines of its log.
    NotReady(String),
}

/// A TCP port on loopback that nobody uses at this moment.
///
/// # Errors
/// [`Kind::Exhausted`] if there is none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let address = listener.map_err(|cause| Error::new(Kind::Exhausted, "finding a free port").because(cause))?;
    Ok(address.port())
}

impl RunningApp {
    /// Starts it. `facts` are all of the environment's, with `DRILL_ROOT`, `DRILL_RUN` and `DRILL_PORT`.
    ///
    /// # Errors
    /// [`Kind::Unrestorable`] if its program or folder should be in the restored data and is not; [`Kind::Config`] for a program of the
    /// host, a fact or a secret that isn't there.
    pub fn start(app: &App, cx: &Context, env: &dyn Environment, facts: &BTreeMap<String, String>) -> Result<Self> {
        let outfit = Outfit { argv: &app.argv, folder: app.folder.as_deref(), env: &app.env, secrets: &app.secrets };
        let program = match outfit.program(Within { cx, env, facts })? {
            Start::Ready(program) => program.env(MARK, &cx.run),
            Start::Absent(why) => return Err(Error::new(Kind::Unrestorable, why)),
        };
        let log = Arc::new(Mutex::new(Log::create(&cx.folder.join("logs"))?));
        let began = cx.clock.elapsed();
        let (running, stdout, stderr) = program.start_with_outputs(cx)?;
        let mut readers = JoinSet::new();
        if let (Some(stdout), Some(stderr)) = (stdout, stderr) {
            readers.spawn(keep(stdout, log.clone(), cx.secrets.clone()));
            readers.spawn(keep(stderr, log.clone(), cx.secrets.clone()));
        }
        Ok(Self { running, ready: app.ready.clone(), facts: facts.clone(), run: cx.run.clone(), began, log, readers })
    }

    /// Looks until the app is ready, it has ended, or the time for it is over. That it doesn't get ready is data, not an error.
    ///
    /// # Errors
    /// Only if its state could not be looked at; see [`crate::probes`].
    pub async fn ready(
        &mut self,
        cx: &Context,
        env: &dyn Environment,
        failure_instant: Timestamp,
    ) -> Result<Readiness> {
        let Self { running, ready, facts, began, .. } = self;
        let answer = until(cx, ready.within.duration(), async || {
            let seen = observe(&ready.probe, cx, env, facts).await?;
            // Only now: an answer counts if the app still runs after it, else somebody else gave it.
            if let Some(status) = running.has_ended() {
                return Ok(ControlFlow::Break(Err(format!("{} {}", running.name(), how(status)))));
            }
            Ok(match shortfall(&seen, ready, failure_instant) {
                None => ControlFlow::Break(Ok(cx.clock.elapsed().saturating_sub(*began))),
                Some(why) => ControlFlow::Continue(Err(format!("not ready within {}: {why}", ready.within))),
            })
        });
        match answer.await? {
            Ok(took) => Ok(Readiness::Ready(took)),
            Err(why) => Ok(Readiness::NotReady(self.with_last_lines(why).await)),
        }
    }

    /// How it ended, if it did; an app should run until it is stopped.
    pub fn has_ended(&mut self) -> Option<String> {
        self.running.has_ended().map(|status| format!("{} {}", self.running.name(), how(status)))
    }

    /// Stops it with every process that it started, those that left its group included.
    ///
    /// # Errors
    /// [`Kind::Denied`] if one of them does not end.
    pub async fn stop(self) -> Result<()> {
        self.running.stop().await;
        stop_carrying(MARK, &self.run).await.map(drop)
    }

    async fn with_last_lines(&mut self, why: String) -> String {
        if self.running.has_ended().is_some() {
            // What it wrote at its end is still on its way.
            let drained = async { while self.readers.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(Duration::from_secs(1), drained).await;
        }
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.last.is_empty() {
            return format!("{why}; it wrote nothing");
        }
        format!("{why}; its last lines: {}", log.last.iter().map(String::as_str).collect::<Vec<_>>().join(" | "))
    }
}

/// What is still missing; nothing if the app is ready.
fn shortfall(seen: &Seen, ready: &Ready, failure_instant: Timestamp) -> Option<String> {
    match seen {
        Seen::Values(values) if ready.expect.is_empty() => {
            let failing = [
                ("open", Scalar::Bool(false), "nobody listens"),
                ("exists", Scalar::Bool(false), "the file is not there"),
            ];
            let found = failing.into_iter().find(|(name, bad, _)| values.get(*name) == Some(bad));
            let exit = values.get("exit").filter(|exit| **exit != Scalar::Int(0));
            found
                .map(|(_, _, why)| why.to_owned())
                .or_else(|| exit.map(|exit| format!("the program exited with {exit}")))
        }
        _ => match seen.judge(&ready.expect, failure_instant) {
            Judgement::Holds => None,
            Judgement::Fails(why) | Judgement::Unclear(why) => Some(why.join("; ")),
        },
    }
}

/// The app's log: a file, and the last lines of it.
#[derive(Debug)]
struct Log {
    file: File,
    path: PathBuf,
    written: usize,
    last: VecDeque<String>,
}

impl Log {
    fn create(folder: &Path) -> Result<Self> {
        let path = folder.join("app.log");
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let file = made.and_then(|()| std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path));
        let file = file.map_err(|cause| Error::io("opening log", path.display(), cause))?;
        Ok(Self { file, path, written: 0, last: VecDeque::new() })
    }

    /// Adds a line. A log that can't be written, or has become too long, must not stop the app.
    fn add(&mut self, mut line: String) {
        line.push('\n');
        if self.written + line.len() <= LONGEST_LOG {
            self.written += line.len();
            if let Err(error) = self.file.write_all(line.as_bytes()) {
                tracing::warn!(log = %self.path.display(), %error, "the app's log can't be written");
            }
        }
        if self.last.len() == TOLD.0 {
            self.last.pop_front();
        }
        line.truncate(line.floor_char_boundary(TOLD.1));
        self.last.push_back(line.trim_end().to_owned());
    }
}

async fn keep(from: impl AsyncRead + Unpin, log: Arc<Mutex<Log>>, secrets: Arc<Secrets>) {
    each_line(from, &secrets, |line| log.lock().unwrap_or_else(PoisonError::into_inner).add(line)).await;
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use serde_json::{Value, json};

    use super::*;
    use crate::probes::fake::Fake;

    fn app(argv: &[&str], ready: &Value) -> Value {
        json!({"argv": argv, "ready": ready})
    }

    fn start(fake: &Fake, app: Value) -> Result<RunningApp> {
        let app: App = serde_json::from_value(app).expect("an app");
        RunningApp::start(&app, &fake.cx, fake, &fake.facts)
    }

    async fn ready(app: &mut RunningApp, fake: &Fake) -> Readiness {
        app.ready(&fake.cx, fake, fake.cx.clock.now()).await.expect("could look")
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
        let began = Instant::now();
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
        let squatter =
            TcpListener::bind(("127.0.0.1", fake.facts["DRILL_PORT"].parse().expect("a port"))).expect("bind");
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
        let mut writing =
            start(&fake, app(&["sh", "-c", "sleep 0.2; touch pid; exec sleep 600"], &look)).expect("starts");
        assert!(
            matches!(ready(&mut writing, &fake).await, Readiness::Ready(took) if took >= Duration::from_millis(200))
        );
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
        assert!(length <= LONGEST_LOG as u64 && length > LONGEST_LOG as u64 / 2, "{length}");
    }
}
