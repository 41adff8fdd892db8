//! A throw-away PostgreSQL cluster: a new one a run, in a folder of its own, reachable through a unix socket only.

mod answer;
mod dumped;
mod physical;
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use self::dumped::DumpedEnvironment;
use self::physical::PhysicalEnvironment;
use self::server::Server;
use crate::mark::{Removal, require_empty};
use crate::postgres::cluster::{self, Cluster, SUPERUSER};
use crate::postgres::connection::wrong;
use crate::postgres::programs::{self, Programs};
use crate::postgres::site::{self, Site};
use crate::postgres::{facts, fresh, stop};
use crate::{
    Awake, Context, Database, Environment, Error, Format, Identity, Index, Kind, Mark, Place, Result, Scratch,
};

const LOADING: [&str; 3] = ["postgres", "initdb", "pg_restore"];
const RECOVERING: [&str; 3] = ["postgres", "pg_controldata", "pg_waldump"];
/// How long a new server may take to answer.
const START: Duration = Duration::from_secs(120);
/// What makes loading faster here than it may be in earnest.
const UNSAFE: &str = "It does not wait for its disk (fsync, synchronous_commit and full_page_writes are off): a server that is \
                      to be kept may take longer to load.";
/// Jobs at most where the scenario doesn't say how many: a drill shares the host with others.
const MOST_JOBS: usize = 4;

/// A kind of throw-away PostgreSQL cluster.
#[derive(Debug, Clone)]
pub(crate) struct PostgresScratch {
    version: Option<u32>,
    bin: Option<PathBuf>,
    path: Option<PathBuf>,
    /// Indexes that are built, and tables that are read, at a time.
    jobs: usize,
    settings: BTreeMap<String, String>,
}

impl PostgresScratch {
    /// The kind that the scenario describes.
    ///
    /// # Errors
    /// [`Kind::Config`] for settings that are drillctl's own or none.
    pub(crate) fn open(scratch: &drill_scenarios::PostgresScratch) -> Result<Self> {
        cluster::check(&scratch.settings)?;
        let drill_scenarios::PostgresScratch { version, bin, path, jobs, settings } = scratch.clone();
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_JOBS));
        Ok(Self { version, bin, path, jobs: jobs.map_or_else(cores, usize::from), settings })
    }

    /// The programs that a backup of a server of major `least` is restored with: those of the version that the scenario
    /// names, or what comes closest to the source. Files of a cluster are for that very major.
    async fn programs(&self, cx: &Context, format: &Format, least: u32) -> Result<Programs> {
        let (bin, physical) = (self.bin.as_deref(), *format == Format::PgBase);
        match self.version {
            Some(version) if version < least || physical && version != least => Err(unfit(least, version, physical)),
            // Nobody knows the version of what doesn't open.
            _ if physical && least == 0 => Programs::fitting(cx, bin, &RECOVERING, least).await,
            _ if physical => Programs::of_major(cx, bin, &RECOVERING, least).await,
            None => Programs::fitting(cx, bin, &LOADING, least).await,
            Some(version) => Programs::of_major(cx, bin, &LOADING, version).await,
        }
    }

    /// A new cluster with an empty database.
    async fn make(&self, cx: &Context, place: &Place, index: &Index) -> Result<DumpedEnvironment> {
        let captured = index.databases.first();
        let programs = self.programs(cx, &index.format, least(captured)).await?;
        let site = Site::make(cx, place, programs)?;
        site.init(cx, &self.settings).await?;
        let cluster = Cluster::start(cx, site, (SUPERUSER, "template1"), START).await?;
        let system = system_identifier(&cluster).await?;
        if captured.and_then(|database| database.settings.get(facts::SYSTEM)) == Some(&system) {
            return Err(Error::new(Kind::Refused, "the scratch is the source: both have one system identifier"));
        }
        let fresh = fresh::create(&cluster, captured).await?;
        let server = Server { cluster, database: fresh.name.clone(), jobs: self.jobs };
        Ok(DumpedEnvironment { root: place.folder.clone(), server, system, fresh })
    }
}

fn unfit(backup: u32, version: u32, physical: bool) -> Error {
    let what = if physical { "physical backup" } else { "dump" };
    let or_more = if physical { "" } else { " or more" };
    Error::new(Kind::Config, format!("a {what} of PostgreSQL {backup} does not fit version {version}"))
        .hint(format!("Set `version` of the scratch to {backup}{or_more}, or leave it out."))
}

#[async_trait]
impl Scratch for PostgresScratch {
    fn place(&self, cx: &Context) -> Place {
        Place::of_server(self.path.as_deref(), cx, site::account())
    }

    async fn admit(&self, cx: &Context, place: &Place, source: &Identity, format: &Format) -> Result<()> {
        if !matches!(format, Format::PgDump | Format::PgDumps | Format::PgBase) {
            return Err(Error::new(Kind::Config, "a PostgreSQL scratch takes backups of PostgreSQL only")
                .hint("Use a `postgres` source, or a `command` source with `content: pg_dump`."));
        }
        let version = source.values.get("version").filter(|_| source.kind == "postgres");
        self.programs(cx, format, version.and_then(|version| programs::major(version)).unwrap_or_default()).await?;
        for folder in place.also.iter().chain([&place.folder]) {
            require_empty(folder)?;
        }
        not_in_a_cluster(&place.folder)?;
        place.must_be_apart_from(source)?;
        site::account()?.must_reach(&place.folder)
    }

    async fn provision(&self, cx: &Context, place: &Place, index: &Index) -> Result<Box<dyn Environment>> {
        if index.format != Format::PgBase {
            return Ok(Box::new(self.make(cx, place, index).await?));
        }
        let programs = self.programs(cx, &index.format, least(index.databases.first())).await?;
        let site = Site::make(cx, place, programs)?;
        Ok(Box::new(PhysicalEnvironment::new(site, self.settings.clone(), self.jobs)?))
    }

    fn keeps(&self) -> bool {
        true
    }

    async fn rest(&self, cx: &Context, place: &Place) -> Result<()> {
        if Mark::of(&cx.run).is_on(&place.folder) {
            stop::stop(cx, &site::data(&place.folder)).await?;
        }
        Ok(())
    }

    async fn wake(&self, cx: &Context, place: &Place, facts: &BTreeMap<String, String>) -> Result<Awake> {
        let (Some(user), Some(database)) = (facts.get("PGUSER"), facts.get("PGDATABASE")) else {
            return Ok(Awake::default());
        };
        let major = site::major(&place.folder)?;
        let programs = Programs::of_major(cx, self.bin.as_deref(), &RECOVERING, major).await?;
        let cluster = Cluster::start(cx, Site::of(cx, place, programs)?, (user, database), START).await?;
        Ok(Awake::running(cluster))
    }

    async fn release(&self, cx: &Context, place: &Place) -> Result<Removal> {
        self.rest(cx, place).await?;
        place.remove(&cx.run)
    }
}

/// The oldest major that a dump can be restored into: that of the server, or of the `pg_dump` that wrote it.
fn least(captured: Option<&Database>) -> u32 {
    let Some(captured) = captured else { return 0 };
    let dumped_by = captured.settings.get(facts::DUMPED_BY).and_then(|version| programs::major(version));
    programs::major(&captured.version).max(dumped_by).unwrap_or_default()
}

/// A data folder of another cluster is no place for one.
fn not_in_a_cluster(folder: &Path) -> Result<()> {
    match folder.ancestors().skip(1).find(|above| above.join("PG_VERSION").exists()) {
        None => Ok(()),
        Some(above) => Err(Error::new(
            Kind::Refused,
            format!("scratch {} lies in the PostgreSQL cluster {}", folder.display(), above.display()),
        )
        .hint("Give the scratch a `path` elsewhere.")),
    }
}

async fn system_identifier(cluster: &Cluster) -> Result<String> {
    let client = cluster.target("template1").connect().await?;
    let sql = "SELECT system_identifier::text FROM pg_control_system()";
    let row = client.query_one(sql, &[]).await.map_err(|cause| wrong("asking the scratch for its identity", cause))?;
    Ok(row.get(0))
}
