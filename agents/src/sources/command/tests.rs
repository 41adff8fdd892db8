//! Backups by real programs, whole ones and each way in which one can be less than that.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::{Clock, EntryKind, Format, Sha256};

/// A scenario's folder, and the run's own.
struct Home {
    folder: tempfile::TempDir,
    cx: Context,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("tempdir");
        let run = folder.path().join("run");
        std::fs::create_dir(&run).expect("run folder");
        let secrets = Arc::new(Secrets::relative_to(folder.path()));
        let cx = Context::new(format!("test-{}", rand::random::<u64>()), &run, Clock::system(), secrets);
        Self { folder, cx }
    }

    fn write(&self, name: &str, content: &str, mode: u32) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folders");
        std::fs::write(&path, content).expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    }

    fn open(&self, spec: Value) -> Result<CommandSource> {
        CommandSource::open(&serde_json::from_value(spec).expect("a source"), &self.cx.secrets)
    }

    /// Captures, and returns the stream too.
    async fn capture(&self, spec: Value) -> (Result<Captured>, Vec<u8>) {
        let source = self.open(spec).expect("opens");
        let (mut out, mut segments) = SealWriter::new(2, &self.cx.buffers);
        let collecting = tokio::spawn(async move {
            let mut stream = Vec::new();
            while let Some(segment) = segments.recv().await {
                stream.extend_from_slice(&segment);
            }
            stream
        });
        let captured = source.capture(&self.cx, &mut out).await;
        out.finish().await.expect("finish");
        (captured, collecting.await.expect("stream"))
    }

    async fn sh(&self, script: &str, content: Value) -> (Result<Captured>, Vec<u8>) {
        self.capture(json!({"argv": ["sh", "-c", script], "content": content})).await
    }

    async fn fails(&self, script: &str, content: Value) -> (Kind, String) {
        let error = self.sh(script, content).await.0.expect_err(script);
        (error.kind(), error.chain())
    }
}

fn file(name: &str) -> Value {
    json!({"file": name})
}

fn statements(captured: &Captured) -> Vec<&str> {
    captured.notes.iter().map(|note| note.statement.as_str()).collect()
}

#[tokio::test]
async fn what_a_program_writes_is_the_backup() {
    let home = Home::new();
    home.write("bin/dump", "#!/bin/sh\nprintf '%s|%s|%s|%s' \"$PWD\" \"$DRILL_RUN\" \"$A\" \"$KEY\"\n", 0o755);
    home.write("key", "s3cret", 0o600);
    let spec = json!({"argv": ["./bin/dump"], "content": {"file": "dump.txt"}, "env": {"A": "b"},
        "secrets": {"KEY": {"file": "key"}}, "expected_bytes": 12});
    let source = home.open(spec.clone()).expect("opens");
    assert_eq!(source.identity(&home.cx).await.expect("identity").kind, "command");
    assert_eq!(source.estimate(&home.cx).await.expect("estimate").restored_bytes, 12);
    let (captured, stream) = home.capture(spec.clone()).await;
    let captured = captured.expect("captures");
    let folder = home.folder.path().canonicalize().expect("path");
    assert_eq!(String::from_utf8_lossy(&stream), format!("{}|{}|b|s3cret", folder.display(), home.cx.run));
    assert_eq!(captured.index.format, Format::File("dump.txt".into()));
    let [entry] = &captured.index.entries[..] else { panic!("{:?}", captured.index) };
    assert_eq!(entry.kind, EntryKind::File { size: stream.len() as u64, sha256: Sha256::of(&stream) });
    assert_eq!((entry.path.as_path(), entry.mode), (Path::new("dump.txt"), 0o600));
    assert!(captured.notes.is_empty() && captured.newest_at.is_none());
    assert_eq!(
        std::fs::read_dir(&home.cx.folder).expect("run folder").count(),
        0,
        "nothing is left in the run's folder"
    );
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_mistake_in_the_scenario() {
    let home = Home::new();
    home.write("plain", "no program", 0o644);
    for program in ["no-such-program", "./absent", "./plain", "plain"] {
        let error = home.open(json!({"argv": [program], "content": "pg_dump"})).expect_err(program);
        assert_eq!(error.kind(), Kind::Config, "{program}");
    }
}

#[tokio::test]
async fn a_program_that_fails_has_made_no_backup_whatever_it_wrote() {
    let home = Home::new();
    home.write("key", "hunter22", 0o600);
    for content in [file("f"), json!("tar"), json!("pg_dump")] {
        let why = home.fails("echo half; echo oh no >&2; exit 4", content).await;
        assert_eq!(why, (Kind::Unavailable, "sh exited with 4: oh no".into()));
    }
    let spec = json!({"argv": ["sh", "-c", "echo bad password $KEY >&2; exit 1"], "content": file("f"), "secrets": {"KEY": {"file": "key"}}});
    let error = home.capture(spec).await.0.expect_err("fails");
    assert_eq!(error.to_string(), "sh exited with 1: bad password [secret]");
    let killed = home.fails("echo half; kill -9 $$", file("f")).await;
    assert_eq!(killed, (Kind::Unavailable, "sh was killed by signal 9".into()));
}

#[tokio::test]
async fn an_empty_backup_is_none() {
    let home = Home::new();
    for content in [file("f"), json!("tar"), json!("pg_dump")] {
        let why = home.fails("true", content).await;
        assert_eq!(why, (Kind::Unavailable, "sh exited with 0 but wrote nothing".into()));
    }
}

#[tokio::test]
async fn complaints_of_a_program_that_succeeds_are_notes() {
    let home = Home::new();
    let (captured, _) = home.sh("echo x; echo warning: skipped /a >&2", json!("pg_dump")).await;
    let captured = captured.expect("captures");
    assert_eq!(captured.index.format, Format::PgDump);
    let [first, second] = &statements(&captured)[..] else { panic!("{:?}", captured.notes) };
    assert!(first.ends_with("the last line: warning: skipped /a") && second.contains("not compared"));
}

#[tokio::test]
async fn a_program_may_tell_when_and_what_it_took() {
    let home = Home::new();
    let told =
        r#"{"taken_at": "2027-01-31T03:00:00Z", "newest_at": "2027-01-31T04:59:00+02:00", "notes": ["Two shards."]}"#;
    let (captured, _) = home.sh(&format!("echo x; echo '{told}' > \"$DRILL_FACTS\""), file("f")).await;
    let captured = captured.expect("captures");
    assert_eq!(captured.taken_at.to_string(), "2027-01-31T03:00:00Z");
    assert_eq!(captured.newest_at.map(|at| at.to_string()).as_deref(), Some("2027-01-31T02:59:00Z"));
    assert_eq!(statements(&captured), ["Two shards."]);
    for wrong in ["[]", "{", r#"{"when": 1}"#, r#"{"taken_at": "soon"}"#] {
        let (kind, why) = home.fails(&format!("echo x; echo '{wrong}' > \"$DRILL_FACTS\""), file("f")).await;
        assert!(kind == Kind::Config && why.starts_with("what the program wrote to DRILL_FACTS: "), "{why}");
    }
}

#[tokio::test]
async fn output_that_outlives_its_program_is_not_taken_for_whole() {
    let home = Home::new();
    for daemon in ["setsid sleep 600", "sleep 600"] {
        let began = Clock::system();
        let (kind, why) = home.fails(&format!("echo half; {daemon} & sleep 0.2"), file("f")).await;
        assert!(kind == Kind::Unavailable && why.contains("still holds its output"), "{why}");
        assert!(began.elapsed().as_secs() < 20);
    }
    crate::process::stop_marked(&home.cx.run).await.expect("stops");
}

#[tokio::test]
async fn a_slow_program_is_waited_for_and_a_stopped_run_is_not() {
    let home = Home::new();
    let (captured, stream) = home.sh("echo a; sleep 2.5; echo b", file("f")).await;
    captured.expect("captures");
    assert_eq!(stream, b"a\nb\n");
    let cancel = home.cx.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel();
    });
    let began = Clock::system();
    assert_eq!(home.fails("echo a; sleep 600", file("f")).await.0, Kind::Interrupted);
    assert!(began.elapsed().as_secs() < 10);
}

#[tokio::test]
async fn hundreds_of_megabytes_pass_through() {
    let home = Home::new();
    let (captured, stream) = home.sh("head -c 200000000 /dev/zero", file("f")).await;
    let captured = captured.expect("captures");
    assert_eq!((stream.len(), home.cx.progress.read().0), (200_000_000, 200_000_000));
    assert!(matches!(captured.index.entries[0].kind, EntryKind::File { size: 200_000_000, .. }));
}

#[tokio::test]
async fn a_tar_is_known_by_its_index() {
    let home = Home::new();
    home.write("data/a/one.txt", "one\n", 0o640);
    home.write("data/b.txt", "two\n", 0o644);
    std::fs::hard_link(home.folder.path().join("data/b.txt"), home.folder.path().join("data/a.link")).expect("link");
    std::os::unix::fs::symlink("a/one.txt", home.folder.path().join("data/s")).expect("link");
    let (captured, stream) =
        home.capture(json!({"argv": ["tar", "-C", "data", "-cf", "-", "."], "content": "tar"})).await;
    let captured = captured.expect("captures");
    let paths: Vec<_> = captured.index.entries.iter().map(|entry| entry.path.to_string()).collect();
    assert_eq!(paths, [".", "a", "a.link", "a/one.txt", "b.txt", "s"]);
    assert_eq!(captured.index.entries[2].kind, EntryKind::File { size: 4, sha256: Sha256::of(b"two\n") });
    assert_eq!(captured.index.entries[4].kind, EntryKind::Hardlink(crate::PathText::new("a.link")));
    assert!(captured.newest_at.is_some_and(|at| at <= home.cx.clock.now()));
    assert!(!stream.is_empty());
}

#[tokio::test]
async fn what_is_no_whole_archive_can_not_be_restored() {
    let home = Home::new();
    home.write("data/file", &"x".repeat(100_000), 0o644);
    let (kind, why) = home.fails("tar -C data -cf - . | head -c 50000", json!("tar")).await;
    assert_eq!((kind, why.as_str()), (Kind::Unrestorable, "the archive is cut off before its end"));
    let (kind, why) = home.fails("yes no archive | head -c 50000000", json!("tar")).await;
    assert!(kind == Kind::Unrestorable && why.contains("malformed"), "{why}");
    let (kind, why) = home.fails("tar -C data/.. -cPf - data/../data/file", json!("tar")).await;
    assert!(kind == Kind::Unrestorable && why.contains("outside"), "{why}");
}

#[tokio::test]
async fn there_is_no_canary_to_plant() {
    let home = Home::new();
    let source = home.open(json!({"argv": ["true"], "content": "tar"})).expect("opens");
    let canary = Canary { run: "r".into(), nonce: "n".into(), planted_at: home.cx.clock.now() };
    assert_eq!(source.plant(&home.cx, &canary).await.expect_err("no canary").kind(), Kind::Config);
    assert_eq!(source.unplant(&home.cx, "r").await.expect("nothing to do"), Removal::Absent);
}
