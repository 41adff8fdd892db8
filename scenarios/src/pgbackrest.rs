//! A PostgreSQL cluster that pgBackRest backs up, and how far of its archive of WAL a drill recovers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{OwnCheck, Reference, Select, Span};

/// A stanza of pgBackRest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PgbackrestSource {
    /// The stanza.
    #[schemars(length(min = 1))]
    pub stanza: String,
    /// pgBackRest's configuration file, relative to the scenario's folder; absent: the one that pgBackRest finds by itself. It says where
    /// the repository is. The account that the scratch's server runs as must be able to read both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// The repository's folder on this host, relative to the scenario's folder, if the configuration file doesn't say where the repository is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<PathBuf>,
    /// Which of its backups is restored.
    #[serde(default)]
    pub select: Select,
    /// How old the newest of them may be. If it is older, the drill fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// How far the server recovers from there.
    #[serde(default)]
    pub recover_to: RecoverTo,
    /// The database that checks look at, and `newest`.
    #[serde(default = "postgres")]
    pub database: String,
    /// A superuser of the cluster.
    #[serde(default = "postgres")]
    pub user: String,
    /// What pgBackRest itself is to check in the repository: `data` has it read every file of every backup and of the archive
    /// (`pgbackrest verify`).
    #[serde(default)]
    pub check: OwnCheck,
    /// Further environment variables of pgBackRest (`PGBACKREST_REPO1_TYPE`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Further environment variables that are secrets (`PGBACKREST_REPO1_CIPHER_PASS`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Reference>,
    /// The program, if it isn't the `pgbackrest` on the system's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

/// How far a server recovers that replays an archive of WAL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecoverTo {
    /// To the end of the archive.
    #[default]
    Latest,
    /// To the end of the backup, where it is consistent, and no further.
    Backup,
    /// To an instant between the end of the backup and the newest transaction in the archive, drawn by a seed that is in the record.
    Random,
    /// To this instant (`2026-11-01T12:00:00Z`).
    At(Timestamp),
}

impl RecoverTo {
    /// Whether it is an instant, which checks can name as `${DRILL_TARGET_TIME}`.
    pub fn is_instant(self) -> bool {
        matches!(self, Self::Random | Self::At(_))
    }
}

pub(crate) fn postgres() -> String {
    "postgres".into()
}
