//! What is in a cluster now beside what was restored into it. etcd keeps earlier revisions, so both can be read, side by side in the order
//! of their names: what differs is named, and what went because its lease ran out counts as being there.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use drill_scenarios::Level;

use super::connection::Connection;
use super::facts::{add, lease_name};
use super::message::KeyValue;
use super::pages::Pages;
use crate::keyspace::{Keyspace, shown};
use crate::{Context, Result};

/// Keys that are named, at most.
const MOST_NAMED: usize = 10_000;

/// Two revisions of a cluster that are gone through side by side.
#[derive(Debug)]
pub(crate) struct Revisions<'a> {
    was: i64,
    is: i64,
    /// Leases that may have run out in between.
    over: &'a BTreeSet<String>,
}

/// Keys that differ by name, with what differs, and how many buckets differ without all of their keys being named.
pub(crate) type Named = (BTreeMap<String, String>, u64);

impl<'a> Revisions<'a> {
    /// What was restored, and what is there now.
    pub(crate) fn between(was: i64, is: i64, over: &'a BTreeSet<String>) -> Self {
        Self { was, is, over }
    }

    /// What is there now, with what went by itself.
    ///
    /// # Errors
    /// Those of [`Connection::ask`].
    pub(crate) async fn keys(&self, cx: &Context, connection: &mut Connection) -> Result<Keyspace> {
        let (mut keyspace, mut pairs) = (Keyspace::default(), self.pairs());
        while let Some((was, is)) = pairs.next(cx, connection).await? {
            if let Some(counts) = is.or(was.filter(|was| self.went(was))) {
                add(&mut keyspace, &counts);
            }
        }
        Ok(keyspace)
    }

    /// Names what differs in these buckets.
    ///
    /// # Errors
    /// Those of [`Connection::ask`].
    pub(crate) async fn name(
        &self,
        cx: &Context,
        connection: &mut Connection,
        buckets: &[u16],
        level: Level,
    ) -> Result<Named> {
        let (mut named, mut explained, mut pairs) = (BTreeMap::new(), BTreeSet::new(), self.pairs());
        while let Some((was, is)) = pairs.next(cx, connection).await? {
            let Some(key) = was.as_ref().or(is.as_ref()).map(|key| key.key.0.clone()) else { continue };
            let bucket = Keyspace::bucket_of(&key);
            if buckets.binary_search(&bucket).is_err() {
                continue;
            }
            match self.differs(was.as_ref(), is.as_ref(), level) {
                None => {}
                Some(_) if named.len() == MOST_NAMED => drop(explained.remove(&bucket)),
                Some(statement) => {
                    explained.insert(bucket);
                    named.insert(shown(&key), statement);
                }
            }
        }
        Ok((named, (buckets.len() - explained.len()) as u64))
    }

    fn differs(&self, was: Option<&KeyValue>, is: Option<&KeyValue>, level: Level) -> Option<String> {
        match (was, is) {
            (Some(was), None) if self.went(was) => None,
            (Some(_), None) => Some("is missing".into()),
            (None, Some(_)) => Some("was not in the backup".into()),
            (Some(was), Some(is)) if level == Level::Content => changed(was, is),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// Whether a key that is no more there went with its lease.
    fn went(&self, was: &KeyValue) -> bool {
        was.lease != 0 && self.over.contains(&lease_name(was.lease))
    }

    fn pairs(&self) -> Pairs {
        Pairs { was: Pages::at(self.was), is: Pages::at(self.is) }
    }
}

fn changed(was: &KeyValue, is: &KeyValue) -> Option<String> {
    let lease = |key: &KeyValue| if key.lease == 0 { "none".into() } else { lease_name(key.lease) };
    let value = (was.value != is.value).then(|| "holds another value".to_owned());
    let lease = (was.lease != is.lease).then(|| format!("lease {}, was {}", lease(is), lease(was)));
    let all: Vec<String> = value.into_iter().chain(lease).collect();
    match () {
        () if !all.is_empty() => Some(all.join("; ")),
        () if was != is => Some(format!("was written at revision {}, was {}", is.mod_revision, was.mod_revision)),
        () => None,
    }
}

/// Keys of two revisions, by name.
struct Pairs {
    was: Pages,
    is: Pages,
}

impl Pairs {
    async fn next(
        &mut self,
        cx: &Context,
        connection: &mut Connection,
    ) -> Result<Option<(Option<KeyValue>, Option<KeyValue>)>> {
        let was = self.was.peek(cx, connection).await?.map(|key| &key.key);
        let is = self.is.peek(cx, connection).await?.map(|key| &key.key);
        let order = match (was, is) {
            (None, None) => return Ok(None),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(was), Some(is)) => was.cmp(is),
        };
        let was = if order.is_le() { self.was.take() } else { None };
        let is = if order.is_ge() { self.is.take() } else { None };
        Ok(Some((was, is)))
    }
}
