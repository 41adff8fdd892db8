//! Journals made up at random, their verdicts computed a second time from what was put in: the fold has to agree, and
//! every beginning of every journal has to have a record.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use drill_reports::{
    Adopted, Assurance, Backup, CheckResult, Entry, Event, Host, Identity, Lease, LeaseEnd, Outcome, Phase, Promises,
    Record, RunStarted, ScenarioFacts, Scope, Segments, Stage, StageEnd, Tool, Trigger, TriggerKind, Verdict, fold,
    html, journal, junit,
    text::{Paint, WIDTH, text},
    to_json,
};
use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*, sample::select};
use unicode_width::UnicodeWidthStr;

/// What happens in a run.
#[derive(Debug, Clone)]
struct Script {
    words: String,
    /// How each stage that begins ends; those left out never begin.
    stages: Vec<Fate>,
    checks: Vec<(Assurance, Outcome)>,
    promised: [Option<u64>; 3],
    /// Milliseconds from failure to answer, without the comparison.
    recovery_ms: Option<u64>,
    /// Seconds from the newest data to the failure.
    newest_age_secs: Option<i64>,
    backup_age_secs: Option<i64>,
    leases: Vec<Option<LeaseEnd>>,
    interrupted: bool,
    end: End,
    /// Which of the independent chains of events comes next, over and over.
    order: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Done,
    Error,
    TimedOut,
    NeverEnds,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Orderly,
    OrderlyThenSwept,
    Killed,
    KilledThenSwept,
}

/// Mostly good, so that passes are not rare.
fn script() -> impl Strategy<Value = Script> {
    let fate = prop_oneof![40 => Just(Fate::Done), 1 => Just(Fate::Error), 1 => Just(Fate::TimedOut), 1 => Just(Fate::NeverEnds)];
    let stages = prop_oneof![6 => vec(fate.clone(), 7), 1 => vec(fate, 0..7)];
    let outcome =
        prop_oneof![20 => Just(Outcome::Passed), 1 => Just(Outcome::Failed), 1 => Just(Outcome::Inconclusive)];
    let checks = vec((select(&Assurance::ALL[..]), outcome), 0..8);
    let leased = select(vec![Some(LeaseEnd::Removed), Some(LeaseEnd::Absent), Some(LeaseEnd::Kept), None]);
    let end = prop_oneof![
        8 => Just(End::Orderly), 1 => Just(End::OrderlyThenSwept), 1 => Just(End::Killed), 1 => Just(End::KilledThenSwept)
    ];
    let promised = [0.5, 0.5, 0.3].map(|chance| option::weighted(chance, 1..200_u64));
    let measured = (
        option::weighted(0.9, 1..150_000_u64),
        option::weighted(0.9, -900..150_i64),
        option::weighted(0.9, -900..150_i64),
    );
    let words = vec(any::<char>(), 0..60).prop_map(|characters| characters.into_iter().collect());
    let loose = (vec(leased, 0..4), prop::bool::weighted(0.05), end, vec(0..4_usize, 0..40));
    (words, stages, checks, promised, measured, loose).prop_map(|(words, stages, checks, promised, measured, loose)| {
        let ((recovery_ms, newest_age_secs, backup_age_secs), (leases, interrupted, end, order)) = (measured, loose);
        Script {
            words,
            stages,
            checks,
            promised,
            recovery_ms,
            newest_age_secs,
            backup_age_secs,
            leases,
            interrupted,
            end,
            order,
        }
    })
}

const FAILURE_MS: u64 = 20_000;
const VERIFY_SECS: f64 = 2.5;

fn start() -> Timestamp {
    "2026-11-23T02:00:00Z".parse().unwrap()
}

impl Script {
    /// The journal: chains of events, each in its own order, merged as the script says; then the end.
    fn entries(&self) -> Vec<Entry> {
        let mut chains = [self.stage_events(), self.lease_events(), self.measured_events(), self.check_events()];
        chains.iter_mut().for_each(|chain| chain.reverse());
        let mut timed = vec![(0, self.started())];
        for chain in self.order.iter().copied().chain((0..4).flat_map(|chain| [chain; 64])) {
            timed.extend(chains[chain].pop());
        }
        if self.interrupted {
            timed.push((200_000, Event::Interrupted { by: self.words.clone() }));
        }
        timed.extend(self.end_events().into_iter().map(|event| (200_000, event)));
        let entry = |(seq, (ms, event)): (usize, (u64, Event))| Entry {
            seq: seq as u64,
            at: start() + SignedDuration::from_millis(ms.cast_signed()),
            elapsed_ms: Some(ms),
            event,
        };
        timed.into_iter().enumerate().map(entry).collect()
    }

    fn end_events(&self) -> Vec<Event> {
        match self.end {
            End::Orderly => vec![Event::RunEnded],
            End::OrderlyThenSwept => vec![Event::RunEnded, Event::Swept],
            End::Killed => vec![],
            End::KilledThenSwept => vec![Event::Swept, Event::RunEnded],
        }
    }

    fn started(&self) -> Event {
        let words = || self.words.clone();
        Event::RunStarted(Box::new(RunStarted {
            also: Vec::new(),
            run: "01".to_owned(),
            scenario: ScenarioFacts {
                name: words(),
                title: words(),
                owner: words(),
                criticality: words(),
                path: words(),
                sha256: words(),
                git_revision: Some(words()),
            },
            tool: Tool { name: "drillctl".to_owned(), version: words(), binary_sha256: words() },
            host: Host { name: words(), system: words(), account: words() },
            trigger: Trigger { kind: TriggerKind::Challenge, by: words(), due: None, nonce: words() },
            scope: Scope {
                covered: vec![words()],
                excluded: vec![words()],
                data_class: Some(words()),
                sampling: Some(words()),
            },
            promises: Promises {
                rto_secs: self.promised[0],
                rpo_secs: self.promised[1],
                max_age_secs: self.promised[2],
                promised_in: words(),
            },
            controls: BTreeMap::from([(words(), vec![words()])]),
            kinds: BTreeMap::from([("source".to_owned(), words())]),
            source: Identity { kind: words(), values: BTreeMap::from([(words(), words())]) },
        }))
    }

    fn stage_events(&self) -> Vec<(u64, Event)> {
        let mut events = Vec::new();
        for (stage, fate) in Stage::LINE.into_iter().zip(&self.stages) {
            events.push((FAILURE_MS, Event::StageStarted { stage, deadline_secs: 60 }));
            let end = match fate {
                Fate::Done => StageEnd::Done,
                Fate::Error => StageEnd::Error { error: self.words.clone(), hint: Some(self.words.clone()) },
                Fate::TimedOut => StageEnd::TimedOut,
                Fate::NeverEnds => continue,
            };
            events.push((FAILURE_MS, Event::StageEnded { stage, end, secs: 0.1 + 0.2 }));
        }
        events
    }

    fn lease_events(&self) -> Vec<(u64, Event)> {
        let lease = |id: usize| Lease {
            system: None,
            id: id.to_string(),
            kind: "process".to_owned(),
            what: self.words.clone(),
            spec: serde_json::Value::Null,
        };
        let taken = (0..self.leases.len()).map(|id| Event::LeaseTaken { lease: lease(id) });
        let ended = self.leases.iter().enumerate().map(|(id, how)| match how {
            Some(how) => Event::LeaseEnded { id: id.to_string(), how: *how },
            None => Event::LeaseStuck { id: id.to_string(), error: self.words.clone() },
        });
        taken.chain(ended).map(|event| (FAILURE_MS, event)).collect()
    }

    fn measured_events(&self) -> Vec<(u64, Event)> {
        let before_failure =
            |age| start() + SignedDuration::from_millis(FAILURE_MS.cast_signed()) - SignedDuration::from_secs(age);
        let adopted = self.backup_age_secs.map(|age| (FAILURE_MS, self.adopted(before_failure(age))));
        let mut events: Vec<_> = adopted.into_iter().collect();
        events.push((FAILURE_MS, Event::FailureDeclared));
        if let Some(recovery_ms) = self.recovery_ms {
            let at = FAILURE_MS + recovery_ms + (VERIFY_SECS * 1000.0) as u64;
            events.push((at, Event::PhaseTimed { phase: Phase::Load, secs: recovery_ms as f64 / 3000.0 }));
            events.push((at, Event::ServiceOk { verify_secs: VERIFY_SECS }));
        }
        if let Some(age) = self.newest_age_secs {
            events.push((FAILURE_MS, Event::NewestFound { at: before_failure(age), by: self.words.clone() }));
        }
        events
    }

    /// A backup that another tool took.
    fn adopted(&self, newest_taken_at: Timestamp) -> Event {
        let words = || self.words.clone();
        let about = BTreeMap::from([(words(), words())]);
        Event::BackupStored(Box::new(Backup {
            system: None,
            snapshot: words(),
            location: words(),
            taken_at: newest_taken_at,
            newest_at: None,
            header_sha256: String::new(),
            segments: Segments::default(),
            recipients: Vec::new(),
            selected: words(),
            content: BTreeMap::new(),
            adopted: Some(Adopted { tool: words(), about, candidates: 3, newest_taken_at }),
        }))
    }

    fn check_events(&self) -> Vec<(u64, Event)> {
        let check = |&(level, outcome): &(Assurance, Outcome)| CheckResult {
            system: None,
            id: self.words.clone(),
            title: self.words.clone(),
            level,
            expected: self.words.clone(),
            observed: self.words.clone(),
            outcome,
            differences: Vec::new(),
            differences_total: 0,
            attempts: 1,
            secs: 1.0 / 3.0,
            evidence_sha256: None,
        };
        self.checks.iter().map(|facts| (FAILURE_MS, Event::Checked(Box::new(check(facts))))).collect()
    }

    /// The verdict by the words of the design, from what was put in.
    fn verdict(&self) -> Verdict {
        let killed = matches!(self.end, End::Killed | End::KilledThenSwept);
        let recovery = self.recovery_ms.map(|ms| ms as f64 / 1000.0);
        // Data from more than five minutes after the failure tells no age.
        let point = self.newest_age_secs.filter(|secs| *secs >= -300).map(|secs| secs.max(0) as f64);
        let age = self.backup_age_secs.filter(|secs| *secs >= -300).map(|secs| secs.max(0) as f64);
        let objectives = [(self.promised[0], recovery), (self.promised[1], point), (self.promised[2], age)];
        let broken =
            objectives.iter().any(|(target, got)| matches!((target, got), (Some(t), Some(g)) if *g > *t as f64));
        let unmeasured = objectives.iter().any(|(target, got)| target.is_some() && got.is_none());
        let seen = |outcome| self.checks.iter().any(|(_, seen)| *seen == outcome);
        let work = self.stages.iter().take(6).all(|fate| *fate == Fate::Done);
        let complete = self.stages.len() == 7 && self.stages[6] != Fate::NeverEnds;
        if killed || self.interrupted {
            Verdict::Aborted
        } else if seen(Outcome::Failed) || broken {
            Verdict::Failed
        } else if !work || !complete || seen(Outcome::Inconclusive) || self.checks.is_empty() || unmeasured {
            Verdict::Errored
        } else {
            Verdict::Passed
        }
    }

    /// The level by the words of the design.
    fn assurance(&self) -> Option<Assurance> {
        let mut reached = None;
        for level in Assurance::ALL {
            let of_level: Vec<_> = self.checks.iter().filter(|(of, _)| *of == level).collect();
            if of_level.is_empty() || of_level.iter().any(|(_, outcome)| *outcome != Outcome::Passed) {
                return reached;
            }
            reached = Some(level);
        }
        reached
    }
}

fn lines(entries: &[Entry]) -> String {
    entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect()
}

proptest! {
    #[test]
    fn the_verdict_is_that_of_the_model(script in script()) {
        let record = fold(&script.entries()).unwrap();
        prop_assert_eq!(record.verdict, script.verdict(), "because {}", record.because);
        let claimed = if record.verdict == Verdict::Aborted { None } else { script.assurance() };
        prop_assert_eq!(record.assurance, claimed);
        prop_assert_eq!(record.checks.len(), script.checks.len());
    }

    #[test]
    fn the_exit_code_is_zero_only_for_a_pass_that_left_nothing(script in script()) {
        let record = fold(&script.entries()).unwrap();
        let leaked = script.leases.iter().any(Option::is_none);
        let code = match script.verdict() {
            Verdict::Passed => if leaked { 4 } else { 0 },
            Verdict::Failed => 1,
            Verdict::Errored => 3,
            Verdict::Aborted => 130,
        };
        prop_assert_eq!(record.exit_code(), code);
    }

    #[test]
    fn every_beginning_folds_and_claims_nothing_before_the_end(script in script()) {
        let entries = script.entries();
        for end in 1..=entries.len() {
            let record = fold(&entries[..end]).unwrap();
            let count = |wanted: fn(&Event) -> bool| entries[..end].iter().filter(|entry| wanted(&entry.event)).count();
            let release = &record.release;
            let accounted = release.removed.len() + release.kept.len() + release.held.len() + release.leaked.len();
            prop_assert_eq!(accounted, count(|event| matches!(event, Event::LeaseTaken { .. })));
            prop_assert_eq!(release.leaked.len(), accounted - count(|event| matches!(event, Event::LeaseEnded { .. })));
            if count(|event| *event == Event::RunEnded) == 0 {
                prop_assert_eq!((record.verdict, record.assurance), (Verdict::Aborted, None));
                prop_assert!(record.objectives.iter().all(|objective| objective.met.is_none()));
            }
        }
    }

    #[test]
    fn findings_stand_worst_first_and_every_bad_check_has_one(script in script()) {
        let record = fold(&script.entries()).unwrap();
        prop_assert!(record.findings.is_sorted_by(|a, b| a.severity >= b.severity));
        let bad = script.checks.iter().filter(|(_, outcome)| *outcome != Outcome::Passed).count();
        let told = record.findings.iter().filter(|finding| finding.statement.starts_with("The check ")).count();
        prop_assert_eq!(told, bad);
    }

    #[test]
    fn a_journal_cut_anywhere_reads_as_a_beginning_of_itself(script in script(), part in 0.0..1.0_f64) {
        let entries = script.entries();
        let whole = lines(&entries);
        prop_assert_eq!(&journal::read(whole.as_bytes()).unwrap().entries, &entries);
        let cut = (whole.len() as f64 * part) as usize;
        let read = journal::read(&whole.as_bytes()[..cut]).unwrap();
        prop_assert_eq!(&read.entries[..], &entries[..read.entries.len()]);
        prop_assert_eq!(read.torn, read.whole_bytes != cut);
        prop_assert_eq!(&whole[..read.whole_bytes], lines(&read.entries));
    }

    #[test]
    fn a_record_comes_back_from_json_to_the_byte(script in script()) {
        let record = fold(&script.entries()).unwrap();
        let json = to_json(&record);
        let back: Record = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(to_json(&back), json);
        prop_assert_eq!(back, record);
    }

    #[test]
    fn whatever_the_words_every_view_is_well_formed(script in script()) {
        let record = fold(&script.entries()).unwrap();
        let plain = text(&record, Paint::Plain);
        for line in plain.lines() {
            prop_assert!(line.width() <= WIDTH, "{} columns: {line}", line.width());
            prop_assert!(!line.contains(char::is_control), "{line:?}");
        }
        for view in [html(&record), junit(&record)] {
            prop_assert!(!view.contains(|c: char| c.is_control() && c != '\n'), "{view:?}");
        }
        quick_junit::Report::deserialize_from_str(&junit(&record)).unwrap();
    }
}
