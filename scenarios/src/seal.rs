//! To whom a snapshot is encrypted, and with what the drill opens it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reference;

/// Recipients and identities of the snapshot, all of age's kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Public keys that the snapshot is encrypted to: `age1…`, `age1pq1…`, plugin recipients, `ssh-ed25519 …`.
    /// Absent: those of `identities`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub recipients: Vec<String>,
    /// Where the identities are kept that the drill opens the snapshot with, tried in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Reference>,
    /// Where a passphrase is kept, to seal with it instead of with recipients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Reference>,
}
