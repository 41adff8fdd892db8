//! Everything of drillctl that touches a system: sources, vaults, scratches, apps, probes, and the seal around what is
//! stored. It acts and observes; it never prints, never reads drillctl's configuration and never judges.

mod account;
mod canary;
mod clock;
mod context;
mod difference;
mod error;
mod identity;
mod index;
mod mark;
pub mod process;
pub mod scratches;
mod secret;
pub mod sources;
mod sqlite;
mod stream;
mod tree;
#[cfg(test)]
mod trial;

pub use account::Account;
pub use canary::{Canary, CanarySeen};
pub use clock::Clock;
pub use context::{Context, Progress, Timings};
pub use difference::differences;
pub use error::{Error, Kind, Result};
pub use identity::Identity;
pub use index::{Database, Entry, EntryKind, Format, Index, PathText, Table};
pub use mark::{Mark, Removal};
pub use secret::Secrets;
pub use stream::{OpenReader, SEGMENT_BYTES, SealWriter};
