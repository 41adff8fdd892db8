//! How a backup may differ from those of earlier runs.

use globset::GlobBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Share, Span};

/// How a backup may differ from those that earlier runs of this scenario passed with. What falls further fails the check
/// `history`; whoever finds it right accepts it with an exception (`history:table:public.orders`), and the run that passes
/// so is what later ones are held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// How far the rows of a table, the number of files and the size of the backup may each fall below the least of earlier
    /// runs. A table that is gone or empty and wasn't before has fallen further, whatever stands here.
    pub may_fall: Share,
    /// How old the newest data may be if it hasn't changed since the run before. Absent: after a week it is told as a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_may_stand: Option<Span>,
    /// Globs over the names of tables whose rows come and go (`public.jobs`, `public.events_*`). The report lists them.
    #[schemars(inner(length(min = 1)))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
}

impl Default for History {
    fn default() -> Self {
        Self { may_fall: Share::of_percent(50), newest_may_stand: None, ignore: Vec::new() }
    }
}

impl History {
    /// Whether the rows of this table come and go.
    pub fn ignores(&self, table: &str) -> bool {
        let fits = |glob: &String| GlobBuilder::new(glob).build().is_ok_and(|g| g.compile_matcher().is_match(table));
        self.ignore.iter().any(fits)
    }

    /// What isn't held against earlier runs, as statements for the report.
    pub fn left_out(&self) -> Vec<String> {
        let statement = |glob| format!("Rows of tables that match `{glob}` are not held against earlier runs.");
        self.ignore.iter().map(statement).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::History;

    #[test]
    fn tables_that_come_and_go_are_told_by_their_names() {
        let history = History { ignore: vec!["public.events_*".into(), "*.db:jobs".into()], ..History::default() };
        for (table, ignored) in [
            ("public.events_2026", true),
            ("public.events", false),
            ("data/app.db:jobs", true),
            ("data/app.db:jobs_done", false),
        ] {
            assert_eq!(history.ignores(table), ignored, "{table}");
        }
    }
}
