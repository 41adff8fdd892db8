//! A throw-away place that was made: data is restored into it and looked at in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use drill_scenarios::{Level, Newest};
use jiff::Timestamp;

use crate::{Answer, CanarySeen, Context, Error, Identity, Index, Kind, Note, OpenReader, Restorer, Result, Rows};

/// A throw-away place that was made.
#[async_trait]
pub trait Environment: Send + Sync {
    /// Who it is, by its own word; never the source.
    fn identity(&self) -> Identity;

    /// How it is kept apart, in sentences.
    fn isolation(&self) -> Vec<String>;

    /// Folder of the restored data, or the folder that apps and probes are started in.
    fn root(&self) -> &Path;

    /// Folders that apps and the programs of probes work in, and the only ones that they can reach from a sandbox.
    fn folders(&self) -> Vec<PathBuf> {
        vec![self.root().to_owned()]
    }

    /// Facts for apps and probes: `PGHOST`, `PGPORT`, `PGUSER`, `PGDATABASE`. `DRILL_ROOT`, `DRILL_RUN` and `DRILL_PORT` are added by
    /// the engine.
    fn facts(&self) -> BTreeMap<String, String>;

    /// What the snapshot needs of this host and the host lacks, as far as that is known before the restore.
    async fn lacks(&self, _cx: &Context, _index: &Index) -> Result<Vec<Lack>> {
        Ok(Vec::new())
    }

    /// What to do about a complaint that says no more than that this host lacks something.
    fn remedy(&self, _complaint: &str) -> Option<String> {
        None
    }

    /// Restores the stream.
    ///
    /// # Errors
    /// [`crate::Kind::Unrestorable`] where the content is at fault, the reader's own errors, and those of this place.
    async fn restore(&mut self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Restored>;

    /// Has the tool that took a backup restore it.
    ///
    /// # Errors
    /// [`crate::Kind::Config`] where this place takes none; those of the tool, and those of this place.
    async fn adopt(&mut self, _: &Context, _: &Index, _: &dyn Restorer) -> Result<Restored> {
        Err(Error::new(Kind::Config, "this kind of scratch takes no backup that another tool restores"))
    }

    /// How far a server recovered that replayed an archive of WAL.
    fn recovered(&self) -> Option<&Recovered> {
        None
    }

    /// What is there now, in the shape of the snapshot's index and down to `level`, canaries left out.
    async fn observe(&self, cx: &Context, index: &Index, level: Level) -> Result<Index>;

    /// Settles what differs only since another version of a server holds the data here than held it there: what means the same
    /// takes the words of `captured`, and what the version changes is told instead of counted as a difference.
    async fn reconcile(&self, _cx: &Context, _captured: &Index, _observed: &mut Index) -> Result<Vec<Note>> {
        Ok(Vec::new())
    }

    /// How [`Environment::observe`] came to know the content, where there are several ways: words for the record.
    fn how_observed(&self) -> Option<String> {
        None
    }

    /// The newest data there is, and how it was found. What was observed already need not be looked at again.
    async fn newest(
        &self,
        cx: &Context,
        how: Option<&Newest>,
        observed: Option<&Index>,
    ) -> Result<Option<(Timestamp, String)>>;

    /// The canary of this run, if it came back.
    async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>>;

    /// Runs a query for a probe, and tells its answer row by row. `database` is a SQLite file below the root.
    async fn ask(&self, cx: &Context, sql: &str, database: Option<&Path>, answer: Answer) -> Result<()>;

    /// The beginning of the answer of a query.
    async fn query(&self, cx: &Context, sql: &str, database: Option<&Path>) -> Result<Rows> {
        Rows::of(|answer| self.ask(cx, sql, database, answer)).await
    }
}

/// Something that a host lacks, which says nothing about the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What needs it, as a difference would name it: `extension:postgis`.
    pub subject: String,
    /// What is missing, as a fragment.
    pub statement: String,
    /// What to do, as a full sentence with the command.
    pub remedy: String,
}

/// What was restored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Lines that the restoring program wrote about trouble. Each is a difference unless an exception covers it.
    pub complaints: Vec<String>,
    /// What people should know.
    pub notes: Vec<Note>,
}

/// How far a server recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// How far it was to, and how that was chosen.
    pub wanted: String,
    /// Where it ended, by the word of the server.
    pub reached: String,
    /// When the last transaction was made that it replayed.
    pub last: Option<Timestamp>,
}
