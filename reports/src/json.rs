//! The record as a file: `record.json`, its digest and its JSON Schema.

use aws_lc_rs::digest::{SHA256, digest};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{RECORD_SCHEMA, Record};

/// The text of `record.json`: indented, its fields in the order in which they are declared, maps by key, ended by a newline.
#[must_use]
pub fn to_json(record: &Record) -> String {
    let mut text = serde_json::to_string_pretty(record).expect("a record has string keys only");
    text.push('\n');
    text
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
