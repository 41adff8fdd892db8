//! The record as a file: `record.json`, its digest and its JSON Schema.

use aws_lc_rs::digest::{SHA256, digest};
use schemars::generate::SchemaSettings;
use serde_json::Value;
use thiserror::Error;

use crate::{RECORD_SCHEMA, Record};

/// The text of `record.json`: indented, its fields in the order in which they are declared, maps by key, ended by a newline.
#[must_use]
pub fn to_json(record: &Record) -> String {
    let mut text = serde_json::to_string_pretty(record).expect("a record has string keys only");
    text.push('\n');
    text
}

/// Reads the text of a `record.json`.
///
/// # Errors
/// When the text is no JSON, is no record, or is a record of a version that this program does not know.
pub fn from_json(text: &str) -> Result<Record, RecordError> {
    let value: Value = serde_json::from_str(text).map_err(RecordError::Malformed)?;
    match value["schema"].as_str() {
        Some(RECORD_SCHEMA) => serde_json::from_value(value).map_err(RecordError::Malformed),
        other => Err(RecordError::Version { found: other.unwrap_or("none").to_owned() }),
    }
}

/// Why a `record.json` can't be read.
#[derive(Debug, Error)]
pub enum RecordError {
    /// It is no JSON, or not the JSON of a record.
    #[error("record is damaged")]
    Malformed(#[source] serde_json::Error),
    /// Its version is unknown, or it names none.
    #[error("record has the schema `{found}`, expected `{RECORD_SCHEMA}`")]
    Version {
        /// What it names, `none` if it names none.
        found: String,
    },
}

/// SHA-256 of the text of `record.json`, hexadecimal: what `sha256sum record.json` says.
#[must_use]
pub fn record_sha256(record: &Record) -> String {
    hex::encode(digest(&SHA256, to_json(record).as_bytes()))
}

/// The JSON Schema (2020-12) of `record.json`, made from the types and their docs.
#[must_use]
pub fn record_schema() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Record>();
    let mut schema = schema.to_value();
    schema["$id"] = Value::from(RECORD_SCHEMA);
    schema["title"] = Value::from("drillctl record, version 1");
    schema
}
