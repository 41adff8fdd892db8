//! The scenario language: what a drill is, as one declarative file.
//!
//! Pure: text goes in, a [`Scenario`] or the list of everything that is wrong with it comes out. It does no I/O,
//! reads no clock and knows no other crate of drillctl.

mod app;
mod check;
mod exception;
mod expect;
mod objectives;
mod reference;
mod scenario;
mod schedule;
mod scratch;
mod seal;
mod source;
mod span;
mod vault;

pub use app::{App, Ready};
pub use check::{Check, CommandProbe, FileProbe, HttpProbe, Method, Probe, SqlProbe, TcpProbe};
pub use exception::Exception;
pub use expect::{Condition, Expectations, Judgement, Observation, Scalar};
pub use objectives::{Newest, Objectives};
pub use reference::Reference;
pub use scenario::{Criticality, Deadlines, Framework, Level, Name, Scenario, Verify, Version};
pub use schedule::{Period, Schedule};
pub use scratch::{DirectoryScratch, PostgresScratch, Scratch};
pub use seal::Seal;
pub use source::{CommandSource, Content, DirectorySource, PostgresSource, Source, SqliteSource};
pub use span::Span;
pub use vault::{FsVault, OpendalVault, S3Vault, Vault};
