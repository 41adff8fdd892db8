//! etcd: a member that is asked through its JSON gateway, the snapshot that it sends, what is in the cluster, and a throw-away cluster
//! of one member that a snapshot is restored into.

pub(crate) mod address;
pub(crate) mod canary;
pub(crate) mod connection;
pub(crate) mod details;
pub(crate) mod facts;
mod message;
mod pages;
pub(crate) mod programs;
mod refused;
pub(crate) mod server;
pub(crate) mod site;
pub(crate) mod snapshot;
#[cfg(test)]
mod tests;
