//! One behaviour a test.

use jiff::SignedDuration;

use super::super::{Act, End, Miss, Outcome, Skip, outcomes};
use super::{World, at, drill, name};
use crate::{CatchUp, Occurrence, Retry, Span};

const START: &str = "2027-02-01T00:00:00Z";

#[test]
fn each_due_time_starts_once_and_the_first_counts_from_when_the_scenario_came() {
    let mut world = World::new(vec![drill("a", "0 3 * * *")], "", "2027-02-01T03:00:00Z");
    world.until_text("2027-02-03T12:00:00Z");
    assert_eq!(world.story(), ["02 03:00 a of 02 03:00: starts", "03 03:00 a of 03 03:00: starts"]);
    assert_eq!(world.scheduler.next_tick(), Some(at("2027-02-04T03:00:00Z")));
}

#[test]
fn the_more_important_start_first_and_those_that_find_no_room_in_time_are_missed() {
    let mut drills = vec![drill("low", "0 3 * * *"), drill("high", "0 3 * * *"), drill("late", "0 3 * * *")];
    (drills[0].priority, drills[1].priority, drills[2].priority) = (20, 60, 10);
    drills[2].start_within = Span::from_secs(1000);
    let mut world = World::new(drills, "at_once: {host: 1}", START);
    world.until_text("2027-02-01T12:00:00Z");
    assert_eq!(
        world.story(),
        [
            "01 03:00 high of 01 03:00: starts",
            "01 03:10 low of 01 03:00: starts",
            "01 03:16 late of 01 03:00: missed, as many drills ran as may at once",
        ]
    );
}

#[test]
fn one_source_is_drilled_by_one_at_a_time_and_others_pass_by() {
    let mut drills = vec![drill("a", "0 3 * * *"), drill("b", "0 3 * * *"), drill("c", "0 3 * * *")];
    drills[1].sources = vec!["a".into()];
    drills[1].start_within = Span::from_secs(300);
    let mut world = World::new(drills.clone(), "at_once: {host: 5}", START);
    world.until_text("2027-02-01T12:00:00Z");
    let expected = [
        "01 03:00 a of 01 03:00: starts",
        "01 03:00 c of 01 03:00: starts",
        "01 03:05 b of 01 03:00: missed, as many drills ran as may on its source, a",
    ];
    assert_eq!(world.story(), expected);
    let mut world = World::new(drills, "at_once: {host: 5, source: 2}", START);
    world.until_text("2027-02-01T12:00:00Z");
    assert_eq!(world.story().iter().filter(|line| line.starts_with("01 03:00")).count(), 3);
}

#[test]
fn what_is_free_again_goes_to_the_next_even_if_the_first_that_waited_lacks_something_else() {
    let mut drills: Vec<_> = ["a", "b", "c", "d"].map(|called| drill(called, "0 3 * * *")).into();
    for (drill, labels) in drills.iter_mut().zip([&["x"][..], &["y"], &["x", "y"], &["x"]]) {
        drill.labels = labels.iter().map(|label| name(label)).collect();
    }
    let mut world = World::new(drills, "at_once: {host: 5, labels: {x: 1, y: 1}}", START);
    // a and b hold x and y; c needs both and d needs x: when x is free, y is not.
    world.course =
        |occurrence, _| if occurrence.scenario().as_str() == "b" { (3600, End::Passed) } else { (600, End::Passed) };
    world.until_text("2027-02-01T12:00:00Z");
    assert_eq!(
        world.story(),
        [
            "01 03:00 a of 01 03:00: starts",
            "01 03:00 b of 01 03:00: starts",
            "01 03:10 d of 01 03:00: starts",
            "01 04:00 c of 01 03:00: starts",
        ]
    );
}

#[test]
fn a_blackout_delays_what_can_start_after_it_and_skips_what_can_not() {
    let mut drills = vec![drill("patient", "0 3 * * *"), drill("hasty", "0 3 * * *")];
    drills[1].start_within = Span::from_secs(3600);
    let night = "blackouts: [{name: night work, when: {weekly: {from: \"02:00\", until: \"05:00\"}}}]";
    let mut world = World::new(drills, night, START);
    world.until_text("2027-02-01T12:00:00Z");
    assert_eq!(
        world.story(),
        ["01 04:00 hasty of 01 03:00: skipped, night work", "01 05:00 patient of 01 03:00: starts"]
    );
}

#[test]
fn a_drill_that_is_still_going_on_when_it_is_due_again_lets_that_wait_or_be_missed() {
    let mut world = World::new(vec![drill("a", "0 */2 * * *")], "", "2027-02-01T00:30:00Z");
    world.course =
        |occurrence, _| (if occurrence.due() == at("2027-02-01T02:00:00Z") { 5 * 3600 } else { 600 }, End::Passed);
    world.until_text("2027-02-01T08:30:00Z");
    assert_eq!(
        world.story(),
        [
            "01 02:00 a of 01 02:00: starts",
            "01 06:00 a of 01 04:00: missed, its drill before was still going on",
            "01 07:00 a of 01 06:00: starts",
            "01 08:00 a of 01 08:00: starts",
        ]
    );
}

#[test]
fn what_comes_after_another_waits_for_it_and_is_skipped_if_that_did_not_pass() {
    let mut drills = vec![drill("a-last", "0 3 * * *"), drill("first", "0 3 * * *")];
    drills[0].after = vec![name("first")];
    drills[0].priority = 90;
    // The one before starts later than its due time, and the other waits for that too.
    drills[1].spread = Some(Span::from_secs(3600));
    let mut world = World::new(drills, "at_once: {host: 5}", START);
    world.course =
        |occurrence, _| (600, if occurrence.due() < at("2027-02-02T00:00:00Z") { End::Passed } else { End::Failed });
    world.until_text("2027-02-02T12:00:00Z");
    let story = world.story();
    assert!(
        story[0].ends_with("first of 01 03:00: starts") && story[1].ends_with("a-last of 01 03:00: starts"),
        "{story:?}"
    );
    assert!(
        story[3].ends_with("a-last of 02 03:00: skipped, it comes after first, whose last drill did not pass"),
        "{story:?}"
    );
    // Somebody drills it by hand and it passes.
    let logged = world.scheduler.ran(&name("first"), End::Passed, world.now);
    world.wrote(logged);
    assert_eq!(super::Progress::of(&world.log)[&name("first")].passed, Some(true));
}

#[test]
fn only_what_errored_is_tried_again_and_only_so_often_and_before_it_is_due_again() {
    let mut drills = vec![drill("errs", "0 3 * * *"), drill("fails", "0 3 * * *"), drill("often", "0 * * * *")];
    let retry = |times, secs| Some(Retry { times, pause: Span::from_secs(secs) });
    (drills[0].retry, drills[1].retry, drills[2].retry) = (retry(2, 900), retry(2, 900), retry(9, 3200));
    let mut world = World::new(drills, "at_once: {host: 5}", "2027-02-01T02:30:00Z");
    world.course = |occurrence, attempt| match (occurrence.scenario().as_str(), attempt) {
        ("fails", _) => (600, End::Failed),
        ("errs", 3) => (600, End::Passed),
        _ => (600, End::Errored),
    };
    world.until_text("2027-02-01T04:30:00Z");
    assert_eq!(
        world.story(),
        [
            "01 03:00 errs of 01 03:00: starts",
            "01 03:00 fails of 01 03:00: starts",
            "01 03:00 often of 01 03:00: starts",
            "01 03:25 errs of 01 03:00: starts again, 2",
            "01 03:50 errs of 01 03:00: starts again, 3",
            "01 04:00 often of 01 04:00: starts",
        ]
    );
    let became = outcomes(&world.log);
    let of = |called: &str| &became[&Occurrence::new(name(called), at("2027-02-01T03:00:00Z"))];
    assert_eq!([of("errs"), of("fails")], [&Outcome::Ended(End::Passed), &Outcome::Ended(End::Failed)]);
}

#[test]
fn what_was_due_while_it_was_down_is_skipped_made_up_for_or_all_drilled() {
    for (catch_up, expected) in [
        (CatchUp::Skip, vec!["missed", "missed", "missed"]),
        (CatchUp::Latest, vec!["missed", "missed", "starts"]),
        (CatchUp::All, vec!["starts", "starts", "starts"]),
    ] {
        let mut only = drill("a", "0 3 * * *");
        (only.catch_up, only.start_within) = (catch_up, Span::from_secs(3600));
        let mut world = World::new(vec![only], "", START);
        world.crash(SignedDuration::from_hours(3 * 24 - 12));
        world.until_text("2027-02-04T02:00:00Z");
        let story = world.story();
        let verbs: Vec<&str> = story.iter().filter_map(|line| line.split(": ").nth(1)?.split(',').next()).collect();
        assert_eq!(verbs, expected, "{catch_up:?} {story:?}");
        assert!(story.iter().all(|line| line.starts_with("03 12:")), "{story:?}");
    }
}

#[test]
fn a_drill_that_died_with_the_scheduler_errored_and_is_not_started_twice() {
    let mut world = World::new(vec![drill("a", "0 3 * * *")], "", START);
    world.until_text("2027-02-01T03:05:00Z");
    world.crash(SignedDuration::from_mins(1));
    world.until_text("2027-02-02T02:00:00Z");
    assert_eq!(world.story(), ["01 03:00 a of 01 03:00: starts"]);
    let became = outcomes(&world.log);
    assert_eq!(became.values().collect::<Vec<_>>(), [&Outcome::Ended(End::Errored)]);
    assert_eq!(world.scheduler.running().count(), 0);
}

#[test]
fn the_end_of_what_does_not_run_changes_nothing() {
    let mut world = World::new(vec![drill("a", "0 3 * * *")], "", START);
    world.until_text("2027-02-01T03:05:00Z");
    let other = Occurrence::new(name("a"), at("2027-02-02T03:00:00Z"));
    assert_eq!(world.scheduler.ended(&other, End::Passed, world.now), []);
    assert_eq!(world.scheduler.ended(&Occurrence::new(name("b"), other.due()), End::Passed, world.now), []);
    assert_eq!(world.scheduler.running().count(), 1);
}

#[test]
fn an_excuse_stands_beside_what_it_excuses_and_nothing_that_passed_needs_one() {
    let mut drills = vec![drill("a", "0 3 * * *"), drill("b", "0 3 * * *")];
    drills[1].start_within = Span::from_secs(60);
    let mut world = World::new(drills, "at_once: {host: 1}", START);
    world.until_text("2027-02-01T12:00:00Z");
    for called in ["a", "b"] {
        let occurrence = Occurrence::new(name(called), at("2027-02-01T03:00:00Z"));
        let act = Act::Excused { occurrence, by: "Kim".into(), because: "move".into() };
        world.wrote(vec![super::Logged { at: world.now, act }]);
    }
    let became = outcomes(&world.log);
    let instead_of = Box::new(Outcome::Missed(Miss::Host));
    let expected =
        [Outcome::Ended(End::Passed), Outcome::Excused { by: "Kim".into(), because: "move".into(), instead_of }];
    assert_eq!(became.into_values().collect::<Vec<_>>(), expected);
    let written: Vec<String> = world.log.iter().map(|line| serde_json::to_string(line).expect("JSON")).collect();
    let read = written.iter().map(|line| serde_json::from_str(line).expect("a line of the log"));
    assert_eq!(read.collect::<Vec<super::Logged>>(), world.log);
}

#[test]
fn a_freeze_skips_whatever_it_covers_whole() {
    let mut world = World::new(vec![drill("a", "0 3 * * *")], "freeze: {because: migration, by: ops}", START);
    world.until_text("2027-02-02T12:00:00Z");
    let skipped = world.log.iter().filter_map(|line| match &line.act {
        Act::Skipped { why: Skip::Blackout(name), .. } => Some(name.as_str()),
        _ => None,
    });
    assert_eq!(skipped.collect::<Vec<_>>(), ["freeze by ops: migration"]);
}

#[test]
fn what_errored_is_not_tried_again_once_the_next_was_decided() {
    let mut often = drill("a", "0 3 * * *");
    often.retry = Some(Retry { times: 2, pause: Span::from_secs(900) });
    let mut world = World::new(vec![often], "", START);
    let of = |day: u8| Occurrence::new(name("a"), at(&format!("2027-02-0{day}T03:00:00Z")));
    for (hour, act) in [
        (3, Act::Started { occurrence: of(1), attempt: 1 }),
        (4, Act::Ended { occurrence: of(1), attempt: 1, end: End::Errored }),
        (28, Act::Missed { occurrence: of(2), why: Miss::Down }),
    ] {
        world.log.push(super::Logged { at: at(START) + SignedDuration::from_hours(hour), act });
    }
    world.now = at("2027-02-02T05:00:00Z");
    world.restart();
    world.until_text("2027-02-03T02:00:00Z");
    assert_eq!(world.story().len(), 2, "{:?}", world.story());
}
