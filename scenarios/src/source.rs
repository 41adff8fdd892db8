//! What is backed up: one variant a kind. The table of kinds, the JSON Schema and the reference page are read from here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    BarmanSource, BorgSource, FilesSource, ObjectsSource, PgbackrestSource, RecoverTo, Reference, ResticSource, Select,
    Span, ToolSource,
};

/// What is backed up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A folder with everything in it: modes, owners, times, links, sparse files, extended attributes and ACLs.
    Directory(DirectorySource),
    /// One SQLite database, taken through SQLite's online backup while it is in use.
    Sqlite(SqliteSource),
    /// One PostgreSQL database, dumped by `pg_dump` under an exported snapshot; or the whole cluster it is in, copied by
    /// `pg_basebackup`.
    Postgres(PostgresSource),
    /// One MariaDB or MySQL database, dumped by `mariadb-dump` or `mysqldump` in one transaction.
    Mariadb(MariadbSource),
    /// A Redis server (or Valkey) with all its databases, taken as the RDB that it sends to a replica.
    Redis(RedisSource),
    /// The objects below a prefix of a bucket, or of another storage service: content, content type, metadata and times.
    Objects(ObjectsSource),
    /// An etcd cluster, taken as the snapshot that one of its members sends.
    Etcd(EtcdSource),
    /// Whatever a program of yours writes to its standard output.
    Command(CommandSource),
    /// A backup of files that restic took: restored by restic, from a repository that is only read.
    Restic(ResticSource),
    /// A backup of files that Borg took: restored by Borg, from a repository that is only read.
    Borg(BorgSource),
    /// A backup that something else puts into storage as one file: a dump, an archive, an export.
    Files(FilesSource),
    /// A backup of a PostgreSQL cluster that pgBackRest took: restored by pgBackRest from a repository that is only read, and recovered from the
    /// archive of WAL, to its end or to an instant.
    Pgbackrest(PgbackrestSource),
    /// A backup of a PostgreSQL cluster that Barman took: restored by Barman from a home that is only read, and recovered from the archive
    /// of WAL, to its end or to an instant.
    Barman(BarmanSource),
    /// A backup of any other tool: programs of yours list what there is, and hand one out.
    Tool(ToolSource),
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectorySource {
    /// The folder, relative to the scenario's folder.
    pub path: PathBuf,
    /// Globs of paths below the folder that are left out (`*.tmp`, `cache/**`). The report lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub exclude: Vec<String>,
    /// SQLite databases below the folder, as paths in it: each is taken through SQLite's online backup instead of
    /// being copied byte by byte, its `-wal`, `-shm` and `-journal` files are left out, and its tables are compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub sqlite: Vec<PathBuf>,
    /// Stay on the folder's own file system.
    #[serde(default)]
    pub one_file_system: bool,
    /// Plant a file with a nonce in the folder before the capture, and take it away after the run.
    #[serde(default)]
    pub canary: bool,
}

/// A SQLite database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteSource {
    /// The database file, relative to the scenario's folder.
    pub path: PathBuf,
    /// Plant a row with a nonce, in a table of its own, before the capture, and take it away after the run.
    #[serde(default)]
    pub canary: bool,
}

/// A PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresSource {
    /// Connection URL without a password: `postgresql://user@host:5432/database`, or with `?host=/socket/folder`.
    /// Either this or `url_from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where the whole connection URL is kept, password included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_from: Option<Reference>,
    /// Where the password is kept, for `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Reference>,
    /// How it is taken.
    #[serde(default)]
    pub method: PostgresMethod,
    /// Schemas to take (all that are not the system's, if absent). Leaving one out is an exclusion and is reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub schemas: Vec<String>,
    /// How many dumps are taken at a time, under one snapshot. With more than one, the biggest tables are dealt out to them.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    pub jobs: u8,
    /// Folder with the `pg_dump` or `pg_basebackup` to use, instead of the installed one that comes closest to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bin: Option<PathBuf>,
    /// Plant a row with a nonce, in a schema of its own, before the capture, and take it away after the run.
    #[serde(default)]
    pub canary: bool,
}

/// How a PostgreSQL database is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PostgresMethod {
    /// By `pg_dump`: the one database, in a form that newer versions restore too.
    #[default]
    Dump,
    /// By `pg_basebackup`: the files of the whole cluster, all databases, and the WAL that makes them consistent. The user needs
    /// `REPLICATION`, and the scratch the same major version.
    Physical,
}

fn one() -> u8 {
    1
}

/// A MariaDB or MySQL database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MariadbSource {
    /// Connection URL without a password: `mariadb://user@host:3306/database`, or with `?socket=/path/of/the.sock`.
    /// Either this or `url_from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where the whole connection URL is kept, password included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_from: Option<Reference>,
    /// Where the password is kept, for `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Reference>,
    /// Hold back everybody's writes while the dump begins, a fraction of a second as a rule and never for long: the dump and what is
    /// compared then show the very same instant. Without it, or where the user lacks `RELOAD`, everything is read twice, and of what
    /// changed meanwhile only that it is there is compared.
    #[serde(default = "yes")]
    pub lock: bool,
    /// Folder with the `mariadb-dump` or `mysqldump` to use, instead of the installed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bin: Option<PathBuf>,
    /// Plant a row with a nonce, in a table of its own, before the capture, and take it away after the run.
    #[serde(default)]
    pub canary: bool,
}

fn yes() -> bool {
    true
}

/// A Redis server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisSource {
    /// URL of the server without a password: `redis://user@host:6379`, `rediss://…` for TLS, or `unix:///path/of/the/socket`.
    /// Either this or `url_from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where the whole URL is kept, password included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_from: Option<Reference>,
    /// Where the password is kept, for `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Reference>,
    /// File with the certificates that are trusted with TLS, relative to the scenario's folder. Absent: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// File with the certificate that a server is shown which asks for one, relative to the scenario's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// File with the key of `certificate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Plant a key with a nonce, in the first database, before the capture, and take it away after the run.
    #[serde(default)]
    pub canary: bool,
}

/// An etcd cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdSource {
    /// Client addresses of members: `https://host:2379`, `http://…`, or `unix:///path/of/the/socket`. The first that answers and has a
    /// leader is read, and no other.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub endpoints: Vec<String>,
    /// A user with the role `root`, where the cluster asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the user's password is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Reference>,
    /// File with the certificates that are trusted with TLS, relative to the scenario's folder. Absent: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// File with the certificate that a member is shown which asks for one, relative to the scenario's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// File with the key of `certificate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Plant a key with a nonce before the capture, and take it away after the run.
    #[serde(default)]
    pub canary: bool,
}

/// A program that writes the backup to its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandSource {
    /// Program and arguments; no shell is involved. It is started in the scenario's folder and must exit with 0.
    #[schemars(length(min = 1))]
    pub argv: Vec<String>,
    /// What the program writes.
    pub content: Content,
    /// Further environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Further environment variables that are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Reference>,
    /// Roughly how many bytes the restored data takes, for the check of free space (`0`: not known).
    #[serde(default)]
    pub expected_bytes: u64,
}

/// What a `command` source writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A tar archive; it is unpacked into the scratch.
    Tar,
    /// One file; it is restored under this name.
    File(String),
    /// An archive in pg_dump's custom format; it is loaded into a `postgres` scratch.
    PgDump,
    /// A dump in SQL of one database, as `mariadb-dump` and `mysqldump` write it; it is loaded into a `mariadb` scratch.
    MariadbDump,
}

impl Source {
    /// The word that picks this kind in a scenario.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Directory(_) => "directory",
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
            Self::Mariadb(_) => "mariadb",
            Self::Redis(_) => "redis",
            Self::Objects(_) => "objects",
            Self::Etcd(_) => "etcd",
            Self::Command(_) => "command",
            Self::Restic(_) => "restic",
            Self::Borg(_) => "borg",
            Self::Files(_) => "files",
            Self::Pgbackrest(_) => "pgbackrest",
            Self::Barman(_) => "barman",
            Self::Tool(_) => "tool",
        }
    }

    /// Whether the backup is one that another tool took.
    pub fn is_adopted(&self) -> bool {
        self.select().is_some()
    }

    /// Which of the backups that another tool took is restored; nothing if the drill takes its own.
    pub fn select(&self) -> Option<&Select> {
        match self {
            Self::Restic(source) => Some(&source.select),
            Self::Borg(source) => Some(&source.select),
            Self::Files(source) => Some(&source.select),
            Self::Pgbackrest(source) => Some(&source.select),
            Self::Barman(source) => Some(&source.select),
            Self::Tool(source) => Some(&source.select),
            Self::Directory(_)
            | Self::Sqlite(_)
            | Self::Postgres(_)
            | Self::Mariadb(_)
            | Self::Redis(_)
            | Self::Objects(_)
            | Self::Etcd(_)
            | Self::Command(_) => None,
        }
    }

    /// How old the newest of the backups that another tool took may be.
    pub fn max_age(&self) -> Option<Span> {
        match self {
            Self::Restic(source) => source.max_age,
            Self::Borg(source) => source.max_age,
            Self::Files(source) => source.max_age,
            Self::Pgbackrest(source) => source.max_age,
            Self::Barman(source) => source.max_age,
            Self::Tool(source) => source.max_age,
            Self::Directory(_)
            | Self::Sqlite(_)
            | Self::Postgres(_)
            | Self::Mariadb(_)
            | Self::Redis(_)
            | Self::Objects(_)
            | Self::Etcd(_)
            | Self::Command(_) => None,
        }
    }

    /// How far its server recovers, where an archive of WAL is replayed.
    pub fn recover_to(&self) -> Option<RecoverTo> {
        match self {
            Self::Pgbackrest(source) => Some(source.recover_to),
            Self::Barman(source) => Some(source.recover_to),
            _ => None,
        }
    }

    /// Whether the scenario allows a canary to be planted in it.
    pub fn plants_canary(&self) -> bool {
        match self {
            Self::Directory(source) => source.canary,
            Self::Sqlite(source) => source.canary,
            Self::Postgres(source) => source.canary,
            Self::Mariadb(source) => source.canary,
            Self::Redis(source) => source.canary,
            Self::Objects(source) => source.canary,
            Self::Etcd(source) => source.canary,
            Self::Command(_)
            | Self::Restic(_)
            | Self::Borg(_)
            | Self::Files(_)
            | Self::Pgbackrest(_)
            | Self::Barman(_)
            | Self::Tool(_) => false,
        }
    }

    /// What it covers, in words for the report.
    pub fn covers(&self) -> Vec<String> {
        match self {
            Self::Directory(source) => {
                let folder = format!("The folder {} with everything below it.", source.path.display());
                let databases =
                    source.sqlite.iter().map(|path| format!("The SQLite database {} in it.", path.display()));
                std::iter::once(folder).chain(databases).collect()
            }
            Self::Sqlite(source) => vec![format!("The SQLite database {}.", source.path.display())],
            Self::Postgres(source) if source.method == PostgresMethod::Physical => {
                vec!["The PostgreSQL cluster, all its databases and roles.".into()]
            }
            Self::Postgres(source) if source.schemas.is_empty() => vec!["The PostgreSQL database, all schemas.".into()],
            Self::Postgres(source) => {
                source.schemas.iter().map(|schema| format!("The schema {schema} of the PostgreSQL database.")).collect()
            }
            Self::Mariadb(_) => {
                vec!["The MariaDB or MySQL database: tables, views, routines, triggers, events, sequences.".into()]
            }
            Self::Redis(_) => vec!["The Redis server, all its databases and functions.".into()],
            Self::Objects(source) => vec![source.covers()],
            Self::Etcd(_) => vec!["The etcd cluster: keys, leases, users and roles.".into()],
            Self::Command(source) => {
                vec![format!("What the program {} writes.", source.argv.first().map_or("", String::as_str))]
            }
            Self::Restic(source) => vec![format!("What restic keeps in {}.", source.repository)],
            Self::Borg(source) => vec![format!("What Borg keeps in {}.", source.repository)],
            Self::Files(source) => vec![format!("What is put into storage as {}.", source.matching)],
            Self::Tool(source) => vec![format!("What {} keeps.", source.name)],
            Self::Pgbackrest(source) => {
                vec![format!(
                    "The PostgreSQL cluster that pgBackRest keeps as stanza {}, all its databases and roles.",
                    source.stanza
                )]
            }
            Self::Barman(source) => {
                vec![format!(
                    "The PostgreSQL cluster that Barman keeps as server {}, all its databases and roles.",
                    source.server
                )]
            }
        }
    }

    /// What the scenario tells the source to leave out, as statements for the report.
    pub fn left_out(&self) -> Vec<String> {
        match self {
            Self::Directory(source) => {
                let globs = source.exclude.iter().map(|glob| format!("Paths that match `{glob}` are left out."));
                let mounts =
                    source.one_file_system.then(|| "Other file systems mounted below the folder are left out.".into());
                globs.chain(mounts).collect()
            }
            Self::Postgres(source) if !source.schemas.is_empty() => {
                vec![format!("Schemas other than {} are left out.", source.schemas.join(", "))]
            }
            Self::Redis(_) => vec![
                "Configuration, users and cached scripts of the Redis server are left out: an RDB doesn't hold them."
                    .into(),
            ],
            Self::Objects(source) => source.left_out(),
            Self::Etcd(_) => vec![
                "Members and settings of the etcd cluster are left out: what is restored is a new cluster of one member.".into(),
            ],
            Self::Sqlite(_)
            | Self::Postgres(_)
            | Self::Mariadb(_)
            | Self::Command(_)
            | Self::Restic(_)
            | Self::Borg(_)
            | Self::Files(_)
            | Self::Pgbackrest(_)
            | Self::Barman(_)
            | Self::Tool(_) => Vec::new(),
        }
    }
}
