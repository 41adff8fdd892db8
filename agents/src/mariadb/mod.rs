//! What the MariaDB source and the MariaDB scratch have in common: connecting, the installed programs, and the facts about a database
//! that are captured on one side and observed on the other.

pub(crate) mod canary;
pub(crate) mod client;
pub(crate) mod connection;
mod counters;
pub(crate) mod dump;
pub(crate) mod facts;
pub(crate) mod fingerprint;
pub(crate) mod fresh;
pub(crate) mod hold;
pub(crate) mod identity;
pub(crate) mod load;
mod objects;
pub(crate) mod privileges;
pub(crate) mod programs;
pub(crate) mod server;
pub(crate) mod session;
mod shape;
pub(crate) mod site;
pub(crate) mod stop;
mod text;
mod tls;

#[cfg(test)]
mod tests;
