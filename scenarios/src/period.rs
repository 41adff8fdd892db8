//! Calendar periods, in which a drill must pass.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, Zoned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

impl Period {
    /// The period that holds an instant: its first instant, and the first one after it. `None` at the end of the calendar.
    pub fn around(self, at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let first = self.first_day(zone.to_datetime(at).date())?;
        let begin = |day: Date| day.to_zoned(zone.clone()).ok().map(|midnight: Zoned| midnight.timestamp());
        Some((begin(first)?, begin(first.checked_add(self.span()).ok()?)?))
    }

    /// Its word, as in "every quarter".
    pub fn word(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// The name of the period that begins on a day: `2027-Q1`, `2027-01`, `2027-W05`, `2027`.
    pub fn name(self, begin: Timestamp, zone: &TimeZone) -> String {
        let day = zone.to_datetime(begin).date();
        match self {
            Self::Week => {
                let week = day.iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            Self::Month => day.strftime("%Y-%m").to_string(),
            Self::Quarter => format!("{:04}-Q{}", day.year(), (day.month() + 2) / 3),
            Self::Year => format!("{:04}", day.year()),
        }
    }

    fn first_day(self, day: Date) -> Option<Date> {
        match self {
            Self::Week => day.tomorrow().ok()?.nth_weekday(-1, Weekday::Monday).ok(),
            Self::Month => Some(day.first_of_month()),
            Self::Quarter => Date::new(day.year(), (day.month() - 1) / 3 * 3 + 1, 1).ok(),
            Self::Year => Some(day.first_of_year()),
        }
    }

    fn span(self) -> Span {
        match self {
            Self::Week => 1.week(),
            Self::Month => 1.month(),
            Self::Quarter => 3.months(),
            Self::Year => 1.year(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Period;
    use crate::zone::zone;

    fn around(period: Period, at: &str, name: &str) -> [String; 3] {
        let zone = zone(name).expect("a zone");
        let (begin, end) = period.around(at.parse().expect("an instant"), &zone).expect("a period");
        [period.name(begin, &zone), begin.to_string(), end.to_string()]
    }

    #[test]
    fn a_period_begins_and_ends_at_midnight_in_its_zone() {
        let berlin = "Europe/Berlin";
        for (period, at, expected) in [
            (Period::Week, "2026-12-31T12:00:00Z", ["2026-W53", "2026-12-27T23:00:00Z", "2027-01-03T23:00:00Z"]),
            (Period::Week, "2026-12-27T23:00:00Z", ["2026-W53", "2026-12-27T23:00:00Z", "2027-01-03T23:00:00Z"]),
            (Period::Week, "2026-12-27T22:59:59Z", ["2026-W52", "2026-12-20T23:00:00Z", "2026-12-27T23:00:00Z"]),
            (Period::Month, "2028-02-29T12:00:00Z", ["2028-02", "2028-01-31T23:00:00Z", "2028-02-29T23:00:00Z"]),
            (Period::Quarter, "2027-03-31T21:59:59Z", ["2027-Q1", "2026-12-31T23:00:00Z", "2027-03-31T22:00:00Z"]),
            (Period::Quarter, "2027-03-31T22:00:00Z", ["2027-Q2", "2027-03-31T22:00:00Z", "2027-06-30T22:00:00Z"]),
            (Period::Year, "2027-06-01T00:00:00Z", ["2027", "2026-12-31T23:00:00Z", "2027-12-31T23:00:00Z"]),
        ] {
            assert_eq!(around(period, at, berlin), expected, "{at}");
        }
    }

    #[test]
    fn a_week_that_lost_a_day_is_a_week_all_the_same() {
        let [name, begin, end] = around(Period::Week, "2011-12-31T00:00:00Z", "Pacific/Apia");
        assert_eq!([name.as_str(), &begin, &end], ["2011-W52", "2011-12-26T10:00:00Z", "2012-01-01T10:00:00Z"]);
        let days =
            end.parse::<Timestamp>().expect("one").as_second() - begin.parse::<Timestamp>().expect("one").as_second();
        assert_eq!(days, 6 * 86_400);
    }
}
