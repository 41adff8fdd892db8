//! The joint of scratches: kinds of throw-away place.

use async_trait::async_trait;

use crate::{Context, Environment, Format, Identity, Index, Place, Removal, Result};

/// A kind of throw-away place.
///
/// Contract, which the conformance suite holds every kind to:
/// * `place` creates nothing; `admit` creates nothing and refuses what `provision` would have to refuse: a place that is not
///   empty, a place that is or contains or lies in the source, programs that are missing;
/// * `provision` makes only what `place` named, marks it first, and lets nobody reach it but this host's users;
/// * `release` needs only the place: it stops what runs there and removes what carries the mark of `cx.run`; releasing twice, or
///   what was never made or half made, is success; what carries another mark or none is refused.
#[async_trait]
pub trait Scratch: Send + Sync {
    /// Where the environment of this run will be.
    fn place(&self, cx: &Context) -> Place;

    /// Refuses what can't work or could harm.
    async fn admit(&self, cx: &Context, place: &Place, source: &Identity, format: &Format) -> Result<()>;

    /// Makes the environment that this snapshot is restored into.
    async fn provision(&self, cx: &Context, place: &Place, index: &Index) -> Result<Box<dyn Environment>>;

    /// Stops and removes it.
    async fn release(&self, cx: &Context, place: &Place) -> Result<Removal>;
}
