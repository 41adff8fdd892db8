//! What a tick of the scheduler costs with a hundred thousand scenarios, and what it costs to begin.

use std::collections::BTreeMap;

use divan::Bencher;
use drill_scenarios::{
    Act, AtOnce, Blackouts, Drill, End, Name, Occurrence, Progress, Scheduler, Site, parse, parse_site,
};
use jiff::{SignedDuration, Timestamp};

const SCENARIOS: usize = 100_000;

fn main() {
    divan::main();
}

fn start() -> Timestamp {
    "2027-01-01T00:00:00Z".parse().expect("an instant")
}

/// As many as there are, due when `cron` says.
fn drills(cron: impl Fn(usize) -> String) -> Vec<Drill> {
    let text = include_str!("../directory.yaml");
    let mut scenario = parse("directory.yaml", text).unwrap_or_else(|problems| panic!("{problems}"));
    let drill = |number: usize| {
        scenario.name = Name::try_from(format!("s{number}")).expect("a name");
        scenario.schedule.as_mut().expect("a schedule").cron = Some(cron(number));
        let mut drill = Drill::of(&scenario, std::path::Path::new("/")).expect("due times");
        drill.sources = vec![format!("source {number}")];
        drill
    };
    (0..SCENARIOS).map(drill).collect()
}

fn site() -> Site {
    let text = "version: 1
timezone: Europe/Berlin
blackouts:
  - {name: office, when: {weekly: {days: [mon, tue, wed, thu, fri], from: \"08:00\", until: \"18:00\"}}}
  - {name: closing, when: {cron: {begins: \"0 18 L * *\", lasts: 14h}}}
at_once: {host: 500}";
    parse_site("site.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn scheduler(drills: Vec<Drill>) -> Scheduler {
    let site = site();
    let blackouts = Blackouts::new(&site, &BTreeMap::new()).expect("no calendar");
    Scheduler::new(drills, (&site.at_once, blackouts), &BTreeMap::<Name, Progress>::new(), start()).0
}

/// A tick in a world whose due times are spread over the days; drills end ten minutes after they began.
#[divan::bench(sample_count = 2000, sample_size = 1)]
fn a_tick_among_a_hundred_thousand(bencher: Bencher<'_, '_>) {
    let mut scheduler = scheduler(drills(|number| format!("{} {} * * *", number % 60, number / 60 % 24)));
    let mut now = start();
    let mut running: Vec<Occurrence> = Vec::new();
    bencher.bench_local(|| {
        now = scheduler.next_tick().unwrap_or(now).max(now + SignedDuration::from_secs(1));
        for occurrence in running.drain(..) {
            scheduler.ended(&occurrence, End::Passed, now);
        }
        for line in scheduler.tick(now) {
            if let Act::Started { occurrence, .. } = line.act {
                running.push(occurrence);
            }
        }
    });
}

/// A tick where all of them are due at the same minute and wait for the few that run.
#[divan::bench(sample_count = 2000, sample_size = 1)]
fn a_tick_where_all_are_due_at_once(bencher: Bencher<'_, '_>) {
    let mut scheduler = scheduler(drills(|_| "0 3 * * *".into()));
    let mut now = start();
    let mut running: Vec<Occurrence> = Vec::new();
    bencher.bench_local(|| {
        now = scheduler.next_tick().filter(|at| *at > now).unwrap_or(now + SignedDuration::from_secs(1));
        if let Some(occurrence) = running.pop() {
            scheduler.ended(&occurrence, End::Passed, now);
        }
        for line in scheduler.tick(now) {
            if let Act::Started { occurrence, .. } = line.act {
                running.push(occurrence);
            }
        }
    });
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn beginning_with_a_hundred_thousand(bencher: Bencher<'_, '_>) {
    let drills = drills(|number| format!("{} {} * * *", number % 60, number / 60 % 24));
    let none = AtOnce::default();
    bencher.with_inputs(|| drills.clone()).bench_local_values(|drills| {
        Scheduler::new(drills, (&none, Blackouts::default()), &BTreeMap::<Name, Progress>::new(), start()).0
    });
}
