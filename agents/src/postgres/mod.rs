//! What the PostgreSQL source and the PostgreSQL scratch have in common: connecting, the installed programs, and the
//! facts about a database that are captured on one side and observed on the other.

pub(crate) mod base_backup;
pub(crate) mod benign;
pub(crate) mod canary;
mod catalog;
pub(crate) mod cluster;
pub(crate) mod collations;
pub(crate) mod connection;
pub(crate) mod copied;
pub(crate) mod dump;
pub(crate) mod dumps;
pub(crate) mod facts;
mod fingerprint;
pub(crate) mod fresh;
pub(crate) mod lacks;
pub(crate) mod load;
pub(crate) mod loads;
mod manifest;
mod materialised;
mod messages;
mod piped;
pub(crate) mod programs;
pub(crate) mod recovery;
mod reprint;
pub(crate) mod scope;
pub(crate) mod sequences;
pub(crate) mod shares;
pub(crate) mod site;
pub(crate) mod skew;
pub(crate) mod snapshot;
pub(crate) mod stop;
mod tls;
pub(crate) mod unlogged;

#[cfg(test)]
mod tests;
