//! A throw-away cluster that a snapshot is restored into, and what is in it then.
//!
//! etcd keeps earlier revisions, so the cluster is compared as the source was at the revision that was read. Where something was written
//! since, it is compared as it is now. Leases run out while a drill is under way, and their keys go with them: those are taken from the
//! revision that was restored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use drill_scenarios::{Level, Newest};
use jiff::Timestamp;
use tokio::runtime::Handle;

use crate::etcd::address::Login;
use crate::etcd::canary;
use crate::etcd::connection::Connection;
use crate::etcd::details::Revisions;
use crate::etcd::facts::{self, CLUSTER, LEASE, REVISION, REVISION_AFTER};
use crate::etcd::programs::Programs;
use crate::etcd::server::Server;
use crate::etcd::site::Site;
use crate::stream::on_thread;
use crate::{
    Answer, CanarySeen, Context, Database, Environment, Error, Identity, Index, Kind, OpenReader, Restored, Result,
    restless, tree,
};

/// A place for a cluster, and once a snapshot is restored, the cluster.
#[derive(Debug)]
pub(super) struct EtcdEnvironment {
    identity: Identity,
    programs: Programs,
    site: Site,
    login: Option<Login>,
    cluster: Option<Cluster>,
}

/// A cluster that runs.
#[derive(Debug)]
struct Cluster {
    server: Server,
    /// Leases that were there when it had started, with their definitions.
    leases: BTreeMap<String, String>,
}

impl EtcdEnvironment {
    /// An empty place. It is known by its folder until its server runs.
    pub(super) fn new(programs: Programs, site: Site, login: Option<Login>) -> Result<Self> {
        let data = site.data();
        let identity =
            Identity::of_path("etcd", &data).map_err(|cause| Error::io("looking at", data.display(), cause))?;
        Ok(Self { identity, programs, site, login, cluster: None })
    }

    fn cluster(&self) -> Result<&Cluster> {
        self.cluster.as_ref().ok_or_else(|| Error::new(Kind::Unavailable, "nothing was restored into the scratch"))
    }

    async fn start(&self, cx: &Context, captured: &Database) -> Result<Cluster> {
        let server = Server::start(cx, &self.programs, self.site.clone(), self.login.clone()).await?;
        let mut connection = server.connect().await?;
        if captured.settings.get(CLUSTER).is_some_and(|source| *source == connection.cluster()) {
            return Err(Error::new(Kind::Refused, "the scratch is the source: both have one cluster id"));
        }
        let mut found = facts::surroundings(cx, &mut connection).await?;
        Ok(Cluster { server, leases: found.objects.remove(LEASE).unwrap_or_default() })
    }
}

#[async_trait]
impl Environment for EtcdEnvironment {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn isolation(&self) -> Vec<String> {
        let (sockets, account) = (self.site.sockets.display(), &self.site.account.name);
        vec![
            "The etcd cluster was made for this run, with an id of its own; no other run or service has used it.".into(),
            "It has one member, knows no other, and listens on no network address.".into(),
            format!("Its only sockets are in {sockets}, which none but root and account {account} may enter."),
            format!("It runs as account {account}."),
            if self.site.walled {
                "The server is walled in by bubblewrap, apart from the app: it has no network at all and can write in its own folders only."
            } else {
                "The server is not cut off from the network: it would go to others if members were added to it."
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
        if self.cluster.is_none() {
            return BTreeMap::new();
        }
        let socket = self.site.socket().display().to_string();
        [("ETCDCTL_ENDPOINTS".into(), format!("unix://{socket}")), ("ETCD_SOCKET".into(), socket)].into()
    }

    async fn restore(&mut self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Restored> {
        let snapshot = self.site.snapshot();
        let restored = tree::restore_file(cx, &snapshot, stream).await?;
        let account = &self.site.account;
        std::os::unix::fs::chown(&snapshot, Some(account.uid), Some(account.gid))
            .map_err(|cause| Error::io("handing over", snapshot.display(), cause))?;
        let began = cx.clock.elapsed();
        let cluster = self.start(cx, index.databases.first().unwrap_or(&Database::default())).await;
        cx.timings.loaded(cx.clock.elapsed().saturating_sub(began));
        self.cluster = Some(cluster?);
        Ok(restored)
    }

    async fn observe(&self, cx: &Context, index: &Index, level: Level) -> Result<Index> {
        let cluster = self.cluster()?;
        let captured = index.databases.first().cloned().unwrap_or_default();
        let look = Look {
            cx: cx.clone(),
            connection: cluster.server.connect().await?,
            over: cluster.over(cx, &captured),
            leases: cluster.leases.clone(),
            captured,
            level,
        };
        let database = on_thread(move || Handle::current().block_on(look.observe())).await?;
        Ok(Index { databases: vec![database], ..Index::new(index.format.clone()) })
    }

    async fn newest(
        &self,
        cx: &Context,
        how: Option<&Newest>,
        _: Option<&Index>,
    ) -> Result<Option<(Timestamp, String)>> {
        if how.is_some() {
            return Err(Error::new(Kind::Config, "etcd keeps no times, so nothing can be asked for the newest")
                .hint("Take `newest` away: the recovery point is then measured by the canary."));
        }
        Ok(self.canary(cx).await?.map(|seen| (seen.planted_at, "the canary's own time".into())))
    }

    async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>> {
        canary::find(&mut self.cluster()?.server.connect().await?, &cx.run).await
    }

    async fn ask(&self, _: &Context, _: &str, _: Option<&Path>, _: Answer) -> Result<()> {
        Err(Error::new(Kind::Config, "etcd understands no SQL")
            .hint("Ask it with a `command` probe: `argv: [etcdctl, get, --print-value-only, a/key]`."))
    }
}

impl Cluster {
    /// Leases that may have run out since the server was started.
    fn over(&self, cx: &Context, captured: &Database) -> BTreeSet<String> {
        let since = cx.clock.elapsed().saturating_sub(self.server.started).as_secs();
        let captured = captured.objects.get(LEASE).into_iter().flatten();
        let ran_out = |definition: &str| facts::granted_secs(definition).is_some_and(|granted| granted <= since);
        let over = captured.chain(&self.leases).filter(|(_, definition)| ran_out(definition));
        over.map(|(name, _)| name.clone()).collect()
    }
}

/// Looking into the cluster, on a thread that may block.
struct Look {
    cx: Context,
    connection: Connection,
    captured: Database,
    level: Level,
    over: BTreeSet<String>,
    leases: BTreeMap<String, String>,
}

impl Look {
    async fn observe(mut self) -> Result<Database> {
        let (cx, captured) = (self.cx.clone(), self.captured.clone());
        let revision =
            |name| captured.settings.get(name).and_then(|revision| revision.parse().ok()).unwrap_or_default();
        let [from, to]: [i64; 2] = [REVISION, REVISION_AFTER].map(revision);
        let now = self.connection.revision().await?;
        let mut database = self.surroundings().await?;
        database.settings.insert(REVISION.into(), from.min(now).to_string());
        let revisions = Revisions::between(from, now, &self.over);
        let mut keys = match now {
            _ if (from..=to).contains(&now) => facts::keys(&cx, &mut self.connection, from).await?,
            _ if now < from => facts::keys(&cx, &mut self.connection, now).await?,
            _ => revisions.keys(&cx, &mut self.connection).await?,
        };
        let buckets = match captured.keyspaces.get(&0) {
            Some(was) if now > to => was.unequal_buckets(&keys, self.level),
            _ => Vec::new(),
        };
        if !buckets.is_empty() {
            (keys.differing, keys.unnamed) = revisions.name(&cx, &mut self.connection, &buckets, self.level).await?;
        }
        database.keyspaces = facts::keyspaces(keys);
        restless::observe(&mut database, &captured);
        Ok(database)
    }

    /// What stands beside the keys, with the leases that were restored and ran out.
    async fn surroundings(&mut self) -> Result<Database> {
        let mut found = facts::surroundings(&self.cx, &mut self.connection).await?;
        let over = self.leases.iter().filter(|(name, _)| self.over.contains(*name));
        let over: Vec<_> = over.map(|(name, definition)| (name.clone(), definition.clone())).collect();
        if !over.is_empty() {
            found.objects.entry(LEASE.into()).or_default().extend(over);
        }
        Ok(found)
    }
}
