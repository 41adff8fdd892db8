//! Decides which drills start when: due times, windows, blackouts, dependencies, limits and what is made up for after a pause. Pure: it is
//! told the time and what has ended, and says what is to be done.
//!
//! Whoever drives it writes each [`Logged`] down before acting on it. That log is all that must survive: from its [`Progress`] a new
//! scheduler goes on as the old one would have. An occurrence is named by its scenario and due time alone, so that none can be there
//! twice.

mod drill;
mod log;
mod progress;
mod queue;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::cron::Cron;
use crate::stretch::later;
use crate::zone::zone;
use crate::{AtOnce, Blackouts, CatchUp, Name, Occurrence};

pub use drill::Drill;
pub use log::{Act, End, Logged, Miss, Outcome, Skip, outcomes};
pub use progress::Progress;
use queue::{Behind, Queue};

/// How many drills are looked at in one tick. If there are more, the next tick is due at once.
const AT_A_TIME: usize = 50;

/// What decides.
#[derive(Debug)]
pub struct Scheduler {
    drills: Vec<Followed>,
    numbers: HashMap<Name, usize>,
    timers: BinaryHeap<Reverse<Timer>>,
    queue: Queue,
    blackouts: Blackouts,
}

/// When a drill is looked at next. Among those of one instant the more important come first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at: Timestamp,
    priority: Reverse<u8>,
    drill: usize,
    /// An older one than that of the drill doesn't count.
    version: u64,
}

/// A drill and how far it has come.
#[derive(Debug)]
struct Followed {
    drill: Drill,
    /// Shared by all that are due at the same times.
    cron: Option<Arc<Cron>>,
    /// Numbers of those that come first; nothing for one that isn't here.
    after: Vec<(Name, Option<usize>)>,
    version: u64,
    /// The first due time that isn't taken up yet.
    next: Option<Timestamp>,
    waiting: Option<Waiting>,
    running: Option<(Occurrence, u8)>,
    passed: Option<bool>,
}

/// An occurrence that is to start.
#[derive(Debug, Clone)]
struct Waiting {
    occurrence: Occurrence,
    attempt: u8,
    from: Timestamp,
    /// It must have started before; without, it may be as late as it likes.
    until: Option<Timestamp>,
}

impl Scheduler {
    /// For these drills, each with its own name, which have come so far. What is to be written down first is given beside it.
    pub fn new(
        drills: Vec<Drill>,
        (at_once, blackouts): (&AtOnce, Blackouts),
        progress: &BTreeMap<Name, Progress>,
        now: Timestamp,
    ) -> (Self, Vec<Logged>) {
        let queue = Queue::new(&drills, at_once);
        let numbers: HashMap<Name, usize> =
            drills.iter().enumerate().map(|(number, drill)| (drill.name.clone(), number)).collect();
        let mut scheduler = Self { drills: Vec::new(), numbers, timers: BinaryHeap::new(), queue, blackouts };
        let (mut enrolled, mut crons) = (Vec::new(), HashMap::new());
        for (number, drill) in drills.into_iter().enumerate() {
            let known = progress.get(&drill.name);
            if known.is_none() {
                enrolled.push(Logged { at: now, act: Act::Enrolled { scenario: drill.name.clone() } });
            }
            let cron = crons.entry((drill.cron.clone(), drill.timezone.clone())).or_insert_with(|| {
                let zone = zone(&drill.timezone)?;
                Cron::parse(&drill.cron, zone).ok().map(Arc::new)
            });
            let cron = cron.clone();
            scheduler.follow((number, drill), cron, known, now);
        }
        (scheduler, enrolled)
    }

    /// Drills that were started and of which no end is known: after a crash, each is to be cleaned up after and told as ended.
    pub fn running(&self) -> impl Iterator<Item = &(Occurrence, u8)> {
        self.drills.iter().filter_map(|followed| followed.running.as_ref())
    }

    /// When the next tick is due. Until then nothing is decided, unless something ends.
    pub fn next_tick(&mut self) -> Option<Timestamp> {
        while let Some(Reverse(timer)) = self.timers.peek() {
            if timer.version == self.drills[timer.drill].version {
                return Some(timer.at);
            }
            self.timers.pop();
        }
        None
    }

    /// What is decided now. What it says to start counts as running until its end is told.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Logged> {
        let mut log = Vec::new();
        for _ in 0..AT_A_TIME {
            match self.next_tick().filter(|at| *at <= now) {
                Some(_) => {
                    if let Some(Reverse(timer)) = self.timers.pop() {
                        self.look_at(timer.drill, now, &mut log);
                    }
                }
                None => break,
            }
        }
        // Who is more important may still be among those that weren't looked at.
        if self.next_tick().is_none_or(|at| at > now) {
            self.start(now, &mut log);
        }
        log
    }

    /// A drill that this scheduler started has ended. Another's end changes nothing.
    pub fn ended(&mut self, occurrence: &Occurrence, end: End, now: Timestamp) -> Vec<Logged> {
        let Some(&number) = self.numbers.get(occurrence.scenario()) else { return Vec::new() };
        let running = self.drills[number].running.take_if(|(running, _)| running == occurrence);
        let Some((occurrence, attempt)) = running else { return Vec::new() };
        let mut log = vec![Logged { at: now, act: Act::Ended { occurrence: occurrence.clone(), attempt, end } }];
        self.drills[number].passed = Some(end == End::Passed);
        self.queue.give_back(number);
        if end == End::Errored {
            self.retry(number, (occurrence, attempt), now);
        }
        self.queue.done(number);
        self.start(now, &mut log);
        log
    }

    /// A drill that somebody started by hand has ended.
    pub fn ran(&mut self, scenario: &Name, end: End, now: Timestamp) -> Vec<Logged> {
        if let Some(&number) = self.numbers.get(scenario) {
            self.drills[number].passed = Some(end == End::Passed);
            self.queue.done(number);
        }
        let mut log = vec![Logged { at: now, act: Act::Ran { scenario: scenario.clone(), end } }];
        self.start(now, &mut log);
        log
    }

    fn follow(
        &mut self,
        (number, drill): (usize, Drill),
        cron: Option<Arc<Cron>>,
        known: Option<&Progress>,
        now: Timestamp,
    ) {
        let decided = known.map_or(now, |known| known.decided);
        let running = known.and_then(|known| known.running.clone());
        if running.is_some() {
            self.queue.take(number);
        }
        let after = drill.after.iter().map(|name| (name.clone(), self.numbers.get(name).copied())).collect();
        let next = cron.as_ref().and_then(|cron| cron.next_after(decided));
        let passed = known.and_then(|known| known.passed);
        self.drills.push(Followed { drill, cron, after, version: 0, next, waiting: None, running, passed });
        match known.and_then(|known| known.errored.clone()) {
            Some((occurrence, attempt, at)) => self.retry(number, (occurrence, attempt), at),
            None => self.await_next(number),
        }
    }

    /// Runs an occurrence again that errored, if it may be and there is time before the next due time.
    fn retry(&mut self, number: usize, (occurrence, attempt): (Occurrence, u8), errored: Timestamp) {
        let followed = &mut self.drills[number];
        let retry = followed.drill.retry.filter(|retry| attempt <= retry.times && followed.waiting.is_none());
        let from =
            retry.and_then(|retry| SignedDuration::try_from(retry.pause.duration()).ok()).map(|p| later(errored, p));
        match from.filter(|from| followed.next.is_none_or(|next| *from < next)) {
            Some(from) => {
                let until = followed.next;
                followed.waiting = Some(Waiting { occurrence, attempt: attempt.saturating_add(1), from, until });
                self.set_timer(number, from);
            }
            None if followed.waiting.is_none() => self.await_next(number),
            None => {}
        }
    }

    fn look_at(&mut self, number: usize, now: Timestamp, log: &mut Vec<Logged>) {
        match &self.drills[number].waiting {
            Some(waiting) if waiting.until.is_some_and(|until| now >= until) => {
                self.give_up(number, now, log);
                self.take_up(number, now, log);
            }
            Some(_) => self.enqueue(number, now),
            None => self.take_up(number, now, log),
        }
    }

    /// Takes up the next due time, if its start has come.
    fn take_up(&mut self, number: usize, now: Timestamp, log: &mut Vec<Logged>) {
        let followed = &mut self.drills[number];
        let Some(due) = followed.next else { return };
        let occurrence = Occurrence::new(followed.drill.name.clone(), due);
        let from = followed.drill.planned(&occurrence);
        if from > now {
            return self.set_timer(number, from);
        }
        followed.next = followed.cron.as_ref().and_then(|cron| cron.next_after(due));
        let within = SignedDuration::try_from(followed.drill.start_within.duration()).unwrap_or(SignedDuration::MAX);
        let until = followed.next.unwrap_or(Timestamp::MAX).min(later(from, within));
        let until = match followed.drill.catch_up {
            _ if now < until => Some(until),
            CatchUp::All => None,
            CatchUp::Latest if followed.next.is_none_or(|next| now < next) => followed.next,
            CatchUp::Latest | CatchUp::Skip => {
                followed.passed = Some(false);
                log.push(Logged { at: now, act: Act::Missed { occurrence, why: Miss::Down } });
                self.queue.done(number);
                // There may be thousands more: each takes its turn.
                return self.set_timer(number, now);
            }
        };
        followed.waiting = Some(Waiting { occurrence, attempt: 1, from, until });
        self.enqueue(number, now);
    }

    /// Lets a waiting drill queue, or wait for the end of a blackout.
    fn enqueue(&mut self, number: usize, now: Timestamp) {
        let followed = &self.drills[number];
        let Some(waiting) = followed.waiting.clone() else { return };
        match self.blackouts.closed(now, &followed.drill.labels) {
            Some(closed) => {
                self.queue.remove(number);
                self.set_timer(number, waiting.until.map_or(closed.until, |until| until.min(closed.until)));
            }
            None => {
                self.queue.push((Reverse(followed.drill.priority), waiting.from, number));
                match waiting.until {
                    Some(until) => self.set_timer(number, until),
                    None => self.drills[number].version += 1,
                }
            }
        }
    }

    /// The time to start is over.
    fn give_up(&mut self, number: usize, now: Timestamp, log: &mut Vec<Logged>) {
        let before = self.queue.remove(number);
        let Some(waiting) = self.drills[number].waiting.take() else { return };
        let behind = self.behind(number, &waiting).or(before);
        // What errored stays errored.
        if waiting.attempt == 1 {
            let act = self.reason(number, &waiting, behind);
            self.drills[number].passed = Some(false);
            log.push(Logged { at: now, act });
        }
        self.queue.done(number);
    }

    fn reason(&mut self, number: usize, waiting: &Waiting, behind: Option<Behind>) -> Act {
        let occurrence = waiting.occurrence.clone();
        let last = waiting.until.unwrap_or(Timestamp::MAX) - SignedDuration::from_nanos(1);
        let labels = &self.drills[number].drill.labels;
        if self.blackouts.opening(waiting.from, last, labels).is_none()
            && let Some(closed) = self.blackouts.closed(waiting.from, labels)
        {
            return Act::Skipped { occurrence, why: Skip::Blackout(closed.name) };
        }
        let why = match behind {
            Some(Behind::Claim(claim)) => self.queue.limit(claim),
            Some(Behind::Drill(other)) if other == number => Miss::Itself,
            Some(Behind::Drill(other)) => Miss::After(self.drills[other].drill.name.clone()),
            None => Miss::Host,
        };
        Act::Missed { occurrence, why }
    }

    /// Starts what can be started, the most important first.
    fn start(&mut self, now: Timestamp, log: &mut Vec<Logged>) {
        while let Some(ticket) = self.queue.pop() {
            let number = ticket.2;
            // Whose time is over is given up when it is looked at next.
            let in_time = |waiting: &&Waiting| waiting.until.is_none_or(|until| now < until);
            let Some(waiting) = self.drills[number].waiting.as_ref().filter(in_time).cloned() else { continue };
            if let Some(behind) = self.behind(number, &waiting) {
                self.queue.park(ticket, behind);
            } else if let Some(name) = self.not_passed(number).filter(|_| waiting.attempt == 1) {
                self.queue.remove(number);
                let act = Act::Skipped { occurrence: waiting.occurrence, why: Skip::After(name) };
                self.decide(number, act, now, log);
            } else if self.blackouts.closed(now, &self.drills[number].drill.labels).is_some() {
                self.enqueue(number, now);
            } else {
                self.queue.take(number);
                let (occurrence, attempt) = (waiting.occurrence, waiting.attempt);
                self.drills[number].running = Some((occurrence.clone(), attempt));
                self.decide(number, Act::Started { occurrence, attempt }, now, log);
            }
        }
    }

    fn decide(&mut self, number: usize, act: Act, now: Timestamp, log: &mut Vec<Logged>) {
        let followed = &mut self.drills[number];
        followed.waiting = None;
        if matches!(act, Act::Skipped { .. }) {
            followed.passed = Some(false);
            self.queue.done(number);
        }
        log.push(Logged { at: now, act });
        self.await_next(number);
    }

    /// What a waiting drill has to wait for.
    fn behind(&self, number: usize, waiting: &Waiting) -> Option<Behind> {
        let followed = &self.drills[number];
        if followed.running.is_some() {
            return Some(Behind::Drill(number));
        }
        let others = followed.after.iter().filter_map(|(_, other)| *other);
        let mut unfinished = others.filter(|other| self.drills[*other].is_unfinished(waiting.occurrence.due()));
        unfinished.next().map(Behind::Drill).or_else(|| self.queue.lacks(number))
    }

    /// Who comes first and did not pass.
    fn not_passed(&self, number: usize) -> Option<Name> {
        let passed = |other: &Option<usize>| other.is_some_and(|other| self.drills[other].passed == Some(true));
        let mut after = self.drills[number].after.iter();
        after.find(|(_, other)| !passed(other)).map(|(name, _)| name.clone())
    }

    /// Looks at a drill again when its next due time is to start.
    fn await_next(&mut self, number: usize) {
        let followed = &mut self.drills[number];
        let next =
            followed.next.map(|due| Occurrence::new(followed.drill.name.clone(), due).planned(followed.drill.spread));
        match next {
            Some(at) => self.set_timer(number, at),
            None => followed.version += 1,
        }
    }

    fn set_timer(&mut self, number: usize, at: Timestamp) {
        let followed = &mut self.drills[number];
        followed.version += 1;
        let priority = Reverse(followed.drill.priority);
        self.timers.push(Reverse(Timer { at, priority, drill: number, version: followed.version }));
    }
}

impl Followed {
    /// Whether it runs, or has yet to start what was due by then.
    fn is_unfinished(&self, due: Timestamp) -> bool {
        self.running.is_some()
            || self.waiting.as_ref().is_some_and(|waiting| waiting.occurrence.due() <= due)
            || self.next.is_some_and(|next| next <= due)
    }
}
