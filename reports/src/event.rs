//! The events of a run: what the journal holds, one a line. Everything else is computed from them.
//!
//! A stored format: a field is never renamed or given another meaning; new ones are optional.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Assurance;

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Place in the journal, from 0, without gaps.
    pub seq: u64,
    /// Wall clock, UTC.
    pub at: Timestamp,
    /// Monotonic clock since the run began, in milliseconds. An entry written by a later process (a sweep) has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The plan is built and nothing is done yet.
    RunStarted(Box<RunStarted>),
    /// A stage begins.
    StageStarted {
        /// Which.
        stage: Stage,
        /// Seconds after which it is given up.
        deadline_secs: u64,
    },
    /// A stage is over.
    StageEnded {
        /// Which.
        stage: Stage,
        /// How.
        end: StageEnd,
        /// Seconds it took, by the monotonic clock.
        secs: f64,
    },
    /// The duty to remove an outside thing; on disk before the thing is made.
    LeaseTaken {
        /// The thing.
        lease: Lease,
    },
    /// The duty is done.
    LeaseEnded {
        /// The lease.
        id: String,
        /// How.
        how: LeaseEnd,
    },
    /// The thing could not be removed; the duty stays open.
    LeaseStuck {
        /// The lease.
        id: String,
        /// Why.
        error: String,
    },
    /// The thing stays for people to look at; the duty to remove it begins then.
    LeaseProlonged {
        /// The lease.
        id: String,
        /// Until when.
        until: Timestamp,
        /// How to find the way in it.
        room: Room,
    },
    /// The snapshot is complete in the vault.
    BackupStored(Box<Backup>),
    /// The instant that the drill takes as the failure: from here on, recovery time runs.
    FailureDeclared,
    /// The environment is there.
    EnvironmentReady(Box<EnvironmentFacts>),
    /// Time spent in one phase of the recovery, in seconds of work; phases overlap.
    PhaseTimed {
        /// Which.
        phase: Phase,
        /// Busy seconds.
        secs: f64,
    },
    /// The snapshot was opened with this identity (fingerprint of its recipient).
    OpenedWith {
        /// The recipient's fingerprint or public key.
        identity: String,
        /// The system that it is of; absent for the scenario's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<String>,
    },
    /// The restored service answers (or, without an app, the restored data is there).
    ServiceOk {
        /// Seconds of the drill's own comparison since the failure was declared, which are no part of the recovery.
        verify_secs: f64,
    },
    /// Newest data found in what was restored.
    NewestFound {
        /// Its time.
        at: Timestamp,
        /// How it was found, in words.
        by: String,
    },
    /// What came back was counted.
    Counted(Box<Counts>),
    /// One check was judged.
    Checked(Box<CheckResult>),
    /// Something to know that no check covers.
    Noted {
        /// How much it matters.
        severity: Severity,
        /// What it is about: a path, a table, a program.
        subject: String,
        /// The fact, as a sentence.
        statement: String,
    },
    /// Somebody asked the run to stop.
    Interrupted {
        /// By which signal or act.
        by: String,
    },
    /// A killed run was cleaned up by a later process.
    Swept,
    /// Nothing more will be done.
    RunEnded,
}

/// The closed list of stages, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Take the backup and seal it.
    Capture,
    /// Complete the snapshot in the vault.
    Store,
    /// Make the environment.
    Provision,
    /// Fetch, open and restore.
    Restore,
    /// Compare with what was captured.
    Verify,
    /// Start the app and look.
    Probe,
    /// Remove everything the run made.
    Release,
}

/// How a stage ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum StageEnd {
    /// It did its work (whatever its checks said).
    Done,
    /// It could not do its work.
    Error {
        /// Why: the whole chain of causes, in one line.
        error: String,
        /// What to do next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// Its deadline passed.
    TimedOut,
    /// The run was asked to stop.
    Interrupted,
}

/// The name and spec of one outside thing, and the duty to remove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Unique in the run.
    pub id: String,
    /// The system that it is of; absent for the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Which kind of thing: `snapshot`, `canary`, `environment`, `sandbox`, `process`.
    pub kind: String,
    /// One line for people.
    pub what: String,
    /// What the kind needs to find it again and to know its mark. No secret.
    pub spec: serde_json::Value,
}

/// An environment that stays, as whoever enters it needs to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Folder of the restored data.
    pub root: String,
    /// Facts for programs in it (`PGHOST`, …). No secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

/// How the duty to remove a thing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseEnd {
    /// Removed.
    Removed,
    /// It was not there (any more).
    Absent,
    /// It has become what it was meant to be and stays: a complete snapshot in its vault.
    Kept,
}

/// Everything known before the first act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Run id; sorts by time.
    pub run: String,
    /// The scenario.
    pub scenario: ScenarioFacts,
    /// This program.
    pub tool: Tool,
    /// Where the run executes.
    pub host: Host,
    /// Why it runs.
    pub trigger: Trigger,
    /// What is covered and what is not.
    pub scope: Scope,
    /// What was promised.
    pub promises: Promises,
    /// Control ids by framework.
    pub controls: BTreeMap<String, Vec<String>>,
    /// Kind of the source, vault, scratch (`postgres`, `s3`, …), for people.
    pub kinds: BTreeMap<String, String>,
    /// Identity of the source, as the system itself tells it.
    pub source: Identity,
    /// Systems that are backed up and restored with it, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<SystemFacts>,
}

/// A system that is backed up and restored with the scenario's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemFacts {
    /// What it is called in the scenario.
    pub name: String,
    /// Kinds of source, vault and scratch.
    pub kinds: BTreeMap<String, String>,
    /// Identity of the source.
    pub source: Identity,
    /// How old the newest of the backups that another tool takes may be, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_secs: Option<u64>,
}

/// The scenario that a run executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioFacts {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Who answers for the backup.
    pub owner: String,
    /// How much depends on the system.
    pub criticality: String,
    /// Where the file stood, absolute.
    #[serde(default)]
    pub path: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Revision of the git repository the file stands in, if it does; `+` at its end: the file differs from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_revision: Option<String>,
}

/// This program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `drillctl`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the running binary, hexadecimal.
    pub binary_sha256: String,
}

/// Where a run executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// Operating system and kernel release.
    pub system: String,
    /// Name of the account that drillctl runs as.
    pub account: String,
}

/// Why a run was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// What started it.
    pub kind: TriggerKind,
    /// Who: an account or a person.
    pub by: String,
    /// When it was due, if it was scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// A random number that the canary carries; it makes the run unpredictable.
    pub nonce: String,
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriggerKind {
    /// Somebody at a terminal.
    Manual,
    /// A schedule.
    Schedule,
    /// An auditor's challenge.
    Challenge,
}

/// What a drill covers and what it does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// What is covered, in words.
    pub covered: Vec<String>,
    /// What is not.
    pub excluded: Vec<String>,
    /// Class of the data, in the organisation's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_class: Option<String>,
    /// Rule and seed by which a sample was drawn; absent: everything was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<String>,
}

/// What was promised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Promises {
    /// Recovery time objective, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_secs: Option<u64>,
    /// Recovery point objective, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo_secs: Option<u64>,
    /// How old the newest of the backups that another tool takes may be, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_secs: Option<u64>,
    /// Where it is written.
    pub promised_in: String,
}

/// Identity of a system, as the system itself tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// What is identified: `postgres`, `folder`, `file`, `command`.
    pub kind: String,
    /// The values that tell it apart: `system_identifier`, `device`, `inode`, `version`, ….
    pub values: BTreeMap<String, String>,
}

/// A complete snapshot in its vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// Snapshot id.
    pub snapshot: String,
    /// The system that it is of; absent for the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Where it rests: the vault in words, without credentials.
    pub location: String,
    /// The instant that the content is consistent at.
    pub taken_at: Timestamp,
    /// Newest data in it when it was captured, as far as the source tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<Timestamp>,
    /// SHA-256 of `snapshot.json`, hexadecimal: it binds every segment and the index. Empty for a backup that another tool took.
    pub header_sha256: String,
    /// The segments.
    pub segments: Segments,
    /// Public keys or fingerprints of those who can open it.
    pub recipients: Vec<String>,
    /// How it came to be chosen: `captured in this run`, later `newest`, `pinned`, ….
    pub selected: String,
    /// What is in it, in words and numbers (`files`, `tables`, `rows`, …).
    pub content: BTreeMap<String, u64>,
    /// Facts about a backup that another tool took; absent for one of drillctl's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
}

/// A backup that another tool took, and what was chosen from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Adopted {
    /// The tool that restored it, and its version.
    pub tool: String,
    /// What the tool tells of it: `host`, `paths`, `tags`, `name`.
    pub about: BTreeMap<String, String>,
    /// How many backups there were to choose from.
    pub candidates: u64,
    /// When the newest of them was taken.
    pub newest_taken_at: Timestamp,
}

/// Sizes of a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Segments {
    /// How many.
    pub count: u64,
    /// Bytes before compression and sealing.
    pub plain_bytes: u64,
    /// Bytes in the vault.
    pub sealed_bytes: u64,
}

/// What came back in numbers, for later runs to be held against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// The system that it is of; absent for the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Rows by the name of the table (`public.orders`), with the database before it where there may be several; the first thousand by
    /// name.
    pub tables: BTreeMap<String, u64>,
    /// How many tables there are beside those.
    #[serde(default)]
    pub more_tables: u64,
    /// Files that came back; absent where none are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Bytes in those files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// The environment that a run restores into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentFacts {
    /// Kind of scratch.
    pub kind: String,
    /// The system that it is of; absent for the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Its own identity, which differs from the source's.
    pub identity: Identity,
    /// How it is isolated, and how that was proved, in sentences.
    pub isolation: Vec<String>,
}

/// A phase of the recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Find the snapshot and read its header and index.
    Locate,
    /// Make the environment.
    Provision,
    /// Fetch segments from the vault.
    Fetch,
    /// Check, decrypt and decompress.
    Open,
    /// Write files, or load the database.
    Load,
    /// Start the app until it is ready.
    Ready,
}

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What was expected was observed.
    Passed,
    /// Something else was observed.
    Failed,
    /// It could not be found out.
    Inconclusive,
}

/// A check and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// Stable identifier in the run: `sealed-bytes`, `opens`, `restores`, `content`, `canary`, `history`, or the check's
    /// name. That of another system than the scenario's own begins with its name: `uploads/content`.
    pub id: String,
    /// The system that it looked at; absent for the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// One line for people.
    pub title: String,
    /// What a pass of it proves.
    pub level: Assurance,
    /// What was expected.
    pub expected: String,
    /// What was observed.
    pub observed: String,
    /// The result.
    pub outcome: Outcome,
    /// Where the two differ: the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// How many differences there are in all, accepted ones included.
    #[serde(default)]
    pub differences_total: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// Seconds it took.
    pub secs: f64,
    /// SHA-256 over what was observed in full, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_sha256: Option<String>,
}

/// One place where what came back differs from what went in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Which thing: a path, `table:public.orders`, `index:public.orders_pkey`, `restore:<line>`,
    /// `history:table:public.orders`.
    pub subject: String,
    /// What differs, as a fragment: `row count 1000000, was 1000001`.
    pub statement: String,
    /// Who accepted it, why and until when; absent: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

/// How much a finding or note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it.
    Warning,
    /// The promise is not kept, or something is left behind.
    Major,
    /// The backup would not have saved anyone.
    Critical,
}
