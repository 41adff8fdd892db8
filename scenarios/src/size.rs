//! Bytes as people write them: `800KiB`, `2GiB`, `10GB`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes, at least one, written as a whole number with its unit: `800KiB`, `2GiB`, `10GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size(u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    /// So many gibibytes.
    pub(crate) const fn gibibytes(count: u64) -> Self {
        Self(count << 30)
    }

    /// The same as a number.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a size");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(digits);
        let (_, worth) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*worth)).ok_or_else(wrong)?;
        if bytes == 0 { Err(format!("`{text}` is nothing")) } else { Ok(Self(bytes)) }
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

/// In the largest unit that leaves a whole number.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, worth) = UNITS.iter().find(|(_, worth)| self.0.is_multiple_of(*worth)).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / worth)
    }
}

impl schemars::JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "size",
            "description": "Bytes: a whole number with one of the units B, KiB, MiB, GiB, TiB, kB, MB, GB, TB.",
            "pattern": "^[0-9]+([KMGT]iB|[kMGT]?B)$",
            "examples": ["2GiB"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn a_size_is_read_by_its_unit_and_printed_in_the_largest_that_fits() {
        for (text, bytes, printed) in [
            ("2GiB", 2 << 30, "2GiB"),
            ("2048KiB", 2 << 20, "2MiB"),
            ("800kB", 800_000, "800kB"),
            ("1TB", 1_000_000_000_000, "1TB"),
            ("7B", 7, "7B"),
        ] {
            let size: Size = text.parse().expect(text);
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, printed));
            assert_eq!(size.to_string().parse(), Ok(size));
        }
    }

    #[test]
    fn what_is_no_size_or_is_nothing_is_refused() {
        for text in ["", "2", "GiB", "2 GiB", "-1B", "1.5GiB", "2G", "2GiB/s", "0MiB", "99999999999TiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
