//! Points in time as databases, file systems and programs write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::Scalar;

impl Scalar {
    /// The point in time that this value says, if it says one.
    ///
    /// Understood are RFC 3339 (`2027-01-31T03:00:00Z`), what PostgreSQL and SQLite print
    /// (`2027-01-31 03:00:00.123+00`, the offset may be absent and is UTC then), a date alone (its beginning, in UTC),
    /// and numbers as seconds since 1970.
    pub fn instant(&self) -> Option<Timestamp> {
        match self {
            Self::Int(seconds) => Timestamp::from_second(*seconds).ok(),
            Self::Float(seconds) => from_float(*seconds),
            Self::Text(text) => from_text(text.trim()),
            Self::Null | Self::Bool(_) => None,
        }
    }
}

fn from_float(seconds: f64) -> Option<Timestamp> {
    Timestamp::UNIX_EPOCH.checked_add(jiff::SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}

fn from_text(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        return from_float(seconds);
    }
    text.parse().ok().or_else(|| text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::Scalar;

    #[test]
    fn timestamps_are_read_as_they_are_printed() {
        for text in [
            "2027-01-31T03:00:00Z",
            "2027-01-31T04:00:00+01:00",
            "2027-01-31 03:00:00+00",
            "2027-01-31 03:00:00",
            "2027-01-31 04:00:00.000+01",
            "2027-01-31 08:30:00+05:30",
            " 2027-01-31T03:00:00\n",
            "1801364400",
            "1801364400.0",
        ] {
            let seen = Scalar::Text(text.into()).instant().map(|at| at.to_string());
            assert_eq!(seen.as_deref(), Some("2027-01-31T03:00:00Z"), "{text}");
        }
        assert_eq!(Scalar::Int(1_801_364_400).instant().map(|at| at.to_string()), Some("2027-01-31T03:00:00Z".into()));
        assert_eq!(Scalar::Float(0.5).instant().map(|at| at.to_string()), Some("1970-01-01T00:00:00.5Z".into()));
        let date = Scalar::Text("2027-01-31".into()).instant().map(|at| at.to_string());
        assert_eq!(date, Some("2027-01-31T00:00:00Z".into()));
    }

    #[test]
    fn what_is_no_point_in_time_is_none() {
        for text in ["", "yesterday", "infinity", "-infinity", "03:00", "2027-02-30", "0044-03-15 BC", "."] {
            assert_eq!(Scalar::Text(text.into()).instant(), None, "{text}");
        }
        for value in
            [Scalar::Null, Scalar::Bool(true), Scalar::Float(f64::NAN), Scalar::Float(1e300), Scalar::Int(i64::MAX)]
        {
            assert_eq!(value.instant(), None, "{value:?}");
        }
    }
}
