//! What holds in any world, however often the scheduler crashes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::{Act, Drill, End, Logged};
use super::{World, at, drill, name};
use crate::{CatchUp, Name, Occurrence, Retry, Span};

/// A number that looks random and is always the same.
fn drawn(occurrence: &Occurrence, attempt: u8) -> u64 {
    let text = format!("{occurrence}#{attempt}");
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)) >> 8
}

fn course(occurrence: &Occurrence, attempt: u8) -> (i64, End) {
    let drawn = drawn(occurrence, attempt);
    let end = match drawn % 10 {
        0 => End::Failed,
        1 | 2 => End::Errored,
        _ => End::Passed,
    };
    (60 + (drawn / 10 % 5400) as i64, end)
}

/// Every decision there is, once: each due time of each drill is started, skipped or missed, in the order of the due times.
fn every_occurrence_exactly_once(world: &World) {
    let mut decided: BTreeMap<&Name, Vec<Timestamp>> = BTreeMap::new();
    let mut enrolled: BTreeMap<&Name, Timestamp> = BTreeMap::new();
    let mut open: BTreeSet<(&Occurrence, u8)> = BTreeSet::new();
    for line in &world.log {
        match &line.act {
            Act::Enrolled { scenario } => {
                assert!(enrolled.insert(scenario, line.at).is_none(), "{scenario} came twice")
            }
            Act::Started { occurrence, attempt: 1 }
            | Act::Skipped { occurrence, .. }
            | Act::Missed { occurrence, .. } => {
                decided.entry(occurrence.scenario()).or_default().push(occurrence.due());
            }
            Act::Started { .. } | Act::Ended { .. } | Act::Excused { .. } | Act::Ran { .. } => {}
        }
        match &line.act {
            Act::Started { occurrence, attempt } => assert!(open.insert((occurrence, *attempt)), "{occurrence} twice"),
            Act::Ended { occurrence, attempt, .. } => {
                assert!(open.remove(&(occurrence, *attempt)), "{occurrence} never began")
            }
            _ => {}
        }
    }
    for drill in &world.drills {
        let found = decided.remove(&drill.name).unwrap_or_default();
        let cron =
            crate::cron::Cron::parse(&drill.cron, crate::zone::zone(&drill.timezone).expect("a zone")).expect("cron");
        let due = std::iter::successors(cron.next_after(enrolled[&drill.name]), |due| cron.next_after(*due));
        let due: Vec<Timestamp> = due.take_while(|due| *due <= world.now).collect();
        assert!(
            due.starts_with(&found),
            "{}: {} decisions do not follow its {} due times",
            drill.name,
            found.len(),
            due.len()
        );
        // The last one or two may still wait, and what is made up for may take its time.
        assert!(
            found.len() + 2 >= due.len() || drill.catch_up == CatchUp::All,
            "{}: {} of {}",
            drill.name,
            found.len(),
            due.len()
        );
    }
}

/// How many ran at once, and that nothing started too early or in a blackout.
fn within_limits(world: &World) {
    let mut blackouts = super::blackouts(&world.site);
    let spread: BTreeMap<&Name, &Drill> = world.drills.iter().map(|drill| (&drill.name, drill)).collect();
    let mut running: Vec<&Occurrence> = Vec::new();
    for line in &world.log {
        match &line.act {
            Act::Started { occurrence, .. } => {
                let drill = spread[occurrence.scenario()];
                assert!(line.at >= occurrence.planned(drill.spread), "{occurrence} at {}", line.at);
                assert_eq!(blackouts.closed(line.at, &drill.labels), None, "{occurrence} at {}", line.at);
                running.push(occurrence);
                let on = |source: &str| {
                    running.iter().filter(|one| spread[one.scenario()].sources.iter().any(|one| one == source)).count()
                };
                let with =
                    |label: &Name| running.iter().filter(|one| spread[one.scenario()].labels.contains(label)).count();
                assert!(running.len() <= world.site.at_once.host.get() as usize);
                for source in &drill.sources {
                    assert!(on(source) <= world.site.at_once.source.get() as usize);
                }
                for (label, most) in &world.site.at_once.labels {
                    assert!(with(label) <= most.get() as usize, "{label}");
                }
            }
            Act::Ended { occurrence, .. } => running.retain(|one| *one != occurrence),
            _ => {}
        }
    }
}

/// The decisions without the reasons, which a restart may have forgotten in part.
fn decisions(log: &[Logged]) -> Vec<String> {
    let told = log.iter().map(|line| match &line.act {
        Act::Missed { occurrence, .. } => format!("{} missed {occurrence}", line.at),
        act => format!("{} {act:?}", line.at),
    });
    told.collect()
}

const SITE: &str = "timezone: Australia/Lord_Howe
blackouts:
  - {name: nights, when: {weekly: {days: [mon, tue], from: \"22:00\", until: \"04:00\"}}}
  - {name: office, only: [office], when: {cron: {begins: \"0 8 * * 1-5\", lasts: 9h}}}
at_once: {host: 3, source: 1, labels: {tape: 1, office: 2}}";

fn drills() -> impl Strategy<Value = Vec<Drill>> {
    const CRONS: [&str; 6] =
        ["0 3 * * *", "30 2 * * 0", "*/40 0-12 * * *", "0 */6 * * *", "15 1,13 * * *", "0 0 1 * *"];
    const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York"];
    let one = (
        (proptest::sample::select(&CRONS[..]), proptest::sample::select(&ZONES[..]), 0_u64..1800),
        (60_u64..90_000, 0_u8..3, 0_u8..3, 0_u8..100),
        (0_u8..4, 0_u8..4, 0_u8..8),
    );
    proptest::collection::vec(one, 1..9).prop_map(|all| {
        let all = all.into_iter().enumerate().map(|(number, (when, how, with))| {
            let ((cron, zone, spread), (within, catch_up, retries, priority), (labels, source, after)) =
                (when, how, with);
            let mut drill = drill(&format!("d{number}"), cron);
            drill.timezone = zone.into();
            drill.spread = (spread > 900).then(|| Span::from_secs(spread));
            drill.start_within = Span::from_secs(within);
            drill.catch_up = [CatchUp::Skip, CatchUp::Latest, CatchUp::All][usize::from(catch_up)];
            drill.retry = (retries > 0).then(|| Retry { times: retries, pause: Span::from_secs(300) });
            drill.priority = priority;
            drill.labels = [vec![], vec!["tape"], vec!["office"], vec!["tape", "office"]][usize::from(labels)]
                .iter()
                .map(|l| name(l))
                .collect();
            drill.sources = (source..=source + u8::from(source > 2)).map(|source| format!("s{source}")).collect();
            drill.after = if usize::from(after) < number { vec![name(&format!("d{after}"))] } else { Vec::new() };
            drill
        });
        all.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_world_each_occurrence_is_decided_once_through_any_crashes(
        drills in drills(),
        pieces in proptest::collection::vec((0_i64..100_000, 0_i64..100_000, any::<bool>()), 1..8),
    ) {
        let mut world = World::new(drills, SITE, "2027-03-20T00:00:00Z");
        world.course = course;
        for (run, down, long) in pieces {
            let until = world.now + SignedDuration::from_secs(run);
            world.until(until);
            world.crash(SignedDuration::from_secs(if long { down } else { down % 60 }));
        }
        world.step();
        let end = world.now + SignedDuration::from_hours(8);
        world.until(end);
        every_occurrence_exactly_once(&world);
        within_limits(&world);
    }

    #[test]
    fn a_scheduler_that_is_replaced_at_any_instant_decides_the_same(
        drills in drills(),
        pauses in proptest::collection::vec(1_i64..40_000, 1..12),
    ) {
        let (mut one, mut many) = (World::new(drills.clone(), SITE, "2027-09-28T00:00:00Z"), World::new(drills, SITE, "2027-09-28T00:00:00Z"));
        (one.course, many.course) = (course, course);
        for pause in pauses {
            let until = many.now + SignedDuration::from_secs(pause);
            many.until(until);
            many.restart();
        }
        one.until(many.now);
        let (one, many) = (decisions(&one.log), decisions(&many.log));
        let first = one.iter().zip(&many).position(|(one, many)| one != many);
        let around = |log: &[String]| first.map(|at| log[at.saturating_sub(6)..(at + 3).min(log.len())].join("\n"));
        prop_assert_eq!(around(&one), around(&many));
        prop_assert_eq!(one.len(), many.len());
    }
}

#[test]
fn a_year_of_ten_thousand_scenarios_goes_through_twenty_crashes_with_each_occurrence_exactly_once() {
    let drills = (0..10_000).map(|number: usize| {
        let cron = match number % 100 {
            0 => "30 2 * * *",
            1..5 => "10 3 * * 0",
            5..20 => "0 1 * * 6#1",
            _ => "0 5 1 1,4,7,10 *",
        };
        let mut drill = drill(&format!("s{number}"), cron);
        drill.timezone = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"][number % 4].into();
        drill.spread = Some(Span::from_secs(4 * 3600));
        drill.priority = (number % 100) as u8;
        drill.sources = vec![format!("source {}", number % 9_000)];
        drill
    });
    let mut world = World::new(drills.collect(), "at_once: {host: 400}", "2027-01-01T00:00:00Z");
    world.course = course;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for crash in 1..=20 {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(crash);
        let hours = (random >> 33) % (2 * 365 * 24 / 20);
        let until = world.now + SignedDuration::from_secs(hours as i64 * 3600 + (random >> 20) as i64 % 3600);
        world.until(until.min(at("2027-12-20T00:00:00Z")));
        world.crash(SignedDuration::from_secs((random >> 40) as i64 % 100_000));
    }
    world.until_text("2028-01-02T00:00:00Z");
    every_occurrence_exactly_once(&world);
    within_limits(&world);
    assert!(world.log.len() > 200_000, "{}", world.log.len());
}
