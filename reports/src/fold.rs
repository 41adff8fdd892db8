//! The fold: from the entries of a journal to the record. It is pure, and it is total: every beginning of a journal that
//! starts with the start of a run has a record, which says aborted until the run's end is there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use thiserror::Error;

use crate::{
    Backup, CheckResult, Counts, Entry, EnvironmentFacts, Event, Finding, Measurements, RECORD_SCHEMA, Record, Release,
    RunStarted, Severity, Stage, StageEnd, StageTime, SystemFacts, SystemRecord, Verdict,
    findings::draw,
    ladder::assurance,
    leases::Leases,
    measure::{Instants, Mark, max_ages, objectives, to_millis},
    verdict::{Ending, judge},
};

/// What a complete piece of evidence holds and this version of drillctl does not fill yet.
const NOT_RECORDED: [&str; 8] = [
    "seq",
    "reviewer",
    "expires_at",
    "clock_offset_ms",
    "deviations",
    "control_strength",
    "image_digests",
    "redactions",
];

/// Why entries have no record.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FoldError {
    /// There are none.
    #[error("journal has no entries")]
    Empty,
    /// The first one is not the start of a run.
    #[error("journal does not begin with the start of a run")]
    NotStarted,
}

/// Folds the entries of one run into its record. Any beginning of a journal will do.
///
/// # Errors
/// When there is no entry, or the first one is not the start of a run.
pub fn fold(entries: &[Entry]) -> Result<Record, FoldError> {
    let (first, rest) = entries.split_first().ok_or(FoldError::Empty)?;
    let Event::RunStarted(start) = &first.event else {
        return Err(FoldError::NotStarted);
    };
    let mut fold = Fold::begin(first, start);
    for entry in rest {
        fold.take(entry);
    }
    Ok(fold.finish())
}

/// A record in the making, and what is not settled before the last entry.
struct Fold {
    record: Record,
    /// What the monotonic clock showed when the run began: planning comes before that.
    began_ms: Option<u64>,
    start: RunStarted,
    /// By the system's name, which the scenario's own has none of.
    restored: BTreeMap<Option<String>, Restored>,
    instants: Instants,
    leases: Leases,
    noted: Vec<Finding>,
    contradiction: Option<String>,
    interrupted: Option<String>,
    ended: bool,
    died: bool,
    swept: bool,
}

/// What became of one system.
#[derive(Default)]
struct Restored {
    backup: Option<Backup>,
    opened_with: Option<String>,
    environment: Option<EnvironmentFacts>,
    counts: Option<Counts>,
}

impl Fold {
    fn begin(first: &Entry, start: &RunStarted) -> Self {
        Self {
            record: blank(first.at, start),
            began_ms: first.elapsed_ms,
            start: start.clone(),
            restored: BTreeMap::new(),
            instants: Instants::default(),
            leases: Leases::default(),
            noted: Vec::new(),
            contradiction: None,
            interrupted: None,
            ended: false,
            died: false,
            swept: false,
        }
    }

    fn take(&mut self, entry: &Entry) {
        let mark = Mark { at: entry.at, elapsed_ms: entry.elapsed_ms };
        if self.ended && !may_follow_the_end(&entry.event) {
            return self.contradict(entry.seq, "the run goes on after its end");
        }
        match &entry.event {
            Event::RunStarted(_) => self.contradict(entry.seq, "the run starts a second time"),
            Event::StageStarted { stage, .. } => self.stage_started(*stage, entry),
            Event::StageEnded { stage, end, secs } => self.stage_ended(*stage, end, *secs, entry.seq),
            Event::LeaseTaken { lease } => {
                let new = self.leases.take(lease);
                self.must(new, entry.seq, "a lease is taken twice");
            }
            Event::LeaseEnded { id, how } => {
                let known = self.leases.end(id, *how);
                self.must(known, entry.seq, "a lease ends that was never taken");
            }
            Event::LeaseStuck { id, error } => {
                let known = self.leases.stick(id, error);
                self.must(known, entry.seq, "a lease is stuck that was never taken");
            }
            Event::LeaseProlonged { id, until, .. } => {
                let known = self.leases.prolong(id, *until);
                self.must(known, entry.seq, "a lease is prolonged that was never taken");
            }
            Event::BackupStored(backup) => self.backup(backup, entry.seq),
            Event::FailureDeclared => self.instants.failure(mark),
            Event::EnvironmentReady(facts) => {
                self.of(&facts.system, entry.seq).environment = Some((**facts).clone());
            }
            Event::PhaseTimed { phase, secs } => self.instants.phase(*phase, *secs),
            Event::OpenedWith { identity, system } => {
                self.of(system, entry.seq).opened_with = Some(identity.clone());
            }
            Event::ServiceOk { verify_secs } => self.instants.service_ok(mark, *verify_secs),
            Event::NewestFound { at, by } => self.instants.newest(*at, by),
            Event::Counted(counts) => self.of(&counts.system, entry.seq).counts = Some((**counts).clone()),
            Event::Checked(check) => {
                self.record.checks.push(CheckResult { secs: to_millis(check.secs), ..(**check).clone() });
            }
            Event::Noted { severity, subject, statement } => self.note(*severity, subject, statement),
            // Too late to have stopped anything: it came while the record was written.
            Event::Interrupted { .. } if self.ended => {}
            Event::Interrupted { by } => _ = self.interrupted.get_or_insert_with(|| by.clone()),
            Event::Swept => self.sweep(entry.at),
            Event::RunEnded => self.end(entry.at),
        }
    }

    /// What is known of a system.
    fn of(&mut self, system: &Option<String>, seq: u64) -> &mut Restored {
        let known = system.as_ref().is_none_or(|name| self.start.also.iter().any(|also| also.name == *name));
        self.must(known, seq, "it speaks of a system that the run did not start with");
        self.restored.entry(system.clone()).or_default()
    }

    fn backup(&mut self, backup: &Backup, seq: u64) {
        if let Some(adopted) = &backup.adopted {
            self.instants.backup(backup.system.clone(), adopted.newest_taken_at);
        }
        self.of(&backup.system, seq).backup = Some(backup.clone());
    }

    fn stage_started(&mut self, stage: Stage, entry: &Entry) {
        let again = self.record.stages.iter().any(|time| time.stage == stage);
        self.must(!again, entry.seq, "a stage starts a second time");
        let since_start = entry.at.duration_since(self.record.started_at).as_millis();
        let by_wall_clock = u64::try_from(since_start).unwrap_or(0);
        let by_clock = entry.elapsed_ms.zip(self.began_ms).map(|(now, began)| now.saturating_sub(began));
        let start_ms = by_clock.unwrap_or(by_wall_clock);
        self.record.stages.push(StageTime { stage, started_at: entry.at, start_ms, secs: None, end: None });
    }

    fn stage_ended(&mut self, stage: Stage, end: &StageEnd, secs: f64, seq: u64) {
        if *end == StageEnd::Interrupted {
            self.interrupted.get_or_insert_with(|| "a request to stop".to_owned());
        }
        let begun = self.record.stages.iter_mut().rfind(|time| time.stage == stage && time.end.is_none());
        let known = begun.map(|time| (time.secs, time.end) = (Some(to_millis(secs)), Some(end.clone()))).is_some();
        self.must(known, seq, "a stage ends that never started");
    }

    /// A sweep after the end of a run only removes what leaked. Before it, the run had died.
    fn sweep(&mut self, at: Timestamp) {
        self.swept = true;
        if !self.ended {
            self.died = true;
            self.record.ended_at = Some(at);
        }
    }

    fn end(&mut self, at: Timestamp) {
        self.ended = true;
        self.record.ended_at.get_or_insert(at);
    }

    fn note(&mut self, severity: Severity, subject: &str, statement: &str) {
        let (subject, statement) = (subject.to_owned(), statement.to_owned());
        self.noted.push(Finding { severity, subject, statement, hint: None });
    }

    fn must(&mut self, holds: bool, seq: u64, otherwise: &str) {
        if !holds {
            self.contradict(seq, otherwise);
        }
    }

    /// A journal that contradicts itself still folds, but nothing passes on its word.
    fn contradict(&mut self, seq: u64, what: &str) {
        let statement = format!("The journal contradicts itself at entry {seq}: {what}.");
        self.note(Severity::Major, "journal", &statement);
        self.contradiction.get_or_insert(statement);
    }

    fn ending(&self) -> Ending {
        match &self.interrupted {
            Some(by) => Ending::Interrupted(by.clone()),
            None if self.died => Ending::Swept,
            None if self.ended => Ending::Ended,
            None => Ending::Open,
        }
    }

    fn finish(mut self) -> Record {
        let ending = self.ending();
        let mut record = self.record;
        let own = self.restored.remove(&None).unwrap_or_default();
        (record.backup, record.opened_with) = (own.backup, own.opened_with);
        (record.environment, record.counts) = (own.environment, own.counts);
        let (mut ages, odd_ages) = self.instants.backup_ages();
        for facts in &self.start.also {
            let name = Some(facts.name.clone());
            record.also.push(further(facts, self.restored.remove(&name).unwrap_or_default(), ages.remove(&name)));
        }
        let (measurements, odd) = self.instants.measure(ages.remove(&None));
        record.objectives = objectives(&self.start.promises, &measurements);
        record.objectives.extend(max_ages(&self.start, &record.also));
        record.measurements = measurements;
        record.release = self.leases.release(self.swept);
        (record.verdict, record.because) = judge(&record, &ending, self.contradiction.as_deref());
        if record.verdict == Verdict::Aborted {
            // It keeps what was seen and measured, and claims nothing.
            record.objectives.iter_mut().for_each(|objective| objective.met = None);
        } else {
            record.assurance = assurance(&record);
        }
        self.noted.extend(odd.into_iter().chain(odd_ages));
        record.findings = draw(&record, self.noted);
        record
    }
}

fn further(facts: &SystemFacts, restored: Restored, backup_age_secs: Option<f64>) -> SystemRecord {
    let Restored { backup, opened_with, environment, counts } = restored;
    SystemRecord {
        name: facts.name.clone(),
        kinds: facts.kinds.clone(),
        source: facts.source.clone(),
        backup,
        opened_with,
        environment,
        counts,
        backup_age_secs,
    }
}

/// After its end a run only loses what it left behind, some of which is found only then, and can't be stopped any more.
fn may_follow_the_end(event: &Event) -> bool {
    use Event::{Interrupted, LeaseEnded, LeaseStuck, LeaseTaken, Noted, RunEnded, Swept};
    matches!(
        event,
        Interrupted { .. }
            | LeaseTaken { .. }
            | LeaseEnded { .. }
            | LeaseStuck { .. }
            | Noted { .. }
            | Swept
            | RunEnded
    )
}

/// The record of a run of which nothing is known but its start.
fn blank(at: Timestamp, start: &RunStarted) -> Record {
    Record {
        schema: RECORD_SCHEMA.to_owned(),
        run: start.run.clone(),
        seq: None,
        scenario: start.scenario.clone(),
        tool: start.tool.clone(),
        host: start.host.clone(),
        trigger: start.trigger.clone(),
        scope: start.scope.clone(),
        kinds: start.kinds.clone(),
        source: start.source.clone(),
        backup: None,
        opened_with: None,
        environment: None,
        counts: None,
        also: Vec::new(),
        release: Release::default(),
        started_at: at,
        ended_at: None,
        stages: Vec::new(),
        measurements: Measurements::default(),
        objectives: Vec::new(),
        checks: Vec::new(),
        findings: Vec::new(),
        verdict: Verdict::Aborted,
        because: String::new(),
        assurance: None,
        controls: start.controls.clone(),
        reviewer: None,
        expires_at: None,
        clock_offset_ms: None,
        not_recorded: NOT_RECORDED.map(str::to_owned).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal;

    /// The entries of a run that passed, with `extra` put in at a place and all numbered anew.
    fn with(place: usize, extra: Event) -> Vec<Entry> {
        let passed = include_bytes!("../tests/journals/passed-postgres.ndjson");
        let mut entries = journal::read(passed).unwrap().entries;
        let place = place.min(entries.len());
        let near = entries[place.saturating_sub(1)].clone();
        entries.insert(place, Entry { event: extra, ..near });
        for (seq, entry) in entries.iter_mut().enumerate() {
            entry.seq = seq as u64;
        }
        entries
    }

    #[test]
    fn nothing_folds_without_the_start_of_a_run() {
        assert_eq!(fold(&[]).unwrap_err(), FoldError::Empty);
        let entries = with(0, Event::FailureDeclared);
        assert_eq!(fold(&entries).unwrap_err(), FoldError::NotStarted);
    }

    #[test]
    fn a_journal_that_contradicts_itself_proves_no_pass() {
        let start = with(1, Event::Swept)[0].event.clone();
        let lease = |id: &str| id.to_owned();
        let contradictions = [
            (5, start),
            (5, Event::LeaseEnded { id: lease("nobody's"), how: crate::LeaseEnd::Removed }),
            (5, Event::LeaseStuck { id: lease("nobody's"), error: String::new() }),
            (5, Event::StageStarted { stage: Stage::Capture, deadline_secs: 1 }),
            (1, Event::StageEnded { stage: Stage::Verify, end: StageEnd::Done, secs: 1.0 }),
            (usize::MAX, Event::FailureDeclared),
            (5, Event::OpenedWith { identity: String::new(), system: Some("nobody's".into()) }),
        ];
        for (place, event) in contradictions {
            let record = fold(&with(place, event.clone())).unwrap();
            assert_eq!(record.verdict, Verdict::Errored, "{event:?}");
            assert!(record.because.starts_with("The journal contradicts itself at entry "), "{}", record.because);
        }
    }

    /// The same run, which began with two systems.
    fn of_two(more: &[Event]) -> Record {
        let mut entries = with(usize::MAX, Event::Swept);
        entries.pop();
        let Event::RunStarted(start) = &mut entries[0].event else { panic!("a start") };
        let (kinds, source) = (start.kinds.clone(), start.source.clone());
        start.also = vec![SystemFacts { name: "uploads".into(), kinds, source, max_age_secs: None }];
        let system = Some("uploads".to_owned());
        let last_check = entries.iter().rposition(|entry| matches!(entry.event, Event::Checked(_))).unwrap();
        for (at, event) in more.iter().enumerate() {
            let mut entry = Entry { event: event.clone(), ..entries[last_check].clone() };
            match &mut entry.event {
                Event::BackupStored(backup) => backup.system.clone_from(&system),
                Event::EnvironmentReady(facts) => facts.system.clone_from(&system),
                Event::Checked(check) => check.system.clone_from(&system),
                _ => {}
            }
            entries.insert(last_check + 1 + at, entry);
        }
        fold(&entries).unwrap()
    }

    #[test]
    fn a_run_passes_only_if_all_of_its_systems_were_restored_and_claims_what_was_proved_of_each() {
        let entries = with(0, Event::Swept);
        let is_whole = |event: &&Event| matches!(event, Event::BackupStored(_) | Event::EnvironmentReady(_));
        let whole: Vec<Event> = entries.iter().map(|entry| &entry.event).filter(is_whole).cloned().collect();
        let checks = entries.iter().filter_map(|entry| match &entry.event {
            Event::Checked(check) if check.level <= crate::Assurance::ContentEqual => Some(entry.event.clone()),
            _ => None,
        });
        let all: Vec<Event> = whole.iter().cloned().chain(checks).collect();
        let alone = of_two(&[]);
        assert_eq!((alone.verdict, alone.because.as_str()), (Verdict::Errored, "Nothing was restored of uploads."));
        assert_eq!(of_two(&whole[..1]).verdict, Verdict::Errored);
        let unproved = of_two(&whole);
        assert_eq!((unproved.verdict, unproved.assurance), (Verdict::Passed, None));
        let proved = of_two(&all);
        let one = fold(&with(usize::MAX, Event::Swept)).unwrap();
        assert_eq!((proved.verdict, proved.assurance), (Verdict::Passed, one.assurance));
        assert_eq!(proved.also[0].backup.as_ref().unwrap().system.as_deref(), Some("uploads"));
    }

    #[test]
    fn what_comes_after_the_end_can_not_make_a_check_pass() {
        let entries = with(usize::MAX, Event::FailureDeclared);
        let check = entries.iter().find(|entry| matches!(entry.event, Event::Checked(_))).unwrap().event.clone();
        let late = fold(&with(usize::MAX, check)).unwrap();
        assert_eq!(late.checks.len(), fold(&entries).unwrap().checks.len());
    }

    #[test]
    fn a_sweep_after_the_end_leaves_the_verdict_alone_and_one_before_it_does_not() {
        let after = fold(&with(usize::MAX, Event::Swept)).unwrap();
        assert_eq!((after.verdict, after.release.swept), (Verdict::Passed, true));
        let before = fold(&with(20, Event::Swept)).unwrap();
        assert_eq!((before.verdict, before.release.swept), (Verdict::Aborted, true));
    }

    #[test]
    fn a_request_to_stop_that_comes_after_the_end_stops_nothing() {
        let late = Event::Interrupted { by: "SIGTERM".to_owned() };
        assert_eq!(fold(&with(usize::MAX, late)).unwrap().verdict, Verdict::Passed);
    }

    #[test]
    fn releasing_a_thing_again_is_no_contradiction() {
        let again = Event::LeaseEnded { id: "canary".to_owned(), how: crate::LeaseEnd::Absent };
        assert_eq!(fold(&with(usize::MAX, again)).unwrap().verdict, Verdict::Passed);
    }

    #[test]
    fn a_stage_that_was_interrupted_aborts_even_if_nobody_says_by_whom() {
        let entries = with(2, Event::StageEnded { stage: Stage::Capture, end: StageEnd::Interrupted, secs: 0.1 });
        assert_eq!(fold(&entries).unwrap().verdict, Verdict::Aborted);
    }
}
