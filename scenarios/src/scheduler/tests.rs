//! What is decided in small worlds, case by case, and what holds in any world.

mod cases;
mod worlds;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Act, Drill, End, Logged, Progress, Scheduler};
use crate::{AtOnce, Blackouts, CatchUp, Name, Occurrence, Site, Span, parse_site};

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn name(text: &str) -> Name {
    Name::try_from(text.to_owned()).expect(text)
}

/// A drill with a source of its own, and the defaults of a schedule.
fn drill(called: &str, cron: &str) -> Drill {
    Drill {
        name: name(called),
        cron: cron.into(),
        timezone: "UTC".into(),
        spread: None,
        start_within: Span::from_secs(24 * 3600),
        catch_up: CatchUp::Latest,
        retry: None,
        after: Vec::new(),
        priority: 40,
        labels: Vec::new(),
        sources: vec![called.into()],
    }
}

fn site(text: &str) -> Site {
    parse_site("site.yaml", format!("version: 1\n{text}\n").as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn blackouts(site: &Site) -> Blackouts {
    Blackouts::new(site, &BTreeMap::new()).expect("no calendar")
}

/// A scheduler with its log and its clock, in which drills take as long as they are told to.
struct World {
    drills: Vec<Drill>,
    site: Site,
    scheduler: Scheduler,
    log: Vec<Logged>,
    now: Timestamp,
    /// What runs, and when and how it will end.
    ends: BTreeMap<(Timestamp, Occurrence), End>,
    /// How long a drill takes and how it ends.
    course: fn(&Occurrence, u8) -> (i64, End),
}

impl World {
    fn new(drills: Vec<Drill>, site_text: &str, now: &str) -> Self {
        let site = site(site_text);
        let begun = Scheduler::new(drills.clone(), (&site.at_once, blackouts(&site)), &Default::default(), at(now));
        let (scheduler, log) = begun;
        Self { drills, site, scheduler, log, now: at(now), ends: BTreeMap::new(), course: |_, _| (600, End::Passed) }
    }

    /// Goes from event to event until an instant.
    fn until(&mut self, until: Timestamp) {
        loop {
            let end = self.ends.keys().map(|(at, _)| *at).next();
            let tick = self.scheduler.next_tick();
            let Some(next) = end.into_iter().chain(tick).min().filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            self.step();
        }
        self.now = until;
    }

    fn until_text(&mut self, until: &str) {
        self.until(at(until));
    }

    /// Tells what has ended by now, then ticks once.
    fn step(&mut self) {
        while let Some(entry) = self.ends.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let ((_, occurrence), end) = entry.remove_entry();
            let logged = self.scheduler.ended(&occurrence, end, self.now);
            self.wrote(logged);
        }
        let logged = self.scheduler.tick(self.now);
        self.wrote(logged);
    }

    fn wrote(&mut self, logged: Vec<Logged>) {
        for line in &logged {
            if let Act::Started { occurrence, attempt } = &line.act {
                let (secs, end) = (self.course)(occurrence, *attempt);
                self.ends.insert((self.now + SignedDuration::from_secs(secs), occurrence.clone()), end);
            }
        }
        self.log.extend(logged);
    }

    /// A new scheduler takes over, which knows nothing but the log.
    fn restart(&mut self) {
        let rules: (&AtOnce, Blackouts) = (&self.site.at_once, blackouts(&self.site));
        let (scheduler, enrolled) = Scheduler::new(self.drills.clone(), rules, &Progress::of(&self.log), self.now);
        assert_eq!(enrolled, [], "everybody is known already");
        self.scheduler = scheduler;
    }

    /// The same after a crash: what ran has died, and is told to have errored.
    fn crash(&mut self, down: SignedDuration) {
        self.now += down;
        self.restart();
        self.ends.clear();
        let died: Vec<Occurrence> = self.scheduler.running().map(|(occurrence, _)| occurrence.clone()).collect();
        for occurrence in died {
            let logged = self.scheduler.ended(&occurrence, End::Errored, self.now);
            self.wrote(logged);
        }
    }

    /// What was decided, a line each.
    fn story(&self) -> Vec<String> {
        let told = self.log.iter().filter_map(|line| {
            let (verb, occurrence) = match &line.act {
                Act::Started { occurrence, attempt: 1 } => ("starts".to_owned(), occurrence),
                Act::Started { occurrence, attempt } => (format!("starts again, {attempt}"), occurrence),
                Act::Skipped { occurrence, why } => (format!("skipped, {why}"), occurrence),
                Act::Missed { occurrence, why } => (format!("missed, {why}"), occurrence),
                Act::Enrolled { .. } | Act::Ended { .. } | Act::Excused { .. } | Act::Ran { .. } => return None,
            };
            let due = occurrence.due().strftime("%d %H:%M");
            Some(format!("{} {} of {due}: {verb}", line.at.strftime("%d %H:%M"), occurrence.scenario()))
        });
        told.collect()
    }
}
