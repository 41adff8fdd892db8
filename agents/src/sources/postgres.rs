//! A PostgreSQL database, dumped by `pg_dump` under an exported snapshot, with its facts read in that very snapshot.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_postgres::Client;

use crate::cancel::unless_stopped;
use crate::mark::Removal;
use crate::postgres::connection::{Target, wrong};
use crate::postgres::dump::{self, Dumper, Selection};
use crate::postgres::facts::{self, Facts};
use crate::postgres::programs::{self, Programs};
use crate::postgres::scope::Scope;
use crate::postgres::{canary, dumps, sequences, shares, snapshot};
use crate::{
    Canary, Captured, Context, Error, Estimate, Format, Identity, Index, Kind, Note, Result, SealWriter, Secrets,
    Source, Whereabouts,
};

/// Every session only reads, unless it says otherwise; drillctl says so for the canary alone.
const READ_ONLY: &str = "SET default_transaction_read_only = on";
/// What a cluster holds before anything is in it, with its first WAL.
const EMPTY_CLUSTER_BYTES: u64 = 64 << 20;
/// Most WAL that the scratch keeps.
const MOST_WAL_BYTES: u64 = 1 << 30;

/// A PostgreSQL database.
#[derive(Debug)]
pub(crate) struct PostgresSource {
    pub(super) target: Target,
    scope: Scope,
    pub(super) bin: Option<PathBuf>,
    /// Dumps that are taken, and sessions that read facts, at a time.
    jobs: usize,
}

impl PostgresSource {
    /// The database that the scenario names. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Kind::Config`] for a URL that is malformed or holds a password, or a secret that isn't there.
    pub(crate) fn open(source: &drill_scenarios::PostgresSource, secrets: &Arc<Secrets>) -> Result<Self> {
        Ok(Self {
            target: Target::of(source, secrets)?,
            scope: Scope { schemas: source.schemas.clone() },
            bin: source.bin.clone(),
            jobs: source.jobs.into(),
        })
    }

    /// Who the database is, as its server tells it.
    pub(super) async fn told(&self) -> Result<Identity> {
        let client = self.session().await?;
        let sql = "SELECT c.system_identifier::text, d.datname::text, d.oid::text, current_setting('server_version')
                   FROM pg_control_system() c, pg_database d WHERE d.datname = current_database()";
        let row = client.query_one(sql, &[]).await.map_err(|cause| {
            wrong("asking the server for its system identifier", cause)
                .hint("Let the user call it: `GRANT EXECUTE ON FUNCTION pg_control_system() TO …`.")
        })?;
        missing_schemas(&client, &self.scope).await?;
        let names = ["system_identifier", "database", "database_oid", "version"];
        let values = std::array::from_fn::<_, 4, _>(|column| (names[column], row.get::<_, String>(column)));
        Ok(Identity::new("postgres", values))
    }

    pub(super) async fn session(&self) -> Result<Client> {
        Self::session_with(&self.target).await
    }

    /// A session that only reads, with the settings that texts of values depend on.
    pub(super) async fn session_with(target: &Target) -> Result<Client> {
        let client = target.connect().await?;
        client.batch_execute(READ_ONLY).await.map_err(|cause| wrong("setting the session up", cause))?;
        facts::prepare(&client).await?;
        Ok(client)
    }

    /// Sessions that see what the one sees that exported `snapshot`, that one among them.
    async fn sessions(&self, first: Client, snapshot: &str) -> Result<Vec<Client>> {
        let mut sessions = vec![first];
        while sessions.len() < self.jobs {
            let session = self.session().await?;
            snapshot::import(&session, snapshot).await?;
            sessions.push(session);
        }
        Ok(sessions)
    }

    /// Dumps into `out`, as one stream or as several. Returns what `pg_dump` remarked.
    async fn dump(&self, cx: &Context, client: &Client, dumper: &Dumper, out: &mut SealWriter) -> Result<Vec<Note>> {
        if self.jobs == 1 {
            return dump::dump(cx, dumper, out).await;
        }
        let rows = shares::deal(client, &self.scope, self.jobs).await?;
        dumps::dump(cx, dumper, &rows, out).await
    }

    /// The `pg_dump` that is closest to the server: what a newer one writes, the server itself may not understand.
    async fn programs(&self, cx: &Context, version: &str) -> Result<Programs> {
        let server = programs::major(version).unwrap_or_default();
        let least = if self.scope.is_whole() { server } else { server.max(dump::CHOOSES_EXTENSIONS) };
        Programs::fitting(cx, self.bin.as_deref(), &["pg_dump"], least).await
    }

    fn index(&self, notes: &mut Vec<Note>, facts: Facts, dumped_by: String, system: String) -> Index {
        notes.extend(facts.notes);
        let mut index = Index::new(if self.jobs == 1 { Format::PgDump } else { Format::PgDumps });
        let mut database = facts.database;
        database.settings.insert(facts::DUMPED_BY.into(), dumped_by);
        database.settings.insert(facts::SYSTEM.into(), system);
        index.databases.push(database);
        index
    }

    /// Everything but the canaries of others, and of one's own only what was planted in this run.
    async fn selection(&self, cx: &Context, client: &Client, snapshot: String) -> Result<(Selection, Vec<Note>)> {
        let own = canary::schema(&cx.run);
        let (own, others): (Vec<_>, Vec<_>) = canary::planted(client).await?.into_iter().partition(|name| *name == own);
        let mut selection = Selection { snapshot, without: others, ..Selection::default() };
        if !self.scope.is_whole() {
            selection.schemas = self.scope.schemas.iter().cloned().chain(own).collect();
            selection.extensions = self.scope.extensions(client).await?;
        }
        let statement = "It is the canary of another run, which is under way or was killed; it is left out.";
        let left = selection
            .without
            .iter()
            .map(|name| Note { subject: format!("schema {name}"), statement: statement.into() });
        let notes = left.collect();
        Ok((selection, notes))
    }
}

#[async_trait]
impl Source for PostgresSource {
    async fn identity(&self, cx: &Context) -> Result<Identity> {
        let identity = self.told().await?;
        self.programs(cx, identity.values.get("version").map_or("", String::as_str)).await?;
        Ok(identity)
    }

    async fn whereabouts(&self) -> Whereabouts {
        self.target.whereabouts().await
    }

    async fn estimate(&self, _: &Context) -> Result<Estimate> {
        let client = self.session().await?;
        let sql = "SELECT pg_database_size(current_database()),
                          (SELECT coalesce(sum(pg_table_size(oid)), 0)::bigint FROM pg_class WHERE relkind = 'r'),
                          (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                           WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')";
        let row = client.query_one(sql, &[]).await.map_err(|cause| wrong("asking for the database's size", cause))?;
        let [whole, tables, items] =
            [0, 1, 2].map(|column| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default());
        let restored_bytes = whole + whole / 10 + whole.min(MOST_WAL_BYTES) + EMPTY_CLUSTER_BYTES;
        Ok(Estimate { stream_bytes: tables, restored_bytes, items })
    }

    async fn plant(&self, _: &Context, canary: &Canary) -> Result<()> {
        canary::plant(&self.session().await?, canary).await
    }

    async fn unplant(&self, _: &Context, run: &str) -> Result<Removal> {
        canary::unplant(&self.session().await?, run).await
    }

    async fn capture(&self, cx: &Context, out: &mut SealWriter) -> Result<Captured> {
        let client = self.session().await?;
        let taken_at = cx.clock.now();
        let snapshot = snapshot::export(&client).await?;
        let (version, system) = about(&client).await?;
        facts::lock(&client, &self.scope).await?;
        let programs = self.programs(cx, &version).await?;
        let (selection, mut notes) = self.selection(cx, &client, snapshot.clone()).await?;
        let before = sequences::read_in(&client, &self.scope).await?;
        let sessions = self.sessions(client, &snapshot).await?;
        let dumper = Dumper { programs, target: self.target.clone(), selection };
        let both = async {
            let dumping = self.dump(cx, &sessions[0], &dumper, out);
            tokio::try_join!(dumping, facts::capture(&sessions, &self.scope))
        };
        let (remarks, mut facts) = unless_stopped(cx, both).await?;
        let after = sequences::read(&sessions[0], &facts.database).await?;
        sequences::capture(&mut facts.database, &before, &after);
        notes.extend(remarks);
        let index = self.index(&mut notes, facts, dumper.programs.version, system);
        Ok(Captured { index, taken_at, newest_at: None, notes })
    }
}

/// The server's version and its system identifier.
async fn about(client: &Client) -> Result<(String, String)> {
    let sql = "SELECT current_setting('server_version'), system_identifier::text FROM pg_control_system()";
    let row = client.query_one(sql, &[]).await.map_err(|cause| wrong("asking the server who it is", cause))?;
    Ok((row.get(0), row.get(1)))
}

/// Schemas that are chosen must be there.
async fn missing_schemas(client: &Client, scope: &Scope) -> Result<()> {
    let sql = "SELECT s FROM unnest($1::text[]) s WHERE s NOT IN (SELECT nspname::text FROM pg_namespace)";
    let rows = client.query(sql, &[&scope.schemas]).await.map_err(|cause| wrong("looking for the schemas", cause))?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::NotFound, format!("the database has no schema {}", names.join(", ")))
        .hint("Correct `schemas`, or leave it out to take all."))
}
