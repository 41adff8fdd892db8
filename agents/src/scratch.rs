//! The joint of scratches: kinds of throw-away place.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::{Context, Environment, Format, Identity, Index, Place, Removal, Result};

/// A kind of throw-away place.
///
/// Contract, which the conformance suite holds every kind to:
/// * `place` creates nothing; `admit` creates nothing and refuses what `provision` would have to refuse: a place that is not
///   empty, a place that is or contains or lies in the source, programs that are missing;
/// * `provision` makes only what `place` named, marks it first, and lets nobody reach it but this host's users;
/// * `release` needs only the place: it stops what runs there and removes what carries the mark of `cx.run`; releasing twice, or
///   what was never made or half made, is success; what carries another mark or none is refused;
/// * a kind that `keeps` has after `rest` and `wake` just what it had before, and nothing runs in between.
#[async_trait]
pub trait Scratch: Send + Sync {
    /// Where the environment of this run will be.
    fn place(&self, cx: &Context) -> Place;

    /// Refuses what can't work or could harm.
    async fn admit(&self, cx: &Context, place: &Place, source: &Identity, format: &Format) -> Result<()>;

    /// Makes the environment that this snapshot is restored into.
    async fn provision(&self, cx: &Context, place: &Place, index: &Index) -> Result<Box<dyn Environment>>;

    /// Whether what was restored is still there after what runs in it was stopped, so that it can be kept for people.
    fn keeps(&self) -> bool {
        false
    }

    /// Stops what runs in the place, and leaves what was restored.
    async fn rest(&self, _cx: &Context, _place: &Place) -> Result<()> {
        Ok(())
    }

    /// Starts again what was stopped. `facts` are those that the environment told.
    async fn wake(&self, _cx: &Context, _place: &Place, _facts: &BTreeMap<String, String>) -> Result<Awake> {
        Ok(Awake::default())
    }

    /// Stops and removes it.
    async fn release(&self, cx: &Context, place: &Place) -> Result<Removal>;
}

/// What runs in a place that was woken. Dropping it stops that.
#[derive(Default)]
pub struct Awake(Option<Box<dyn Send + Sync>>);

impl Awake {
    /// This runs.
    pub(crate) fn running(running: impl Send + Sync + 'static) -> Self {
        Self(Some(Box::new(running)))
    }
}

impl fmt::Debug for Awake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Awake").field(&self.0.is_some()).finish()
    }
}
