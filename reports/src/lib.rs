//! What drillctl writes down: the events of a run, the record folded from them, the findings drawn from it by rule, and
//! the views that people read.
//!
//! Events and records are plain data; this crate does no network I/O, reads no clock and knows no other crate of drillctl.

pub mod amount;
mod event;
mod findings;
mod fold;
pub mod history;
mod html;
pub mod journal;
mod json;
mod junit;
mod ladder;
mod leases;
mod measure;
mod record;
mod shown;
mod system;
pub mod text;
mod verdict;
mod words;

pub use event::{
    Adopted, Backup, CheckResult, Counts, Difference, Entry, EnvironmentFacts, Event, Host, Identity, Lease, LeaseEnd,
    Outcome, Phase, Promises, Room, RunStarted, ScenarioFacts, Scope, Segments, Severity, Stage, StageEnd, SystemFacts,
    Tool, Trigger, TriggerKind,
};
pub use fold::{FoldError, fold};
pub use html::html;
pub use json::{record_schema, record_sha256, to_json};
pub use junit::junit;
pub use ladder::{Rung, Standing};
pub use record::{
    Assurance, Finding, Held, Measurements, Objective, PhaseTime, RECORD_SCHEMA, Record, Release, StageTime,
    SystemRecord, Verdict,
};
pub use shown::{shown, shown_lines};
pub use system::System;
