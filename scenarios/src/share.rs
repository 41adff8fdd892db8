//! A part of a whole as people write it: `10%`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of a whole, from nothing to all of it, written in whole percent: `10%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(u8);

impl Share {
    /// This many percent of a whole.
    pub(crate) const fn of_percent(percent: u8) -> Self {
        assert!(percent <= 100, "a part is not more than the whole");
        Self(percent)
    }

    /// The same as a number, from 0 to 100.
    pub const fn percent(self) -> u8 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a share");
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        match number.parse() {
            Ok(percent @ 0..=100) => Ok(Self(percent)),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl schemars::JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "share",
            "description": "A part of a whole in whole percent, from `0%` to `100%`.",
            "pattern": "^(0*100|0*[0-9]{1,2})%$",
            "examples": ["10%"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn a_share_is_read_and_printed_in_percent() {
        for (text, percent) in [("0%", 0), ("10%", 10), ("100%", 100)] {
            let share: Share = text.parse().expect(text);
            assert_eq!((share.percent(), share.to_string().as_str()), (percent, text));
        }
    }

    #[test]
    fn what_is_no_part_of_a_whole_is_refused() {
        for text in ["", "%", "10", "101%", "-1%", "+5%", "1.5%", "10 %", "999%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
