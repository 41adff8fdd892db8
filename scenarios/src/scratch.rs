//! The throw-away place that a backup is restored into: one variant a kind.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reference;

/// The kind of throw-away place that the backup is restored into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scratch {
    /// An empty folder.
    Directory(DirectoryScratch),
    /// A throw-away PostgreSQL cluster, reachable through a unix socket only.
    Postgres(PostgresScratch),
    /// A throw-away MariaDB server, reachable through a unix socket only.
    Mariadb(MariadbScratch),
    /// A throw-away Redis server, reachable through a unix socket only.
    Redis(RedisScratch),
    /// A throw-away etcd cluster of one member, reachable through a unix socket only.
    Etcd(EtcdScratch),
}

/// An empty folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectoryScratch {
    /// The folder, relative to the scenario's folder: absent or empty before the run, gone after it. If it isn't
    /// given, a folder in the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

/// A throw-away PostgreSQL cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresScratch {
    /// Major version of the server. Absent: of those installed, the oldest that the dump fits, which behaves most like where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Folder with `initdb`, `postgres` and `pg_restore`, instead of one that is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bin: Option<PathBuf>,
    /// The cluster's folder, relative to the scenario's folder: absent or empty before the run, gone after it. If it
    /// isn't given, a folder in the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// How many indexes are built at a time where the source dumps with `jobs`, and how many tables are compared at a time.
    /// Absent: as many as there are cores, and at most 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub jobs: Option<u8>,
    /// Settings of the server (`shared_buffers: 256MB`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// A throw-away MariaDB server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MariadbScratch {
    /// Folder with `mariadb-install-db`, `mariadbd` and `mariadb`, instead of the installed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bin: Option<PathBuf>,
    /// The server's folder, relative to the scenario's folder: absent or empty before the run, gone after it. If it isn't
    /// given, a folder in the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Settings of the server (`innodb_buffer_pool_size: 512M`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// A throw-away Redis server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisScratch {
    /// The server program, instead of `redis-server`: a name, or a path relative to the scenario's folder. It must be as new as the
    /// source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
    /// The server's folder, relative to the scenario's folder: absent or empty before the run, gone after it. If it isn't given, a
    /// folder in the run's own. The data itself is in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

/// A throw-away etcd cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdScratch {
    /// Folder with `etcd` and with `etcdutl` (before 3.5 `etcdctl`), instead of the installed ones. They must be as new as the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bin: Option<PathBuf>,
    /// The cluster's folder, relative to the scenario's folder: absent or empty before the run, gone after it. If it isn't
    /// given, a folder in the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// A user with the role `root`, where the source has users: they and their passwords come back with the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the user's password is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Reference>,
}

impl Scratch {
    /// The word that picks this kind in a scenario.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Directory(_) => "directory",
            Self::Postgres(_) => "postgres",
            Self::Mariadb(_) => "mariadb",
            Self::Redis(_) => "redis",
            Self::Etcd(_) => "etcd",
        }
    }
}
