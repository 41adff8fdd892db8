//! When a drill is due, and how its due times are kept.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cron::Cron;
use crate::zone::{utc, zone};
use crate::{Name, Period, Span};

/// When the drill is due. With `cron` it has due times; `every` is an obligation, which runs that people start fulfil too. At
/// least one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Cron expression of five fields: minute, hour, day of month, month, day of week (`0 3 * * SUN`: Sundays at 03:00).
    /// Days of the week are `0` or `7` for Sunday to `6` for Saturday, or `SUN` to `SAT`. Also understood: lists (`1,15`),
    /// ranges (`MON-FRI`), steps (`*/15`), `L` for the last (day of the month; `5L` is the last Friday), `15W` for the
    /// weekday nearest to the 15th, `MON#1` for the first Monday, a sixth field in front for seconds, and `@daily`,
    /// `@weekly`, `@monthly`. If both day of month and day of week are given, either is enough. A time that a change of
    /// the clocks skips is due when the clocks have moved on; one that comes twice is due once. Only an expression for every
    /// hour (`*` or `*/2` as the hour) follows the time that really passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Time zone of the expression and of the periods, by its IANA name.
    #[serde(default = "utc")]
    pub timezone: String,
    /// The obligation: at least one passed drill in each such period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Period>,
    /// The start is spread over this long after each due time: by how much is drawn from the scenario's name and the due time,
    /// so that it is the same wherever it is worked out. It must be shorter than the time between two due times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Span>,
    /// How late the drill may start. What hasn't started by then, or by the next due time, is missed.
    #[serde(default = "a_day")]
    pub start_within: Span,
    /// What becomes of due times that passed, with all their time to start, while the scheduler was down.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// Whether a drill that ended without an answer is run again. One that failed never is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Who comes first of those that wait, the higher the earlier. If absent, by criticality: `low` 20, `medium` 40, `high` 60,
    /// `critical` 80.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub priority: Option<u8>,
    /// Names of scenarios that come first: this one waits while one of them runs or has yet to start what was due no later, and is
    /// skipped if its last drill did not pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Name>,
}

/// What becomes of due times that passed while the scheduler was down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are missed.
    Skip,
    /// The last of them is drilled, the others are missed.
    #[default]
    Latest,
    /// Each is drilled, one after the other.
    All,
}

/// How a drill that ended without an answer is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often it is run again, at most.
    #[schemars(range(min = 1, max = 10))]
    pub times: u8,
    /// How long to wait before each time.
    #[serde(default = "ten_minutes")]
    pub pause: Span,
}

impl Schedule {
    /// The first due time after an instant; `None` if there is none any more, or if the schedule has none.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.due_times()?.next_after(after)
    }

    /// Its time zone.
    pub fn zone(&self) -> TimeZone {
        zone(&self.timezone).unwrap_or(TimeZone::UTC)
    }

    /// The due times; `None` if there are none. A parsed scenario's are always valid.
    pub(crate) fn due_times(&self) -> Option<Cron> {
        Cron::parse(self.cron.as_ref()?, self.zone()).ok()
    }

    /// The fields that only due times give a meaning to, of those that are given.
    pub(crate) fn about_due_times(&self) -> Vec<&'static str> {
        let given = [
            ("spread", self.spread.is_some()),
            ("start_within", self.start_within != a_day()),
            ("catch_up", self.catch_up != CatchUp::default()),
            ("retry", self.retry.is_some()),
            ("priority", self.priority.is_some()),
            ("after", !self.after.is_empty()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }
}

const fn a_day() -> Span {
    Span::from_secs(24 * 3600)
}

const fn ten_minutes() -> Span {
    Span::from_secs(600)
}
