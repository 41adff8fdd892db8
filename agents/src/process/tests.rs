//! Every fault of a program, caused for real.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::{Clock, Secrets};

const LONG: Duration = Duration::from_secs(30);

/// A context of a run that no other test shares.
fn context() -> (tempfile::TempDir, Context) {
    let home = tempfile::tempdir().expect("tempdir");
    let run = format!("test-{}", rand::random::<u64>());
    let cx = Context::new(run, home.path(), Clock::system(), Arc::new(Secrets::relative_to(home.path())));
    (home, cx)
}

fn sh(script: &str) -> Program {
    Program::new("/bin/sh").args(["-c", script])
}

fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

async fn gone(pid: &str) -> bool {
    for _ in 0..100 {
        if !alive(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// The content of a file that a program is about to write.
async fn written(file: &Path) -> String {
    for _ in 0..250 {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.ends_with('\n') {
            return text.trim().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} was not written", file.display());
}

#[tokio::test]
async fn output_exit_code_and_tail_are_told() {
    let (_home, cx) = context();
    let ended = sh("echo out; echo first >&2; echo last >&2; exit 3").run(&cx, LONG, 1024).await.expect("runs");
    assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(3), b"out\n".as_slice()));
    assert_eq!(ended.stderr, ["first", "last"]);
    let error = ended.success(Kind::Unavailable).expect_err("3 is no success");
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Unavailable, "sh exited with 3: last"));
    let killed = sh("kill -9 $$").run(&cx, LONG, 0).await.expect("runs").success(Kind::Unavailable);
    assert_eq!(killed.expect_err("killed").to_string(), "sh was killed by signal 9");
}

#[tokio::test]
async fn a_missing_program_and_a_missing_folder_are_told_apart() {
    let (home, cx) = context();
    let error = Program::new("no-such-program").start(&cx).expect_err("no program");
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Config, "starting no-such-program"));
    let error = sh("true").folder(&home.path().join("absent")).start(&cx).expect_err("no folder");
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.to_string().contains("absent"), "{error}");
    let plain = home.path().join("plain");
    std::fs::write(&plain, "no program").expect("write");
    assert_eq!(Program::new(&plain).start(&cx).expect_err("not executable").kind(), Kind::Config);
}

#[tokio::test]
async fn the_environment_is_only_what_was_given() {
    let (_home, cx) = context();
    let ended = Program::new("env").env("GIVEN", "1").run(&cx, LONG, 1 << 20).await.expect("runs");
    let text = String::from_utf8(ended.stdout).expect("text");
    let names: BTreeSet<_> = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert_eq!(names, BTreeSet::from(["DRILLCTL_RUN", "GIVEN", "LANG", "LC_ALL", "PATH"]));
    assert!(text.contains(&format!("DRILLCTL_RUN={}\n", cx.run)), "{text}");
}

#[tokio::test]
async fn the_input_is_closed_unless_asked_for() {
    let (_home, cx) = context();
    let ended = Program::new("cat").run(&cx, LONG, 1024).await.expect("ends at once");
    assert!(ended.status.success() && ended.stdout.is_empty());
    let mut running = Program::new("wc").arg("-c").start_with_input(&cx).expect("starts");
    let mut stdin = running.stdin.take().expect("a pipe");
    tokio::io::AsyncWriteExt::write_all(&mut stdin, b"12345").await.expect("write");
    drop(stdin);
    assert_eq!(running.wait_collecting(LONG, 10).await.expect("ends").stdout, b"5\n");
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_do_not_stop_a_program_nor_fill_memory() {
    let (_home, cx) = context();
    let script = "head -c 100000000 /dev/zero; echo done >&2";
    let ended = sh(script).run(&cx, LONG, 1000).await.expect("runs");
    assert_eq!((ended.stdout.len(), ended.stderr), (1000, vec!["done".to_owned()]));
    let untaken = sh(script).start(&cx).expect("starts").wait(LONG).await.expect("ends");
    assert_eq!((untaken.stdout.len(), untaken.status.code()), (0, Some(0)));
}

#[tokio::test]
async fn endless_errors_are_read_and_only_the_last_are_kept() {
    let (_home, cx) = context();
    let ended = sh("yes complaint | head -n 1000000 >&2; echo the last >&2").run(&cx, LONG, 0).await.expect("runs");
    assert_eq!(ended.stderr.len(), 200);
    assert_eq!(ended.stderr.last().map(String::as_str), Some("the last"));
    let one_line = sh("head -c 10000000 /dev/zero | tr '\\0' x >&2").run(&cx, LONG, 0).await.expect("runs");
    assert!(one_line.stderr.iter().all(|line| line.len() <= 2000) && one_line.stderr.len() <= 200);
}

#[tokio::test]
async fn after_the_deadline_the_whole_group_is_gone() {
    let (home, cx) = context();
    let script = "trap '' TERM; (trap '' TERM; sleep 600) & echo $! > grandchild; echo $$ > leader; wait";
    let began = Clock::system();
    let error = sh(script).folder(home.path()).run(&cx, Duration::from_millis(500), 0).await.expect_err("too long");
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::TimedOut, "sh ran longer than 500ms"));
    assert!(began.elapsed() < Duration::from_secs(4));
    for file in ["leader", "grandchild"] {
        assert!(gone(&written(&home.path().join(file)).await).await, "{file}");
    }
}

#[tokio::test]
async fn what_a_program_leaves_in_the_background_ends_with_it() {
    let (home, cx) = context();
    let began = Clock::system();
    let ended = sh("sleep 600 & echo $! > pid; echo out").folder(home.path()).run(&cx, LONG, 100).await.expect("runs");
    assert_eq!(ended.stdout, b"out\n");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(gone(&written(&home.path().join("pid")).await).await);
}

#[tokio::test]
async fn a_daemon_that_keeps_the_pipes_open_does_not_keep_us() {
    let (home, cx) = context();
    let began = Clock::system();
    let script = "setsid sh -c 'echo $$ > pid; sleep 600' & while ! test -s pid; do :; done; echo out; echo err >&2";
    let ended = sh(script).folder(home.path()).run(&cx, LONG, 100).await.expect("runs");
    assert_eq!((ended.stdout.as_slice(), ended.stderr), (b"out\n".as_slice(), vec!["err".to_owned()]));
    assert!(began.elapsed() < Duration::from_secs(10));
    let daemon = written(&home.path().join("pid")).await;
    assert!(alive(&daemon), "it left the group, so that only its mark finds it");
    assert_eq!(stop_marked(&cx.run).await.expect("stops"), 2, "the shell and its sleep");
    assert!(gone(&daemon).await);
    assert_eq!(stop_marked(&cx.run).await.expect("again"), 0);
}

#[tokio::test]
async fn stop_ends_the_leader_politely_and_then_kills_what_does_not_listen() {
    let (home, cx) = context();
    let script = "(trap '' TERM; while :; do sleep 1; done) & echo $! > deaf; \
                  trap 'echo asked > asked; exit 0' TERM; echo ready > ready; wait";
    let running = sh(script).folder(home.path()).start(&cx).expect("starts");
    written(&home.path().join("ready")).await;
    let deaf = written(&home.path().join("deaf")).await;
    running.stop().await;
    assert_eq!(written(&home.path().join("asked")).await, "asked");
    assert!(gone(&deaf).await);
}

#[tokio::test]
async fn dropping_a_program_kills_its_group() {
    let (home, cx) = context();
    let running = sh("sleep 600 & echo $! > pid; wait").folder(home.path()).start(&cx).expect("starts");
    let pid = written(&home.path().join("pid")).await;
    drop(running);
    assert!(gone(&pid).await);
}

#[tokio::test]
async fn a_marked_process_that_ignores_the_request_is_killed() {
    let (home, cx) = context();
    let script = "setsid sh -c \"trap '' TERM; echo \\$\\$ > pid; while :; do sleep 0.1; done\" & \
                  while ! test -s pid; do :; done";
    sh(script).folder(home.path()).run(&cx, LONG, 0).await.expect("runs");
    let deaf = written(&home.path().join("pid")).await;
    assert!(stop_marked(&cx.run).await.expect("stops") >= 1);
    assert!(!alive(&deaf));
}

#[tokio::test]
async fn only_the_very_mark_counts() {
    let (home, cx) = context();
    let mut others = Vec::new();
    let near = [
        ("DRILLCTL_RUN", format!("{}-other", cx.run)),
        ("XDRILLCTL_RUN", cx.run.clone()),
        ("A", format!("DRILLCTL_RUN={}", cx.run)),
    ];
    for (name, value) in near {
        let (_, other) = context();
        let running = Program::new("sleep").arg("600").env(name, value).start(&other).expect("starts");
        others.push(running);
    }
    // In the arguments, not in the environment.
    let (_, other) = context();
    others.push(sh("sleep 600; :").arg(format!("DRILLCTL_RUN={}", cx.run)).start(&other).expect("starts"));
    let ours = sh("echo $$ > pid; sleep 600; :").folder(home.path()).start(&cx).expect("starts");
    let pid = written(&home.path().join("pid")).await;
    stop_marked(&cx.run).await.expect("stops");
    assert!(gone(&pid).await);
    drop(ours);
    for mut other in others {
        assert_eq!(other.has_ended(), None, "{other:?}");
    }
}

/// Two drills, the inner one run by the app of the outer one: this very process carries the outer run's mark. The variable
/// can't be set in a running process, so the test starts itself again with it.
#[tokio::test]
async fn a_process_that_carries_the_mark_itself_is_not_its_own_victim() {
    const INSIDE: &str = "DRILLCTL_TEST_INSIDE";
    let (_home, cx) = context();
    if let Ok(run) = std::env::var(INSIDE) {
        assert_eq!(std::env::var(marked::RUN).as_deref(), Ok(run.as_str()));
        assert_eq!(stop_marked(&run).await.expect("only itself is left"), 0);
        return;
    }
    let me = std::env::current_exe().expect("own path");
    let name = "process::tests::a_process_that_carries_the_mark_itself_is_not_its_own_victim";
    let again = Program::new(me).args(["--exact", name]).env(INSIDE, &cx.run);
    let ended = again.run(&cx, LONG, 1 << 20).await.expect("runs");
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test]
async fn another_account_has_none_of_our_groups() {
    let (_home, cx) = context();
    let nobody = Account::named("nobody").expect("every system has it");
    if !Account::current().is_root() {
        let refused = Program::new("id").account(&nobody).start(&cx).expect_err("only root may");
        assert_eq!(refused.kind(), Kind::Config);
        return;
    }
    let ids = "id -u; id -g; id -G; grep ^Groups /proc/self/status";
    let ended = sh(ids).account(&nobody).folder(Path::new("/")).run(&cx, LONG, 1024).await.expect("runs");
    let expected = format!("{}\n{}\n{}\nGroups:\t \n", nobody.uid, nobody.gid, nobody.gid);
    assert_eq!(String::from_utf8_lossy(&ended.stdout), expected);
}

#[tokio::test]
async fn a_log_takes_both_outputs_and_is_for_its_owner_only() {
    let (home, cx) = context();
    let log = home.path().join("server.log");
    let ended = sh("echo out; echo err >&2").log_to(&log).run(&cx, LONG, 100).await.expect("runs");
    assert!(ended.stdout.is_empty() && ended.stderr.is_empty());
    let mut lines: Vec<_> = std::fs::read_to_string(&log).expect("log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["err", "out"]);
    assert_eq!(std::fs::metadata(&log).expect("log").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn secrets_are_scrubbed_from_what_is_kept_of_errors() {
    let (_home, cx) = context();
    cx.secrets.remember("hunter22");
    let ended = sh("echo password is hunter22 >&2; exit 1").run(&cx, LONG, 0).await.expect("runs");
    let error = ended.success(Kind::Unavailable).expect_err("1");
    assert_eq!(error.to_string(), "sh exited with 1: password is [secret]");
    let shown = format!("{:?}", Program::new("sh").env("KEY", "hunter22"));
    assert!(shown.contains("KEY") && !shown.contains("hunter22"), "{shown}");
}

#[test]
fn a_program_is_found_on_the_path_or_below_the_folder() {
    let home = tempfile::tempdir().expect("tempdir");
    let script = home.path().join("dump.sh");
    std::fs::write(&script, "#!/bin/sh\n").expect("write");
    assert_eq!(find("./dump.sh", home.path()), None, "it can't be executed yet");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    assert_eq!(find("./dump.sh", home.path()), Some(home.path().join("./dump.sh")));
    assert_eq!(find("dump.sh", home.path()), None, "a bare name is never looked for in the folder");
    assert!(find("sh", home.path()).is_some_and(|sh| sh.is_absolute()));
}

#[tokio::test]
async fn a_program_that_is_lowered_stands_behind_others_and_the_next_one_does_not() {
    let (_home, cx) = context();
    let script = "nice; ionice";
    let written =
        drill_scenarios::Limits { nice: 19, ionice: Some(drill_scenarios::IoClass::Idle), ..Default::default() };
    let before = sh(script).run(&cx, LONG, 1024).await.expect("runs").stdout;
    let lowered = sh(script).lowered(&Limits::new(&written, &cx.clock)).run(&cx, LONG, 1024).await.expect("runs");
    assert_eq!(String::from_utf8_lossy(&lowered.stdout), "19\nidle\n");
    assert_eq!(sh(script).run(&cx, LONG, 1024).await.expect("runs").stdout, before);
    let error =
        Program::new("/no/such/program").lowered(&Limits::new(&written, &cx.clock)).start(&cx).expect_err("none");
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Config, "starting /no/such/program"));
}
