//! The commands beside `run`.

use serde_json::Value;

use crate::support::World;

#[test]
fn check_tells_every_problem_of_a_file_at_once() {
    let world = World::new();
    world.scenario(&[("ownre", "x"), ("objectives", "{rto: soon, promised_in: x}")]);
    let finished = world.run(&["check", "scenario.yaml"]);
    assert_eq!(finished.code, Some(2));
    assert!(finished.stdout.contains("ownre") && finished.stdout.contains("owner"), "{}", finished.stdout);
    assert!(finished.stdout.contains("soon"), "{}", finished.stdout);
    let json = world.run(&["check", "--json", "scenario.yaml"]);
    let files: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert!(files[0]["problems"].as_array().is_some_and(|problems| problems.len() >= 2), "{files:#}");
}

#[test]
fn a_scenario_without_a_check_is_refused() {
    let world = World::new();
    world.scenario(&[("checks", "[]")]);
    let finished = world.run(&["run", "scenario.yaml"]);
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.contains("check"), "{}", finished.stderr);
    assert!(
        finished.stderr.starts_with("error: ") && !finished.stderr.contains("error: error:"),
        "{}",
        finished.stderr
    );
}

#[test]
fn plan_tells_sizes_and_space_and_touches_nothing() {
    let world = World::new();
    world.write("input/data", vec![7; 1 << 20]);
    world.scenario(&[]);
    let finished = world.run(&["plan", "--json", "scenario.yaml"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let plan: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert!(plan["forecast"]["stream_bytes"].as_u64().is_some_and(|bytes| bytes >= 1 << 20), "{plan:#}");
    assert!(world.runs().is_empty());
    assert!(world.leftovers().is_empty());
}

#[test]
fn an_identity_that_does_not_open_the_recipients_is_refused_before_anything_is_done() {
    let world = World::new();
    let other = world.run(&["keys", "new", "other.txt"]);
    let public =
        other.stdout.split_whitespace().find(|word| word.starts_with("age1")).expect("a public key").to_owned();
    world.scenario(&[("seal", &format!("{{recipients: [{public}], identities: [{{file: identity.txt}}]}}"))]);
    let finished = world.run(&["run", "scenario.yaml"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("identit"), "{}", finished.stderr);
    assert!(world.runs().is_empty() && world.leftovers().is_empty());
}

#[test]
fn list_and_show_read_the_runs_back() {
    let world = World::new();
    world.scenario(&[]);
    let (_, record) = world.drill();
    let list: Value = serde_json::from_str(&world.run(&["list", "--json"]).stdout).expect("JSON");
    assert_eq!(list[0]["run"], record["run"]);
    let shown: Value = serde_json::from_str(&world.run(&["show", "--json"]).stdout).expect("JSON");
    assert_eq!(shown, record);
    let text = world.run(&["show", record["run"].as_str().expect("an id")]).stdout;
    assert!(text.contains("A drill of the tests"), "{text}");
    let html = world.run(&["show", "--view", "html"]).stdout;
    assert!(html.starts_with("<!"), "{html}");
    assert_eq!(world.run(&["show", "nothing"]).code, Some(2));
}

#[test]
fn keys_are_made_private_and_are_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let mode = std::fs::metadata(world.path("identity.txt")).expect("made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(world.path("identity.txt")).expect("made");
    let again = world.run(&["keys", "new", "identity.txt"]);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert_eq!(std::fs::read(world.path("identity.txt")).expect("still there"), before);
    let shown = world.run(&["keys", "show", "identity.txt"]);
    assert!(shown.stdout.contains("age1") && !shown.stdout.contains("AGE-SECRET"), "{}", shown.stdout);
}

#[test]
fn doctor_names_what_is_missing_and_what_to_do() {
    let world = World::new();
    world.scenario(&[("source", "{directory: {path: nowhere}}")]);
    let finished = world.run(&["doctor", "scenario.yaml"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stdout);
    assert!(finished.stdout.contains("nowhere"), "{}", finished.stdout);
    world.scenario(&[]);
    assert_eq!(world.run(&["doctor", "scenario.yaml"]).code, Some(0));
}

#[test]
fn doctor_and_keys_tell_of_an_identity_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.scenario(&[]);
    std::fs::set_permissions(world.path("identity.txt"), std::fs::Permissions::from_mode(0o644)).expect("mode");
    for command in [&["doctor", "scenario.yaml"][..], &["keys", "show", "identity.txt"]] {
        let finished = world.run(command);
        assert_eq!(finished.code, Some(2), "{command:?}: {finished:?}");
        let told = format!("{}{}", finished.stdout, finished.stderr);
        assert!(told.contains("mode 0644") && told.contains("chmod 600"), "{command:?}: {told}");
    }
}

#[test]
fn runs_are_listed_under_each_other_whatever_they_proved() {
    let world = World::new();
    world.scenario(&[]);
    assert_eq!(world.drill().0.code, Some(0));
    let segment = world.newest_snapshot().join("000000.age");
    std::fs::write(&segment, "damaged").expect("damaged");
    assert_eq!(world.drill_with(&["--snapshot", "newest"]).0.code, Some(1));
    let list = world.run(&["list"]).stdout;
    let columns: Vec<_> = list.lines().map(|line| line.find("recovery")).collect();
    assert_eq!(columns.len(), 2, "{list}");
    assert!(columns[0].is_some() && columns[0] == columns[1], "{list}");
}

#[test]
fn a_failed_check_tells_what_was_expected_once_and_what_its_program_said() {
    let world = World::new();
    world.write("input/SHA256SUMS", format!("{}  note\n", "0".repeat(64)));
    world.write("input/note", "another note");
    let argv = "[sha256sum, --check, --quiet, SHA256SUMS]";
    let check =
        format!("{{name: the list holds, probe: {{command: {{argv: {argv}}}}}, expect: {{exit: {{equals: 0}}}}}}");
    world.scenario(&[("checks", &format!("[{check}]"))]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let failed = crate::support::check(&record, "the list holds");
    assert_eq!(failed["expected"], "exit equals 0");
    let observed = failed["observed"].as_str().expect("words");
    assert!(observed.starts_with("exit is 1; stdout ends with \"note: FAILED\""), "{observed}");
    let text = world.run(&["show"]).stdout;
    assert_eq!(text.matches("the list holds").count(), 3, "headline, check, finding: {text}");
}

#[test]
fn schema_completions_and_man_pages_are_generated() {
    let world = World::new();
    for of in ["scenario", "record"] {
        let schema: Value = serde_json::from_str(&world.run(&["schema", of]).stdout).expect("JSON");
        assert!(schema["$schema"].is_string(), "{of}");
    }
    assert!(world.run(&["completions", "bash"]).stdout.contains("drillctl"));
    assert_eq!(world.run(&["man", "man"]).code, Some(0));
    assert!(world.path("man/drillctl.1").exists() && world.path("man/drillctl-run.1").exists());
    assert!(world.run(&["kinds"]).stdout.contains("postgres"));
}
