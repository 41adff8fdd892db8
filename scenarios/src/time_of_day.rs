//! A time on the wall, as people write it: `08:00`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

/// Hours and minutes from `00:00` to `24:00`, the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay {
    minutes: i16,
}

impl TimeOfDay {
    /// The beginning of the day.
    pub const fn midnight() -> Self {
        Self { minutes: 0 }
    }

    /// The end of the day.
    pub const fn end_of_day() -> Self {
        Self { minutes: 24 * 60 }
    }

    /// That time of a day.
    pub(crate) fn on(self, day: Date) -> Option<DateTime> {
        let day = if self == Self::end_of_day() { day.tomorrow().ok()? } else { day };
        let minutes = self.minutes % (24 * 60);
        Some(day.at((minutes / 60) as i8, (minutes % 60) as i8, 0, 0))
    }
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a time of day");
        let digits = |part: &str| {
            let plain = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<i16>().ok().filter(|_| plain)
        };
        let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
        let (hours, minutes) = digits(hours).zip(digits(minutes)).ok_or_else(wrong)?;
        let total = hours * 60 + minutes;
        if minutes < 60 && total <= 24 * 60 { Ok(Self { minutes: total }) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

impl schemars::JsonSchema for TimeOfDay {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeOfDay".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "time-of-day",
            "description": "Hours and minutes, from 00:00 to 24:00.",
            "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$",
            "examples": ["08:00"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::TimeOfDay;

    #[test]
    fn a_time_is_printed_as_it_is_read_and_falls_on_its_day() {
        let day = jiff::civil::date(2027, 1, 31);
        for (text, on) in [
            ("00:00", "2027-01-31T00:00:00"),
            ("08:05", "2027-01-31T08:05:00"),
            ("23:59", "2027-01-31T23:59:00"),
            ("24:00", "2027-02-01T00:00:00"),
        ] {
            let time: TimeOfDay = text.parse().expect(text);
            assert_eq!((time.to_string().as_str(), time.on(day).map(|at| at.to_string()).as_deref()), (text, Some(on)));
        }
    }

    #[test]
    fn what_is_no_time_of_day_is_refused() {
        for text in ["", "8", "8:00", "08:0", "08:60", "24:01", "25:00", "-1:00", "+8:00", "08:00:00", "99:99"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }
}
