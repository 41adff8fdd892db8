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
use crate::postgres::recovery::Aim;
use crate::postgres::site::Site;
use crate::postgres::{collations, copied, facts};
use crate::restless;
use crate::tree::Written;
use crate::{
    Answer, CanarySeen, Context, Database, Entry, Environment, Error, Identity, Index, Kind, Note, OpenReader,
    Recovered, Recovery, Restored, Restorer, Result, TABLESPACES, differences, tree,
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
    /// How far its server recovered from an archive, and the instant that it was to recover to.
    recovered: Option<Recovered>,
    instant: Option<Timestamp>,
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
            recovered: None,
            instant: None,
        })
    }

    /// The empty place, which is taken once.
    fn take(&mut self) -> Result<Site> {
        match std::mem::replace(&mut self.stands, Stands::Failed) {
            Stands::Empty(site) => Ok(site),
            _ => Err(Error::new(Kind::Refused, "something was restored into the scratch already")),
        }
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

    /// Has the tool restore the cluster, and cuts it loose from its source.
    async fn place(&self, cx: &Context, site: &Site, tool: &dyn Restorer) -> Result<Restored> {
        let tablespaces = site.make_beside(TABLESPACES)?;
        let restored = tool.restore_into(cx, &site.data(), &site.account).await?;
        let (account, data) = (site.account.clone(), site.data());
        crate::stream::on_thread(move || {
            let wrong = |cause| Error::io("looking at", tablespaces.display(), cause);
            copied::stays_within(&data, &tablespaces.canonicalize().map_err(wrong)?)?;
            copied::cut_loose(&data, &account)
        })
        .await?;
        Ok(restored)
    }

    /// Has the server replay the archive, as far as it is to.
    async fn replay(&mut self, cx: &Context, mut site: Site, index: &Index, recovery: Recovery) -> Result<Server> {
        site.env.clone_from(&recovery.env);
        let aim = Aim::take(cx, &site, recovery).await?;
        let log = site.log();
        let logged = || String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
        site.ask_for_recovery()?;
        let server = self.recover(cx, site, index, aim.settings()).await.map_err(|error| match error.kind() {
            Kind::Unrestorable => aim.missed(&logged(), &error.to_string()),
            _ => error,
        })?;
        self.recovered = Some(aim.reached(&logged())?);
        self.instant = aim.instant();
        Ok(server)
    }

    async fn recover(
        &self,
        cx: &Context,
        site: Site,
        index: &Index,
        mut settings: BTreeMap<String, String>,
    ) -> Result<Server> {
        let nothing = Database::default();
        let captured = index.databases.first().unwrap_or(&nothing);
        let needed = captured.settings.get(facts::PREPARED).map(|count| (facts::PREPARED.to_owned(), count.clone()));
        settings.extend(needed);
        site.configure(&settings, &self.settings)?;
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

/// What is to be known of a cluster that was copied.
async fn notes(server: &Server, index: &Index) -> Result<Vec<Note>> {
    let mut notes = Vec::new();
    for database in &index.databases {
        let session = server.facts_session(&database.name).await?;
        notes.extend(collations::outdated(&session, &database.name).await?);
    }
    notes.push(Note { subject: "scratch server".into(), statement: UNSAFE.into() });
    Ok(notes)
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
        let mut facts = self.server().map(Server::facts).unwrap_or_default();
        facts.extend(self.instant.map(|instant| ("DRILL_TARGET_TIME".to_owned(), instant.to_string())));
        facts
    }

    async fn restore(&mut self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Restored> {
        let site = self.take()?;
        let mut complaints = unless_stopped(cx, self.unpack(cx, &site, stream)).await?;
        let server = unless_stopped(cx, self.recover(cx, site, index, BTreeMap::new())).await?;
        complaints.extend(copied::complaints(&server.cluster.logged()));
        let notes = notes(&server, index).await?;
        self.stands = Stands::Running(Box::new(server));
        Ok(Restored { complaints, notes })
    }

    async fn adopt(&mut self, cx: &Context, index: &Index, tool: &dyn Restorer) -> Result<Restored> {
        let site = self.take()?;
        let mut restored = unless_stopped(cx, self.place(cx, &site, tool)).await?;
        let recovery = tool.recovery(cx, &site.data())?;
        let server = unless_stopped(cx, self.replay(cx, site, index, recovery)).await?;
        restored.complaints.extend(copied::complaints(&server.cluster.logged()));
        restored.notes.extend(notes(&server, index).await?);
        self.stands = Stands::Running(Box::new(server));
        Ok(restored)
    }

    fn recovered(&self) -> Option<&Recovered> {
        self.recovered.as_ref()
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
        let last = self.recovered.as_ref().and_then(|recovered| recovered.last);
        match (how, last) {
            (None, Some(last)) => Ok(Some((last, "the time of the last transaction that was replayed".into()))),
            _ => self.server()?.newest(cx, how).await,
        }
    }

    async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>> {
        self.server()?.canary(cx).await
    }

    async fn ask(&self, _: &Context, sql: &str, _: Option<&Path>, answer: Answer) -> Result<()> {
        self.server()?.ask(sql, &answer).await
    }
}
