//! What an observation must show, and the judgement of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Span;

/// For each observed value the condition it must meet; all must hold.
pub type Expectations = BTreeMap<String, Condition>;

/// What a probe saw, by name of the value.
pub type Observation = BTreeMap<String, Scalar>;

/// One value, observed or expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Nothing (SQL's NULL).
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
}

/// A condition on one observed value. Where several are given, all must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1))]
pub struct Condition {
    /// This value; `null` for SQL's NULL. Numbers are equal by value (`5`, `5.0`, and text that is this number); a newline
    /// at the end of an observed text doesn't count.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "null_too")]
    #[schemars(with = "Scalar")]
    pub equals: Option<Scalar>,
    /// Anything but this value.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "null_too")]
    #[schemars(with = "Scalar")]
    pub not: Option<Scalar>,
    /// Text that this regular expression finds a match in, anywhere unless it has `^` and `$`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// A number not below this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// A number not above this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// A number between these two, both included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<[f64; 2]>,
    /// A point in time at most this long before the instant that the drill takes as the failure. Understood are RFC 3339,
    /// `2027-01-31 03:00:00` with or without an offset (without: UTC), a date (its beginning) and seconds since 1970. One
    /// more than five minutes in the future is unclear: a clock is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_than: Option<Span>,
}

/// `Option` takes null for absent; here null is a value like any other.
fn null_too<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Scalar>, D::Error> {
    Scalar::deserialize(deserializer).map(Some)
}

/// What became of comparing an observation with what was expected.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// Everything holds.
    Holds,
    /// Something does not; each line says what was expected and what was seen.
    Fails(Vec<String>),
    /// It could not be judged, because a value was not observed or is of another type; each line says which.
    Unclear(Vec<String>),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl serde::de::Visitor<'_> for Any {
            type Value = Scalar;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, a number, true, false or null")
            }
            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                // Beyond 63 bits a whole number is as exact as a float can hold it.
                Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Int))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.into()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "One value: text, a number, true, false or null.",
            "type": ["string", "number", "boolean", "null"],
        })
    }
}
