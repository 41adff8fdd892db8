//! The record of a run: the truth that every report is a view of. It is folded from the journal and stored as
//! `record.json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{
    Backup, CheckResult, Counts, EnvironmentFacts, Host, Identity, Phase, ScenarioFacts, Scope, Severity, Stage,
    StageEnd, Tool, Trigger,
};

/// Name and version of the record's format.
pub const RECORD_SCHEMA: &str = "drillctl-record-1";

/// How much a passed check proves, and how much a whole run proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Assurance {
    /// The sealed bytes in the vault are those that were stored.
    #[serde(rename = "L0")]
    BytesIntact,
    /// An identity opens them.
    #[serde(rename = "L1")]
    Decrypts,
    /// They restore.
    #[serde(rename = "L2")]
    Restores,
    /// What came back is what went in.
    #[serde(rename = "L3")]
    ContentEqual,
    /// The application lives on it.
    #[serde(rename = "L4")]
    ApplicationHealthy,
    /// Several systems agree with each other.
    #[serde(rename = "L5")]
    SystemsAgree,
}

/// What a run found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was promised holds.
    Passed,
    /// The backup did not do what was promised.
    Failed,
    /// It could not be found out.
    Errored,
    /// The run was stopped, or died.
    Aborted,
}

/// One run, folded from its journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// [`RECORD_SCHEMA`].
    pub schema: String,
    /// Run id.
    pub run: String,
    /// Place among the records of this installation, without gaps. Filled by the ledger; absent until then.
    pub seq: Option<u64>,
    /// The scenario.
    pub scenario: ScenarioFacts,
    /// The program.
    pub tool: Tool,
    /// Where it ran.
    pub host: Host,
    /// Why it ran.
    pub trigger: Trigger,
    /// What is covered and what is not.
    pub scope: Scope,
    /// Kinds of source, vault and scratch.
    pub kinds: BTreeMap<String, String>,
    /// Identity of the source.
    pub source: Identity,
    /// The backup that was restored; absent if there was none.
    pub backup: Option<Backup>,
    /// The identity that opened it; absent if none did.
    pub opened_with: Option<String>,
    /// Where it was restored; absent if nothing was provisioned.
    pub environment: Option<EnvironmentFacts>,
    /// What came back, in numbers; absent if nothing was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Systems that were backed up and restored with this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<SystemRecord>,
    /// What became of everything the run made.
    pub release: Release,
    /// When the run began.
    pub started_at: Timestamp,
    /// When it ended; of a killed run, when it was swept.
    pub ended_at: Option<Timestamp>,
    /// The stages that began.
    pub stages: Vec<StageTime>,
    /// What was measured.
    pub measurements: Measurements,
    /// What was promised against what was achieved.
    pub objectives: Vec<Objective>,
    /// Every check, in the order of judgement.
    pub checks: Vec<CheckResult>,
    /// What is to be said about it, worst first.
    pub findings: Vec<Finding>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub because: String,
    /// The highest level up to which every check passed; absent if not even the sealed bytes were proved.
    pub assurance: Option<Assurance>,
    /// Control ids by framework.
    pub controls: BTreeMap<String, Vec<String>>,
    /// Who reviewed the run. Filled by a review; absent until then.
    pub reviewer: Option<String>,
    /// When this evidence goes stale. Filled by the schedule; absent without one.
    pub expires_at: Option<Timestamp>,
    /// Clock offset against a reference, in milliseconds. Filled where one is configured.
    pub clock_offset_ms: Option<i64>,
    /// What complete evidence holds and this version of drillctl does not fill yet, by name of the field or the subject.
    pub not_recorded: Vec<String>,
}

/// A system that was backed up and restored with the scenario's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemRecord {
    /// What it is called in the scenario.
    pub name: String,
    /// Kinds of source, vault and scratch.
    pub kinds: BTreeMap<String, String>,
    /// Identity of the source.
    pub source: Identity,
    /// The backup that was restored; absent if there was none.
    pub backup: Option<Backup>,
    /// The identity that opened it; absent if none did.
    pub opened_with: Option<String>,
    /// Where it was restored; absent if nothing was provisioned.
    pub environment: Option<EnvironmentFacts>,
    /// What came back, in numbers; absent if nothing was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// From the newest of the backups that another tool took to the failure, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_age_secs: Option<f64>,
}

/// What became of everything the run made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// Things removed or found absent.
    pub removed: Vec<String>,
    /// Things that stay because they are meant to.
    pub kept: Vec<String>,
    /// Things that could not be removed, with the reason. Not empty: the run leaked.
    pub leaked: Vec<String>,
    /// Things that stay until an instant, for people to look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// Whether a later process had to clean up.
    pub swept: bool,
}

/// A thing that stays for people to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// What.
    pub what: String,
    /// Until when; from then on a sweep removes it.
    pub until: Timestamp,
}

/// A stage and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageTime {
    /// Which.
    pub stage: Stage,
    /// When it began.
    pub started_at: Timestamp,
    /// Milliseconds after the run began, by the monotonic clock.
    pub start_ms: u64,
    /// Seconds it took; absent if it never ended.
    pub secs: Option<f64>,
    /// How it ended; absent if it never did.
    pub end: Option<StageEnd>,
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurements {
    /// The instant taken as the failure.
    pub failed_at: Option<Timestamp>,
    /// When the restored service answered.
    pub service_ok_at: Option<Timestamp>,
    /// From the failure to the service's answer without the drill's own comparison, in seconds, by the monotonic clock.
    pub recovery_secs: Option<f64>,
    /// Busy seconds by phase; phases overlap, so they need not add up.
    pub phases: Vec<PhaseTime>,
    /// Newest data found after the restore.
    pub newest_at: Option<Timestamp>,
    /// How it was found.
    pub newest_by: Option<String>,
    /// From the newest restored data to the failure, in seconds.
    pub recovery_point_secs: Option<f64>,
    /// From the newest of the backups that another tool took to the failure, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_age_secs: Option<f64>,
}

/// Busy seconds of one phase.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseTime {
    /// Which.
    pub phase: Phase,
    /// Busy seconds.
    pub secs: f64,
}

/// One promise beside what was achieved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Objective {
    /// `rto`, `rpo` or `max_age`.
    pub name: String,
    /// The system that it is of; absent for the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// What was promised, in seconds.
    pub target_secs: u64,
    /// Where it is written.
    pub promised_in: String,
    /// What was measured, in seconds; absent if it could not be.
    pub achieved_secs: Option<f64>,
    /// Whether the promise was kept; absent if that is not known.
    pub met: Option<bool>,
}

/// A statement drawn by rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub subject: String,
    /// The statement, as a sentence.
    pub statement: String,
    /// What to do next, where a rule knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
