//! A difference that somebody has accepted until a date.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A difference that somebody has accepted until a date. It stays in the report, with this person's name; from the day
/// after `until` it counts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Glob over the subjects of differences: a path (`var/cache/**`), a table (`table:public.sessions`), a schema
    /// object (`index:public.*`), a line that a restore tool wrote (`restore:*role \"app\" does not exist*`).
    pub pattern: String,
    /// Why it is acceptable.
    pub because: String,
    /// Who accepted it.
    pub owner: String,
    /// Last day on which it is accepted.
    #[schemars(with = "String", extend("format" = "date"))]
    pub until: jiff::civil::Date,
}
