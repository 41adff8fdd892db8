//! What the schedules lead to: the scheduler itself is driven through the time to come, with drills that pass and take as long as earlier
//! ones did.

mod obligations;

use std::collections::{BTreeMap, BTreeSet};

use drill_scenarios::{Act, Blackouts, Drill, End, Logged, Name, Occurrence, Progress, Scheduler};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::fleet::Fleet;
use crate::past::Past;
pub(crate) use obligations::Unmet;
use obligations::unmet;

/// How long a drill is taken to last of which nothing is known and that promises nothing.
const ASSUMED_SECS: f64 = 3600.0;
/// The most occurrences of a forecast.
const MOST_OCCURRENCES: usize = 200_000;

/// What will happen.
#[derive(Debug, Serialize)]
pub(crate) struct Outlook {
    /// From when.
    pub(crate) from: Timestamp,
    /// Until when.
    pub(crate) until: Timestamp,
    /// Every occurrence, in the order in which they are decided.
    pub(crate) occurrences: Vec<Expected>,
    /// Periods in which an obligation will not be met.
    pub(crate) unmet: Vec<Unmet>,
}

/// What will become of one occurrence.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Expected {
    pub(crate) occurrence: Occurrence,
    pub(crate) scenario: Name,
    pub(crate) due: Timestamp,
    /// When it starts; absent if it doesn't.
    pub(crate) starts_at: Option<Timestamp>,
    /// How long it will take, in seconds; absent if no earlier run says.
    pub(crate) secs: Option<f64>,
    /// How much it restores, in bytes; absent if no earlier run says.
    pub(crate) bytes: Option<u64>,
    /// Why it doesn't start, or starts later than planned; or that it runs into a blackout.
    pub(crate) because: Option<String>,
}

/// What drives the scheduler.
struct Simulation<'a> {
    drills: BTreeMap<Name, Drill>,
    pasts: &'a BTreeMap<String, Past>,
    /// How long each is taken to last, by scenario.
    lasts: BTreeMap<Name, f64>,
    blackouts: Blackouts,
    /// What runs, by when it will end.
    running: BTreeSet<(Timestamp, Occurrence)>,
    found: Vec<Expected>,
}

/// Looks ahead. Also says whether it had to stop early.
pub(crate) fn look_ahead(
    fleet: &Fleet,
    pasts: &BTreeMap<String, Past>,
    (from, until): (Timestamp, Timestamp),
) -> (Outlook, bool) {
    let mut simulation = Simulation::new(fleet, pasts);
    let begin = from - SignedDuration::from_secs(1);
    let progress = fleet.files.iter().map(|file| {
        let last = pasts.get(file.scenario.name.as_str()).and_then(|past| past.runs.first());
        let passed = last.map(|run| run.end == End::Passed);
        (file.scenario.name.clone(), Progress { decided: begin, running: None, errored: None, passed })
    });
    let rules = (&fleet.site.at_once, fleet.blackouts.clone());
    let (mut scheduler, _) = Scheduler::new(fleet.drills(), rules, &progress.collect(), begin);
    // What is due at the very end may be decided later.
    let decided = simulation.drills.values().map(|drill| drill.decided_by(until)).max().unwrap_or(until);
    let whole = simulation.run(&mut scheduler, decided);
    simulation.found.retain(|one| one.due < until);
    let unmet = unmet(fleet, pasts, &simulation.found, (from, until));
    (Outlook { from, until, occurrences: simulation.found, unmet }, !whole)
}

impl<'a> Simulation<'a> {
    fn new(fleet: &Fleet, pasts: &'a BTreeMap<String, Past>) -> Self {
        let lasts = fleet.files.iter().map(|file| {
            let promised = file.scenario.objectives.rto.map(|span| span.duration().as_secs_f64());
            let known = pasts.get(file.scenario.name.as_str()).and_then(Past::secs);
            (file.scenario.name.clone(), known.or(promised).unwrap_or(ASSUMED_SECS))
        });
        Self {
            drills: fleet.drills().into_iter().map(|drill| (drill.name.clone(), drill)).collect(),
            pasts,
            lasts: lasts.collect(),
            blackouts: fleet.blackouts.clone(),
            running: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    /// From event to event. Whether it came to the end.
    fn run(&mut self, scheduler: &mut Scheduler, until: Timestamp) -> bool {
        while self.found.len() < MOST_OCCURRENCES {
            let end = self.running.first().map(|(at, _)| *at);
            let Some(now) = end.into_iter().chain(scheduler.next_tick()).min().filter(|now| *now < until) else {
                return true;
            };
            while self.running.first().is_some_and(|(at, _)| *at <= now)
                && let Some((_, occurrence)) = self.running.pop_first()
            {
                let logged = scheduler.ended(&occurrence, End::Passed, now);
                self.saw(logged);
            }
            let logged = scheduler.tick(now);
            self.saw(logged);
        }
        false
    }

    fn saw(&mut self, logged: Vec<Logged>) {
        for line in logged {
            match line.act {
                Act::Started { occurrence, .. } => self.starts(occurrence, line.at),
                Act::Skipped { occurrence, why } => self.stays(occurrence, format!("skipped: {why}")),
                Act::Missed { occurrence, why } => self.stays(occurrence, format!("missed: {why}")),
                Act::Enrolled { .. } | Act::Ended { .. } | Act::Excused { .. } | Act::Ran { .. } => {}
            }
        }
    }

    fn stays(&mut self, occurrence: Occurrence, because: String) {
        let expected = self.expected(occurrence, None, Some(because));
        self.found.push(expected);
    }

    fn starts(&mut self, occurrence: Occurrence, at: Timestamp) {
        let name = occurrence.scenario();
        let planned = self.drills.get(name).map_or(at, |drill| drill.planned(&occurrence));
        let lasts = self.lasts.get(name).copied().unwrap_or(ASSUMED_SECS);
        let end = at.checked_add(SignedDuration::from_secs_f64(lasts.clamp(0.0, 1e9))).unwrap_or(Timestamp::MAX);
        let because =
            if at > planned { Some(self.why_late(&occurrence, planned)) } else { self.runs_into(name, (at, end)) };
        let expected = self.expected(occurrence.clone(), Some(at), because);
        self.found.push(expected);
        self.running.insert((end, occurrence));
    }

    fn expected(&self, occurrence: Occurrence, starts_at: Option<Timestamp>, because: Option<String>) -> Expected {
        let (scenario, due) = (occurrence.scenario().clone(), occurrence.due());
        let past = self.pasts.get(scenario.as_str());
        let (secs, bytes) = (past.and_then(Past::secs), past.and_then(Past::bytes));
        Expected { occurrence, scenario, due, starts_at, secs, bytes, because }
    }

    /// Why one starts later than planned: by what was going on when it was to start.
    fn why_late(&mut self, occurrence: &Occurrence, planned: Timestamp) -> String {
        let Some(drill) = self.drills.get(occurrence.scenario()) else { return "waits".into() };
        if let Some(closed) = self.blackouts.closed(planned, &drill.labels) {
            return format!("waits for the end of: {}", closed.name);
        }
        let busy: Vec<&Expected> =
            self.found.iter().rev().take(1_000).filter(|other| self.lasts_at(other, planned)).collect();
        let same = busy.iter().find(|other| self.drills.get(&other.scenario).is_some_and(|it| shares(it, drill)));
        match (same, busy.first()) {
            (Some(other), _) => format!("waits for {}, which drills the same source", other.scenario),
            (None, Some(other)) => format!("waits for room beside {}", other.scenario),
            (None, None) => "waits for those that come first".into(),
        }
    }

    fn lasts_at(&self, other: &Expected, at: Timestamp) -> bool {
        let lasts = self.lasts.get(&other.scenario).copied().unwrap_or(ASSUMED_SECS);
        other.starts_at.is_some_and(|start| start <= at && at.duration_since(start).as_secs_f64() < lasts)
    }

    /// The blackout that a drill will go on into, if it takes as long as it did before.
    fn runs_into(&mut self, name: &Name, (start, end): (Timestamp, Timestamp)) -> Option<String> {
        self.pasts.get(name.as_str()).and_then(Past::secs)?;
        let labels = &self.drills.get(name)?.labels;
        let closed = self.blackouts.closed(end, labels).filter(|_| end > start)?;
        Some(format!("goes on into: {}", closed.name))
    }
}

fn shares(one: &Drill, other: &Drill) -> bool {
    one.sources.iter().any(|source| other.sources.contains(source))
}
