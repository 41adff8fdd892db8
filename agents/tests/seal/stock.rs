//! Stock programs restore a snapshot by the commands that stand in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use drill_agents::seal::{About, Keys, Sealing, locate};
use drill_agents::{Entry, EntryKind, Format, Index, PathText, SEGMENT_BYTES, Sha256};
use drill_scenarios::{Reference, Seal};

use super::{Home, mariadb::Mariadb, must, noise, postgres::Cluster, read_all, run_well, store};

/// The blocks of commands in a snapshot's instructions. Those marked `bash` are run as they stand; the others are for hands.
fn blocks(folder: &Path, mark: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join("RESTORE.md")).expect("instructions");
    let fence = format!("\n```{mark}\n");
    text.split(&fence).skip(1).map(|block| block.split("\n```").next().expect("end").to_owned()).collect()
}

/// Follows the instructions, with everything that a person has to fill in.
fn follow(folder: &Path, key: &Path, target: &Path) -> Vec<String> {
    follow_with(Path::new("/usr/bin"), folder, key, target)
}

/// The same, with further programs in this folder.
fn follow_with(programs: &Path, folder: &Path, key: &Path, target: &Path) -> Vec<String> {
    let path = format!("{}:{}", std::env::var("PATH").expect("a path"), programs.display());
    follow_under(&[("PATH", path.into())], folder, key, target)
}

/// The same, with these variables set.
fn follow_under(environment: &[(&str, PathBuf)], folder: &Path, key: &Path, target: &Path) -> Vec<String> {
    let commands = blocks(folder, "bash");
    assert_eq!(commands.len(), 3, "check, restore, look inside");
    let bash = |command: &String| {
        let mut bash = Command::new("bash");
        bash.args(["-c", command]).current_dir(folder).envs(environment.iter().cloned());
        run_well(bash.env("KEY", key).env("TARGET", target))
    };
    commands.iter().map(bash).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_age_zstd_and_tar_restore_a_tree_by_its_instructions() {
    let home = Home::new();
    let tree = home.path("tree");
    fs::create_dir_all(tree.join("a/b")).expect("folders");
    fs::write(tree.join("a/noise"), noise(SEGMENT_BYTES + 1000)).expect("file");
    fs::write(tree.join("a/b/text"), "text\n".repeat(1000)).expect("file");
    std::os::unix::fs::symlink("b/text", tree.join("a/link")).expect("link");
    run_well(Command::new("setfattr").args(["-n", "user.colour", "-v", "blue"]).arg(tree.join("a/b/text")));
    let archive = must(Command::new("tar").args(["--xattrs", "--format=pax", "-cf", "-", "-C"]).arg(&tree).arg("."));
    let mut index = Index::new(Format::Tar);
    index.entries.push(secret_entry());
    let stored = store(&home, (&home.vault, &home.keys), "s-1", &archive.stdout, &index).await.expect("stored");
    assert_eq!(stored.header.segments.len(), 2);

    let said = follow(&home.snapshot("s-1"), &home.path("key.txt"), &home.path("back"));
    assert_eq!(said[0].matches(": OK\n").count(), 4, "{}", said[0]);
    assert!(said[2].contains("payroll-of-the-boss"), "{}", said[2]);
    run_well(Command::new("diff").arg("-r").arg("--no-dereference").arg(&tree).arg(home.path("back")));
    let colour =
        run_well(Command::new("getfattr").args(["--only-values", "-n", "user.colour"]).arg(home.path("back/a/b/text")));
    assert_eq!(colour, "blue");
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_programs_restore_a_file_and_nothing_in_the_open_tells_its_name() {
    let home = Home::new();
    let mut index = Index::new(Format::File("payroll-of-the-boss".into()));
    index.entries.push(secret_entry());
    store(&home, (&home.vault, &home.keys), "s-1", b"content", &index).await.expect("stored");
    follow(&home.snapshot("s-1"), &home.path("key.txt"), &home.path("back"));
    assert_eq!(fs::read(home.path("back")).expect("restored"), b"content");
    let digest = Sha256::of(b"secret\n").to_string();
    for file in fs::read_dir(home.snapshot("s-1")).expect("folder") {
        let file = file.expect("entry");
        let text = fs::read(file.path()).expect("file");
        assert!(!String::from_utf8_lossy(&text).contains("payroll"), "{} tells", file.path().display());
        assert!(!String::from_utf8_lossy(&text).contains(&digest), "{} tells a digest", file.path().display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_stream_is_restored_too() {
    let home = Home::new();
    let index = Index::new(Format::File("empty".into()));
    store(&home, (&home.vault, &home.keys), "s-1", b"", &index).await.expect("stored");
    follow(&home.snapshot("s-1"), &home.path("key.txt"), &home.path("back"));
    assert_eq!(fs::read(home.path("back")).expect("restored"), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_fail_on_a_segment_that_does_not_open() {
    let home = Home::new();
    home.store("s-1", &noise(2 * SEGMENT_BYTES)).await;
    fs::write(home.snapshot("s-1").join("000001.age"), "age-encryption.org/v1\n").expect("damage");
    for command in &blocks(&home.snapshot("s-1"), "bash")[..2] {
        let mut bash = Command::new("bash");
        bash.args(["-c", command]).current_dir(home.snapshot("s-1"));
        let ended = bash.env("KEY", home.path("key.txt")).env("TARGET", home.path("back")).output();
        assert!(!ended.expect("bash").status.success(), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_opens_a_snapshot_here_and_with_stock_age_after_one_prompt() {
    let home = Home::new();
    fs::write(home.path("passphrase"), "correct horse battery\n").expect("passphrase");
    super::chmod(&home.path("passphrase"), 0o600);
    let seal =
        Seal { recipients: Vec::new(), identities: Vec::new(), passphrase: Some(Reference::File("passphrase".into())) };
    let keys = Keys::open(&seal, &home.cx.secrets).expect("keys");
    assert_eq!((keys.recipients(), keys.prove().expect("proof")), (vec!["passphrase".into()], "passphrase".into()));
    let plain = noise(SEGMENT_BYTES + 1);
    let index = Index::new(Format::File("it".into()));
    store(&home, (&home.vault, &keys), "s-1", &plain, &index).await.expect("stored");

    let located = locate(&home.cx, &home.vault, &keys, "s-1", None).await.expect("located");
    assert_eq!(located.opened_with(), "passphrase");
    assert!(read_all(located.stream(&home.cx)).await.expect("read") == plain);

    let prompt = blocks(&home.snapshot("s-1"), "").into_iter().find(|block| block.contains("age -d key.age"));
    let (key, prompt) = (home.path("opened-key"), prompt.expect("the command that opens the key"));
    run_well(
        Command::new("bash")
            .args([
                "-c",
                "sleep 1 | cat <(sleep 1; echo correct horse battery; sleep 4) | script -qefc \"$PROMPT\" /dev/null",
            ])
            .current_dir(home.snapshot("s-1"))
            .env("PROMPT", prompt)
            .env("KEY", &key),
    );
    follow(&home.snapshot("s-1"), &key, &home.path("back"));
    assert!(fs::read(home.path("back")).expect("restored") == plain);
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_programs_restore_a_dump_of_postgresql_by_its_instructions() {
    let home = Home::new();
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE t AS SELECT n, md5(n::text) AS v FROM generate_series(1, 1000) n");
    let dump = must(Command::new(cluster.bin().join("pg_dump")).args(["-Fc", "-d", &cluster.url()]));
    let index = Index::new(Format::PgDump);
    store(&home, (&home.vault, &home.keys), "s-1", &dump.stdout, &index).await.expect("stored");
    cluster.sql("CREATE DATABASE back");
    let back = cluster.url().replace("/shop?", "/back?");
    follow(&home.snapshot("s-1"), &home.path("key.txt"), Path::new(&back));
    let sum = "SELECT count(*), md5(string_agg(v, '' ORDER BY n)) FROM t";
    let restored = run_well(Command::new("psql").args(["-XAtqc", sum, "-d", &back]));
    assert_eq!(restored.trim(), cluster.sql(sum));
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_programs_restore_a_dump_of_mariadb_by_its_instructions() {
    let home = Home::new();
    let server = Mariadb::start();
    server.sql("CREATE TABLE t AS SELECT seq AS n, md5(seq) AS v FROM seq_1_to_1000");
    server.sql("CREATE FUNCTION f() RETURNS int RETURN 1 /* for once */");
    let index = captured_by(&home, &format!(r#"{{"mariadb": {{"url": "{}"}}}}"#, server.url())).await;
    assert_eq!(index.format, Format::MariadbDump);
    server.sql("CREATE DATABASE back");
    fs::write(home.path(".my.cnf"), format!("[client]\nuser=root\nsocket={}\n", server.socket().display()))
        .expect("file");
    let environment = [("HOME", home.path("."))];
    follow_under(&environment, &home.snapshot("s-1"), &home.path("key.txt"), Path::new("back"));
    let sum = |table: &str| server.sql(&format!("SELECT count(*), md5(group_concat(v ORDER BY n)) FROM {table}"));
    assert_eq!(sum("back.t"), sum("shop.t"));
    assert!(server.sql("SHOW CREATE FUNCTION back.f").contains("for once"), "comments are a part of routines");
}

/// Takes a snapshot of the cluster's database with a `postgres` source of these options.
async fn captured(home: &Home, cluster: &Cluster, options: &str) -> Index {
    captured_by(home, &format!(r#"{{"postgres": {{"url": "{}", {options}}}}}"#, cluster.url())).await
}

/// Takes a snapshot of this source.
async fn captured_by(home: &Home, source: &str) -> Index {
    let source: drill_scenarios::Source = serde_json::from_str(source).expect("a source");
    let kind = source.kind();
    let source = drill_agents::sources::open(&source, &home.cx.secrets).expect("opened");
    let (sealing, mut writer) = Sealing::begin(&home.cx, &home.vault, &home.keys, "s-1").await.expect("seal");
    let captured = source.capture(&home.cx, &mut writer).await.expect("captured");
    let about = About { scenario: "shop".into(), source: kind.into(), tool: "drillctl test".into() };
    sealing.complete(&home.cx, writer, captured.clone(), about).await.expect("stored");
    captured.index
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_programs_restore_several_dumps_of_postgresql_by_their_instructions() {
    let home = Home::new();
    let cluster = Cluster::start();
    cluster.sql(
        "CREATE TABLE t AS SELECT n, repeat(md5(n::text), 10) AS v FROM generate_series(1, 30000) n;
         CREATE TABLE u AS SELECT n, md5(n::text) AS v FROM generate_series(1, 1000) n; CREATE UNIQUE INDEX i ON t (n)",
    );
    let index = captured(&home, &cluster, r#""jobs": 2"#).await;
    assert_eq!(index.format, Format::PgDumps);
    cluster.sql("CREATE DATABASE back");
    let back = cluster.url().replace("/shop?", "/back?");
    follow(&home.snapshot("s-1"), &home.path("key.txt"), Path::new(&back));
    let sum =
        "SELECT count(*), md5(string_agg(t.v || u.v, '' ORDER BY n)), to_regclass('i') FROM t LEFT JOIN u USING (n)";
    let restored = run_well(Command::new("psql").args(["-XAtqc", sum, "-d", &back]));
    assert_eq!(restored.trim(), cluster.sql(sum));
    assert!(restored.starts_with("30000|") && restored.trim().ends_with("|i"), "{restored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_programs_restore_a_physical_backup_of_postgresql_by_its_instructions() {
    let home = Home::new();
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE t AS SELECT n, md5(n::text) AS v FROM generate_series(1, 1000) n");
    let index = captured(&home, &cluster, r#""method": "physical""#).await;
    assert_eq!(index.format, Format::PgBase);
    let snapshot = home.snapshot("s-1");
    let back = home.path("back");
    follow_with(cluster.bin(), &snapshot, &home.path("key.txt"), &back);
    let restored = Cluster::of_files(&back);
    let sum = "SELECT count(*), md5(string_agg(v, '' ORDER BY n)) FROM t";
    assert_eq!(restored.sql(sum), cluster.sql(sum));
}

fn secret_entry() -> Entry {
    Entry {
        path: PathText::new("payroll-of-the-boss"),
        kind: EntryKind::File { size: 7, sha256: Sha256::of(b"secret\n") },
        mode: 0o600,
        uid: 0,
        gid: 0,
        mtime_ns: 0,
        xattrs: std::collections::BTreeMap::new(),
    }
}
