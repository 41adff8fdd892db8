//! Backups of a tool that drillctl doesn't know: programs of the user's list them and hand one out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Content, Reference, Select, Span};

/// The fact that names the backup to the program that hands it out.
pub const BACKUP: &str = "DRILL_BACKUP";

/// Backups of any tool, through programs of yours. They are started in the scenario's folder; no shell is involved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolSource {
    /// What the tool is called (`duplicity`), for the report.
    pub name: String,
    /// Program and arguments that list the backups: on each line of the standard output one JSON object with `id` and `taken_at` (RFC
    /// 3339). Other keys go into the record as text (`host`, `tags`).
    #[schemars(length(min = 1))]
    pub list: Vec<String>,
    /// Program and arguments that write one backup to the standard output; `${DRILL_BACKUP}` stands for its id.
    #[schemars(length(min = 1))]
    pub fetch: Vec<String>,
    /// What that program writes.
    pub content: Content,
    /// Program and arguments that have the tool check its own repository. Whatever exit code but 0 is a finding, with what was written
    /// to the standard error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check: Vec<String>,
    /// Which of them is restored.
    #[serde(default)]
    pub select: Select,
    /// How old the newest of them may be. If it is older, the drill fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// Roughly how many bytes the restored data takes, for the check of free space (`0`: not known).
    #[serde(default)]
    pub expected_bytes: u64,
    /// Further environment variables of the programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Further environment variables that are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Reference>,
}
