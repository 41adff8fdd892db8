//! What is known of an RDB: its keys by database, its libraries of functions, and what the server told of itself. They are read from the
//! RDB as it passes, so they are those of its own instant, whatever is written to the server meanwhile.

use std::collections::BTreeMap;
use std::io::{self, Read};

use jiff::Timestamp;

use super::canary::is_canary;
use super::rdb::{Key, Rdb, Record};
use crate::keyspace::Keyspace;
use crate::{Database, Fingerprint};

/// Name of a setting in a captured index: the random number that a server draws when it starts.
pub(crate) const RUN_ID: &str = "run_id";
/// What the server is called in an index.
const ENGINE: &str = "redis";

/// What is known of an RDB.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) keyspaces: BTreeMap<u64, Keyspace>,
    /// The code of each library of functions, by name.
    libraries: BTreeMap<String, String>,
    about: BTreeMap<String, String>,
}

impl Facts {
    /// Reads an RDB to its end, and counts the keys that `counts`.
    ///
    /// # Errors
    /// Those of [`Rdb`].
    pub(crate) fn read(from: impl Read, counts: impl Fn(&Key) -> bool) -> io::Result<Self> {
        let (mut facts, mut rdb) = (Self::default(), Rdb::open(from)?);
        while let Some(record) = rdb.next()? {
            match record {
                Record::Key(key) => facts.add_if(&counts, &key),
                Record::Library(code) => drop(facts.libraries.insert(name_of(&code), code)),
                Record::About(name, value) => drop(facts.about.insert(name, value)),
            }
        }
        Ok(facts)
    }

    /// Adds those keys of another RDB that `counts`, and nothing else of it.
    ///
    /// # Errors
    /// Those of [`Rdb`].
    pub(crate) fn add_keys(&mut self, from: impl Read, counts: impl Fn(&Key) -> bool) -> io::Result<()> {
        let mut rdb = Rdb::open(from)?;
        while let Some(record) = rdb.next()? {
            if let Record::Key(key) = record {
                self.add_if(&counts, &key);
            }
        }
        Ok(())
    }

    /// What an index holds of it.
    pub(crate) fn database(self, version: String) -> Database {
        let memory_bytes = self.about("used-mem").and_then(|bytes| bytes.parse().ok());
        let functions = (!self.libraries.is_empty()).then(|| ("function".to_owned(), self.libraries));
        Database {
            name: ENGINE.into(),
            engine: ENGINE.into(),
            version,
            objects: functions.into_iter().collect(),
            keyspaces: self.keyspaces,
            memory_bytes,
            ..Database::default()
        }
    }

    /// When the RDB was made, by the clock of the server, to the second.
    pub(crate) fn made_at(&self) -> Option<Timestamp> {
        self.about("ctime").and_then(|secs| Timestamp::from_second(secs.parse().ok()?).ok())
    }

    fn about(&self, name: &str) -> Option<&str> {
        self.about.get(name).map(String::as_str)
    }

    fn add_if(&mut self, counts: impl Fn(&Key) -> bool, key: &Key) {
        if !is_canary(key.database, &key.name) && counts(key) {
            self.add(key);
        }
    }

    fn add(&mut self, key: &Key) {
        let fingerprint = Fingerprint::of([
            &key.name[..],
            &key.expires_ms.map(i64::to_be_bytes).unwrap_or_default(),
            &[key.value.holds as u8],
            &key.value.fingerprint.to_bytes(),
        ]);
        let keyspace = self.keyspaces.entry(key.database).or_default();
        keyspace.add(Keyspace::bucket_of(&key.name), key.value.holds, key.expires_ms.is_some(), fingerprint);
    }
}

/// The name that stands in the first line of a library: `#!lua name=orders`.
fn name_of(code: &str) -> String {
    let first = code.lines().next().unwrap_or_default();
    let name = first.split_whitespace().find_map(|word| word.strip_prefix("name="));
    name.unwrap_or_default().into()
}

/// When the RDB in this file was made.
///
/// # Errors
/// Those of [`Rdb`].
pub(crate) fn made_at(from: impl Read) -> io::Result<Option<Timestamp>> {
    let (mut facts, mut rdb) = (Facts::default(), Rdb::open(from)?);
    while let Some(Record::About(name, value)) = rdb.next()? {
        facts.about.insert(name, value);
    }
    Ok(facts.made_at())
}
