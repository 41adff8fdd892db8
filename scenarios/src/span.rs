//! A length of time as people write it: `90s`, `15m`, `1h30m`, `7d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time, written as numbers with units: `500ms`, `90s`, `15m`, `1h30m`, `7d`, `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(Duration);

const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    /// A span of whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The same length as the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a length of time");
        let mut rest = text;
        let mut millis: u64 = 0;
        let mut smallest = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let (_, worth) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            if *worth >= smallest {
                return Err(wrong());
            }
            smallest = *worth;
            let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*worth)).ok_or_else(wrong)?;
            millis = millis.checked_add(part).ok_or_else(wrong)?;
            rest = tail;
        }
        if smallest == u64::MAX { Err(wrong()) } else { Ok(Self(Duration::from_millis(millis))) }
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, worth) in UNITS.into_iter().skip(1) {
            if left >= worth {
                write!(f, "{}{unit}", left / worth)?;
                left %= worth;
            }
        }
        Ok(())
    }
}

impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "span",
            "description": "A length of time: numbers with the units ms, s, m, h, d, w, the biggest first.",
            "pattern": "^([0-9]+(ms|w|d|h|m|s))+$",
            "examples": ["15m", "1h30m", "7d"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn what_is_written_is_read_back_the_same() {
        for text in ["500ms", "90s", "15m", "1h30m", "7d", "1d12h30m5s250ms"] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span, span.to_string().parse().expect("printed form parses"));
        }
        assert_eq!("90s".parse::<Span>().map(|s| s.to_string()), Ok("1m30s".into()));
    }

    #[test]
    fn a_number_without_unit_or_units_out_of_order_are_refused() {
        for text in ["", "15", "m", "15 m", "30m1h", "1h1h", "-5m", "15min", "99999999999999999999w"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
