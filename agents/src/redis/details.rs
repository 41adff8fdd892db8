//! Which keys differ. Buckets tell that some do; the keys of those buckets are looked at one by one, as they were in the backup and as
//! they are, so that each can be named.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use drill_scenarios::Level;
use jiff::Timestamp;

use super::canary::is_canary;
use super::rdb::{Key, Rdb, Record, Value};
use crate::keyspace::{Keyspace, shown};

/// Keys that are looked at one by one, at most: they are in memory.
const MOST_KEYS: u64 = 100_000;

/// Buckets of databases whose keys are looked at.
#[derive(Debug)]
pub(crate) struct Suspects {
    level: Level,
    buckets: BTreeSet<(u64, u16)>,
    /// How many buckets there would be more, by database.
    more: BTreeMap<u64, u64>,
}

/// Keys by database and name.
pub(crate) type Keys = BTreeMap<(u64, Vec<u8>), Known>;

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    expires_ms: Option<i64>,
    value: Value,
}

impl Suspects {
    /// The buckets that differ, as many as can be looked at.
    pub(crate) fn among(was: &BTreeMap<u64, Keyspace>, is: &BTreeMap<u64, Keyspace>, level: Level) -> Self {
        let mut suspects = Self { level, buckets: BTreeSet::new(), more: BTreeMap::new() };
        let (mut keys, nothing) = (0, Keyspace::default());
        let databases: BTreeSet<u64> = was.keys().chain(is.keys()).copied().collect();
        for database in databases {
            let [was, is] = [was, is].map(|side| side.get(&database).unwrap_or(&nothing));
            for bucket in was.unequal_buckets(is, level) {
                let in_it = [was, is].map(|side| side.buckets.get(&bucket).map_or(0, |bucket| bucket.keys));
                keys += in_it[0].max(in_it[1]);
                if keys <= MOST_KEYS {
                    suspects.buckets.insert((database, bucket));
                } else {
                    *suspects.more.entry(database).or_default() += 1;
                }
            }
        }
        suspects
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.more.is_empty()
    }

    /// What is known of their keys in an RDB.
    ///
    /// # Errors
    /// Those of [`Rdb`].
    pub(crate) fn keys(&self, from: impl Read) -> io::Result<Keys> {
        let (mut keys, mut rdb) = (Keys::new(), Rdb::open(from)?);
        while let Some(record) = rdb.next()? {
            if let Record::Key(Key { database, name, expires_ms, value }) = record
                && !is_canary(database, &name)
                && self.buckets.contains(&(database, Keyspace::bucket_of(&name)))
            {
                keys.insert((database, name), Known { expires_ms, value });
            }
        }
        Ok(keys)
    }

    /// Names the keys that differ, in what was observed. A key that was to be gone by `now` may be there or not.
    pub(crate) fn name(&self, observed: &mut BTreeMap<u64, Keyspace>, (was, is): (&Keys, &Keys), now: Timestamp) {
        let mut explained = BTreeSet::new();
        let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
        for key @ (database, name) in names {
            if let Some(statement) = differs(was.get(key), is.get(key), self.level, now) {
                explained.insert((*database, Keyspace::bucket_of(name)));
                observed.entry(*database).or_default().differing.insert(shown(name), statement);
            }
        }
        for (database, _) in self.buckets.difference(&explained) {
            observed.entry(*database).or_default().unnamed += 1;
        }
        for (database, more) in &self.more {
            observed.entry(*database).or_default().unnamed += more;
        }
    }
}

fn differs(was: Option<&Known>, is: Option<&Known>, level: Level, now: Timestamp) -> Option<String> {
    match (was, is) {
        (Some(was), None) if gone(was.expires_ms, now) => None,
        (Some(_), None) => Some("is missing".into()),
        (None, Some(_)) => Some("was not in the backup".into()),
        (Some(was), Some(is)) if level == Level::Content => {
            let value = (was.value != is.value).then(|| values(&was.value, &is.value));
            let expiry = (was.expires_ms != is.expires_ms)
                .then(|| format!("expires {}, was {}", expires(is.expires_ms), expires(was.expires_ms)));
            let all: Vec<String> = value.into_iter().chain(expiry).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        (Some(_), Some(_)) | (None, None) => None,
    }
}

fn values(was: &Value, is: &Value) -> String {
    if was.holds == is.holds { "holds another value".into() } else { format!("is {}, was {}", is.holds, was.holds) }
}

/// Whether a key with this expiry is gone by `now`.
pub(crate) fn gone(expires_ms: Option<i64>, now: Timestamp) -> bool {
    expires_ms.is_some_and(|at| at <= now.as_millisecond())
}

fn expires(at: Option<i64>) -> String {
    let Some(ms) = at else { return "never".into() };
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms after 1970"), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fingerprint;
    use crate::keyspace::ValueType;

    fn known(holds: ValueType, value: &str, expires_ms: Option<i64>) -> Known {
        Known { expires_ms, value: Value { holds, fingerprint: Fingerprint::of([value.as_bytes()]) } }
    }

    #[test]
    fn each_difference_of_a_key_is_put_into_words() {
        let now = Timestamp::from_millisecond(1_000).expect("a time");
        let string = |value, expires| known(ValueType::String, value, expires);
        let plain = string("1", None);
        let (early, late) = (string("1", Some(500)), string("1", Some(86_400_000)));
        let words = |was: Option<&Known>, is: Option<&Known>| differs(was, is, Level::Content, now);
        assert_eq!(words(Some(&plain), Some(&plain)), None);
        assert_eq!(words(Some(&plain), None).as_deref(), Some("is missing"));
        assert_eq!(words(Some(&late), None).as_deref(), Some("is missing"));
        assert_eq!(words(Some(&early), None), None, "its time had come");
        assert_eq!(words(None, Some(&plain)).as_deref(), Some("was not in the backup"));
        assert_eq!(words(Some(&plain), Some(&string("2", None))).as_deref(), Some("holds another value"));
        let hash = known(ValueType::Hash, "1", None);
        assert_eq!(words(Some(&plain), Some(&hash)).as_deref(), Some("is a hash, was a string"));
        assert_eq!(words(Some(&late), Some(&plain)).as_deref(), Some("expires never, was 1970-01-02T00:00:00Z"));
    }
}
