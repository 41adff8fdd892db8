//! How a scenario stands: whether its last drills prove anything still. Pure: from its schedule, what its runs found, and the time.

use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::scheduler::End;
use crate::stretch::{earlier, later};
use crate::{Period, Schedule};

/// How long a passed drill proves something where no schedule says how often one is due.
const UNSCHEDULED_DAYS: i64 = 366;
/// Due times that are looked back at for the last whose time to start is over.
const LOOK_BACK_DAYS: [i64; 4] = [2, 40, 400, 1_500];

/// How a scenario stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It passed, and that proves something still.
    Fresh,
    /// It passed, but something that the proof rests on has changed since.
    NeedsVerification,
    /// It passed too long ago.
    Stale,
    /// Nothing was ever found out.
    Never,
    /// The last drill that found anything out failed.
    Failing,
}

/// One run, as far as its scenario's standing rests on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRun {
    /// Its id, for people.
    pub run: String,
    /// When it began.
    pub at: Timestamp,
    /// How it ended.
    pub end: End,
    /// What a proof rests on, by its name: `scenario`, `drillctl`, `key`; absent where it isn't known.
    pub basis: BTreeMap<&'static str, String>,
}

/// How a scenario stands, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// In a word.
    pub state: State,
    /// Why, as a sentence.
    pub because: String,
    /// When it passed last.
    pub passed_at: Option<Timestamp>,
    /// When that goes stale, if it isn't yet.
    pub expires_at: Option<Timestamp>,
}

impl Standing {
    /// From its runs in any order, and what a run would rest on now, as far as that is known without one.
    pub fn of(
        schedule: Option<&Schedule>,
        runs: &[PastRun],
        basis: &BTreeMap<&'static str, String>,
        now: Timestamp,
    ) -> Self {
        let last = |wanted: fn(End) -> bool| runs.iter().filter(|run| wanted(run.end)).max_by_key(|run| run.at);
        let Some(found) = last(|end| end != End::Errored) else { return Self::never(runs) };
        let passed = last(|end| end == End::Passed);
        let expires_at = passed.and_then(|run| expiry(schedule, run.at, now));
        let (state, because) = match passed {
            Some(run) if found.end == End::Passed => match stale(schedule, run.at, expires_at, now) {
                Some(because) => (State::Stale, because),
                None => fresh(run, runs, basis),
            },
            _ => (State::Failing, format!("Run {} failed.", found.run)),
        };
        let expires_at = expires_at.filter(|at| state < State::Stale && *at > now);
        Self { state, because, passed_at: passed.map(|run| run.at), expires_at }
    }

    fn never(runs: &[PastRun]) -> Self {
        let because = match runs.len() {
            0 => "It has never run.".to_owned(),
            1 => "Its only run found nothing out.".to_owned(),
            count => format!("Its {count} runs found nothing out."),
        };
        Self { state: State::Never, because, passed_at: None, expires_at: None }
    }
}

fn fresh(passed: &PastRun, runs: &[PastRun], now: &BTreeMap<&'static str, String>) -> (State, String) {
    // A later run without an answer has met the system as it is now.
    let newest = runs.iter().max_by_key(|run| run.at).unwrap_or(passed);
    let changed = |name: &&&str| {
        let then = passed.basis.get(**name);
        let since = now.get(**name).or_else(|| newest.basis.get(**name));
        then.is_some() && since.is_some() && then != since
    };
    let changed: Vec<&str> = passed.basis.keys().filter(changed).copied().collect();
    match changed.as_slice() {
        [] => (State::Fresh, format!("Run {} passed.", passed.run)),
        changed => {
            let have = if changed.len() == 1 { "has" } else { "have" };
            (
                State::NeedsVerification,
                format!("The {} {have} changed since run {} passed.", words(changed), passed.run),
            )
        }
    }
}

fn words(names: &[&str]) -> String {
    match names {
        [before @ .., last] if !before.is_empty() => format!("{} and the {last}", before.join(", the ")),
        names => names.concat(),
    }
}

/// When a pass stops proving anything. With an obligation that is the end of the period after it: until then the next pass is due, not
/// overdue. With due times alone it is when the time to start of the next one is over.
fn expiry(schedule: Option<&Schedule>, passed: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let Some(schedule) = schedule else {
        return Some(later(passed, SignedDuration::from_hours(UNSCHEDULED_DAYS * 24)));
    };
    let zone = schedule.zone();
    match schedule.every {
        Some(period) => next_period_end(period, passed, &zone),
        None => last_over(schedule, now).filter(|due| *due > passed).or_else(|| {
            let next = schedule.next_after(passed)?;
            Some(later(next, allowance(schedule)))
        }),
    }
}

fn next_period_end(period: Period, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let (_, end) = period.around(at, zone)?;
    Some(period.around(end, zone)?.1)
}

/// Why it is stale, if it is.
fn stale(schedule: Option<&Schedule>, passed: Timestamp, expires: Option<Timestamp>, now: Timestamp) -> Option<String> {
    if expires.is_none_or(|at| at > now) {
        return None;
    }
    Some(match schedule.map(|schedule| (schedule.every, schedule)) {
        None => "It passed more than a year ago, and no schedule says how often it must.".to_owned(),
        Some((Some(period), schedule)) => {
            let zone = schedule.zone();
            let (_, missed) = period.around(passed, &zone)?;
            format!("It did not pass in {}, and must every {}.", period.name(missed, &zone), period.word())
        }
        Some((None, _)) => "It was due since it passed, and has not passed again.".to_owned(),
    })
}

/// The last due time whose time to start is over.
fn last_over(schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    let before = earlier(now, allowance(schedule));
    LOOK_BACK_DAYS.into_iter().find_map(|days| {
        let from = earlier(before, SignedDuration::from_hours(days * 24));
        let due = |at: &Timestamp| schedule.next_after(*at).filter(|due| *due <= before);
        std::iter::successors(due(&from), due).last()
    })
}

/// How long after its due time a drill may start.
fn allowance(schedule: &Schedule) -> SignedDuration {
    let spread = schedule.spread.map_or(0, |spread| spread.duration().as_secs());
    let secs = schedule.start_within.duration().as_secs().saturating_add(spread);
    SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX / 4))
}

impl State {
    /// All of them, the best first.
    pub const ALL: [Self; 5] = [Self::Fresh, Self::NeedsVerification, Self::Stale, Self::Never, Self::Failing];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fresh => "fresh",
            Self::NeedsVerification => "needs verification",
            Self::Stale => "stale",
            Self::Never => "never",
            Self::Failing => "failing",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::{PastRun, Standing, State};
    use crate::scheduler::End;
    use crate::{Period, Schedule};

    fn schedule(json: serde_json::Value) -> Schedule {
        serde_json::from_value(json).expect("a schedule")
    }

    fn run(name: &str, at: &str, end: End, basis: &[(&'static str, &str)]) -> PastRun {
        let basis = basis.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        PastRun { run: name.into(), at: instant(at), end, basis }
    }

    fn instant(text: &str) -> Timestamp {
        format!("{text}:00Z").parse().expect(text)
    }

    fn state(schedule: Option<&Schedule>, runs: &[PastRun], now: &str) -> (State, String) {
        let standing = Standing::of(schedule, runs, &BTreeMap::new(), instant(now));
        (standing.state, standing.because)
    }

    fn expect(found: (State, String), state: State, because: &str) {
        assert_eq!((found.0, found.1.as_str()), (state, because));
    }

    #[test]
    fn what_found_nothing_out_changes_nothing() {
        let yearly = schedule(serde_json::json!({"every": "year"}));
        let passed = run("p", "2027-01-01T00:00", End::Passed, &[]);
        let failed = run("f", "2027-01-02T00:00", End::Failed, &[]);
        let errored = run("e", "2027-01-03T00:00", End::Errored, &[]);
        let now = "2027-01-04T00:00";
        expect(state(Some(&yearly), &[], now), State::Never, "It has never run.");
        expect(
            state(Some(&yearly), std::slice::from_ref(&errored), now),
            State::Never,
            "Its only run found nothing out.",
        );
        expect(state(Some(&yearly), &[errored.clone(), passed.clone()], now), State::Fresh, "Run p passed.");
        expect(state(Some(&yearly), &[errored, failed.clone(), passed.clone()], now), State::Failing, "Run f failed.");
        let again = run("q", "2027-01-03T12:00", End::Passed, &[]);
        expect(state(Some(&yearly), &[again, failed, passed], now), State::Fresh, "Run q passed.");
    }

    #[test]
    fn an_obligation_is_broken_when_a_whole_period_is_over_without_a_pass() {
        let quarterly = schedule(serde_json::json!({"every": "quarter", "timezone": "Europe/Berlin"}));
        let runs = [run("p", "2027-02-10T00:00", End::Passed, &[])];
        let until = Standing::of(Some(&quarterly), &runs, &BTreeMap::new(), instant("2027-03-01T00:00")).expires_at;
        assert_eq!(until, Some(instant("2027-06-30T22:00")));
        expect(state(Some(&quarterly), &runs, "2027-06-30T21:59"), State::Fresh, "Run p passed.");
        let because = "It did not pass in 2027-Q2, and must every quarter.";
        expect(state(Some(&quarterly), &runs, "2027-06-30T22:00"), State::Stale, because);
        assert_eq!(quarterly.every, Some(Period::Quarter));
    }

    #[test]
    fn due_times_alone_are_broken_when_the_time_to_start_is_over() {
        let weekly = schedule(serde_json::json!({"cron": "0 3 * * SUN", "start_within": "6h"}));
        let runs = [run("p", "2027-01-03T03:10", End::Passed, &[])];
        expect(state(Some(&weekly), &runs, "2027-01-10T08:59"), State::Fresh, "Run p passed.");
        let because = "It was due since it passed, and has not passed again.";
        expect(state(Some(&weekly), &runs, "2027-01-10T09:00"), State::Stale, because);
        let by_hand = [runs[0].clone(), run("q", "2027-01-11T00:00", End::Passed, &[])];
        expect(state(Some(&weekly), &by_hand, "2027-01-12T00:00"), State::Fresh, "Run q passed.");
        let yearly = schedule(serde_json::json!({"cron": "0 3 1 1 *"}));
        let years = [run("p", "2025-01-01T03:10", End::Passed, &[])];
        expect(state(Some(&yearly), &years, "2027-06-01T00:00"), State::Stale, because);
    }

    #[test]
    fn without_a_schedule_a_pass_is_worth_a_year() {
        let runs = [run("p", "2027-01-01T00:00", End::Passed, &[])];
        expect(state(None, &runs, "2028-01-01T00:00"), State::Fresh, "Run p passed.");
        let because = "It passed more than a year ago, and no schedule says how often it must.";
        expect(state(None, &runs, "2028-01-03T00:00"), State::Stale, because);
    }

    #[test]
    fn what_the_proof_rests_on_is_compared_with_now_or_with_what_the_newest_run_met() {
        let yearly = schedule(serde_json::json!({"every": "year"}));
        let passed = run("p", "2027-01-01T00:00", End::Passed, &[("drillctl", "1"), ("key", "k1"), ("scenario", "a")]);
        let standing = |newer: &[PastRun], basis: &[(&'static str, &str)]| {
            let runs: Vec<PastRun> = newer.iter().cloned().chain([passed.clone()]).collect();
            let basis = basis.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            let standing = Standing::of(Some(&yearly), &runs, &basis, instant("2027-02-01T00:00"));
            (standing.state, standing.because)
        };
        expect(standing(&[], &[("drillctl", "1"), ("scenario", "a")]), State::Fresh, "Run p passed.");
        let because = "The scenario has changed since run p passed.";
        expect(standing(&[], &[("drillctl", "1"), ("scenario", "b")]), State::NeedsVerification, because);
        let met = [run("e", "2027-01-02T00:00", End::Errored, &[("key", "k2")])];
        let because = "The drillctl and the key have changed since run p passed.";
        expect(standing(&met, &[("drillctl", "2")]), State::NeedsVerification, because);
    }
}
