//! Everything of drillctl that touches a system: sources, vaults, scratches, apps, probes, and the seal around what is
//! stored. It acts and observes; it never prints, never reads drillctl's configuration and never judges.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start programs and wait as they need"))]

mod account;
mod app;
mod buffers;
mod canary;
mod cancel;
mod clock;
mod context;
mod difference;
mod digest;
mod environment;
mod error;
mod fetch;
mod fingerprint;
mod identity;
mod index;
mod keyspace;
mod limits;
mod mariadb;
mod mark;
mod note;
mod pace;
mod place;
mod postgres;
pub mod probes;
pub mod process;
mod redis;
pub mod repositories;
mod repository;
mod restless;
mod sandbox;
mod scratch;
pub mod scratches;
pub mod seal;
mod secret;
mod snapshot;
mod source;
pub mod sources;
mod sqlite;
mod stream;
mod tls;
mod tree;
#[cfg(test)]
mod trial;
mod vault;

pub use account::Account;
pub use app::{Readiness, RunningApp, free_port};
pub use buffers::SEGMENT_BYTES;
pub use canary::{Canary, CanarySeen};
pub use clock::Clock;
pub use context::{Context, Progress, Timings};
pub use difference::differences;
pub use digest::Sha256;
pub use environment::{Environment, Lack, Recovered, Restored, Rows};
pub use error::{Error, Kind, Result};
pub use fetch::fetch;
pub use fingerprint::Fingerprint;
pub use identity::Identity;
pub use index::{Database, Entry, EntryKind, Format, Index, PathText, Table};
pub use keyspace::{Bucket, Keyspace, ValueType};
pub use limits::Limits;
pub use mark::{Mark, Removal};
pub use note::Note;
pub use place::Place;
pub use repository::{Adopted, Described, Recovery, Repository, Restorer, Supply, TABLESPACES, Verification, Vouched};
pub use sandbox::{Outside, Sandbox, inside_sandbox};
pub use scratch::{Awake, Scratch};
pub use secret::Secrets;
pub use snapshot::{Contents, Header, Part, SNAPSHOT_VERSION, StreamFormat};
pub use source::{Captured, Estimate, Source, Whereabouts};
pub use sqlite::remove_copies;
pub use stream::{OpenReader, SealWriter};
pub use tls::install_tls;
pub use vault::{Capabilities, Listing, Vault};
