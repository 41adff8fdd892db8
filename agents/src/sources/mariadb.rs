//! A MariaDB or MySQL database, dumped by its stock client in one transaction, with its facts read in another that began at the same
//! instant.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::cancel::unless_stopped;
use crate::mariadb::connection::Target;
use crate::mariadb::dump::Dump;
use crate::mariadb::facts::{self, Outline};
use crate::mariadb::hold::Hold;
use crate::mariadb::programs::Tool;
use crate::mariadb::session::Session;
use crate::mariadb::{canary, fingerprint, identity, privileges};
use crate::mark::Removal;
use crate::{
    Canary, Captured, Context, Database, Error, Estimate, Format, Identity, Index, Kind, Note, Result, SealWriter,
    Secrets, Source, Whereabouts, restless,
};

/// What a server holds before anything is in it, with its first logs.
const EMPTY_SERVER_BYTES: u64 = 256 << 20;
/// Databases that are a server's own.
const SYSTEM: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// A MariaDB or MySQL database.
#[derive(Debug)]
pub(crate) struct MariadbSource {
    target: Target,
    /// Whether writes may be held back for a moment.
    lock: bool,
    bin: Option<PathBuf>,
}

impl MariadbSource {
    /// The database that the scenario names. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Kind::Config`] for a URL that is malformed or holds a password, a secret that isn't there, or a database of the server's own.
    pub(crate) fn open(source: &drill_scenarios::MariadbSource, secrets: &Arc<Secrets>) -> Result<Self> {
        let target = Target::of(source, secrets)?;
        if SYSTEM.iter().any(|name| target.database().eq_ignore_ascii_case(name)) {
            return Err(Error::new(Kind::Config, format!("database {} is the server's own", target.database()))
                .hint("Name a database of yours; accounts and their privileges are not drilled."));
        }
        Ok(Self { target, lock: source.lock, bin: source.bin.clone() })
    }

    /// Starts the dump and the transaction that facts are read in, at one instant if writes could be held back meanwhile. If they
    /// could not, it is said why.
    async fn begin(
        &self,
        session: &mut Session,
        start: impl Fn() -> Result<Dump> + Send,
    ) -> Result<(Dump, Option<String>)> {
        let hold = if self.lock { Hold::take(&self.target).await? } else { Err("`lock` is false".into()) };
        session.begin().await?;
        let mut dump = start()?;
        let why_not = match hold {
            Err(why_not) => Some(why_not),
            Ok(hold) => {
                let begun = dump.begun().await?;
                hold.release().await?;
                (!begun).then(|| "the dump took too long to begin".into())
            }
        };
        Ok((dump, why_not))
    }

    /// Reads again what may have changed since the dump began: what no transaction holds and, where there was no one instant, all rows.
    async fn read_again(&self, before: &Database, at_one_instant: bool) -> Result<Database> {
        let mut session = self.target.connect_to_read().await?;
        let outline = Outline::read(&mut session).await?;
        session.begin().await?;
        let again = outline.holders.iter().filter(|holder| !(at_one_instant && holder.transactional));
        let read = fingerprint::contents(&mut session, again, true).await?;
        let mut tables = if at_one_instant { before.tables.clone() } else { Default::default() };
        tables.retain(|name, _| outline.holders.iter().any(|holder| holder.name == *name));
        tables.extend(read);
        Ok(Database { tables, ..outline.database })
    }
}

#[async_trait]
impl Source for MariadbSource {
    async fn identity(&self, cx: &Context) -> Result<Identity> {
        Tool::dump(cx, self.bin.as_deref()).await?;
        let mut session = self.target.connect().await?;
        privileges::check(&mut session, self.target.database()).await?;
        let mut identity = identity::of(&mut session, self.target.socket().is_some()).await?;
        identity.values.insert("database".into(), self.target.database().into());
        Ok(identity)
    }

    async fn whereabouts(&self) -> Whereabouts {
        self.target.whereabouts().await
    }

    async fn estimate(&self, _: &Context) -> Result<Estimate> {
        let mut session = self.target.connect().await?;
        let sql = "SELECT CAST(IFNULL(SUM(DATA_LENGTH), 0) AS UNSIGNED), CAST(IFNULL(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS UNSIGNED), COUNT(*)
                   FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND ENGINE IS NOT NULL";
        let row = session.row("asking for the database's size", sql).await?;
        let [rows, whole, items] =
            [0, 1, 2].map(|at| row.get(at).and_then(|value| value.as_ref()?.parse::<u64>().ok()).unwrap_or_default());
        let restored_bytes = whole + whole / 10 + EMPTY_SERVER_BYTES;
        Ok(Estimate { stream_bytes: rows, restored_bytes, items })
    }

    async fn plant(&self, _: &Context, canary: &Canary) -> Result<()> {
        canary::plant(&self.target, canary).await
    }

    async fn unplant(&self, _: &Context, run: &str) -> Result<Removal> {
        canary::unplant(&self.target, run).await
    }

    async fn capture(&self, cx: &Context, out: &mut SealWriter) -> Result<Captured> {
        let tool = Tool::dump(cx, self.bin.as_deref()).await?;
        let mut session = self.target.connect_to_read().await?;
        privileges::check(&mut session, self.target.database()).await?;
        let own = canary::table(&cx.run);
        let others: Vec<String> =
            canary::planted(&mut session).await?.into_iter().filter(|name| *name != own).collect();
        let outline = Outline::read(&mut session).await?;
        // What no transaction holds is read before the dump can have read it.
        session.begin().await?;
        let mut tables = fingerprint::contents(&mut session, outline.of_one_instant(false), true).await?;
        let taken_at = cx.clock.now();
        let (dump, why_not) = self.begin(&mut session, || Dump::start(cx, &tool, &self.target, &others)).await?;
        let both = async {
            let reading = fingerprint::contents(&mut session, outline.of_one_instant(true), true);
            tokio::try_join!(dump.pass_on(cx, out), reading)
        };
        let (remarks, read) = unless_stopped(cx, both).await?;
        tables.extend(read);
        drop(session);
        let mut notes = outline.notes();
        let before = Database { tables, ..outline.database };
        let after = unless_stopped(cx, self.read_again(&before, why_not.is_none())).await?;
        let database = facts::settled(before, after);
        notes.extend(left_out(&others));
        notes.extend(why_not.map(|why_not| read_twice(&database.name, &why_not)));
        notes.extend(restless::note(&database));
        notes.extend(remarks);
        let index = Index { databases: vec![database], ..Index::new(Format::MariadbDump) };
        Ok(Captured { index, taken_at, newest_at: None, notes })
    }
}

fn left_out(others: &[String]) -> impl Iterator<Item = Note> {
    let statement = "It is the canary of another run, which is under way or was killed; it is left out.";
    others.iter().map(|name| Note { subject: format!("table {name}"), statement: statement.into() })
}

fn read_twice(database: &str, why_not: &str) -> Note {
    let statement = format!(
        "Writes were not held back while the dump began, since {why_not}. So every table was read before and after the dump; of what changed \
         in between only that it is there is compared."
    );
    Note { subject: format!("database {database}"), statement }
}
