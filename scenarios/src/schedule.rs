//! When a drill is due.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Span;

/// When the drill is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Cron expression of five fields (`0 3 * * SUN`), six with seconds first; `L`, `W` and `#` are understood.
    pub cron: String,
    /// Time zone of the expression, by its IANA name.
    #[serde(default = "utc")]
    pub timezone: String,
    /// The obligation beside the cron expression: at least one passed drill in each such period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Period>,
    /// The start is spread over this long after each due time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Span>,
}

/// A calendar period in which a drill must pass at least once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar quarter.
    Quarter,
    /// A calendar year.
    Year,
}

fn utc() -> String {
    "UTC".into()
}
