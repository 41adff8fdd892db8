//! A throw-away etcd cluster: a new one of one member a run, in a folder of its own, reachable through a unix socket only.

mod restored;

use std::path::PathBuf;

use async_trait::async_trait;

use self::restored::EtcdEnvironment;
use crate::etcd::address::Login;
use crate::etcd::programs::Programs;
use crate::etcd::server;
use crate::etcd::site::{self, Site};
use crate::mark::require_empty;
use crate::{Context, Environment, Error, Format, Identity, Index, Kind, Mark, Place, Removal, Result, Scratch};

/// A kind of throw-away etcd cluster.
#[derive(Debug, Clone)]
pub(crate) struct EtcdScratch(drill_scenarios::EtcdScratch);

impl EtcdScratch {
    /// The kind that the scenario describes.
    pub(crate) fn open(scratch: &drill_scenarios::EtcdScratch) -> Self {
        Self(scratch.clone())
    }

    fn bin(&self) -> Option<&PathBuf> {
        self.0.bin.as_ref()
    }
}

#[async_trait]
impl Scratch for EtcdScratch {
    fn place(&self, cx: &Context) -> Place {
        Place::of_server(self.0.path.as_deref(), cx, site::account())
    }

    async fn admit(&self, cx: &Context, place: &Place, source: &Identity, format: &Format) -> Result<()> {
        if *format != Format::EtcdSnapshot {
            return Err(
                Error::new(Kind::Config, "an etcd scratch takes backups of etcd only").hint("Use an `etcd` source.")
            );
        }
        let version = source.values.get("version").map_or("", String::as_str);
        Programs::find(cx, self.bin().map(PathBuf::as_path), version).await?;
        Login::of_scratch(&self.0, &cx.secrets)?;
        for folder in place.also.iter().chain([&place.folder]) {
            require_empty(folder)?;
        }
        site::account()?.must_reach(&place.folder)
    }

    async fn provision(&self, cx: &Context, place: &Place, index: &Index) -> Result<Box<dyn Environment>> {
        let version = index.databases.first().map_or("", |database| &database.version);
        let programs = Programs::find(cx, self.bin().map(PathBuf::as_path), version).await?;
        let login = Login::of_scratch(&self.0, &cx.secrets)?;
        Ok(Box::new(EtcdEnvironment::new(programs, Site::make(cx, place)?, login)?))
    }

    async fn release(&self, cx: &Context, place: &Place) -> Result<Removal> {
        let (mark, sockets) = (Mark::of(&cx.run), place.sockets());
        if mark.is_on(&sockets) {
            server::stop(&sockets).await?;
        }
        place.remove(&cx.run)
    }
}
