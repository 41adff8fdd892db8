//! When a drill is due.

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Span;

/// When the drill is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Cron expression of five fields: minute, hour, day of month, month, day of week (`0 3 * * SUN`: Sundays at 03:00).
    /// Days of the week are `0` or `7` for Sunday to `6` for Saturday, or `SUN` to `SAT`. Also understood: lists (`1,15`),
    /// ranges (`MON-FRI`), steps (`*/15`), `L` for the last (day of the month; `5L` is the last Friday), `15W` for the
    /// weekday nearest to the 15th, `MON#1` for the first Monday, a sixth field in front for seconds, and `@daily`,
    /// `@weekly`, `@monthly`. If both day of month and day of week are given, either is enough. A time that a change of
    /// the clocks skips is due when the clocks have moved on; one that comes twice is due once.
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

impl Schedule {
    /// The first due time after an instant; `None` if there is none any more, or if the schedule is not valid (a parsed
    /// scenario's always is).
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let zone = zone(&self.timezone)?;
        let next = cron(&self.cron).ok()?.find_next_occurrence(&after.to_zoned(zone), false).ok()?;
        Some(next.timestamp())
    }
}

/// The expression, understood; or what is wrong with it.
pub(crate) fn cron(text: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| match error {
        CronError::InvalidPattern(why) | CronError::IllegalCharacters(why) | CronError::ComponentError(why) => {
            why.trim_end_matches('.').to_lowercase()
        }
        CronError::EmptyPattern => "it is empty".into(),
        other => other.to_string(),
    })
}

/// Whether the expression ever comes. Every combination of day, month and weekday that exists comes within 28 years of
/// any date in this century.
pub(crate) fn ever(cron: &Cron) -> bool {
    let start = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    cron.find_next_occurrence(&start, true).is_ok()
}

/// A time zone by its IANA name. The zones are part of the program: the language reads no files.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    jiff::tz::TimeZoneDatabase::bundled().get(name).ok()
}

/// The names of all time zones.
pub(crate) fn zones() -> Vec<String> {
    jiff::tz::TimeZoneDatabase::bundled().available().map(|zone| zone.as_str().to_owned()).collect()
}

fn utc() -> String {
    "UTC".into()
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use chrono::{DateTime, Utc};
    use jiff::Timestamp;

    use super::{Schedule, cron, ever};

    fn schedule(expression: &str, timezone: &str) -> Schedule {
        Schedule { cron: expression.into(), timezone: timezone.into(), every: None, spread: None }
    }

    fn due(schedule: &Schedule, from: &str, until: &str) -> Vec<i64> {
        let (mut at, until): (Timestamp, Timestamp) =
            (from.parse().expect("a valid one"), until.parse().expect("a valid one"));
        let mut found = Vec::new();
        while let Some(next) = schedule.next_after(at).filter(|next| *next < until) {
            found.push(next.as_second());
            at = next;
        }
        found
    }

    #[test]
    fn a_second_opinion_gives_the_same_due_times_for_a_year_in_utc() {
        let (from, until) = ("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
        for expression in [
            "0 3 * * SUN",
            "*/20 6-8 * * MON-FRI",
            "30 2 1 * *",
            "0 0 29 2 *",
            "15 4 1,15 JAN,JUL *",
            "5 4 */5 * *",
            "59 23 31 12 *",
            "0 */6 * * *",
            "10 1 * 3-5 *",
        ] {
            let second = cron::Schedule::from_str(&format!("0 {expression}")).expect(expression);
            let start = DateTime::<Utc>::from_str(from).expect("a valid one");
            let end = DateTime::<Utc>::from_str(until).expect("a valid one");
            let theirs: Vec<i64> = second.after(&start).take_while(|at| *at < end).map(|at| at.timestamp()).collect();
            let ours = due(&schedule(expression, "UTC"), from, until);
            assert_eq!(ours, theirs, "{expression}");
            assert!(!ours.is_empty() || expression.contains("29 2"), "{expression}");
        }
    }

    #[test]
    fn a_daily_drill_is_due_once_on_days_when_the_clocks_change() {
        let nightly = schedule("30 2 * * *", "Europe/Berlin");
        assert_eq!(due(&nightly, "2027-03-27T12:00:00Z", "2027-03-29T12:00:00Z").len(), 2);
        assert_eq!(due(&nightly, "2027-10-30T12:00:00Z", "2027-11-01T12:00:00Z").len(), 2);
    }

    #[test]
    fn the_time_zone_counts() {
        let at =
            schedule("0 3 * * *", "America/New_York").next_after("2027-01-31T00:00:00Z".parse().expect("a valid one"));
        assert_eq!(at.map(|at| at.to_string()), Some("2027-01-31T08:00:00Z".into()));
    }

    #[test]
    fn a_day_that_does_not_exist_never_comes() {
        for (expression, comes) in
            [("0 0 30 2 *", false), ("0 0 31 4,6,9,11 *", false), ("0 0 29 2 *", true), ("0 0 * * MON#5", true)]
        {
            assert_eq!(ever(&cron(expression).expect("a valid one")), comes, "{expression}");
        }
        assert_eq!(schedule("0 0 30 2 *", "UTC").next_after(Timestamp::UNIX_EPOCH), None);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "daily", "0 3 * *", "60 3 * * *", "0 0 3 * * SUN 2027", "0 24 * * *", "0 3 * * FOO"] {
            assert!(cron(text).is_err(), "{text}");
        }
    }
}
