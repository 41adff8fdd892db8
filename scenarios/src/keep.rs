//! How long the environment of a run stays for people to look at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Span;

/// How long the environment of a run stays for people to look at, by how the run ended. Nothing runs in it meanwhile; it holds
/// the plain data of the backup. `drillctl env` lists, enters and releases what is kept; `drillctl sweep` releases it once its
/// time is over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// After a run that failed. Absent: it is released at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Span>,
    /// After a run that errored. Absent: it is released at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errored: Option<Span>,
    /// After a run that passed. Absent: it is released at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<Span>,
}

impl Keep {
    /// Whether any run's environment is to be kept.
    pub fn is_wanted(&self) -> bool {
        *self != Self::default()
    }
}
