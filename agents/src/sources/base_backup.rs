//! A PostgreSQL cluster, copied by `pg_basebackup`, with the facts of each of its databases before and after.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use drill_scenarios::Level;
use futures::future::try_join_all;
use tokio_postgres::Client;

use super::PostgresSource;
use crate::cancel::unless_stopped;
use crate::mark::Removal;
use crate::postgres::base_backup::{self, HAS_MANIFEST};
use crate::postgres::connection::{Target, wrong};
use crate::postgres::programs::{self, Programs};
use crate::postgres::scope::Scope;
use crate::postgres::{facts, snapshot, unlogged};
use crate::restless;
use crate::{
    Canary, Captured, Context, Database, Error, Estimate, Format, Identity, Index, Kind, Note, Result, SealWriter,
    Secrets, Source, Whereabouts,
};

/// What a cluster holds besides its databases, with its WAL.
const BESIDES_BYTES: u64 = 64 << 20;

/// The cluster that a database is in.
#[derive(Debug)]
pub(crate) struct BaseBackupSource {
    database: PostgresSource,
}

/// A database of the cluster, in a transaction that sees one state of it.
struct Seen {
    name: String,
    session: Client,
}

impl BaseBackupSource {
    /// The cluster of the database that the scenario names. Connects to nothing yet.
    ///
    /// # Errors
    /// As for [`PostgresSource::open`].
    pub(crate) fn open(source: &drill_scenarios::PostgresSource, secrets: &Arc<Secrets>) -> Result<Self> {
        Ok(Self { database: PostgresSource::open(source, secrets)? })
    }

    fn target(&self) -> &Target {
        &self.database.target
    }

    async fn programs(&self, cx: &Context, version: &str) -> Result<Programs> {
        let server = programs::major(version).unwrap_or_default();
        if server < HAS_MANIFEST {
            return Err(Error::new(
                Kind::Config,
                format!("PostgreSQL {server} tells no digests of the files in a physical backup"),
            )
            .hint(format!("Use version {HAS_MANIFEST} or newer, or write `method: dump`.")));
        }
        Programs::fitting(cx, self.database.bin.as_deref(), &["pg_basebackup"], server).await
    }

    /// Every database as it is now, the one that the scenario names first; and of which nothing can be seen, as notes.
    async fn seen(&self) -> Result<(Vec<Seen>, Vec<Note>)> {
        let client = self.database.session().await?;
        let sql = "SELECT datname::text, datallowconn AND has_database_privilege(oid, 'CONNECT') FROM pg_database
                   WHERE datname <> 'template0' ORDER BY datname <> current_database(), datname";
        let rows = client.query(sql, &[]).await.map_err(|cause| wrong("listing databases", cause))?;
        let (mut seen, mut notes) = (Vec::new(), Vec::new());
        for row in rows {
            let name: String = row.get(0);
            if row.get(1) {
                let session = PostgresSource::session_with(&self.target().in_database(&name)).await?;
                snapshot::export(&session).await?;
                facts::lock(&session, &Scope::default()).await?;
                seen.push(Seen { name, session });
            } else {
                let statement = "The user may not connect to it: it is in the backup, but is not compared.";
                notes.push(Note { subject: format!("database {name}"), statement: statement.into() });
            }
        }
        Ok((seen, notes))
    }
}

async fn facts_of(seen: &[Seen]) -> Result<Vec<Database>> {
    let each =
        seen.iter().map(|Seen { session, .. }| facts::of_files(std::slice::from_ref(session), Level::Content, false));
    try_join_all(each).await
}

#[async_trait]
impl Source for BaseBackupSource {
    async fn whereabouts(&self) -> Whereabouts {
        self.database.whereabouts().await
    }

    /// The folder of the cluster belongs to it, where it is on this host and the server tells it: a scratch must not lie in there.
    async fn identity(&self, cx: &Context) -> Result<Identity> {
        let mut identity = self.database.told().await?;
        let version = identity.values.get("version").cloned().unwrap_or_default();
        self.programs(cx, &version).await?;
        let client = self.database.session().await?;
        base_backup::admit(&client).await?;
        if let Ok(row) = client.query_one("SELECT current_setting('data_directory')", &[]).await
            && let Ok(folder) = Identity::of_path("folder", Path::new(row.get::<_, &str>(0)))
        {
            identity.values.extend(folder.values);
        }
        Ok(identity)
    }

    async fn estimate(&self, _: &Context) -> Result<Estimate> {
        let client = self.database.session().await?;
        let sql = "SELECT sum(pg_database_size(oid))::bigint, count(*) FROM pg_database
                   WHERE has_database_privilege(oid, 'CONNECT')";
        let row = client.query_one(sql, &[]).await.map_err(|cause| wrong("asking for the cluster's size", cause))?;
        let [bytes, items] = [0, 1].map(|column| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default());
        let stream_bytes = bytes + BESIDES_BYTES;
        Ok(Estimate { stream_bytes, restored_bytes: stream_bytes + BESIDES_BYTES, items })
    }

    async fn plant(&self, cx: &Context, canary: &Canary) -> Result<()> {
        self.database.plant(cx, canary).await
    }

    async fn unplant(&self, cx: &Context, run: &str) -> Result<Removal> {
        self.database.unplant(cx, run).await
    }

    /// What was there before is read while the files are copied: its transaction sees it all the time.
    async fn capture(&self, cx: &Context, out: &mut SealWriter) -> Result<Captured> {
        let taken_at = cx.clock.now();
        let client = self.database.session().await?;
        let cluster = about(&client).await?;
        let programs = self.programs(cx, &cluster.version).await?;
        let (seen, mut notes) = self.seen().await?;
        let both = async { tokio::try_join!(base_backup::take(cx, &programs, self.target(), out), facts_of(&seen)) };
        let ((entries, remarks), before) = unless_stopped(cx, both).await?;
        notes.extend(remarks);
        drop(seen);
        base_backup::no_tablespaces(&client).await?;
        let databases = unless_stopped(cx, self.compared(&cluster, &before, &mut notes)).await?;
        let index = Index { entries, databases, ..Index::new(Format::PgBase) };
        Ok(Captured { index, taken_at, newest_at: None, notes })
    }
}

impl BaseBackupSource {
    /// The databases as they are expected to come back.
    async fn compared(&self, cluster: &Cluster, before: &[Database], notes: &mut Vec<Note>) -> Result<Vec<Database>> {
        let (seen, _) = self.seen().await?;
        let after = facts_of(&seen).await?;
        let mut databases = Vec::new();
        for (Seen { name, session }, after) in seen.iter().zip(after) {
            let Some(before) = before.iter().find(|before| before.name == *name) else {
                let statement = "It was made while the physical backup was taken: it is not compared.";
                notes.push(Note { subject: format!("database {name}"), statement: statement.into() });
                continue;
            };
            let mut database = restless::settled(before, after);
            notes.extend(restless::note(&database));
            notes.extend(unlogged::expect_unlogged_empty(session, &mut database).await?);
            database.settings.extend(cluster.settings.clone());
            databases.push(database);
        }
        Ok(databases)
    }
}

/// What of the cluster a restored one needs to know.
struct Cluster {
    version: String,
    settings: BTreeMap<String, String>,
}

async fn about(client: &Client) -> Result<Cluster> {
    let sql = "SELECT current_setting('server_version'), system_identifier::text, current_setting('max_prepared_transactions'),
                      (SELECT rolname::text FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY oid LIMIT 1)
               FROM pg_control_system()";
    let row = client.query_one(sql, &[]).await.map_err(|cause| wrong("asking the server who it is", cause))?;
    let superuser = row.get::<_, Option<String>>(3).ok_or_else(|| {
        Error::new(Kind::Config, "the server has no superuser who may log in, so a restored one can't be looked into")
            .hint("Write `method: dump`, or let one log in.")
    })?;
    let names = [facts::SYSTEM, facts::PREPARED, facts::SUPERUSER];
    let values = [row.get(1), row.get(2), superuser];
    Ok(Cluster { version: row.get(0), settings: names.map(String::from).into_iter().zip(values).collect() })
}
