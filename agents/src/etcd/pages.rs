//! The keys of a cluster as they were at one revision, in the order of their names, some at a time.
//!
//! The member answers by itself, without asking the others: what was at a revision doesn't change, and so the leader is left alone.

use std::collections::VecDeque;

use super::canary::is_canary;
use super::connection::Connection;
use super::message::{Bytes, Found, KeyValue, Range};
use crate::{Context, Kind, Result};

/// Bytes that a page should have, and keys that it has at most and at first.
const PAGE_BYTES: usize = 1 << 20;
const MOST_KEYS: u64 = 256;
const FIRST_KEYS: u64 = 16;

/// Keys at one revision, without canaries.
#[derive(Debug)]
pub(super) struct Pages {
    revision: i64,
    /// Where the next page begins.
    from: Option<Bytes>,
    limit: u64,
    page: VecDeque<KeyValue>,
}

impl Pages {
    /// All keys at this revision.
    pub(super) fn at(revision: i64) -> Self {
        Self { revision, from: Some(Bytes(vec![0])), limit: FIRST_KEYS, page: VecDeque::new() }
    }

    /// The next key, without taking it.
    ///
    /// # Errors
    /// Those of [`Connection::ask`].
    pub(super) async fn peek(&mut self, cx: &Context, connection: &mut Connection) -> Result<Option<&KeyValue>> {
        while self.page.is_empty() && self.from.is_some() {
            self.turn(cx, connection).await?;
        }
        Ok(self.page.front())
    }

    /// Takes the key that was looked at.
    pub(super) fn take(&mut self) -> Option<KeyValue> {
        self.page.pop_front()
    }

    /// Reads the next page. Keys that lie side by side are mostly of one size, so it tells how many the one after should have.
    async fn turn(&mut self, cx: &Context, connection: &mut Connection) -> Result<()> {
        let Some(key) = self.from.take() else { return Ok(()) };
        let Found { kvs, more, .. } = loop {
            cx.go_on()?;
            match connection.ask("kv/range", &self.range(key.clone())).await {
                Err(error) if error.kind() == Kind::Exhausted && self.limit > 1 => self.limit = (self.limit / 8).max(1),
                answer => break answer?,
            }
        };
        let bytes: usize = kvs.iter().map(|key| key.key.0.len() + key.value.0.len()).sum();
        let each = bytes / kvs.len().max(1) + 1;
        self.limit = u64::try_from(PAGE_BYTES / each).unwrap_or(MOST_KEYS).clamp(1, MOST_KEYS);
        // The smallest name behind the last one.
        let behind = |key: &KeyValue| Bytes([&key.key.0[..], &[0]].concat());
        self.from = kvs.last().filter(|_| more).map(behind);
        self.page = kvs.into_iter().filter(|key| !is_canary(&key.key.0)).collect();
        if let Some(pace) = &cx.limits.source {
            pace.pass(bytes).await;
        }
        Ok(())
    }

    /// A page's worth of keys from this one on.
    fn range(&self, key: Bytes) -> Range {
        let Self { limit, revision, .. } = *self;
        Range { key, range_end: Some(Bytes(vec![0])), limit, revision, serializable: true, count_only: false }
    }
}
