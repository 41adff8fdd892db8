//! Drills of backups that something else puts into storage, one file each.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::{Cluster, World, check, files_below, must};

const CHECKS: &str =
    "[{name: the page is there, probe: {file: {path: input/index.html}}, expect: {exists: {equals: true}}}]";
/// How archives are packed: the end of the name, the commands of the pipe, and the level that is proved without a digest beside it.
const PACKED: [(&str, &str, Option<&str>); 5] = [
    ("tar", "cat", None),
    ("tar.gz", "gzip", Some("L3")),
    ("tar.zst", "zstd -q", None),
    ("tar.age", "age -r RECIPIENT", Some("L3")),
    ("tar.zst.age", "zstd -q | age -a -r RECIPIENT", Some("L3")),
];

/// A world with a tree to be archived and a folder that archives are put into.
fn world() -> World {
    let world = World::new();
    world.write("input/index.html", "a page");
    let noise: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    world.write("input/a/noise", noise);
    std::os::unix::fs::symlink("index.html", world.path("input/link")).expect("link");
    fs::create_dir(world.path("put")).expect("folder");
    world
}

fn recipient(world: &World) -> String {
    let text = fs::read_to_string(world.path("identity.txt")).expect("an identity");
    text.split_whitespace().find(|word| word.starts_with("age1")).expect("a public key").to_owned()
}

/// Puts an archive of `input` into the folder, packed by these commands.
fn put(world: &World, name: &str, pack: &str) -> PathBuf {
    let pack = pack.replace("RECIPIENT", &recipient(world));
    let script = format!("set -o pipefail; tar --format=posix -cf - input | {pack} > 'put/{name}'");
    must(Command::new("bash").args(["-c", &script]).current_dir(world.path("")).stdin(Stdio::null()));
    world.path("put").join(name)
}

fn scenario(world: &World, more: &str) {
    let source = format!("{{files: {{place: {{fs: {{path: put}}}}, matching: 'web-*', content: tar{more}}}}}");
    world.adopting(&source, &[("checks", CHECKS)]);
}

#[test]
fn each_way_of_packing_is_unpacked_compared_and_left_as_it_was() {
    for (end, pack, level) in PACKED {
        let world = world();
        let file = put(&world, &format!("web-1.{end}"), pack);
        let before = fs::read(&file).expect("the archive");
        scenario(&world, ", identities: [{file: identity.txt}]");
        let record = world.drill_ends(0);
        assert_eq!(check(&record, "content")["level"], "L3", "{end}: what came back is what is in the archive");
        assert_eq!(record["assurance"].as_str(), level, "{end}");
        let told = record["findings"].to_string().contains("there is no digest of it");
        assert_eq!(told, level.is_none(), "{end}: what nothing vouches for is said");
        assert_eq!(files_below(&world.path("put")), std::slice::from_ref(&file), "{end}");
        assert_eq!(fs::read(&file).expect("the archive"), before, "{end}");
    }
}

#[test]
fn an_archive_that_was_cut_off_fails_the_drill_however_it_is_packed() {
    for (end, pack, _) in PACKED {
        let world = world();
        let file = put(&world, &format!("web-1.{end}"), pack);
        let whole = fs::read(&file).expect("the archive");
        fs::write(&file, &whole[..whole.len() / 2]).expect("cut");
        scenario(&world, ", identities: [{file: identity.txt}]");
        let record = world.drill_ends(1);
        assert_ne!(record["assurance"], "L3", "{end}");
        assert!(record["because"].as_str().is_some_and(|why| !why.is_empty()), "{end}: {record:#}");
    }
}

#[test]
fn a_digest_that_lies_beside_it_must_be_right() {
    let world = world();
    let file = put(&world, "web-1.tar", "cat");
    scenario(&world, ", sha256: true");
    let record = world.drill_ends(1);
    assert!(record["because"].to_string().contains("web-1.tar.sha256 is missing"), "{}", record["because"]);

    let script = "cd put && sha256sum web-1.tar > web-1.tar.sha256";
    must(Command::new("sh").args(["-c", script]).current_dir(world.path("")));
    let record = world.drill_ends(0);
    assert_eq!(record["assurance"], "L3");
    assert_eq!(record["backup"]["snapshot"], "web-1.tar", "the digest is newer, matches too, and is no backup");

    let mut bytes = fs::read(&file).expect("the archive");
    let at = bytes.windows(6).position(|window| window == b"a page").expect("the page");
    bytes[at] = b'A';
    fs::write(&file, bytes).expect("changed");
    let record = world.drill_ends(1);
    assert_eq!(check(&record, "stored-bytes")["outcome"], "failed");
    assert!(record["because"].to_string().contains("beside it stands"), "{}", record["because"]);
}

#[test]
fn what_holds_nothing_saves_nobody() {
    let world = world();
    put(&world, "web-1.tar.gz", "gzip");
    scenario(&world, ", at_least_bytes: 5000000");
    let record = world.drill_ends(1);
    assert!(record["because"].to_string().contains("a backup has 5000000 at least"), "{}", record["because"]);

    let script = format!("rm put/*; age -r {} </dev/null > put/web-1.tar.age", recipient(&world));
    must(Command::new("sh").args(["-c", &script]).current_dir(world.path("")));
    scenario(&world, ", identities: [{file: identity.txt}]");
    let record = world.drill_ends(1);
    assert!(record["because"].to_string().contains("there is nothing in web-1.tar.age"), "{}", record["because"]);

    fs::remove_file(world.path("put/web-1.tar.age")).expect("removed");
    let record = world.drill_ends(1);
    assert!(check(&record, "backup-there")["observed"].to_string().contains("none that fits"));
}

#[test]
fn an_identity_that_does_not_open_it_is_a_failed_drill() {
    let world = world();
    put(&world, "web-1.tar.age", "age -r RECIPIENT");
    assert_eq!(world.run(&["keys", "new", "another.txt"]).code, Some(0));
    for identities in [", identities: [{file: another.txt}]", ""] {
        scenario(&world, identities);
        let record = world.drill_ends(1);
        assert_eq!(check(&record, "opens")["outcome"], "failed", "{record:#}");
        assert!(
            record["because"].to_string().contains("no identity at hand opens web-1.tar.age"),
            "{}",
            record["because"]
        );
    }
}

#[test]
fn names_tell_the_age_and_one_that_does_not_fit_is_no_backup_to_guess_about() {
    let world = world();
    put(&world, "web-20260101T030000Z.tar.gz", "gzip");
    put(&world, "web-20260102T030000Z.tar.gz", "gzip");
    let named = ", named: 'web-%Y%m%dT%H%M%SZ.tar.gz'";
    scenario(&world, named);
    assert_eq!(world.drill_ends(0)["backup"]["taken_at"], "2026-01-02T03:00:00Z");
    scenario(&world, &format!("{named}, max_age: 26h"));
    assert!(world.drill_ends(1)["findings"].to_string().contains("backup age"));
    scenario(&world, &format!("{named}, select: {{before: 2026-01-02T00:00:00Z}}"));
    assert_eq!(world.drill_ends(0)["backup"]["snapshot"], "web-20260101T030000Z.tar.gz");

    put(&world, "web-latest.tar.gz", "gzip");
    scenario(&world, named);
    let finished = world.run(&["run", "scenario.yaml"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("the name of web-latest.tar.gz does not fit"), "{}", finished.stderr);
}

#[test]
fn a_nightly_dump_is_loaded_and_one_that_was_cut_fails() {
    let (world, cluster) = (world(), Cluster::start());
    cluster.sql("CREATE TABLE orders AS SELECT n, md5(n::text) AS v FROM generate_series(1, 20000) n");
    let file = world.path("put/web-1.dump.zst");
    let script = format!(
        "set -o pipefail; '{}/pg_dump' -Fc -Z0 '{}' | zstd -q > '{}'",
        cluster.bin().display(),
        cluster.url(),
        file.display()
    );
    must(Command::new("bash").args(["-c", &script]));
    let source = "{files: {place: {fs: {path: put}}, matching: 'web-*', content: pg_dump}}";
    let checks = "[{name: orders are there, probe: {sql: {query: select count(*) from orders}}, expect: {value: {equals: 20000}}}]";
    world.adopting(source, &[("scratch", "{postgres: {}}"), ("checks", checks)]);
    let record = world.drill_ends(0);
    assert!(record["findings"].to_string().contains("was not compared with the database"), "{}", record["findings"]);

    let whole = fs::read(&file).expect("the dump");
    fs::write(&file, &whole[..whole.len() - 4000]).expect("cut");
    let record = world.drill_ends(1);
    assert!(record["because"].to_string().contains("does not unpack"), "{}", record["because"]);
}
