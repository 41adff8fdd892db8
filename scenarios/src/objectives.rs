//! What the owner promised.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Span;

/// What was promised, and where. A drill that takes longer, or brings back older data, is Failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    /// Recovery time objective: the longest that the service may be away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Span>,
    /// Recovery point objective: the oldest that the newest restored data may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Span>,
    /// Document and place where the promise is written ("BCP v3, section 4.2").
    pub promised_in: String,
    /// How the newest data is found in what was restored. Absent: the newest modification time of the restored files,
    /// or the canary's own time where one was planted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
}

/// How the newest data is found in what was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Newest {
    /// A query on the database that was restored into a throw-away server, or on the only restored SQLite database, that gives one
    /// timestamp (`select max(updated_at) from orders`).
    Sql(String),
    /// The newest modification time of the restored files that this glob matches.
    Files(PathBuf),
}
