//! Objects in storage as a source.

use std::sync::Arc;

use async_trait::async_trait;

use crate::cancel::unless_stopped;
use crate::mark::Removal;
use crate::objects::{self, Objects};
use crate::{
    Canary, Captured, Context, Error, Estimate, Identity, Kind, Result, SealWriter, Secrets, Source, Vault,
    Whereabouts, tree,
};

/// Objects in storage as a source.
#[derive(Debug, Clone)]
pub(crate) struct ObjectsSource {
    objects: Objects,
}

impl ObjectsSource {
    /// The objects that the scenario names. Nothing is reached yet.
    ///
    /// # Errors
    /// [`Kind::Config`] for an address or globs that can't be, and for a folder.
    pub(crate) fn open(source: &drill_scenarios::ObjectsSource, secrets: &Arc<Secrets>) -> Result<Self> {
        let place = Vault::open(&source.place, secrets)?;
        if place.folder().is_some() {
            return Err(Error::new(Kind::Config, "a folder holds files, not objects")
                .hint("Write `source: {directory: {path: …}}`: it takes modes, owners, links and attributes too."));
        }
        Ok(Self { objects: Objects { place, exclude: tree::Exclusions::new(&source.exclude)? } })
    }

    /// The place under the limits of this run.
    fn place(&self, cx: &Context) -> Vault {
        self.objects.place.as_source(cx)
    }
}

#[async_trait]
impl Source for ObjectsSource {
    /// A store tells no more of itself than where it is.
    async fn identity(&self, _cx: &Context) -> Result<Identity> {
        Ok(Identity::new("objects", [("location", self.objects.place.location().to_owned())]))
    }

    async fn admit_vault(&self, vault: &Vault) -> Result<()> {
        match self.objects.place.below(vault).await {
            Some(inside) if !self.objects.exclude.leaves_out(&inside) => {
                let message =
                    format!("{} lies in the source: every backup would hold all that came before", vault.location());
                Err(Error::new(Kind::Refused, message)
                    .hint("Put the vault elsewhere, best with another provider, or leave it out with `exclude`."))
            }
            _ => Ok(()),
        }
    }

    async fn whereabouts(&self) -> Whereabouts {
        Whereabouts { addresses: self.objects.place.addresses().await.into_iter().collect(), ..Whereabouts::default() }
    }

    async fn estimate(&self, cx: &Context) -> Result<Estimate> {
        unless_stopped(cx, objects::survey(cx, &self.objects)).await
    }

    async fn plant(&self, cx: &Context, canary: &Canary) -> Result<()> {
        objects::plant(&self.place(cx), canary).await
    }

    async fn unplant(&self, cx: &Context, run: &str) -> Result<Removal> {
        objects::unplant(&self.place(cx), run).await
    }

    async fn capture(&self, cx: &Context, out: &mut SealWriter) -> Result<Captured> {
        unless_stopped(cx, objects::capture(cx, &self.objects, out)).await
    }
}
