//! A throw-away PostgreSQL cluster: a new one a run, in a folder of its own, reachable through a unix socket only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use drill_scenarios::{Level, Newest};
use futures::StreamExt;
use jiff::Timestamp;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::mark::{Removal, require_empty};
use crate::postgres::cancel::unless_stopped;
use crate::postgres::cluster::{self, Cluster};
use crate::postgres::connection::wrong;
use crate::postgres::fresh::{self, Fresh};
use crate::postgres::loads::{self, Restoring};
use crate::postgres::programs::{self, Programs};
use crate::postgres::{canary, facts, load, snapshot, stop};
use crate::{
    CanarySeen, Context, Database, Environment, Error, Format, Identity, Index, Kind, Mark, Note, OpenReader, Place,
    Restored, Result, Rows, Scratch,
};

const NEEDED: [&str; 3] = ["postgres", "initdb", "pg_restore"];
/// Where sockets are: the path of a socket must be shorter than 108 bytes.
const SOCKETS: &str = "/tmp";
/// Where a cluster is that can't be in the run's folder, since its account may not go there.
const ELSEWHERE: &str = "/var/tmp";
/// What makes loading faster here than it may be in earnest.
const UNSAFE: &str = "It does not wait for its disk (fsync, synchronous_commit and full_page_writes are off): a server that is \
                      to be kept may take longer to load.";
/// Jobs at most where the scenario doesn't say how many: a drill shares the host with others.
const MOST_JOBS: usize = 4;
/// Rows of an answer that are kept.
const MOST_ROWS: u64 = 1000;

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

    /// The programs that a dump of a server of major `least` is restored with: those of the version that the scenario
    /// names, or what comes closest to the source.
    async fn programs(&self, cx: &Context, least: u32) -> Result<Programs> {
        let bin = self.bin.as_deref();
        let Some(version) = self.version else {
            return Programs::fitting(cx, bin, &NEEDED, least).await;
        };
        if version < least {
            return Err(Error::new(
                Kind::Config,
                format!("a dump of PostgreSQL {least} does not fit version {version}"),
            )
            .hint(format!("Set `version` of the scratch to {least} or more, or leave it out.")));
        }
        Programs::of_major(cx, bin, &NEEDED, version).await
    }
}

#[async_trait]
impl Scratch for PostgresScratch {
    fn place(&self, cx: &Context) -> Place {
        let mut place = Place::given_or_in_run(self.path.as_deref(), cx);
        let name = format!("drillctl-{}", short(&cx.run));
        let closed = cluster::account().is_ok_and(|account| cluster::barrier(&place.folder, &account).is_some());
        if self.path.is_none() && closed {
            place.folder = Path::new(ELSEWHERE).join(&name);
        }
        place.also.push(Path::new(SOCKETS).join(name));
        place
    }

    async fn admit(&self, cx: &Context, place: &Place, source: &Identity, format: &Format) -> Result<()> {
        if !matches!(format, Format::PgDump | Format::PgDumps) {
            return Err(Error::new(Kind::Config, "a PostgreSQL scratch takes dumps of pg_dump's custom format only")
                .hint("Use a `postgres` source, or a `command` source with `content: pg_dump`."));
        }
        let version = source.values.get("version").filter(|_| source.kind == "postgres");
        self.programs(cx, version.and_then(|version| programs::major(version)).unwrap_or_default()).await?;
        for folder in place.also.iter().chain([&place.folder]) {
            require_empty(folder)?;
        }
        not_in_a_cluster(&place.folder)?;
        let account = cluster::account()?;
        match cluster::barrier(&place.folder, &account) {
            None => Ok(()),
            Some(folder) => Err(Error::new(
                Kind::Refused,
                format!("account {}, which runs the scratch server, may not enter {}", account.name, folder.display()),
            )
            .hint(
                "Give the scratch a `path` that every account may pass through, or run drillctl as an ordinary user.",
            )),
        }
    }

    async fn provision(&self, cx: &Context, place: &Place, index: &Index) -> Result<Box<dyn Environment>> {
        let captured = index.databases.first();
        let programs = self.programs(cx, least(captured)).await?;
        let cluster = Cluster::make(cx, place, programs, &self.settings).await?;
        let system = system_identifier(&cluster).await?;
        if captured.and_then(|database| database.settings.get(facts::SYSTEM)) == Some(&system) {
            return Err(Error::new(Kind::Refused, "the scratch is the source: both have one system identifier"));
        }
        let fresh = fresh::create(&cluster, captured).await?;
        Ok(Box::new(PostgresEnvironment { root: place.folder.clone(), cluster, system, fresh, jobs: self.jobs }))
    }

    async fn release(&self, cx: &Context, place: &Place) -> Result<Removal> {
        let mark = Mark::of(&cx.run);
        if mark.is_on(&place.folder) {
            stop::stop(cx, &cluster::data(&place.folder)).await?;
        }
        let folders = place.also.iter().chain([&place.folder]);
        let removed: Vec<Result<Removal>> = folders.map(|folder| mark.remove_folder(folder)).collect();
        let removed: Result<Vec<Removal>> = removed.into_iter().collect();
        Ok(if removed?.contains(&Removal::Removed) { Removal::Removed } else { Removal::Absent })
    }
}

/// The last letters of a run id, which tell runs apart.
fn short(run: &str) -> String {
    let plain: Vec<char> = run.chars().filter(char::is_ascii_alphanumeric).collect();
    plain[plain.len().saturating_sub(12)..].iter().collect::<String>().to_ascii_lowercase()
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

/// A throw-away cluster with one database to restore into.
#[derive(Debug)]
struct PostgresEnvironment {
    root: PathBuf,
    cluster: Cluster,
    system: String,
    fresh: Fresh,
    jobs: usize,
}

impl PostgresEnvironment {
    async fn session(&self) -> Result<Client> {
        self.cluster.target(&self.fresh.name).connect().await
    }

    /// A session that reads, with the settings that texts of values depend on.
    async fn facts_session(&self) -> Result<Client> {
        let client = self.session().await?;
        facts::prepare(&client).await?;
        Ok(client)
    }

    /// Sessions that read, all of one state.
    async fn facts_sessions(&self) -> Result<Vec<Client>> {
        let mut sessions = vec![self.facts_session().await?];
        let snapshot = snapshot::export(&sessions[0]).await?;
        while sessions.len() < self.jobs {
            let session = self.facts_session().await?;
            snapshot::import(&session, &snapshot).await?;
            sessions.push(session);
        }
        Ok(sessions)
    }

    /// Loads a dump, or several.
    async fn load(&self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Vec<String>> {
        let program = self.restoring(!index.databases.is_empty());
        if index.format == Format::PgDump {
            return load::load(cx, program, stream).await;
        }
        let restoring = Restoring { program, account: self.cluster.account(), folder: &self.root, jobs: self.jobs };
        loads::load(cx, &restoring, stream).await
    }

    fn restoring(&self, whole: bool) -> crate::process::Program {
        let program = self.cluster.programs().program("pg_restore").args(["--format=custom", "--no-password"]);
        let program = program.args(["--dbname", &self.fresh.name]).account(self.cluster.account()).folder(&self.root);
        let program = if whole { program } else { program.args(["--no-owner", "--no-privileges"]) };
        let target = self.cluster.target(&self.fresh.name);
        target.env().into_iter().fold(program, |program, (name, value)| program.env(name, value))
    }

    fn notes(&self, captured: Option<&Database>) -> Vec<Note> {
        let subject = format!("database {}", self.fresh.name);
        let version = &self.cluster.programs().version;
        let mut notes = self.fresh.notes.clone();
        match captured {
            None => notes.push(Note {
                subject,
                statement: "The snapshot doesn't say what is in the dump: owners and grants are not restored.".into(),
            }),
            Some(captured) if facts::worded_differently(captured, version) => notes.push(Note {
                subject,
                statement: format!(
                    "PostgreSQL {version} words some definitions differently from {}: of class {} the names are compared, \
                     not the texts.",
                    captured.version,
                    facts::worded_by_version()
                ),
            }),
            Some(_) => {}
        }
        notes.push(Note { subject: "scratch server".into(), statement: UNSAFE.into() });
        notes
    }
}

#[async_trait]
impl Environment for PostgresEnvironment {
    fn identity(&self) -> Identity {
        let version = self.cluster.programs().version.clone();
        Identity::new("postgres", [("system_identifier", self.system.clone()), ("version", version)])
    }

    fn isolation(&self) -> Vec<String> {
        let sockets = self.cluster.sockets().display();
        let account = &self.cluster.account().name;
        vec![
            "The PostgreSQL cluster was made for this run; no other run or service has used it.".into(),
            "It listens on no network address.".into(),
            format!("Its only socket is in {sockets}, which none but root and account {account} may enter."),
            format!("Its server runs as account {account}, never as root."),
            "Roles of the source exist by name only: none can log in with a password.".into(),
            "Subscriptions are not restored. The restored data is not cut off from the network: foreign tables and functions in \
             it could reach other hosts if somebody uses them."
                .into(),
        ]
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let facts = [
            ("PGHOST", self.cluster.sockets().display().to_string()),
            ("PGPORT", cluster::PORT.to_string()),
            ("PGUSER", cluster::SUPERUSER.into()),
            ("PGDATABASE", self.fresh.name.clone()),
        ];
        facts.map(|(name, value)| (name.to_owned(), value)).into()
    }

    async fn restore(&mut self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Restored> {
        let captured = index.databases.first();
        let loaded = unless_stopped(cx, self.load(cx, index, stream)).await;
        self.cluster.must_run()?;
        let complaints = loaded.map_err(|lost| self.cluster.explain(lost))?;
        let began = cx.clock.elapsed();
        let client = self.session().await?;
        let analysing = async {
            client.batch_execute("ANALYZE").await.map_err(|cause| wrong("analysing what was restored", cause))
        };
        unless_stopped(cx, analysing).await?;
        cx.timings.loaded(cx.clock.elapsed().saturating_sub(began));
        Ok(Restored { complaints, notes: self.notes(captured) })
    }

    async fn observe(&self, cx: &Context, index: &Index, level: Level) -> Result<Index> {
        let nothing = Database::default();
        let captured = index.databases.first().unwrap_or(&nothing);
        let sessions = self.facts_sessions().await?;
        let mut database = unless_stopped(cx, facts::observe(&sessions, captured, level)).await?;
        if facts::worded_differently(captured, &database.version) {
            facts::reword(&mut database, captured);
        }
        if self.fresh.other_locale {
            database.settings.retain(|name, _| !["collate", "ctype", "provider", "locale"].contains(&name.as_str()));
        }
        if !captured.name.is_empty() {
            database.name.clone_from(&captured.name);
        }
        let mut observed = Index::new(index.format.clone());
        observed.databases.push(database);
        Ok(observed)
    }

    async fn newest(&self, cx: &Context, how: Option<&Newest>) -> Result<Option<(Timestamp, String)>> {
        match how {
            Some(Newest::Sql(sql)) => {
                let client = self.facts_session().await?;
                client
                    .batch_execute("RESET search_path")
                    .await
                    .map_err(|cause| wrong("setting the session up", cause))?;
                let rows = answer(&client, sql).await?;
                Ok(timestamp_of(&rows, sql)?.map(|time| (time, sql.clone())))
            }
            Some(Newest::Files(_)) => {
                Err(Error::new(Kind::Config, "a PostgreSQL scratch has no files to find the newest of")
                    .hint("Use `newest: {sql: …}`."))
            }
            None => Ok(self.canary(cx).await?.map(|seen| (seen.planted_at, "the canary's own time".into()))),
        }
    }

    async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>> {
        canary::find(&self.session().await?, &cx.run).await
    }

    async fn query(&self, _: &Context, sql: &str, _: Option<&Path>) -> Result<Rows> {
        let client = self.session().await?;
        let watch = "SELECT set_config('client_connection_check_interval', '1s', false)
                     WHERE current_setting('server_version_num')::int >= 140000; BEGIN";
        client.batch_execute(watch).await.map_err(|cause| wrong("setting the session up", cause))?;
        let rows = answer(&client, sql).await?;
        client.batch_execute("ROLLBACK").await.map_err(|cause| wrong("rolling back", cause))?;
        Ok(rows)
    }
}

/// Runs a query and keeps the first rows of its answer.
async fn answer(client: &Client, sql: &str) -> Result<Rows> {
    let failed = |cause| wrong("querying the restored database", cause);
    let mut stream = std::pin::pin!(client.simple_query_raw(sql).await.map_err(failed)?);
    let mut rows = Rows::default();
    while let Some(message) = stream.next().await {
        match message.map_err(failed)? {
            SimpleQueryMessage::RowDescription(columns) => {
                rows = Rows {
                    columns: columns.iter().map(|column| column.name().to_owned()).collect(),
                    ..Rows::default()
                };
            }
            SimpleQueryMessage::Row(row) => {
                rows.count += 1;
                if rows.count <= MOST_ROWS {
                    rows.rows.push((0..row.len()).map(|column| row.get(column).map(Into::into)).collect());
                }
            }
            _ => {}
        }
    }
    Ok(rows)
}

/// The one timestamp of an answer; nothing if it is NULL.
fn timestamp_of(rows: &Rows, sql: &str) -> Result<Option<Timestamp>> {
    let wrong = |what: &str| {
        Error::new(Kind::Config, format!("`{sql}` gives {what}, not one timestamp"))
            .hint("Write a query such as `select max(updated_at) from orders`.")
    };
    match &rows.rows[..] {
        [row] if row.len() == 1 => match &row[0] {
            None => Ok(None),
            Some(text) => instant(text).map(Some).ok_or_else(|| wrong(&format!("`{text}`"))),
        },
        _ => Err(wrong(&format!("{} rows of {} columns", rows.count, rows.columns.len()))),
    }
}

/// A timestamp as PostgreSQL writes it; one without a zone is UTC, a date its first instant.
fn instant(text: &str) -> Option<Timestamp> {
    let civil = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    text.parse::<Timestamp>().ok().or_else(|| civil().map(|zoned| zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_in_every_form_that_a_server_writes() {
        let noon: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a timestamp");
        for text in
            ["2026-03-01 12:00:00+00", "2026-03-01 12:00:00", "2026-03-01 12:00:00.000+00", "2026-03-01 17:30:00+05:30"]
        {
            assert_eq!(instant(text), Some(noon), "{text}");
        }
        assert_eq!(instant("2026-03-01"), "2026-03-01T00:00:00Z".parse().ok());
        assert_eq!(["infinity", "yesterday", "12"].map(instant), [None; 3]);
    }

    #[test]
    fn runs_are_told_apart_by_the_end_of_their_ids() {
        assert_eq!(short("20261123-101500-AbCdEf"), "101500abcdef");
    }
}
