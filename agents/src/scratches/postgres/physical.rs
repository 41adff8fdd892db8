//! A throw-away cluster that is made of a physical backup: its files are unpacked and held against their manifest, all that ties it to
//! the source is taken away, and its server recovers to the end of the WAL that is with them.
//!
//! By nature it has the system identifier of the source. That it isn't the source is known otherwise: its folder is new, nothing in it
//! leads out of it, its server is told every folder and file on its command line, and must prove to be what answers there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drill_scenarios::{Level, Newest};
use jiff::Timestamp;

use super::UNSAFE;
use super::server::{Server, isolation, network};
use crate::cancel::unless_stopped;
use crate::postgres::cluster::{Cluster, SUPERUSER};
use crate::postgres::copied;
use crate::postgres::facts;
use crate::postgres::site::Site;
use crate::restless;
use crate::tree::Written;
use crate::{
    CanarySeen, Context, Database, Entry, Environment, Error, Identity, Index, Kind, Note, OpenReader, Restored,
    Result, Rows, differences, tree,
};

/// How long recovery may take; the stage's own deadline is shorter.
const RECOVERY: Duration = Duration::from_secs(7 * 24 * 3600);
/// Damaged files that an error names.
const NAMED: usize = 3;

/// A place for a copied cluster, and once it is restored, its server.
#[derive(Debug)]
pub(super) struct PhysicalEnvironment {
    root: PathBuf,
    sockets: PathBuf,
    identity: Identity,
    isolation: Vec<String>,
    settings: BTreeMap<String, String>,
    jobs: usize,
    /// The cluster's files as they came back, before its server changed them.
    entries: Vec<Entry>,
    stands: Stands,
}

/// How far it is.
#[derive(Debug)]
enum Stands {
    Empty(Site),
    Running(Box<Server>),
    Failed,
}

impl PhysicalEnvironment {
    /// An empty place.
    pub(super) fn new(site: Site, settings: BTreeMap<String, String>, jobs: usize) -> Result<Self> {
        let data = site.data();
        let folder =
            Identity::of_path("postgres", &data).map_err(|cause| Error::io("looking at", data.display(), cause))?;
        let mut isolation = isolation(&site.sockets, &site.account.name);
        isolation.push(
            "It reads no setting of the source: it archives nothing, replicates from nobody and loads no library."
                .into(),
        );
        isolation.push(format!(
            "Roles of the source are there, and whoever may enter the folder of the socket is any of them. {}",
            network(site.walled)
        ));
        let (root, sockets) = (site.folder.clone(), site.sockets.clone());
        Ok(Self {
            root,
            sockets,
            identity: folder,
            isolation,
            settings,
            jobs,
            entries: Vec::new(),
            stands: Stands::Empty(site),
        })
    }

    fn server(&self) -> Result<&Server> {
        match &self.stands {
            Stands::Running(server) => Ok(server),
            Stands::Empty(_) | Stands::Failed => {
                Err(Error::new(Kind::Unavailable, "nothing was restored into the scratch"))
            }
        }
    }

    /// Unpacks the files and makes them this run's own. Returns what unpacking complained of.
    async fn unpack(&mut self, cx: &Context, site: &Site, stream: OpenReader) -> Result<Vec<String>> {
        let written = Arc::<Written>::default();
        let unpacked = tree::restore(cx, &site.data(), stream, Some(written.clone())).await?;
        self.entries = copied::entries(cx, &site.data(), written).await?;
        let (account, data) = (site.account.clone(), site.data());
        crate::stream::on_thread(move || copied::cut_loose(&data, &account)).await?;
        Ok(unpacked.complaints)
    }

    async fn recover(&self, cx: &Context, site: Site, index: &Index) -> Result<Server> {
        let nothing = Database::default();
        let captured = index.databases.first().unwrap_or(&nothing);
        let needed = captured.settings.get(facts::PREPARED).map(|count| (facts::PREPARED.to_owned(), count.clone()));
        site.configure(&needed.into_iter().collect(), &self.settings)?;
        let superuser = captured.settings.get(facts::SUPERUSER).map_or(SUPERUSER, String::as_str);
        let log = site.log();
        let began = cx.clock.elapsed();
        let started = Cluster::start(cx, site, (superuser, &captured.name), RECOVERY).await;
        cx.timings.loaded(cx.clock.elapsed().saturating_sub(began));
        let cluster = started.map_err(|error| self.blamed(error, &log, index))?;
        Ok(Server { cluster, database: captured.name.clone(), jobs: self.jobs })
    }

    /// A server that can't make sense of the files says so before it ends. Which of them are not what the manifest says may tell why.
    fn blamed(&self, error: Error, log: &Path, index: &Index) -> Error {
        let said = String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned();
        let Some(fault) = copied::fault(&said) else { return error };
        let damaged: Vec<String> = self.damaged(index).into_iter().map(|(path, _)| path).collect();
        let damaged = match damaged.len() {
            0 => String::new(),
            count => format!(
                "; {count} of its files are not what its manifest says: {}",
                damaged[..count.min(NAMED)].join(", ")
            ),
        };
        Error::new(Kind::Unrestorable, format!("the restored cluster does not come up: {fault}{damaged}"))
    }

    fn damaged(&self, index: &Index) -> Vec<(String, String)> {
        let expected = Index { entries: index.entries.clone(), ..Index::new(index.format.clone()) };
        differences(&expected, &Index { entries: self.shaped(index), ..expected.clone() }, Level::Content)
    }

    fn shaped(&self, index: &Index) -> Vec<Entry> {
        let mut entries = self.entries.clone();
        tree::in_shape_of(index, &mut entries);
        entries
    }
}

#[async_trait]
impl Environment for PhysicalEnvironment {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn isolation(&self) -> Vec<String> {
        self.isolation.clone()
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn folders(&self) -> Vec<PathBuf> {
        vec![self.root.clone(), self.sockets.clone()]
    }

    fn facts(&self) -> BTreeMap<String, String> {
        self.server().map(Server::facts).unwrap_or_default()
    }

    async fn restore(&mut self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Restored> {
        let Stands::Empty(site) = std::mem::replace(&mut self.stands, Stands::Failed) else {
            return Err(Error::new(Kind::Refused, "something was restored into the scratch already"));
        };
        let mut complaints = unless_stopped(cx, self.unpack(cx, &site, stream)).await?;
        let server = unless_stopped(cx, self.recover(cx, site, index)).await?;
        complaints.extend(copied::complaints(&server.cluster.logged()));
        self.stands = Stands::Running(Box::new(server));
        let note = Note { subject: "scratch server".into(), statement: UNSAFE.into() };
        Ok(Restored { complaints, notes: vec![note] })
    }

    async fn observe(&self, cx: &Context, index: &Index, level: Level) -> Result<Index> {
        let server = self.server()?;
        let mut databases = Vec::new();
        for captured in &index.databases {
            let sessions = server.facts_sessions(&captured.name).await?;
            let mut database = unless_stopped(cx, facts::of_files(&sessions, level, true)).await?;
            restless::observe(&mut database, captured);
            databases.push(database);
        }
        Ok(Index { entries: self.shaped(index), databases, ..Index::new(index.format.clone()) })
    }

    fn how_observed(&self) -> Option<String> {
        Some("files digested while they were written".into())
    }

    async fn newest(
        &self,
        cx: &Context,
        how: Option<&Newest>,
        _: Option<&Index>,
    ) -> Result<Option<(Timestamp, String)>> {
        self.server()?.newest(cx, how).await
    }

    async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>> {
        self.server()?.canary(cx).await
    }

    async fn query(&self, _: &Context, sql: &str, _: Option<&Path>) -> Result<Rows> {
        self.server()?.query(sql).await
    }
}
