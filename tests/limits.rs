//! What a scenario limits, seen from outside: how fast it goes, who stands behind whom, and what the record tells of it.

use std::process::Command;

use crate::support::{World, check, must};

#[test]
fn a_bandwidth_holds_capture_and_restore_back_and_the_record_says_so() {
    let world = World::new();
    world.write("input/noise", noise(8 << 20));
    world.scenario(&[("limits", "{bandwidth: 4MiB/s, concurrency: 1}")]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    for stage in ["capture", "restore"] {
        let stages = record["stages"].as_array().expect("stages");
        let secs = stages.iter().find(|told| told["stage"] == stage).expect(stage)["secs"].as_f64();
        assert!(secs.is_some_and(|secs| secs > 1.5), "8 MiB in {secs:?} s of {stage}");
    }
    let findings = record["findings"].to_string();
    assert!(findings.contains("bandwidth 4MiB/s, concurrency 1"), "{findings}");

    world.scenario(&[]);
    let findings = world.drill().1["findings"].to_string();
    assert!(!findings.contains("bandwidth") && !findings.contains("limits"), "{findings}");
}

#[test]
fn what_reads_the_source_is_nice_and_the_recovery_is_not() {
    let world = World::new();
    let own: u8 = must(&mut Command::new("nice")).stdout.trim_ascii().iter().fold(0, |n, digit| n * 10 + digit - b'0');
    let check_of_own = format!(
        "[{{name: recovery, probe: {{command: {{argv: [nice]}}}}, expect: {{stdout: {{matches: \"^{own}\\\\n*$\"}}}}}},
          {{name: source, probe: {{file: {{path: told}}}}, expect: {{text: {{matches: \"^NICE\\\\n*$\"}}}}}}]"
    );
    for (limits, nice) in [("{}", own.max(10)), ("{nice: 19}", 19), ("{nice: 0}", own)] {
        world.scenario(&[
            ("source", "{command: {argv: [nice], content: {file: told}}}"),
            ("limits", limits),
            ("checks", &check_of_own.replace("NICE", &nice.to_string())),
        ]);
        let (finished, record) = world.drill();
        assert_eq!(finished.code, Some(0), "{limits}: {}{record:#}", finished.stderr);
        assert_eq!(check(&record, "source")["outcome"], "passed");
    }
}

#[test]
fn a_host_that_can_not_keep_a_limit_is_found_out_before_anything_is_done() {
    let world = World::new();
    world.scenario(&[("limits", "{ionice: idle}")]);
    for command in ["plan", "run", "doctor"] {
        let mut without = world.command(&[command, "scenario.yaml"]);
        without.env("PATH", world.path("nowhere"));
        let finished = world.finish(without);
        assert_eq!(finished.code, Some(2), "{command}: {finished:?}");
        let told = format!("{}{}", finished.stdout, finished.stderr);
        assert!(told.contains("starting ionice") && told.contains("util-linux"), "{command}: {told}");
    }
    assert!(!world.path("vault").exists());
    assert_eq!(world.drill().0.code, Some(0), "with it the drill passes");
}

/// Bytes that don't compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state: u64 = 1;
    let next = |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}
