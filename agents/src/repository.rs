//! The joint of repositories: where another tool keeps the backups that a drill adopts.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use drill_scenarios::RecoverTo;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::{Account, Context, Error, Format, Identity, Index, Kind, Note, OpenReader, Restored, Result};

/// Where another tool keeps its backups. It is only read: not one byte in it is changed, no lock is taken in it.
///
/// Contract, which the end-to-end tests of adopted backups hold every kind to:
/// * nothing here writes to the repository, or anywhere but below `cx.folder` and the environment;
/// * `backups` lists what the scenario's filters leave, the oldest first, and an empty list is no error;
/// * `describe` tells what the tool knows of a backup's content without restoring it; what it doesn't know it leaves out rather
///   than guesses;
/// * what can't be reached is [`crate::Kind::Unavailable`]; what is there and damaged is [`crate::Kind::Corrupt`] or
///   [`crate::Kind::Unrestorable`]; a secret that doesn't open it is [`crate::Kind::WrongKey`].
#[async_trait]
pub trait Repository: Send + Sync {
    /// Who the repository is, by its own word.
    async fn identity(&self, cx: &Context) -> Result<Identity>;

    /// Where it is, in words; never with credentials.
    fn location(&self) -> &str;

    /// What the scratch must be able to take.
    fn format(&self) -> Format;

    /// The backups in it, the oldest first.
    async fn backups(&self, cx: &Context) -> Result<Vec<Adopted>>;

    /// Bytes that the data of one of them takes when it is restored, roughly.
    async fn restored_bytes(&self, cx: &Context, backup: &Adopted) -> Result<u64>;

    /// What is in one of them.
    async fn describe(&self, cx: &Context, backup: &Adopted) -> Result<Described>;

    /// How it is restored.
    async fn supply(&self, cx: &Context, backup: &Adopted) -> Result<Supply>;

    /// What the tool itself finds in its repository, where the scenario asks for it: nothing, or what it complains of.
    async fn check(&self, cx: &Context) -> Result<Option<Verification>>;
}

/// A backup that another tool took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// What the tool calls it, so that it can be found again.
    pub id: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The tool and its version.
    pub tool: String,
    /// What else the tool tells of it: `host`, `paths`, `tags`, `name`.
    pub about: BTreeMap<String, String>,
}

/// What is known of a backup before it is restored.
#[derive(Debug, Clone)]
pub struct Described {
    /// What is in it, as far as the tool tells.
    pub index: Index,
    /// What vouches for it, once it was restored.
    pub vouched: Vouched,
    /// What people should know.
    pub notes: Vec<Note>,
}

/// What is proved below the restore itself, in sentences for the record. Absent: the tool proves nothing of the kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vouched {
    /// How the tool knows that the bytes it read are those it once stored.
    pub intact: Option<String>,
    /// How the repository was opened.
    pub opened: Option<String>,
}

/// How a backup is restored.
pub enum Supply {
    /// As a stream of the repository's format.
    Stream(OpenReader),
    /// By the tool itself.
    Tool(Box<dyn Restorer>),
}

/// A tool that restores its own backup.
#[async_trait]
pub trait Restorer: Send + Sync {
    /// Restores into this folder, which is there, empty, and belongs to `account`. What goes beside the data is an error: of the tool's
    /// lines about trouble each is a complaint. Only tablespaces of a PostgreSQL cluster go into the folder [`TABLESPACES`] beside it.
    async fn restore_into(&self, cx: &Context, folder: &Path, account: &Account) -> Result<Restored>;

    /// How a PostgreSQL server recovers what was restored into this folder.
    ///
    /// # Errors
    /// [`Kind::Config`] for a tool that restores no PostgreSQL cluster.
    fn recovery(&self, _cx: &Context, _data: &Path) -> Result<Recovery> {
        Err(Error::new(Kind::Config, "the tool restores no PostgreSQL cluster"))
    }
}

/// Where the tablespaces of a restored cluster go, beside its folder.
pub const TABLESPACES: &str = "tablespaces";

/// What a PostgreSQL server recovers with from an archive of WAL.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The shell command that fetches a file of the archive, as `restore_command` takes it: `%f` is its name, `%p` where it goes.
    pub fetch: String,
    /// Variables of that command.
    pub env: BTreeMap<String, SecretString>,
    /// How far it goes.
    pub to: RecoverTo,
    /// The backup is consistent from then on.
    pub consistent_at: Timestamp,
    /// The segment of WAL in which the backup ends.
    pub last_of_backup: String,
    /// The newest segment in the archive.
    pub newest: String,
}

/// What a tool says of its own repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// What was run, for people: `restic check --read-data`.
    pub command: String,
    /// What it complains of; empty: nothing.
    pub complaints: Vec<String>,
}
