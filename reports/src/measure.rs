//! What a run measured: recovery time by the monotonic clock, recovery point by the newest data that came back.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    Finding, Measurements, Objective, Phase, PhaseTime, Promises, RunStarted, Severity, SystemRecord,
    amount::{duration, instant},
};

/// Data this much newer than the failure is more than two clocks that disagree a little.
const FUTURE_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The instants that measurements are made of, as they come in.
#[derive(Debug, Default)]
pub(crate) struct Instants {
    failure: Option<Mark>,
    service_ok: Option<(Mark, f64)>,
    newest: Option<(Timestamp, String)>,
    /// By the system's name.
    backups: BTreeMap<Option<String>, Timestamp>,
    phases: BTreeMap<Phase, f64>,
}

/// One instant by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) at: Timestamp,
    pub(crate) elapsed_ms: Option<u64>,
}

impl Instants {
    /// The first declaration counts, so that repeating it can't shorten the recovery.
    pub(crate) fn failure(&mut self, mark: Mark) {
        self.failure.get_or_insert(mark);
    }

    /// The last answer counts, for the same reason.
    pub(crate) fn service_ok(&mut self, mark: Mark, verify_secs: f64) {
        self.service_ok = Some((mark, verify_secs));
    }

    pub(crate) fn newest(&mut self, at: Timestamp, by: &str) {
        if self.newest.as_ref().is_none_or(|(known, _)| at > *known) {
            self.newest = Some((at, by.to_owned()));
        }
    }

    /// The newest backup of a system that could have been chosen was taken then.
    pub(crate) fn backup(&mut self, system: Option<String>, newest_taken_at: Timestamp) {
        self.backups.insert(system, newest_taken_at);
    }

    /// How old each system's newest backup was at the failure, and what is odd about it.
    pub(crate) fn backup_ages(&self) -> (BTreeMap<Option<String>, f64>, Vec<Finding>) {
        let mut odd = Vec::new();
        let about = ("backup age", "newest backup bears");
        let age = |(system, taken_at): (&Option<String>, &Timestamp)| {
            Some((system.clone(), self.age_secs(*taken_at, about, &mut odd)?))
        };
        (self.backups.iter().filter_map(age).collect(), odd)
    }

    pub(crate) fn phase(&mut self, phase: Phase, secs: f64) {
        *self.phases.entry(phase).or_default() += secs;
    }

    /// What was measured, and what is odd about it.
    pub(crate) fn measure(self, backup_age_secs: Option<f64>) -> (Measurements, Vec<Finding>) {
        let mut odd = Vec::new();
        let measurements = Measurements {
            failed_at: self.failure.map(|mark| mark.at),
            service_ok_at: self.service_ok.map(|(mark, _)| mark.at),
            recovery_secs: self.recovery_secs(&mut odd),
            recovery_point_secs: self.recovery_point_secs(&mut odd),
            phases: self.phases.iter().map(|(&phase, &secs)| PhaseTime { phase, secs: to_millis(secs) }).collect(),
            backup_age_secs,
            newest_at: self.newest.as_ref().map(|(at, _)| *at),
            newest_by: self.newest.map(|(_, by)| by),
        };
        (measurements, odd)
    }

    /// From the failure to the service's answer, without the drill's own comparison. None of it can be nothing: a clock that
    /// says so has not measured.
    fn recovery_secs(&self, odd: &mut Vec<Finding>) -> Option<f64> {
        let start = self.failure?.elapsed_ms?;
        let (answer, verify_secs) = self.service_ok?;
        let secs = to_millis((answer.elapsed_ms? as f64 - start as f64) / 1000.0 - verify_secs);
        if secs > 0.0 {
            return Some(secs);
        }
        odd.push(warning(
            "recovery time",
            "The clock shows no time between failure and recovery, so it was not measured.",
        ));
        None
    }

    fn recovery_point_secs(&self, odd: &mut Vec<Finding>) -> Option<f64> {
        let (newest, _) = self.newest.as_ref()?;
        self.age_secs(*newest, ("recovery point", "newest restored data bears"), odd)
    }

    /// How old something was at the failure; nothing if its time can't be true.
    fn age_secs(&self, time: Timestamp, (subject, bears): (&str, &str), odd: &mut Vec<Finding>) -> Option<f64> {
        let age = self.failure?.at.duration_since(time);
        if -age > FUTURE_TOLERANCE {
            let ahead = duration((-age).as_secs_f64());
            let statement = format!(
                "The {bears} the time {}, which is {ahead} after the failure: a clock is wrong, or the data \
                 bears no true times. So its age was not measured.",
                instant(time)
            );
            odd.push(warning(subject, &statement));
            return None;
        }
        Some(to_millis(age.as_secs_f64().max(0.0)))
    }
}

/// What was promised beside what was achieved.
pub(crate) fn objectives(promises: &Promises, measurements: &Measurements) -> Vec<Objective> {
    let pairs = [
        ("rto", promises.rto_secs, measurements.recovery_secs),
        ("rpo", promises.rpo_secs, measurements.recovery_point_secs),
        ("max_age", promises.max_age_secs, measurements.backup_age_secs),
    ];
    let promised = pairs.into_iter().filter_map(|(name, target, achieved)| Some((name, target?, achieved)));
    promised.map(|(name, target, achieved)| objective(name, target, &promises.promised_in, achieved)).collect()
}

/// How old the backups of further systems may be beside how old they are.
pub(crate) fn max_ages(start: &RunStarted, also: &[SystemRecord]) -> Vec<Objective> {
    let promised_in = &start.promises.promised_in;
    let promised = start.also.iter().zip(also).filter_map(|(facts, system)| Some((facts.max_age_secs?, system)));
    promised
        .map(|(target, system)| {
            let objective = objective("max_age", target, promised_in, system.backup_age_secs);
            Objective { system: Some(system.name.clone()), ..objective }
        })
        .collect()
}

fn objective(name: &str, target_secs: u64, promised_in: &str, achieved_secs: Option<f64>) -> Objective {
    Objective {
        name: name.to_owned(),
        system: None,
        target_secs,
        promised_in: promised_in.to_owned(),
        achieved_secs,
        met: achieved_secs.map(|secs| secs <= target_secs as f64),
    }
}

/// Seconds to the millisecond: as many digits as the clocks are worth, and few enough that JSON gives them back exactly.
pub(crate) fn to_millis(secs: f64) -> f64 {
    if secs.is_finite() { (secs.clamp(-1e9, 1e9) * 1000.0).round() / 1000.0 } else { 0.0 }
}

fn warning(subject: &str, statement: &str) -> Finding {
    Finding { severity: Severity::Warning, subject: subject.to_owned(), statement: statement.to_owned(), hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(at: &str, elapsed_ms: u64) -> Mark {
        Mark { at: at.parse().unwrap(), elapsed_ms: Some(elapsed_ms) }
    }

    #[test]
    fn recovery_time_is_the_monotonic_span_without_the_comparison() {
        let mut instants = Instants::default();
        // The wall clock was set back an hour in between: it must not matter.
        instants.failure(mark("2026-11-23T12:00:00Z", 10_000));
        instants.service_ok(mark("2026-11-23T11:00:30Z", 40_000), 12.5);
        let (measured, odd) = instants.measure(None);
        assert_eq!((measured.recovery_secs, odd.len()), (Some(17.5), 0));
    }

    #[test]
    fn a_recovery_that_took_no_time_was_not_measured() {
        let mut instants = Instants::default();
        instants.failure(mark("2026-11-23T12:00:00Z", 10_000));
        instants.service_ok(mark("2026-11-23T12:00:00Z", 10_000), 0.0);
        let (measured, odd) = instants.measure(None);
        assert_eq!((measured.recovery_secs, odd.len()), (None, 1));
    }

    #[test]
    fn repeated_instants_never_shorten_the_recovery() {
        let mut instants = Instants::default();
        for at in [1_000, 5_000] {
            instants.failure(mark("2026-11-23T12:00:00Z", at));
        }
        for at in [9_000, 11_000] {
            instants.service_ok(mark("2026-11-23T12:00:09Z", at), 0.0);
        }
        assert_eq!(instants.measure(None).0.recovery_secs, Some(10.0));
    }

    #[test]
    fn data_from_the_future_tells_no_age() {
        for (newest, age, warnings) in [("2026-11-23T12:05:00Z", Some(0.0), 0), ("2026-11-23T12:05:01Z", None, 1)] {
            let mut instants = Instants::default();
            instants.failure(mark("2026-11-23T12:00:00Z", 0));
            instants.newest(newest.parse().unwrap(), "max(placed_at)");
            let (measured, odd) = instants.measure(None);
            assert_eq!((measured.recovery_point_secs, odd.len()), (age, warnings), "{newest}");
        }
    }

    #[test]
    fn an_objective_is_met_up_to_its_target_and_unknown_without_a_measurement() {
        let promises = Promises { rto_secs: Some(60), rpo_secs: Some(60), ..Promises::default() };
        for (secs, met) in [(Some(60.0), Some(true)), (Some(60.001), Some(false)), (None, None)] {
            let measured = Measurements { recovery_secs: secs, ..Measurements::default() };
            assert_eq!(objectives(&promises, &measured)[0].met, met);
        }
    }
}
