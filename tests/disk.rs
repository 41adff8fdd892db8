//! Full disks: a clear error, everything released, the journal whole.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{World, must};

/// A small file system of its own, unmounted when it is dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&at).expect("a mount point");
        must(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size},mode=711"), "tmpfs"]).arg(&at));
        Self(at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state: u64 = 7;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// A source that doesn't say how much there is: the check before the run can't know.
fn unforeseen(world: &World) -> String {
    world.write("input/noise", noise(24 << 20));
    let script = world.script("backup", "#!/bin/sh\nexec tar -C \"$(dirname \"$0\")/input\" -cf - .\n");
    format!("{{command: {{argv: [{}], content: tar}}}}", script.display())
}

fn errored(world: &World, at: &Path) {
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{}\n{record:#}", finished.stderr);
    assert_eq!(record["verdict"], "errored");
    let because = record["findings"].to_string();
    assert!(because.contains("space"), "{because}");
    assert!(because.contains(&*at.to_string_lossy()), "{because}");
    assert_eq!(record["release"]["leaked"].as_array().map(Vec::len), Some(0), "{record:#}");
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    assert!(world.newest_journal().contains("run_ended"));
}

#[test]
fn too_little_space_is_refused_before_anything_is_done() {
    let world = World::new();
    world.write("input/noise", noise(24 << 20));
    let small = Small::mount(world.path("small"), "20m");
    world.scenario(&[("scratch", "{directory: {path: small/scratch}}")]);
    let finished = world.run(&["run", "scenario.yaml"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("space") && finished.stderr.contains("small"), "{}", finished.stderr);
    assert!(world.runs().is_empty() && !small.0.join("scratch").exists());
}

#[test]
fn a_vault_that_fills_up_leaves_no_half_snapshot() {
    let world = World::new();
    let source = unforeseen(&world);
    let small = Small::mount(world.path("vault"), "20m");
    world.scenario(&[("source", &source)]);
    errored(&world, &small.0);
}

#[test]
fn a_scratch_that_fills_up_is_released() {
    let world = World::new();
    let source = unforeseen(&world);
    let small = Small::mount(world.path("small"), "20m");
    world.scenario(&[("source", &source), ("scratch", "{directory: {path: small/scratch}}")]);
    errored(&world, &small.0);
    assert!(!small.0.join("scratch").exists());
}

#[test]
fn a_state_folder_that_the_scratch_fills_up_keeps_its_journal() {
    let world = World::new();
    let source = unforeseen(&world);
    let small = Small::mount(world.path("state"), "20m");
    world.scenario(&[("source", &source)]);
    errored(&world, &small.0);
}
