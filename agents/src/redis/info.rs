//! What a server tells of itself when it is asked.

use std::collections::BTreeMap;

use super::connection::{Answer, Connection};
use crate::{Identity, Result};

/// The answer of `INFO`.
#[derive(Debug)]
pub(crate) struct Info(BTreeMap<String, String>);

impl Info {
    /// Asks for it.
    ///
    /// # Errors
    /// Those of [`Connection::ask`].
    pub(crate) fn ask(connection: &mut Connection) -> Result<Self> {
        let Answer::Text(text) = connection.ask(&["INFO"])? else { return Ok(Self(BTreeMap::new())) };
        let text = String::from_utf8_lossy(&text).into_owned();
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        Ok(Self(pairs.map(|(name, value)| (name.into(), value.into())).collect()))
    }

    /// Who the server is: its process, by the random number that it draws when it starts, and its version.
    pub(crate) fn identity(&self) -> Identity {
        Identity::new("redis", [("run_id", self.run_id().into()), ("version", self.version())])
    }

    /// The version whose behaviour it has.
    pub(crate) fn version(&self) -> String {
        self.get("redis_version").into()
    }

    /// The number that it drew when it started.
    pub(crate) fn run_id(&self) -> &str {
        self.get("run_id")
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.get("process_id").parse().ok()
    }

    /// Bytes of memory that its data takes.
    pub(crate) fn data_bytes(&self) -> u64 {
        self.get("used_memory_dataset").parse().unwrap_or_default()
    }

    /// How many keys there are in all databases: `db0:keys=12,expires=3,avg_ttl=0`.
    pub(crate) fn keys(&self) -> u64 {
        let counts = self.0.iter().filter_map(|(name, value)| {
            name.strip_prefix("db")?.parse::<u64>().ok()?;
            value.split(',').find_map(|part| part.strip_prefix("keys="))?.parse::<u64>().ok()
        });
        counts.sum()
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}
