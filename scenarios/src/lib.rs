//! The scenario language: what a drill is, as one declarative file.
//!
//! Pure: text goes in, a [`Scenario`] or the list of everything that is wrong with it comes out. It does no I/O,
//! reads no clock and knows no other crate of drillctl.

mod adopted;
mod app;
mod barman;
mod check;
mod container;
mod exception;
mod expect;
mod facts;
mod format;
mod framework;
mod history;
mod image;
mod instant;
mod judge;
mod keep;
mod kinds;
mod limits;
mod mend;
mod node;
mod objectives;
mod objects;
mod observed;
mod page;
mod parse;
mod pgbackrest;
mod place;
mod problem;
mod rate;
mod reference;
mod rules;
mod sandbox;
mod scenario;
mod schedule;
mod schema;
mod scratch;
mod seal;
mod secret;
mod share;
mod size;
mod source;
mod span;
mod structure;
mod suggest;
mod system;
mod tool;
mod vault;
mod wording;

pub use adopted::{BorgSource, FilesSource, OwnCheck, ResticSource, Select};
pub use app::{App, Ready};
pub use barman::BarmanSource;
pub use check::{Check, CommandProbe, FileProbe, HttpProbe, Method, Probe, ReferencesProbe, SqlProbe, TcpProbe};
pub use container::Container;
pub use exception::Exception;
pub use expect::{Condition, Expectations, Judgement, Observation, Scalar};
pub use facts::{FACTS, Fact, fill};
pub use framework::Framework;
pub use history::History;
pub use image::Image;
pub use judge::{describe, judge};
pub use keep::Keep;
pub use kinds::{Field, Kind, kinds};
pub use limits::{IoClass, Limits};
pub use objectives::{Newest, Objectives};
pub use objects::ObjectsSource;
pub use observed::{Observed, Shape};
pub use page::reference;
pub use parse::{parse, parse_bytes};
pub use pgbackrest::{PgbackrestSource, RecoverTo};
pub use problem::{Problem, Problems};
pub use rate::Rate;
pub use reference::Reference;
pub use sandbox::Sandbox;
pub use scenario::{Criticality, Deadlines, Level, Name, Scenario, Verify, Version};
pub use schedule::{Period, Schedule};
pub use schema::{SCHEMA_ID, schema};
pub use scratch::{DirectoryScratch, EtcdScratch, MariadbScratch, PostgresScratch, RedisScratch, Scratch};
pub use seal::Seal;
pub use share::Share;
pub use size::Size;
pub use source::{
    CommandSource, Content, DirectorySource, EtcdSource, MariadbSource, PostgresMethod, PostgresSource, RedisSource,
    Source, SqliteSource,
};
pub use span::Span;
pub use system::{FurtherSystem, System, fact_name};
pub use tool::{BACKUP, ToolSource};
pub use vault::{Checksum, FsVault, OpendalVault, S3Vault, Vault};
