//! Redis, and whatever speaks its protocol: a connection, the RDB that a server sends to a replica, what is in it, and a
//! throw-away server that loads it.

pub(crate) mod address;
pub(crate) mod canary;
pub(crate) mod connection;
pub(crate) mod details;
pub(crate) mod facts;
pub(crate) mod info;
mod patient;
mod payload;
pub(crate) mod program;
mod rdb;
pub(crate) mod replication;
pub(crate) mod server;
pub(crate) mod site;
#[cfg(test)]
mod tests;
mod tls;
