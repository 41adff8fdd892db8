//! What is in a vault: restored with stock tools, listed, verified and fetched.

use std::process::Command;

use serde_json::Value;

use crate::support::{World, must};

/// The shell commands that a snapshot's own RESTORE.md gives, those of its first block that opens segments.
fn restore_commands(world: &World) -> String {
    let text = std::fs::read_to_string(world.newest_snapshot().join("RESTORE.md")).expect("RESTORE.md");
    let blocks: Vec<&str> = text.split("```").skip(1).step_by(2).collect();
    let block =
        blocks.iter().find(|block| block.contains(" -x") || block.contains("tar ")).expect("a block that restores");
    block.trim_start_matches("bash").trim_start_matches("sh").to_owned()
}

#[test]
fn a_snapshot_is_restored_by_the_commands_of_its_own_restore_file() {
    let world = World::new();
    world.write("input/a/b.txt", "hello");
    world.write("input/ünï cödé", vec![3; 5_000_000]);
    std::os::unix::fs::symlink("a/b.txt", world.path("input/link")).expect("link");
    world.scenario(&[]);
    assert_eq!(world.drill().0.code, Some(0));
    must(Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(world.newest_snapshot()));
    let mut shell = Command::new("bash");
    shell.args(["-c", &restore_commands(&world)]).current_dir(world.newest_snapshot());
    must(shell.env("KEY", world.path("identity.txt")).env("TARGET", world.path("restored")));
    must(Command::new("diff").args(["-r", "--no-dereference"]).arg(world.path("input")).arg(world.path("restored")));
}

#[test]
fn snapshots_are_listed_verified_and_fetched() {
    let world = World::new();
    world.write("input/a", "hello");
    world.scenario(&[]);
    let (_, record) = world.drill();
    let id = record["backup"]["snapshot"].as_str().expect("an id");
    let list: Value =
        serde_json::from_str(&world.run(&["vault", "list", "scenario.yaml", "--json"]).stdout).expect("JSON");
    assert_eq!(list[0]["id"], id);
    assert_eq!(world.run(&["vault", "verify", "scenario.yaml", id]).code, Some(0));
    let fetched = world.run(&["vault", "fetch", "scenario.yaml", id, "--to", "fetched"]);
    assert_eq!(fetched.code, Some(0), "{}", fetched.stderr);
    must(Command::new("diff").arg("-r").arg(world.path("input")).arg(world.path("fetched")));
    let again = world.run(&["vault", "fetch", "scenario.yaml", id, "--to", "fetched"]);
    assert_eq!(again.code, Some(2), "a folder that holds something is not written into: {}", again.stderr);

    let segment = world.newest_snapshot().join("000000.age");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(segment, bytes).expect("damaged");
    let verified = world.run(&["vault", "verify", "scenario.yaml", id]);
    assert_eq!(verified.code, Some(1), "{}{}", verified.stdout, verified.stderr);
}
