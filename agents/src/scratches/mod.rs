//! Scratches: kinds of throw-away place. One file a kind; provisioning one gives an [`Environment`].

mod directory;
mod postgres;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use drill_scenarios::{Level, Newest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use self::directory::DirectoryScratch;
pub(crate) use self::postgres::PostgresScratch;
use crate::mark::Removal;
use crate::sources::Note;
use crate::{CanarySeen, Context, Format, Identity, Index, OpenReader, Result};

/// The kind of scratch that a scenario names: one row a kind. Nothing is made yet.
///
/// # Errors
/// Those of settings that can't work.
pub fn open(scratch: &drill_scenarios::Scratch) -> Result<Box<dyn Scratch>> {
    use drill_scenarios::Scratch as Named;
    Ok(match scratch {
        Named::Directory(scratch) => Box::new(DirectoryScratch::open(scratch)),
        Named::Postgres(scratch) => Box::new(PostgresScratch::open(scratch)?),
    })
}

/// Where an environment is, before it is made: what its lease says. Every folder carries the run's mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The environment's folder.
    pub folder: PathBuf,
    /// Further folders outside it that it needs (a short one for sockets).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<PathBuf>,
}

impl Place {
    /// The folder that the scenario gives, relative to its own; or one in the run's.
    pub(crate) fn given_or_in_run(given: Option<&Path>, cx: &Context) -> Self {
        let folder = given.map_or_else(|| cx.folder.join("scratch"), |path| cx.secrets.base().join(path));
        Self { folder, also: Vec::new() }
    }
}

/// A kind of throw-away place.
///
/// Contract, which the conformance suite holds every kind to:
/// * `place` creates nothing; `admit` creates nothing and refuses what `provision` would have to refuse: a place that is not
///   empty, a place that is or contains or lies in the source, programs that are missing;
/// * `provision` makes only what `place` named, marks it first, and lets nobody reach it but this host's users;
/// * `release` needs only the place: it stops what runs there and removes what carries the mark of `cx.run`; releasing twice, or
///   what was never made or half made, is success; what carries another mark or none is refused.
#[async_trait]
pub trait Scratch: Send + Sync {
    /// Where the environment of this run will be.
    fn place(&self, cx: &Context) -> Place;

    /// Refuses what can't work or could harm.
    async fn admit(&self, cx: &Context, place: &Place, source: &Identity, format: &Format) -> Result<()>;

    /// Makes the environment that this snapshot is restored into.
    async fn provision(&self, cx: &Context, place: &Place, index: &Index) -> Result<Box<dyn Environment>>;

    /// Stops and removes it.
    async fn release(&self, cx: &Context, place: &Place) -> Result<Removal>;
}

/// A throw-away place that was made.
#[async_trait]
pub trait Environment: Send + Sync {
    /// Who it is, by its own word; never the source.
    fn identity(&self) -> Identity;

    /// How it is kept apart, in sentences.
    fn isolation(&self) -> Vec<String>;

    /// Folder of the restored data, or the folder that apps and probes are started in.
    fn root(&self) -> &Path;

    /// Facts for apps and probes: `PGHOST`, `PGPORT`, `PGUSER`, `PGDATABASE`. `DRILL_ROOT`, `DRILL_RUN` and `DRILL_PORT` are added by
    /// the engine.
    fn facts(&self) -> BTreeMap<String, String>;

    /// Restores the stream.
    ///
    /// # Errors
    /// [`crate::Kind::Unrestorable`] where the content is at fault, the reader's own errors, and those of this place.
    async fn restore(&mut self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Restored>;

    /// What is there now, in the shape of the snapshot's index and down to `level`, canaries left out.
    async fn observe(&self, cx: &Context, index: &Index, level: Level) -> Result<Index>;

    /// The newest data there is, and how it was found.
    async fn newest(&self, cx: &Context, how: Option<&Newest>) -> Result<Option<(Timestamp, String)>>;

    /// The canary of this run, if it came back.
    async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>>;

    /// Runs a query for a probe: column names, and rows of text or NULL. `database` is a SQLite file below the root.
    async fn query(&self, cx: &Context, sql: &str, database: Option<&Path>) -> Result<Rows>;
}

/// What was restored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Lines that the restoring program wrote about trouble. Each is a difference unless an exception covers it.
    pub complaints: Vec<String>,
    /// What people should know.
    pub notes: Vec<Note>,
}

/// The answer of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The first thousand rows.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many rows there are.
    pub count: u64,
}
