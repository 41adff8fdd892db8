//! A throw-away server that an RDB is loaded into, and what is in it then: the server is asked for an RDB of its own, which is read like
//! that of the source.
//!
//! Keys expire while a drill is under way. A server forgets those whose time has come, so they are taken from the RDB that was restored;
//! all others must be there. The same RDB tells which keys there were where one differs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use drill_scenarios::{Level, Newest};
use jiff::Timestamp;

use crate::redis::address::Address;
use crate::redis::connection::Connection;
use crate::redis::details::{Suspects, gone};
use crate::redis::facts::{self, Facts, RUN_ID};
use crate::redis::program::ServerProgram;
use crate::redis::replication::unreadable;
use crate::redis::server::Server;
use crate::redis::site::Site;
use crate::redis::{canary, replication};
use crate::stream::on_thread;
use crate::{
    Answer, CanarySeen, Context, Database, Environment, Error, Identity, Index, Kind, OpenReader, Progress, Restored,
    Result, tree,
};

const BUFFER: usize = 256 << 10;
/// Whose RDB is read, for messages.
const RESTORED: &str = "the RDB that was restored";
const SCRATCH: &str = "the RDB of the scratch server";

/// A place for a server, and once an RDB is restored, the server.
#[derive(Debug)]
pub(super) struct RedisEnvironment {
    identity: Identity,
    program: ServerProgram,
    site: Site,
    server: Option<Server>,
}

impl RedisEnvironment {
    /// An empty place. It is known by its folder until its server runs.
    pub(super) fn new(program: ServerProgram, site: Site) -> Result<Self> {
        let data = site.data();
        let identity =
            Identity::of_path("redis", &data).map_err(|cause| Error::io("looking at", data.display(), cause))?;
        Ok(Self { identity, program, site, server: None })
    }

    fn server(&self) -> Result<&Server> {
        self.server.as_ref().ok_or_else(|| Error::new(Kind::Unavailable, "nothing was restored into the scratch"))
    }

    async fn load(&self, cx: &Context, captured: &Database) -> Result<Server> {
        let highest = captured.keyspaces.keys().max().copied();
        let server = Server::start(cx, self.program.clone(), self.site.clone(), highest).await?;
        if captured.settings.get(RUN_ID).is_some_and(|source| *source == server.run_id) {
            return Err(Error::new(Kind::Refused, "the scratch is the source: both have one run id"));
        }
        Ok(server)
    }
}

#[async_trait]
impl Environment for RedisEnvironment {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn isolation(&self) -> Vec<String> {
        let (sockets, account) = (self.site.sockets.display(), &self.site.account.name);
        vec![
            "The Redis server was made for this run; no other run or service has used it.".into(),
            "It listens on no network address.".into(),
            format!("Its only socket is in {sockets}, which none but root and account {account} may enter."),
            format!("It runs as account {account}."),
            "It reads no setting of the source, replicates from nobody and writes nothing down.".into(),
            if self.site.walled {
                "The server is walled in by bubblewrap, apart from the app: it has no network at all and can write in its own folders only."
            } else {
                "The server is not cut off from the network: it would go to others if it were told to (REPLICAOF, MIGRATE)."
            }
            .into(),
        ]
    }

    fn root(&self) -> &Path {
        &self.site.folder
    }

    fn folders(&self) -> Vec<PathBuf> {
        vec![self.site.folder.clone(), self.site.sockets.clone()]
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let Ok(server) = self.server() else { return BTreeMap::new() };
        let socket = server.socket().display().to_string();
        [("REDIS_URL".into(), format!("unix://{socket}")), ("REDIS_SOCKET".into(), socket)].into()
    }

    async fn restore(&mut self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Restored> {
        let rdb = self.site.rdb();
        let restored = tree::restore_file(cx, &rdb, stream).await?;
        let account = &self.site.account;
        std::os::unix::fs::chown(&rdb, Some(account.uid), Some(account.gid))
            .map_err(|cause| Error::io("handing over", rdb.display(), cause))?;
        let began = cx.clock.elapsed();
        let loaded = self.load(cx, index.databases.first().unwrap_or(&Database::default())).await;
        cx.timings.loaded(cx.clock.elapsed().saturating_sub(began));
        self.server = Some(loaded?);
        Ok(restored)
    }

    async fn observe(&self, cx: &Context, index: &Index, level: Level) -> Result<Index> {
        let server = self.server()?;
        let look = Look { cx: cx.clone(), address: server.address(), rdb: server.rdb() };
        let captured = index.databases.first().cloned().unwrap_or_default();
        let version = server.program.version().to_owned();
        let database = on_thread(move || look.observe(&captured, level, version)).await?;
        Ok(Index { databases: vec![database], ..Index::new(index.format.clone()) })
    }

    async fn newest(
        &self,
        _: &Context,
        how: Option<&Newest>,
        _: Option<&Index>,
    ) -> Result<Option<(Timestamp, String)>> {
        if how.is_some() {
            return Err(Error::new(Kind::Config, "Redis keeps no times, so nothing can be asked for the newest")
                .hint("Take `newest` away: the recovery point is then the time at which the source made the RDB."));
        }
        let rdb = self.server()?.rdb();
        let made_at =
            on_thread(move || open(&rdb).and_then(|file| facts::made_at(file).map_err(|e| unreadable(RESTORED, e))));
        Ok(made_at.await?.map(|made_at| (made_at, "the time at which the source made the RDB".into())))
    }

    async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>> {
        let run = cx.run.clone();
        self.server()?.ask(cx, move |connection| canary::find(connection, &run)).await
    }

    async fn ask(&self, _: &Context, _: &str, _: Option<&Path>, _: Answer) -> Result<()> {
        Err(Error::new(Kind::Config, "Redis understands no SQL")
            .hint("Ask it with a `command` probe: `argv: [redis-cli, -s, \"${REDIS_SOCKET}\", dbsize]`."))
    }
}

/// Looking into the server, on a thread that may block.
struct Look {
    cx: Context,
    address: Address,
    /// The RDB that was restored.
    rdb: PathBuf,
}

impl Look {
    fn observe(&self, captured: &Database, level: Level, version: String) -> Result<Database> {
        let (rdb, now) = self.served()?;
        let mut facts =
            Facts::read(rdb, |key| !gone(key.expires_ms, now)).map_err(|cause| unreadable(SCRATCH, cause))?;
        if captured.keyspaces.values().any(|keyspace| keyspace.expiring > 0) {
            let added = facts.add_keys(open(&self.rdb)?, |key| gone(key.expires_ms, now));
            added.map_err(|cause| unreadable(RESTORED, cause))?;
        }
        let suspects = Suspects::among(&captured.keyspaces, &facts.keyspaces, level);
        if !suspects.is_empty() {
            let (rdb, now) = self.served()?;
            let is = suspects.keys(rdb).map_err(|cause| unreadable(SCRATCH, cause))?;
            let was = suspects.keys(open(&self.rdb)?).map_err(|cause| unreadable(RESTORED, cause))?;
            suspects.name(&mut facts.keyspaces, (&was, &is), now);
        }
        Ok(facts.database(version))
    }

    /// What is in the server now, and an instant by which that was fixed: what expires later must be in it.
    fn served(&self) -> Result<(impl Read, Timestamp)> {
        let rdb = replication::rdb(Connection::open(&self.address, &self.cx.cancel)?)?;
        let counted = Counted { from: rdb, progress: self.cx.progress.clone() };
        Ok((BufReader::with_capacity(BUFFER, counted), self.cx.clock.now()))
    }
}

/// Counts what is read.
struct Counted<R> {
    from: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.progress.add(count as u64);
        Ok(count)
    }
}

fn open(rdb: &Path) -> Result<impl Read> {
    let file = File::open(rdb).map_err(|cause| Error::io("opening", rdb.display(), cause))?;
    Ok(BufReader::with_capacity(BUFFER, file))
}
