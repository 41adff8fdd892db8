//! A PostgreSQL cluster that Barman backs up.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pgbackrest::postgres;
use crate::{OwnCheck, RecoverTo, Select, Span};

/// A server of Barman.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BarmanSource {
    /// The server, as Barman's configuration calls it.
    #[schemars(length(min = 1))]
    pub server: String,
    /// Barman's configuration file, relative to the scenario's folder; absent: the one that Barman finds by itself, if `home` doesn't say
    /// where the backups are. Only what tells where they are and how they are read is taken from it: no hook is run for a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// Barman's home on this host, relative to the scenario's folder, if it isn't the one of the configuration file. The account that
    /// the scratch's server runs as must be able to read what is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<PathBuf>,
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
    /// What Barman itself is to check: `data` has it read every file of every backup (`barman verify-backup`), not only of the one that
    /// is restored.
    #[serde(default)]
    pub check: OwnCheck,
    /// The program, if it isn't the `barman` on the system's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}
