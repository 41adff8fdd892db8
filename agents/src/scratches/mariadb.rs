//! A throw-away MariaDB server: a new one a run, in a folder of its own, reachable through a unix socket only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use drill_scenarios::{Level, Newest};
use jiff::Timestamp;

use super::timestamp::timestamp_of;
use crate::cancel::unless_stopped;
use crate::mariadb::programs::{ServerPrograms, release};
use crate::mariadb::server::{self, SUPERUSER, Server};
use crate::mariadb::site::{self, Site};
use crate::mariadb::{canary, facts, fresh, identity, load, stop};
use crate::mark::require_empty;
use crate::{
    Answer, CanarySeen, Context, Database, Environment, Error, Format, Identity, Index, Kind, Mark, Note, OpenReader,
    Place, Removal, Restored, Result, Rows, Scratch,
};

/// How long a new server may take to answer.
const START: Duration = Duration::from_secs(120);
/// What makes loading faster here than it may be in earnest.
const UNSAFE: &str = "It does not wait for its disk (innodb_flush_log_at_trx_commit and innodb_doublewrite are 0): a server that is to be \
                      kept may take longer to load.";

/// A kind of throw-away MariaDB server.
#[derive(Debug, Clone)]
pub(crate) struct MariadbScratch {
    bin: Option<PathBuf>,
    path: Option<PathBuf>,
    settings: BTreeMap<String, String>,
}

impl MariadbScratch {
    /// The kind that the scenario describes.
    ///
    /// # Errors
    /// [`Kind::Config`] for settings that are drillctl's own or none.
    pub(crate) fn open(scratch: &drill_scenarios::MariadbScratch) -> Result<Self> {
        server::check(&scratch.settings)?;
        let drill_scenarios::MariadbScratch { bin, path, settings } = scratch.clone();
        Ok(Self { bin, path, settings })
    }

    /// The installed programs, if they are not older than the server that a dump is from.
    async fn programs(&self, cx: &Context, dumped: Option<&str>) -> Result<ServerPrograms> {
        let programs = ServerPrograms::find(cx, self.bin.as_deref()).await?;
        match dumped.filter(|version| is_older(programs.version(), version)) {
            None => Ok(programs),
            Some(version) => {
                let message = format!("a dump of {version} does not fit the older {} of this host", programs.version());
                Err(Error::new(Kind::Config, message).hint(
                    "Install a MariaDB as new as the source (https://mariadb.org/download has packages), or name its folder as `bin`.",
                ))
            }
        }
    }

    /// A new server with an empty database.
    async fn make(&self, cx: &Context, place: &Place, index: &Index) -> Result<MariadbEnvironment> {
        let captured = index.databases.first();
        let programs = self.programs(cx, captured.map(|database| database.version.as_str())).await?;
        let site = Site::make(cx, place, programs)?;
        site.init(cx).await?;
        let mut settings = self.settings.clone();
        let names = captured.and_then(|database| database.settings.get(facts::NAMES));
        settings.extend(names.map(|names| (facts::NAMES.to_owned(), names.clone())));
        let server = Server::start(cx, site, &settings, START).await?;
        let identity = identity::of(&mut server.target("").connect().await?, true).await?;
        let database = fresh::create(&server, captured).await?;
        Ok(MariadbEnvironment { root: place.folder.clone(), server, identity, database })
    }
}

/// Whether this MariaDB is of an older release than that one. MySQL counts differently.
fn is_older(here: &str, there: &str) -> bool {
    there.contains("MariaDB") && release(here) < release(there)
}

#[async_trait]
impl Scratch for MariadbScratch {
    fn place(&self, cx: &Context) -> Place {
        Place::of_server(self.path.as_deref(), cx, site::account())
    }

    async fn admit(&self, cx: &Context, place: &Place, source: &Identity, format: &Format) -> Result<()> {
        if *format != Format::MariadbDump {
            return Err(Error::new(Kind::Config, "a MariaDB scratch takes dumps of MariaDB and MySQL only")
                .hint("Use a `mariadb` source, or a `command` source with `content: mariadb_dump`."));
        }
        let version = source.values.get("version").filter(|_| source.kind == "mariadb");
        self.programs(cx, version.map(String::as_str)).await?;
        for folder in place.also.iter().chain([&place.folder]) {
            require_empty(folder)?;
        }
        not_in_a_server(&place.folder)?;
        place.must_be_apart_from(source)?;
        site::account()?.must_reach(&place.folder)
    }

    async fn provision(&self, cx: &Context, place: &Place, index: &Index) -> Result<Box<dyn Environment>> {
        Ok(Box::new(self.make(cx, place, index).await?))
    }

    async fn release(&self, cx: &Context, place: &Place) -> Result<Removal> {
        if Mark::of(&cx.run).is_on(&place.folder) {
            stop::stop(&site::data(&place.folder)).await?;
        }
        place.remove(&cx.run)
    }
}

/// The data folder of another server is no place for one.
fn not_in_a_server(folder: &Path) -> Result<()> {
    match folder
        .ancestors()
        .skip(1)
        .find(|above| above.join("aria_log_control").exists() || above.join("ibdata1").exists())
    {
        None => Ok(()),
        Some(above) => Err(Error::new(
            Kind::Refused,
            format!("scratch {} lies in the data folder of a server, {}", folder.display(), above.display()),
        )
        .hint("Give the scratch a `path` elsewhere.")),
    }
}

/// A throw-away server with one database to load into.
#[derive(Debug)]
struct MariadbEnvironment {
    root: PathBuf,
    server: Server,
    identity: Identity,
    database: String,
}

impl MariadbEnvironment {
    fn notes(&self, captured: Option<&Database>) -> Vec<Note> {
        let subject = format!("database {}", self.database);
        let version = self.server.site().programs.version();
        let statement = match captured {
            None => Some(
                "The snapshot doesn't say what is in the dump: accounts that things in it act for are not made.".into(),
            ),
            Some(captured) if facts::worded_differently(captured, version) => Some(format!(
                "{version} words some definitions differently from {}: of class {} the names are compared, not the texts.",
                captured.version,
                facts::worded_by_version()
            )),
            Some(_) => None,
        };
        let notes = statement.map(|statement| Note { subject, statement });
        notes.into_iter().chain([Note { subject: "scratch server".into(), statement: UNSAFE.into() }]).collect()
    }
}

#[async_trait]
impl Environment for MariadbEnvironment {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn isolation(&self) -> Vec<String> {
        let account = &self.server.account().name;
        vec![
            "The MariaDB server was made for this run; no other run or service has used it.".into(),
            "It listens on no network address.".into(),
            format!("Its only socket is {}, in a folder that none but root and account {account} may enter.", self.server.socket().display()),
            format!("It runs as account {account}, never as root."),
            "Its event scheduler is off: restored events don't run.".into(),
            "Accounts that views, routines, triggers and events act for exist by name only: none can log in.".into(),
            if self.server.site().walled {
                "The server is walled in by bubblewrap, apart from the app: it has no network at all and can write in its own folders only."
            } else {
                "The restored data is not cut off from the network: tables of engines such as FEDERATED, CONNECT and SPIDER could reach \
                 other hosts if somebody uses them."
            }
            .into(),
        ]
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn folders(&self) -> Vec<PathBuf> {
        vec![self.root.clone(), self.server.site().sockets.clone()]
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let facts = [
            ("MYSQL_UNIX_PORT", self.server.socket().display().to_string()),
            ("MYSQL_HOST", "localhost".into()),
            ("MYSQL_USER", SUPERUSER.into()),
            ("MYSQL_DATABASE", self.database.clone()),
        ];
        facts.map(|(name, value)| (name.to_owned(), value)).into()
    }

    async fn restore(&mut self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Restored> {
        let target = self.server.target(&self.database);
        let client = self.server.site().programs.client().clone();
        let loaded = unless_stopped(cx, load::load(cx, &client, &target, stream)).await;
        self.server.must_run()?;
        let mut restored = loaded.map_err(|lost| self.server.explain(lost))?;
        restored.notes.extend(self.notes(index.databases.first()));
        Ok(restored)
    }

    async fn observe(&self, cx: &Context, index: &Index, level: Level) -> Result<Index> {
        let nothing = Database::default();
        let captured = index.databases.first().unwrap_or(&nothing);
        let mut session = self.server.target(&self.database).connect_to_read().await?;
        let mut database = unless_stopped(cx, facts::observe(&mut session, captured, level)).await?;
        if facts::worded_differently(captured, &database.version) {
            facts::reword(&mut database, captured);
        }
        if !captured.name.is_empty() {
            database.name.clone_from(&captured.name);
        }
        Ok(Index { databases: vec![database], ..Index::new(index.format.clone()) })
    }

    async fn newest(
        &self,
        cx: &Context,
        how: Option<&Newest>,
        _: Option<&Index>,
    ) -> Result<Option<(Timestamp, String)>> {
        match how {
            Some(Newest::Sql(sql)) => {
                let mut session = self.server.target(&self.database).connect_to_read().await?;
                let rows = Rows::of(async |answer| session.tell(sql, &answer).await).await?;
                Ok(timestamp_of(&rows, sql)?.map(|time| (time, sql.clone())))
            }
            Some(Newest::Files(_)) => {
                Err(Error::new(Kind::Config, "a MariaDB scratch has no files to find the newest of")
                    .hint("Use `newest: {sql: …}`."))
            }
            None => Ok(self.canary(cx).await?.map(|seen| (seen.planted_at, "the canary's own time".into()))),
        }
    }

    async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>> {
        canary::find(&mut self.server.target(&self.database).connect().await?, &cx.run).await
    }

    async fn ask(&self, _: &Context, sql: &str, _: Option<&Path>, answer: Answer) -> Result<()> {
        let mut session = self.server.target(&self.database).connect().await?;
        session.run("setting the session up", "SET SESSION TRANSACTION READ ONLY").await?;
        session.tell(sql, &answer).await
    }
}

#[cfg(test)]
mod tests {
    use super::is_older;

    #[test]
    fn a_release_is_told_from_a_later_one_by_numbers_not_letters() {
        assert!(is_older("10.6.12-MariaDB", "10.11.2-MariaDB") && is_older("10.11.14-MariaDB", "11.4.2-MariaDB"));
        assert!(!is_older("10.11.2-MariaDB", "10.11.14-MariaDB") && !is_older("10.11.2-MariaDB", "8.0.36"));
        assert!(!is_older("11.4.2-MariaDB", "10.11.2-MariaDB") && !is_older("10.11.2-MariaDB", ""));
    }
}
