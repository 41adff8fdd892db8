//! Due times, held against a slow oracle that looks at every minute of years, and against a second implementation of cron.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use drill_scenarios::{CatchUp, Schedule, Span};
use jiff::civil;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn schedule(expression: &str, timezone: &str) -> Schedule {
    Schedule {
        cron: Some(expression.into()),
        timezone: timezone.into(),
        every: None,
        spread: None,
        start_within: Span::from_secs(3600),
        catch_up: CatchUp::Latest,
        retry: None,
        priority: None,
        after: Vec::new(),
    }
}

fn instant(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn due(schedule: &Schedule, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let just_before = from - SignedDuration::from_nanos(1);
    let next = |at: &Timestamp| schedule.next_after(*at).filter(|next| *next < until);
    std::iter::successors(next(&just_before), next).collect()
}

/// The values that one field of an expression names, read naively.
fn values(field: &str, least: i8, most: i8) -> BTreeSet<i8> {
    let one = |text: &str| -> BTreeSet<i8> {
        let (range, step) =
            text.split_once('/').map_or((text, 1), |(range, step)| (range, step.parse().expect("a step")));
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (from.parse().expect("a number"), to.parse().expect("a number")),
            None if range == "*" => (least, most),
            None => (range.parse().expect("a number"), range.parse().expect("a number")),
        };
        (from..=to).step_by(step).collect()
    };
    field.split(',').flat_map(one).collect()
}

/// Looks at every minute there is.
struct Oracle {
    fields: Vec<BTreeSet<i8>>,
    days_are_free: (bool, bool),
    follows_the_flow: bool,
    zone: TimeZone,
}

impl Oracle {
    fn new(expression: &str, timezone: &str) -> Self {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        Self {
            fields: fields.iter().zip(bounds).map(|(field, (least, most))| values(field, least, most)).collect(),
            days_are_free: (fields[2] == "*", fields[4] == "*"),
            follows_the_flow: fields[1].starts_with('*'),
            zone: TimeZoneDatabase::bundled().get(timezone).expect("a zone"),
        }
    }

    fn matches(&self, wall: civil::DateTime) -> bool {
        let weekday = wall.weekday().to_sunday_zero_offset();
        let (day, week_day) = (self.fields[2].contains(&wall.day()), self.fields[4].contains(&weekday));
        let on_day = match self.days_are_free {
            (false, false) => day || week_day,
            _ => day && week_day,
        };
        on_day
            && self.fields[0].contains(&wall.minute())
            && self.fields[1].contains(&wall.hour())
            && self.fields[3].contains(&wall.month())
    }

    fn due(&self, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let mut found = Vec::new();
        // The latest that the wall has ever shown: what isn't later was there before.
        let mut latest = self.zone.to_datetime(from - SignedDuration::from_mins(1));
        let mut at = from;
        while at < until {
            let wall = self.zone.to_datetime(at);
            let minute = SignedDuration::from_mins(1);
            let comes = if self.follows_the_flow {
                self.matches(wall)
            } else {
                // Every minute that the wall shows for the first time or has skipped to get here.
                let mut skipped = latest.checked_add(minute).expect("a minute");
                let mut any = false;
                while skipped <= wall {
                    any |= self.matches(skipped);
                    skipped = skipped.checked_add(minute).expect("a minute");
                }
                any
            };
            if comes {
                found.push(at);
            }
            latest = latest.max(wall);
            at += minute;
        }
        found
    }
}

const ZONES: [&str; 9] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Santiago",
    "Asia/Kathmandu",
    "Europe/Dublin",
    "UTC",
];

fn agree(expression: &str, zone: &str, from: &str, until: &str) {
    let (from, until) = (instant(from), instant(until));
    let ours = due(&schedule(expression, zone), from, until);
    assert_eq!(ours, Oracle::new(expression, zone).due(from, until), "{expression} in {zone}");
}

#[test]
fn every_minute_of_two_years_is_due_or_not_as_the_oracle_says_in_every_kind_of_zone() {
    for expression in ["30 2 * * *", "15 */2 * * 1", "*/30 0-3 1,28-31 * *", "0 0 29 2 *", "0 2,14 * 3,4,9-11 0"] {
        for zone in ZONES {
            agree(expression, zone, "2027-01-01T00:00:00Z", "2029-01-01T00:00:00Z");
        }
    }
}

#[test]
fn the_day_that_samoa_lost_is_made_up_for_at_the_beginning_of_the_next() {
    for expression in ["0 3 * * *", "0 3 * * 5", "0 */6 * * *", "0 9,17 30 12 *"] {
        agree(expression, "Pacific/Apia", "2011-12-20T00:00:00Z", "2012-01-10T00:00:00Z");
    }
    let friday = schedule("0 3 * * FRI", "Pacific/Apia").next_after(instant("2011-12-24T00:00:00Z"));
    assert_eq!(friday, Some(instant("2011-12-30T10:00:00Z")), "the first instant of Saturday the 31st");
}

#[test]
fn a_second_opinion_gives_the_same_due_times_for_a_year_in_utc() {
    let (from, until) = ("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
    for expression in [
        "0 3 * * SUN",
        "*/20 6-8 * * MON-FRI",
        "30 2 1 * *",
        "0 0 29 2 *",
        "15 4 1,15 JAN,JUL *",
        "5 4 */5 * *",
        "59 23 31 12 *",
        "0 */6 * * *",
        "10 1 * 3-5 *",
    ] {
        let second = cron::Schedule::from_str(&format!("0 {expression}")).expect(expression);
        let start = DateTime::<Utc>::from_str(from).expect("a valid one") - chrono::TimeDelta::seconds(1);
        let end = DateTime::<Utc>::from_str(until).expect("a valid one");
        let theirs: Vec<i64> = second.after(&start).take_while(|at| *at < end).map(|at| at.timestamp()).collect();
        let ours = due(&schedule(expression, "UTC"), instant(from), instant(until));
        assert_eq!(ours.iter().map(|at| at.as_second()).collect::<Vec<_>>(), theirs, "{expression}");
        assert!(!ours.is_empty() || expression.contains("29 2"), "{expression}");
    }
}

/// What docs/schedules.md shows.
#[test]
fn the_examples_of_the_documentation_are_right() {
    for (expression, zone, from, until, expected) in [
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2027-03-27T12:00:00Z",
            "2027-03-29T12:00:00Z",
            ["03-28 01:00", "03-29 00:30"].as_slice(),
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2027-10-30T12:00:00Z",
            "2027-11-01T12:00:00Z",
            &["10-31 00:30", "11-01 01:30"],
        ),
        (
            "30 2 * * *",
            "Australia/Sydney",
            "2027-10-02T00:00:00Z",
            "2027-10-04T00:00:00Z",
            &["10-02 16:00", "10-03 15:30"],
        ),
        (
            "30 2 * * *",
            "Australia/Sydney",
            "2027-04-03T00:00:00Z",
            "2027-04-05T00:00:00Z",
            &["04-03 15:30", "04-04 16:30"],
        ),
        (
            "0 * * * *",
            "America/New_York",
            "2027-03-14T06:00:00Z",
            "2027-03-14T08:00:00Z",
            &["03-14 06:00", "03-14 07:00"],
        ),
        (
            "0 * * * *",
            "America/New_York",
            "2027-11-07T05:00:00Z",
            "2027-11-07T07:00:00Z",
            &["11-07 05:00", "11-07 06:00"],
        ),
        ("15 2 * * *", "Australia/Lord_Howe", "2027-10-02T00:00:00Z", "2027-10-03T00:00:00Z", &["10-02 15:30"]),
    ] {
        let found = due(&schedule(expression, zone), instant(from), instant(until));
        let found: Vec<String> = found.iter().map(|at| at.strftime("%m-%d %H:%M").to_string()).collect();
        assert_eq!(found, expected, "{expression} in {zone}");
    }
}

#[test]
fn a_day_that_does_not_exist_never_comes_and_a_leap_day_does() {
    let start = instant("2097-01-01T00:00:00Z");
    assert_eq!(schedule("0 0 30 2 *", "UTC").next_after(start), None);
    assert_eq!(schedule("0 0 29 2 *", "UTC").next_after(start), Some(instant("2104-02-29T00:00:00Z")));
}

/// Expressions that both sides read, and that come often enough.
fn expressions() -> impl Strategy<Value = String> {
    let pick = |words: &'static [&'static str]| proptest::sample::select(words);
    (
        pick(&["0", "30", "*/15", "59", "7,37"]),
        pick(&["*", "0", "1", "2", "3", "*/3", "0-3", "2,14", "23"]),
        pick(&["*", "1", "28-31", "*/7"]),
        pick(&["*", "3,4,10,11", "1-6"]),
        pick(&["*", "0", "1-5"]),
    )
        .prop_map(|(minute, hour, day, month, week_day)| format!("{minute} {hour} {day} {month} {week_day}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_expression_in_any_zone_is_due_as_the_oracle_says(
        expression in expressions(),
        zone in proptest::sample::select(&ZONES[..]),
        start in 1_640_000_000_i64..1_900_000_000,
    ) {
        let from = Timestamp::from_second(start / 60 * 60).expect("an instant");
        let until = from + SignedDuration::from_hours(40 * 24);
        let ours = due(&schedule(&expression, zone), from, until);
        prop_assert_eq!(&ours, &Oracle::new(&expression, zone).due(from, until), "{} in {}", expression, zone);
        prop_assert!(ours.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn the_next_due_time_is_the_same_from_any_instant_before_it(
        expression in expressions(),
        zone in proptest::sample::select(&ZONES[..]),
        start in 1_640_000_000_000_i64..1_900_000_000_000,
        part in 0.0..1.0f64,
    ) {
        let schedule = schedule(&expression, zone);
        let from = Timestamp::from_millisecond(start).expect("an instant");
        let next = schedule.next_after(from).expect("it comes again");
        let way = (next.duration_since(from).as_millis() as f64 * part) as i64;
        let between = from + SignedDuration::from_millis(way);
        prop_assert!(next > from);
        prop_assert_eq!(schedule.next_after(between.min(next - SignedDuration::from_nanos(1))), Some(next));
    }
}
