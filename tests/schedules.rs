//! `forecast` and `status`: what the schedules of a folder lead to, and how its scenarios stand.

use std::fs;

use serde_json::Value;

use crate::support::World;

/// A scenario of this name beside the world's own, with further parts.
fn also(world: &World, name: &str, schedule: &str) {
    world.scenario(&[("name", name), ("schedule", schedule)]);
    fs::create_dir_all(world.path("drills")).expect("folder");
    fs::rename(world.path("scenario.yaml"), world.path(&format!("drills/{name}.yaml"))).expect("moved");
}

fn january(world: &World, more: &[&str]) -> (Option<i32>, String) {
    let args = ["forecast", "drills", "--from", "2027-01-01", "--until", "2027-01-31"];
    let finished = world.run(&[&args[..], more].concat());
    assert_eq!(finished.stderr, "");
    (finished.code, finished.stdout)
}

#[test]
fn a_forecast_tells_what_starts_what_collides_and_which_obligation_will_not_be_met() {
    let world = World::new();
    also(&world, "first", "{cron: \"0 3 * * *\", priority: 90}");
    also(&world, "second", "{cron: \"0 3 * * *\", every: week}");
    also(&world, "swallowed", "{cron: \"0 3 13 * *\", every: month, start_within: 2h}");
    also(&world, "by-hand", "{every: month}");
    world.write(
        "drills/site.yaml",
        "version: 1\nblackouts: [{name: the move, when: {days: {first: 2027-01-13, last: 2027-01-14}}}]\n",
    );
    let (code, json) = january(&world, &["--json"]);
    assert_eq!(code, Some(1));
    let outlook: Value = serde_json::from_str(&json).expect("JSON");
    let occurrences = outlook["occurrences"].as_array().expect("a list");
    assert_eq!(occurrences.len(), 31 + 31 + 1);
    let of =
        |id: &str| occurrences.iter().find(|one| one["occurrence"] == id).unwrap_or_else(|| panic!("{id}: {json}"));
    let second = of("second@20270105T030000Z");
    // Nothing is known of the first: it is taken to last as long as its objective, an hour.
    assert_eq!((&second["starts_at"], &second["secs"]), (&Value::from("2027-01-05T04:00:00Z"), &Value::Null));
    assert_eq!(second["because"], "waits for first, which drills the same source");
    assert_eq!(of("swallowed@20270113T030000Z")["because"], "skipped: the move");
    assert_eq!(of("first@20270114T030000Z")["starts_at"], "2027-01-15T00:00:00Z");
    let unmet = [
        serde_json::json!({"scenario": "by-hand", "period": "2027-01", "because": "it has no due times: somebody must run it"}),
        serde_json::json!({"scenario": "swallowed", "period": "2027-01", "because": "its only due time there is skipped: the move"}),
    ];
    assert_eq!(outlook["unmet"], Value::from(unmet.to_vec()));
    let (code, text) = january(&world, &[]);
    assert_eq!(code, Some(1));
    assert!(text.lines().all(|line| line.chars().count() <= 80) && !text.contains('\u{1b}'), "{text}");
    for said in [
        "2027-01-01 to 2027-01-31 (UTC)",
        "  Jan 11   2    2",
        "Wed 2027-01-13 03:00 UTC swallowed\n      skipped: the move",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(world.runs().is_empty(), "nothing is run");
}

#[test]
fn what_is_due_at_the_end_of_a_forecast_is_told_though_it_is_decided_later() {
    let world = World::new();
    also(&world, "last", "{cron: \"0 22 31 1 *\", every: month}");
    let closed = "blackouts: [{name: closing, when: {days: {first: 2027-01-31, last: 2027-02-05}}}]";
    world.write("drills/site.yaml", format!("version: 1\n{closed}\n"));
    let (code, json) = january(&world, &["--json"]);
    let outlook: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, &outlook["occurrences"][0]["because"]), (Some(1), &Value::from("skipped: closing")));
    assert_eq!(outlook["unmet"][0]["because"], "its only due time there is skipped: closing");
}

#[test]
fn a_forecast_takes_lengths_and_sizes_from_runs_that_passed() {
    let world = World::new();
    world.write("input/data", vec![7; 1 << 20]);
    world.scenario(&[("schedule", "{cron: \"0 3 * * *\", every: month}")]);
    world.drill_ends(0);
    let finished = world.run(&["forecast", "scenario.yaml", "--json"]);
    let outlook: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let first = &outlook["occurrences"][0];
    assert!(first["secs"].as_f64().is_some_and(|secs| secs > 0.0 && secs < 600.0), "{first}");
    assert!(first["bytes"].as_u64().is_some_and(|bytes| bytes >= 1 << 20), "{first}");
    assert_eq!(finished.code, Some(0), "{outlook:#}");
}

#[test]
fn what_does_not_go_together_or_is_not_understood_ends_a_forecast() {
    let world = World::new();
    also(&world, "a", "{cron: \"0 3 * * *\", after: [b]}");
    let refused = |said: &str| {
        let finished = world.run(&["forecast", "drills"]);
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.stderr.contains(said), "{said}: {}", finished.stderr);
    };
    refused("a: it comes after b, which is not here");
    also(&world, "a", "{cron: \"0 3 * * *\"}");
    world.write("drills/site.yaml", "version: 1\nblackouts: [{name: holidays, when: {calendar: {file: h.ics}}}]\n");
    refused("h.ics");
    let event =
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20270101\nRRULE:FREQ=SECONDLY\nEND:VEVENT\nEND:VCALENDAR\n";
    world.write("drills/h.ics", event);
    refused("h.ics: line 4: `FREQ=SECONDLY` of RRULE is not understood");
    world.write("drills/h.ics", event.replace("SECONDLY", "YEARLY"));
    let finished = world.run(&["forecast", "drills", "--from", "2027-12-30", "--until", "2028-01-02"]);
    assert!(finished.stdout.contains("holidays"), "{finished:?}");
    world.write("drills/site.yaml", "version: 1\nblackout: []\n");
    refused("Did you mean `blackouts`?");
    let backwards = world.run(&["forecast", "drills/a.yaml", "--from", "2027-02-01", "--until", "2027-01-01"]);
    assert!(backwards.code == Some(2) && backwards.stderr.contains("ends before it begins"), "{backwards:?}");
}

fn standing(world: &World) -> (Option<i32>, Value) {
    let finished = world.run(&["status", "--json"]);
    let rows: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    (finished.code, rows[0].clone())
}

#[test]
fn a_scenario_is_never_drilled_then_fresh_then_in_need_of_verification_then_failing() {
    let world = World::new();
    world.scenario(&[("schedule", "{cron: \"0 3 1 * *\", every: quarter}")]);
    let (code, row) = standing(&world);
    assert_eq!((code, &row["state"], &row["passed_at"]), (Some(1), &Value::from("never"), &Value::Null));
    assert!(row["next_due"].is_string(), "{row}");
    let record = world.drill_ends(0);
    let (code, row) = standing(&world);
    assert_eq!((code, &row["state"], &row["passed_at"]), (Some(0), &Value::from("fresh"), &record["started_at"]));
    assert!(row["expires_at"].as_str() > record["started_at"].as_str(), "{row}");
    world.scenario(&[("schedule", "{cron: \"0 4 1 * *\", every: quarter}")]);
    let (code, row) = standing(&world);
    assert_eq!((code, &row["state"]), (Some(1), &Value::from("needs_verification")));
    assert!(row["because"].as_str().is_some_and(|because| because.starts_with("The scenario has changed")), "{row}");
    world.write("input/other", "more");
    let absent = "[{name: it is gone, probe: {file: {path: data}}, expect: {exists: {equals: false}}}]";
    world.scenario(&[("checks", absent), ("schedule", "{every: quarter}")]);
    world.drill_ends(1);
    let (code, row) = standing(&world);
    assert_eq!((code, &row["state"]), (Some(1), &Value::from("failing")));
    let text = world.run(&["status"]).stdout;
    assert!(text.starts_with("failing            test  passed "), "{text}");
    assert!(text.trim_end().ends_with("1 scenario: 1 failing"), "{text}");
}

#[test]
fn a_site_file_is_known_by_its_name_wherever_it_is_named() {
    let world = World::new();
    world.scenario(&[]);
    world.write("site.yaml", "version: 1\ntimezone: Europe/Berlin\n");
    let checked = world.run(&["check", "scenario.yaml", "site.yaml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    for paths in [&["scenario.yaml", "site.yaml"][..], &[".", "./site.yaml"]] {
        let forecast = world.run(&[&["forecast"], paths].concat());
        assert!(forecast.code == Some(0) && forecast.stdout.contains("Europe/Berlin"), "{forecast:?}");
    }
    world.write("site.yaml", "version: 1\ntimezone: Europe/Berlim\n");
    let checked = world.run(&["check", "scenario.yaml", "site.yaml"]);
    assert_eq!(checked.code, Some(2));
    assert!(checked.stdout.contains("Did you mean `Europe/Berlin`?"), "{checked:?}");
}
