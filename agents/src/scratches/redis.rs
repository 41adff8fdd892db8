//! A throw-away Redis server: a new one a run, in a folder of its own, reachable through a unix socket only.

mod restored;

use std::path::PathBuf;

use async_trait::async_trait;

use self::restored::RedisEnvironment;
use crate::mark::require_empty;
use crate::redis::program::ServerProgram;
use crate::redis::server;
use crate::redis::site::{self, Site};
use crate::{Context, Environment, Error, Format, Identity, Index, Kind, Mark, Place, Removal, Result, Scratch};

/// A kind of throw-away Redis server.
#[derive(Debug, Clone)]
pub(crate) struct RedisScratch {
    program: Option<PathBuf>,
    path: Option<PathBuf>,
}

impl RedisScratch {
    /// The kind that the scenario describes.
    pub(crate) fn open(scratch: &drill_scenarios::RedisScratch) -> Self {
        let drill_scenarios::RedisScratch { program, path } = scratch.clone();
        Self { program, path }
    }
}

#[async_trait]
impl Scratch for RedisScratch {
    fn place(&self, cx: &Context) -> Place {
        Place::of_server(self.path.as_deref(), cx, site::account())
    }

    async fn admit(&self, cx: &Context, place: &Place, source: &Identity, format: &Format) -> Result<()> {
        if *format != Format::Rdb {
            return Err(
                Error::new(Kind::Config, "a Redis scratch takes backups of Redis only").hint("Use a `redis` source.")
            );
        }
        let version = source.values.get("version").map_or("", String::as_str);
        ServerProgram::find(cx, self.program.as_deref(), version).await?;
        for folder in place.also.iter().chain([&place.folder]) {
            require_empty(folder)?;
        }
        site::account()?.must_reach(&place.folder)
    }

    async fn provision(&self, cx: &Context, place: &Place, index: &Index) -> Result<Box<dyn Environment>> {
        let captured = index.databases.first();
        let version = captured.map_or("", |database| &database.version);
        let program = ServerProgram::find(cx, self.program.as_deref(), version).await?;
        enough_memory(captured.and_then(|database| database.memory_bytes).unwrap_or_default())?;
        Ok(Box::new(RedisEnvironment::new(program, Site::make(cx, place)?)?))
    }

    async fn release(&self, cx: &Context, place: &Place) -> Result<Removal> {
        if Mark::of(&cx.run).is_on(&place.folder) {
            server::stop(&site::data(&place.folder)).await?;
        }
        place.remove(&cx.run)
    }
}

/// Everything that is restored is in memory, on a host that others need too.
fn enough_memory(needed: u64) -> Result<()> {
    let told = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = told.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse().ok());
    let Some(free) = kib.map(|kib: u64| kib.saturating_mul(1024)) else { return Ok(()) };
    if needed <= free {
        return Ok(());
    }
    let [needed, free] = [needed, free].map(|bytes| bytes >> 20);
    Err(Error::new(Kind::Exhausted, format!("the data takes {needed} MiB of memory and this host has {free} MiB free"))
        .hint("Drill it on a host with more memory."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_this_host_has_no_memory_for_is_refused() {
        enough_memory(1 << 20).expect("a mebibyte");
        let error = enough_memory(u64::MAX).expect_err("more than there is");
        assert_eq!(error.kind(), Kind::Exhausted);
        assert!(error.to_string().contains("MiB free"), "{error}");
    }
}
