//! The catalogue: what is asked of many runs at once, in SQLite beside them.
//!
//! Nothing is in it that isn't in a journal. A journal that is new, or has changed by its length or time, is folded again before
//! anything is asked; so the file may be removed at any time, is made anew where a drillctl of another make wrote it, and stays
//! in memory where none can be written.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use drill_reports::{Assurance, Record, Verdict};
use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::store::{RunFolder, Store};

/// What the file looks like; one of another make is made anew.
const MAKE: i64 = 1;
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS runs (
        run TEXT PRIMARY KEY, journal TEXT NOT NULL, unreadable TEXT, scenario TEXT, verdict TEXT, because TEXT,
        assurance TEXT, started_at INTEGER, recovery_secs REAL, recovery_point_secs REAL, leaked INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS of_scenario ON runs (scenario, verdict, run);";
/// How long one waits for another that writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of many runs.
pub(crate) struct Catalogue {
    db: Connection,
}

/// A run in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) run: String,
    pub(crate) scenario: String,
    pub(crate) verdict: Verdict,
    pub(crate) assurance: Option<Assurance>,
    pub(crate) started_at: Timestamp,
    pub(crate) recovery_secs: Option<f64>,
    pub(crate) recovery_point_secs: Option<f64>,
    pub(crate) leaked: bool,
    pub(crate) because: String,
}

impl Catalogue {
    /// The catalogue of all runs as they are now.
    pub(crate) fn of(store: &Store) -> Result<Self, Failure> {
        let folders = store.runs()?;
        let path = store.catalogue();
        if let Ok(db) = open(&path)
            && let Ok(catalogue) = Self::up_to_date(db, &folders)
        {
            return Ok(catalogue);
        }
        // It can't be opened, written or understood, and nothing is lost with it.
        Self::up_to_date(made(Connection::open_in_memory()).map_err(wrong)?, &folders).map_err(wrong)
    }

    fn up_to_date(mut db: Connection, folders: &[RunFolder]) -> rusqlite::Result<Self> {
        let known: BTreeMap<String, String> = db
            .prepare("SELECT run, journal FROM runs")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let now: BTreeMap<&str, String> =
            folders.iter().filter_map(|folder| Some((folder.run.as_str(), mark(&folder.journal())?))).collect();
        let gone: Vec<&String> = known.keys().filter(|run| !now.contains_key(run.as_str())).collect();
        let changed: Vec<&RunFolder> = folders
            .iter()
            .filter(|folder| now.get(folder.run.as_str()).is_some_and(|mark| known.get(&folder.run) != Some(mark)))
            .collect();
        if !gone.is_empty() || !changed.is_empty() {
            let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for run in gone {
                change.execute("DELETE FROM runs WHERE run = ?", [run])?;
            }
            for folder in changed {
                write(&change, folder, &now[folder.run.as_str()])?;
            }
            change.commit()?;
        }
        Ok(Self { db })
    }

    /// The newest runs, of one scenario or of all.
    pub(crate) fn newest(&self, scenario: Option<&str>, most: usize) -> Result<Vec<Summary>, Failure> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let all =
            "SELECT run, scenario, verdict, assurance, started_at, recovery_secs, recovery_point_secs, leaked, because
                   FROM runs WHERE unreadable IS NULL AND scenario = coalesce(?1, scenario) ORDER BY run DESC LIMIT ?2";
        let read = || {
            let mut statement = self.db.prepare(all)?;
            statement.query_map(params![scenario, most], summary)?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(wrong)
    }

    /// The newest runs of a scenario that passed.
    pub(crate) fn passed(&self, scenario: &str, most: usize) -> Result<Vec<String>, Failure> {
        let passed = "SELECT run FROM runs WHERE scenario = ?1 AND verdict = ?2 ORDER BY run DESC LIMIT ?3";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let read = || {
            let mut statement = self.db.prepare(passed)?;
            let rows = statement.query_map(params![scenario, Word(Verdict::Passed), most], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(wrong)
    }

    /// Runs whose journals can't be read, newest first, and why.
    pub(crate) fn unreadable(&self) -> Result<Vec<(String, String)>, Failure> {
        let read = || {
            let unreadable = "SELECT run, unreadable FROM runs WHERE unreadable IS NOT NULL ORDER BY run DESC";
            let mut statement = self.db.prepare(unreadable)?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(wrong)
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(PATIENCE)?;
    match db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)) {
        Ok(MAKE) => Ok(db),
        Ok(0) => made(Ok(db)),
        _ => {
            drop(db);
            std::fs::remove_file(path).map_err(|_| rusqlite::Error::InvalidPath(path.into()))?;
            made(Connection::open(path))
        }
    }
}

fn made(db: rusqlite::Result<Connection>) -> rusqlite::Result<Connection> {
    let db = db?;
    db.busy_timeout(PATIENCE)?;
    db.execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {MAKE}; COMMIT;"))?;
    Ok(db)
}

/// By what a journal is known to be the same.
fn mark(journal: &Path) -> Option<String> {
    let meta = std::fs::metadata(journal).ok()?;
    Some(format!("{} {} {} {}", meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
}

fn write(db: &Connection, folder: &RunFolder, mark: &str) -> rusqlite::Result<()> {
    let record = match folder.record() {
        Ok(record) if record.run == folder.run => record,
        other => {
            let why = other.map_or_else(|failure| failure.to_string(), |record| strange(folder, &record));
            let unreadable = "INSERT OR REPLACE INTO runs (run, journal, unreadable) VALUES (?1, ?2, ?3)";
            return db.execute(unreadable, params![folder.run, mark, why]).map(drop);
        }
    };
    let Summary { run, scenario, verdict, assurance, started_at, recovery_secs, recovery_point_secs, leaked, because } =
        Summary::of(record);
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO runs (run, journal, scenario, verdict, because, assurance, started_at, recovery_secs,
                                      recovery_point_secs, leaked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let started_at = started_at.as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    statement
        .execute(params![
            run,
            mark,
            scenario,
            Word(verdict),
            because,
            assurance.map(Word),
            started_at,
            recovery_secs,
            recovery_point_secs,
            leaked
        ])
        .map(drop)
}

/// What is wrong with a journal that lies in another run's folder.
fn strange(folder: &RunFolder, record: &Record) -> String {
    format!("{} is the journal of run {}", folder.journal().display(), record.run)
}

impl Summary {
    fn of(record: Record) -> Self {
        Self {
            leaked: record.leaked(),
            run: record.run,
            scenario: record.scenario.name,
            verdict: record.verdict,
            assurance: record.assurance,
            started_at: record.started_at,
            recovery_secs: record.measurements.recovery_secs,
            recovery_point_secs: record.measurements.recovery_point_secs,
            because: record.because,
        }
    }
}

fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let Word(verdict) = row.get(2)?;
    let assurance = row.get::<_, Option<Word<Assurance>>>(3)?;
    let started_at = Timestamp::from_nanosecond(row.get::<_, i64>(4)?.into());
    Ok(Summary {
        run: row.get(0)?,
        scenario: row.get(1)?,
        verdict,
        assurance: assurance.map(|Word(level)| level),
        started_at: started_at.map_err(|_| rusqlite::Error::IntegralValueOutOfRange(4, 0))?,
        recovery_secs: row.get(5)?,
        recovery_point_secs: row.get(6)?,
        leaked: row.get(7)?,
        because: row.get(8)?,
    })
}

/// A word of the record's own, as it stands in JSON.
struct Word<T>(T);

impl<T: Serialize> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let word =
            serde_json::to_value(&self.0).map_err(|cause| rusqlite::Error::ToSqlConversionFailure(cause.into()))?;
        Ok(word.as_str().unwrap_or_default().to_owned().into())
    }
}

impl<T: DeserializeOwned> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = serde_json::Value::String(value.as_str()?.to_owned());
        serde_json::from_value(word).map(Self).map_err(|cause| FromSqlError::Other(cause.into()))
    }
}

fn wrong(cause: rusqlite::Error) -> Failure {
    Failure::errored(format!("reading the catalogue of runs: {cause}"))
}

#[cfg(test)]
mod tests;
