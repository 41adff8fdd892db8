//! Drills that are ready to start, in their order, and those that wait for something to become free. What waits is looked at again only
//! when that has happened, so that a long queue costs nothing.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;

use jiff::Timestamp;

use super::drill::Drill;
use super::log::Miss;
use crate::AtOnce;

/// Place in the queue: the highest priority first, then who was due first.
pub(super) type Ticket = (Reverse<u8>, Timestamp, usize);

/// What a drill waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Behind {
    /// Room for one more with something, by its number.
    Claim(usize),
    /// That the drill of this number is done.
    Drill(usize),
}

/// The queue and what it gives out.
#[derive(Debug)]
pub(super) struct Queue {
    ready: BTreeSet<Ticket>,
    parked: HashMap<Behind, BTreeSet<Ticket>>,
    claims: Vec<Claim>,
    /// By number of the drill: the claims that it needs, and where it is.
    drills: Vec<(Vec<usize>, Place)>,
    host: u32,
    most: u32,
}

/// Where a drill is in the queue.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Its ticket, if it is there at all.
    ticket: Option<Ticket>,
    /// What it waits for; if nothing, it is ready.
    behind: Option<Behind>,
    /// What it waited for last.
    last: Option<Behind>,
}

/// A source or a label that only so many drills may have at once.
#[derive(Debug)]
struct Claim {
    miss: Miss,
    used: u32,
    most: u32,
}

impl Queue {
    /// For these drills, by their numbers.
    pub(super) fn new(drills: &[Drill], at_once: &AtOnce) -> Self {
        let mut queue = Self {
            ready: BTreeSet::new(),
            parked: HashMap::new(),
            claims: Vec::new(),
            drills: Vec::with_capacity(drills.len()),
            host: 0,
            most: at_once.host.get(),
        };
        let mut known = HashMap::new();
        for drill in drills {
            let limited =
                drill.labels.iter().filter_map(|label| Some((Miss::Label(label.clone()), *at_once.labels.get(label)?)));
            let sources = drill.sources.iter().map(|source| (Miss::Source(source.clone()), at_once.source));
            let limits = sources.chain(limited);
            let needs = limits.map(|(miss, most)| queue.claim(&mut known, miss, most)).collect();
            queue.drills.push((needs, Place::default()));
        }
        queue
    }

    fn claim(&mut self, known: &mut HashMap<String, usize>, miss: Miss, most: NonZeroU32) -> usize {
        *known.entry(miss.to_string()).or_insert_with(|| {
            self.claims.push(Claim { miss, used: 0, most: most.get() });
            self.claims.len() - 1
        })
    }

    /// Puts a drill among those that are ready.
    pub(super) fn push(&mut self, ticket: Ticket) {
        self.drills[ticket.2].1 = Place { ticket: Some(ticket), behind: None, last: None };
        self.ready.insert(ticket);
    }

    /// Takes the first, if the host has room for it. It must be parked, taken or removed then.
    pub(super) fn pop(&mut self) -> Option<Ticket> {
        if self.host < self.most { self.ready.pop_first() } else { None }
    }

    /// Takes a drill out, wherever it is. Why it did not start, if it is because of others.
    pub(super) fn remove(&mut self, drill: usize) -> Option<Behind> {
        let place = std::mem::take(&mut self.drills[drill].1);
        let ticket = place.ticket?;
        match place.behind.and_then(|behind| self.parked.get_mut(&behind)) {
            Some(parked) => _ = parked.remove(&ticket),
            None => _ = self.ready.remove(&ticket),
        }
        // It may have been called because something became free that others wait for too.
        self.call_others(drill, place.behind);
        place.last
    }

    /// What the drill of this number lacks to start.
    pub(super) fn lacks(&self, drill: usize) -> Option<Behind> {
        let mut needs = self.drills[drill].0.iter();
        needs.find(|claim| !self.claims[**claim].is_free()).map(|claim| Behind::Claim(*claim))
    }

    /// Lets a drill that was first wait until that has happened.
    pub(super) fn park(&mut self, ticket: Ticket, behind: Behind) {
        self.drills[ticket.2].1 = Place { ticket: Some(ticket), behind: Some(behind), last: Some(behind) };
        self.parked.entry(behind).or_default().insert(ticket);
        self.call_others(ticket.2, Some(behind));
    }

    /// The drill of this number starts.
    pub(super) fn take(&mut self, drill: usize) {
        let (needs, place) = &mut self.drills[drill];
        *place = Place::default();
        self.host += 1;
        needs.iter().for_each(|claim| self.claims[*claim].used += 1);
    }

    /// It has ended: for each thing that it had, the first that waits is ready.
    pub(super) fn give_back(&mut self, drill: usize) {
        self.host = self.host.saturating_sub(1);
        for claim in self.drills[drill].0.clone() {
            self.claims[claim].used = self.claims[claim].used.saturating_sub(1);
            self.call(claim);
        }
    }

    /// The drill of this number is done: everybody who waited for that is ready.
    pub(super) fn done(&mut self, drill: usize) {
        for ticket in self.parked.remove(&Behind::Drill(drill)).unwrap_or_default() {
            self.ready(ticket);
        }
    }

    /// The limit that a claim is about.
    pub(super) fn limit(&self, claim: usize) -> Miss {
        self.claims[claim].miss.clone()
    }

    /// Where a drill doesn't take what it could have had, the next may.
    fn call_others(&mut self, drill: usize, behind: Option<Behind>) {
        for claim in self.drills[drill].0.clone() {
            if Some(Behind::Claim(claim)) != behind && self.claims[claim].is_free() {
                self.call(claim);
            }
        }
    }

    fn call(&mut self, claim: usize) {
        let parked = self.parked.get_mut(&Behind::Claim(claim));
        if let Some(first) = parked.and_then(BTreeSet::pop_first) {
            self.ready(first);
        }
    }

    fn ready(&mut self, ticket: Ticket) {
        self.drills[ticket.2].1.behind = None;
        self.ready.insert(ticket);
    }
}

impl Claim {
    fn is_free(&self) -> bool {
        self.used < self.most
    }
}
