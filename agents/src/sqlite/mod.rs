//! SQLite databases: copied while they are in use, described for comparison, and queried.

mod canary;
mod connect;
mod copy;
mod facts;
mod fingerprint;
mod query;
mod quoted;
mod time;

#[cfg(test)]
mod tests;

pub(crate) use canary::{plant_canary, seen_canary, unplant_canary};
pub use copy::remove_copies;
pub(crate) use copy::{copy, length};
pub(crate) use facts::observe;
pub(crate) use query::{newest, query};
