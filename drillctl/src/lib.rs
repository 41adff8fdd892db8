//! drillctl: plans a scenario, runs it as a straight line of stages, and keeps what happened.
//!
//! This crate alone knows the order of the stages, the state folder and the command line. What touches systems is in
//! `drill-agents`, the language in `drill-scenarios`, what is written down in `drill-reports`.

mod catalogue;
pub mod cli;
mod engine;
mod failure;
mod fleet;
mod forecast;
mod host;
mod journal;
mod kept;
mod monitor;
mod past;
mod plan;
mod publish;
mod reservation;
mod room;
mod scenario_file;
mod selection;
mod space;
mod store;
mod sweep;

pub use failure::Failure;
