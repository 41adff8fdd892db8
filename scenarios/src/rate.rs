//! Bytes a second as people write them: `800KiB/s`, `50MiB/s`, `1GB/s`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Size;

/// Bytes a second, at least one, written as a whole number with its unit: `800KiB/s`, `50MiB/s`, `1GB/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(Size);

impl Rate {
    /// The same as a number.
    pub const fn bytes_per_sec(self) -> u64 {
        self.0.bytes()
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a rate");
        match text.strip_suffix("/s").ok_or_else(wrong)?.parse::<Size>() {
            Ok(size) => Ok(Self(size)),
            Err(why) if why.ends_with("is nothing") => Err(format!("`{text}` lets nothing pass")),
            Err(_) => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

/// In the largest unit that leaves a whole number.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl schemars::JsonSchema for Rate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "rate",
            "description": "Bytes a second: a whole number with one of the units B/s, KiB/s, MiB/s, GiB/s, TiB/s, kB/s, MB/s, GB/s, TB/s.",
            "pattern": "^[0-9]+([KMGT]iB|[kMGT]?B)/s$",
            "examples": ["50MiB/s"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn a_rate_is_read_by_its_unit_and_printed_in_the_largest_that_fits() {
        for (text, bytes, printed) in [
            ("50MiB/s", 50 << 20, "50MiB/s"),
            ("2048KiB/s", 2 << 20, "2MiB/s"),
            ("800kB/s", 800_000, "800kB/s"),
            ("1GB/s", 1_000_000_000, "1GB/s"),
            ("7B/s", 7, "7B/s"),
        ] {
            let rate: Rate = text.parse().expect(text);
            assert_eq!((rate.bytes_per_sec(), rate.to_string().as_str()), (bytes, printed));
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }

    #[test]
    fn what_is_no_rate_or_lets_nothing_pass_is_refused() {
        for text in
            ["", "50", "50MiB", "MiB/s", "50 MiB/s", "-1B/s", "1.5MiB/s", "50Mbit/s", "0MiB/s", "99999999999GiB/s"]
        {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
