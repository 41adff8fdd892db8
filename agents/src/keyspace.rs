//! What is known about the keys of one database of a key-value store, in a size that doesn't grow with their number.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use aws_lc_rs::digest;
use drill_scenarios::Level;
use serde::{Deserialize, Serialize};

use crate::{Fingerprint, PathText};

/// The keys of one database, dealt out to buckets by their names. Of each bucket it is known how many keys are in it and what is in
/// them; a name is known only of a key that was found to differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyspace {
    /// How many keys there are of each type.
    pub types: BTreeMap<ValueType, u64>,
    /// How many of them expire.
    pub expiring: u64,
    /// What is in each bucket that isn't empty.
    pub buckets: BTreeMap<u16, Bucket>,
    /// Keys that are not what they were, by name, with what differs; only where it was observed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub differing: BTreeMap<String, String>,
    /// Buckets that differ without a key of theirs being named.
    #[serde(default)]
    pub unnamed: u64,
}

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// A string of bytes.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    SortedSet,
    /// A hash.
    Hash,
    /// A stream, with its consumer groups.
    Stream,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "a string",
            Self::List => "a list",
            Self::Set => "a set",
            Self::SortedSet => "a sorted set",
            Self::Hash => "a hash",
            Self::Stream => "a stream",
        })
    }
}

/// What is in one bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Number of keys.
    pub keys: u64,
    /// Sum of the fingerprints of the keys.
    pub fingerprint: Fingerprint,
}

impl Keyspace {
    /// Buckets that names are dealt out to. With a million keys there are 244 in each.
    pub(crate) const BUCKETS: u16 = 4096;

    /// How many keys there are.
    pub fn keys(&self) -> u64 {
        self.types.values().sum()
    }

    /// The bucket that a key of this name is in.
    pub(crate) fn bucket_of(name: &[u8]) -> u16 {
        let digest = digest::digest(&digest::SHA256, name);
        u16::from_be_bytes([digest.as_ref()[0], digest.as_ref()[1]]) % Self::BUCKETS
    }

    /// Counts one more key.
    pub(crate) fn add(&mut self, bucket: u16, value: ValueType, expires: bool, fingerprint: Fingerprint) {
        *self.types.entry(value).or_default() += 1;
        self.expiring += u64::from(expires);
        let bucket = self.buckets.entry(bucket).or_default();
        bucket.keys += 1;
        bucket.fingerprint.add(fingerprint);
    }

    /// Buckets that don't hold the same on both sides, or not as many keys.
    pub(crate) fn unequal_buckets(&self, other: &Self, level: Level) -> Vec<u16> {
        let all = self.buckets.keys().chain(other.buckets.keys().filter(|at| !self.buckets.contains_key(at)));
        let unequal = |at: &&u16| {
            let [was, is] = [self, other].map(|side| side.buckets.get(at).copied().unwrap_or_default());
            was.keys != is.keys || level == Level::Content && was.fingerprint != is.fingerprint
        };
        let mut unequal: Vec<u16> = all.filter(unequal).copied().collect();
        unequal.sort_unstable();
        unequal
    }

    /// What differs in `observed`: for each differing key that is known its name and a statement, and for the rest one statement under
    /// no name.
    pub(crate) fn differences(&self, observed: &Self, level: Level) -> Vec<(Option<String>, String)> {
        let unequal = self.unequal_buckets(observed, level).len() as u64;
        let named = observed.differing.iter().map(|(name, statement)| (Some(name.clone()), statement.clone()));
        let mut found: Vec<_> = named.collect();
        let unnamed = if found.is_empty() { unequal } else { observed.unnamed };
        if unnamed > 0 {
            let more = if found.is_empty() { "" } else { " more" };
            let [is, was] = [observed.keys(), self.keys()];
            let groups = self.buckets.len().max(observed.buckets.len());
            found.push((None, format!("{is} keys, were {was}; {unnamed}{more} of {groups} groups of keys differ")));
        }
        found
    }
}

/// A key's name without loss: bytes that are no printable text are written as paths are.
pub(crate) fn shown(name: &[u8]) -> String {
    PathText::new(OsStr::from_bytes(name)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyspace(keys: &[(&str, &str)]) -> Keyspace {
        let mut keyspace = Keyspace::default();
        for (name, value) in keys {
            let fingerprint = Fingerprint::of([name.as_bytes(), value.as_bytes()]);
            keyspace.add(Keyspace::bucket_of(name.as_bytes()), ValueType::String, false, fingerprint);
        }
        keyspace
    }

    #[test]
    fn the_same_keys_in_another_order_are_the_same_and_any_other_are_not() {
        let keys = keyspace(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(keys.differences(&keyspace(&[("c", "3"), ("a", "1"), ("b", "2")]), Level::Content), []);
        for other in [
            &[("a", "1"), ("b", "2")][..],
            &[("a", "1"), ("b", "2"), ("c", "4")],
            &[("a", "2"), ("b", "1"), ("c", "3")],
        ] {
            assert!(!keys.differences(&keyspace(other), Level::Content).is_empty(), "{other:?}");
        }
        let value_changed = keyspace(&[("a", "1"), ("b", "2"), ("c", "4")]);
        assert_eq!(keys.differences(&value_changed, Level::Count), [], "counting looks at names and numbers only");
    }

    #[test]
    fn what_differs_is_told_even_where_no_key_can_be_named() {
        let (was, mut is) = (keyspace(&[("a", "1"), ("b", "2")]), keyspace(&[("a", "1")]));
        let unnamed = (None, "1 keys, were 2; 1 of 2 groups of keys differ".to_owned());
        assert_eq!(was.differences(&is, Level::Content), [unnamed]);
        is.differing.insert("b".into(), "is missing".into());
        assert_eq!(was.differences(&is, Level::Content), [(Some("b".to_owned()), "is missing".to_owned())]);
    }
}
