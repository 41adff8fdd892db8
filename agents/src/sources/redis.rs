//! A Redis server, taken as the RDB that it sends to a replica. What is in it is read from that RDB as it passes.

use std::io::{BufReader, Read};
use std::sync::Arc;

use async_trait::async_trait;

use crate::mark::Removal;
use crate::redis::address::Address;
use crate::redis::connection::Connection;
use crate::redis::facts::{self, Facts};
use crate::redis::info::Info;
use crate::redis::{canary, replication};
use crate::stream::on_thread;
use crate::{
    Canary, Captured, Context, Estimate, Format, Identity, Index, Result, SealWriter, Secrets, Source, Whereabouts,
};

const BUFFER: usize = 256 << 10;

/// A Redis server.
#[derive(Debug)]
pub(crate) struct RedisSource {
    address: Address,
}

impl RedisSource {
    /// The server that the scenario names. Connects to nothing yet.
    ///
    /// # Errors
    /// [`crate::Kind::Config`] for a URL that is malformed or holds a password, or a secret that isn't there.
    pub(crate) fn open(source: &drill_scenarios::RedisSource, secrets: &Arc<Secrets>) -> Result<Self> {
        Ok(Self { address: Address::of(source, secrets)? })
    }

    /// Asks the server something on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        cx: &Context,
        ask: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (address, cancel) = (self.address.clone(), cx.cancel.clone());
        on_thread(move || ask(&mut Connection::open(&address, &cancel)?)).await
    }
}

#[async_trait]
impl Source for RedisSource {
    async fn identity(&self, cx: &Context) -> Result<Identity> {
        self.ask(cx, Info::ask).await.map(|info| info.identity())
    }

    async fn whereabouts(&self) -> Whereabouts {
        self.address.whereabouts().await
    }

    /// An RDB is smaller than the memory that the same data takes.
    async fn estimate(&self, cx: &Context) -> Result<Estimate> {
        let info = self.ask(cx, Info::ask).await?;
        let bytes = info.data_bytes();
        Ok(Estimate { stream_bytes: bytes, restored_bytes: bytes, items: info.keys() })
    }

    async fn plant(&self, cx: &Context, canary: &Canary) -> Result<()> {
        let canary = canary.clone();
        self.ask(cx, move |connection| canary::plant(connection, &canary)).await
    }

    async fn unplant(&self, cx: &Context, run: &str) -> Result<Removal> {
        let run = run.to_owned();
        self.ask(cx, move |connection| canary::unplant(connection, &run)).await
    }

    async fn capture(&self, cx: &Context, out: &mut SealWriter) -> Result<Captured> {
        let (address, cx) = (self.address.clone(), cx.clone());
        out.on_thread(&cx.limits.clone(), move |out| capture(&cx, &address, out)).await
    }
}

fn capture(cx: &Context, address: &Address, out: &mut SealWriter) -> Result<Captured> {
    let mut connection = Connection::open(address, &cx.cancel)?;
    let info = Info::ask(&mut connection)?;
    let asked_at = cx.clock.now();
    let passing = Passing { from: replication::rdb(connection)?, out, cx };
    let read = Facts::read(BufReader::with_capacity(BUFFER, passing), |_| true);
    let facts = read.map_err(|cause| replication::unreadable("the RDB that the server sends", cause))?;
    // The server may hand out an RDB that it began to make for another replica before.
    let taken_at = facts.made_at().map_or(asked_at, |made_at| made_at.min(asked_at));
    let mut database = facts.database(info.version());
    database.settings.insert(facts::RUN_ID.into(), info.run_id().into());
    let index = Index { databases: vec![database], ..Index::new(Format::Rdb) };
    Ok(Captured { index, taken_at, newest_at: None, notes: Vec::new() })
}

/// Hands on to the seal what is read.
struct Passing<'a, R> {
    from: R,
    out: &'a mut SealWriter,
    cx: &'a Context,
}

impl<R: Read> Read for Passing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.out.write_blocking(&buffer[..count]).map_err(std::io::Error::other)?;
        self.cx.progress.add(count as u64);
        Ok(count)
    }
}
