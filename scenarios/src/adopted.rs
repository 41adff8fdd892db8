//! Backups that other tools took: where they are, and which of them a drill restores. They are only read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Content, Reference, Span, Vault};

/// A repository of restic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResticSource {
    /// The repository as restic takes it: a folder, relative to the scenario's, or an address (`s3:https://host/bucket`,
    /// `sftp:user@host:/folder`, `rest:https://host/`) without credentials.
    pub repository: String,
    /// Where the repository's password is kept.
    pub password: Reference,
    /// Only backups of this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Only backups that have all of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub tags: Vec<String>,
    /// Only backups of all of these paths, each written as it was when the backup was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub paths: Vec<PathBuf>,
    /// Which of them is restored.
    #[serde(default)]
    pub select: Select,
    /// How old the newest of them may be. If it is older, the drill fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// What restic itself is to check in the repository.
    #[serde(default)]
    pub check: OwnCheck,
    /// Further environment variables of restic.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Further environment variables that are secrets (`AWS_SECRET_ACCESS_KEY`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Reference>,
    /// The program, if it isn't the `restic` on the system's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

/// A repository of Borg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BorgSource {
    /// The repository as Borg takes it: a folder, relative to the scenario's, or an address (`ssh://user@host/./folder`).
    pub repository: String,
    /// Where the repository's passphrase is kept; absent for one that isn't encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Reference>,
    /// Only archives whose names match this glob (`web-*`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archives: Option<String>,
    /// Which of them is restored.
    #[serde(default)]
    pub select: Select,
    /// How old the newest of them may be. If it is older, the drill fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// What Borg itself is to check in the repository.
    #[serde(default)]
    pub check: OwnCheck,
    /// Further environment variables of Borg (`BORG_RSH`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Further environment variables that are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Reference>,
    /// The program, if it isn't the `borg` on the system's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

/// Files that something else puts into storage: a dump, an archive, an export, one file a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesSource {
    /// Where they are put: the same addresses as a vault's.
    pub place: Vault,
    /// Glob of their paths below it (`orders-*.dump.zst`, `**/*.tar.gz`). The ends `.age`, `.gz` and `.zst` of a name say how it is unpacked.
    pub matching: String,
    /// What is in each of them, once it is unpacked.
    pub content: Content,
    /// Where the identities are kept that open those whose names end in `.age`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Reference>,
    /// How its name tells when a backup was taken, in UTC (`orders-%Y%m%dT%H%M%SZ.dump.zst`). Absent: the time of its last modification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// Beside each file lies another of the same name with `.sha256` at its end, as `sha256sum` writes it: it must be right.
    #[serde(default)]
    pub sha256: bool,
    /// The least bytes that a backup has, as it is stored. A smaller one fails the drill.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub at_least_bytes: u64,
    /// Which of them is restored.
    #[serde(default)]
    pub select: Select,
    /// How old the newest of them may be. If it is older, the drill fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
}

fn one() -> u64 {
    1
}

/// Which of the backups there are is restored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// The newest.
    #[default]
    Newest,
    /// Any of them, drawn by a seed that is in the record: whoever knows the ids can draw again.
    Random,
    /// The newest of those taken before this instant (`2026-11-01T00:00:00Z`).
    Before(Timestamp),
    /// The one with this id or name.
    Id(String),
}

/// What the tool that took the backups is to check in its repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnCheck {
    /// Nothing beyond what restoring reads.
    #[default]
    None,
    /// That its structure is sound.
    Structure,
    /// That its structure is sound and every byte of its data can be read, of all backups in it.
    Data,
}
