//! The JSON Schemas of scenarios and of sites, made from the types. Editors use it, the parser walks it, the reference page and the
//! table of kinds are read from it: there is no second list of fields.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::{Scenario, Site};

/// Name of the schema: the identifier of version 1 of the language.
pub const SCHEMA_ID: &str = "drillctl-scenario-1";

/// Name of the schema of site files.
pub const SITE_SCHEMA_ID: &str = "drillctl-site-1";

/// The JSON Schema (2020-12) of a scenario. Its descriptions are the documentation of the types.
///
/// Beyond the standard's own, it uses the formats `span` (a length of time), `rate` (bytes a second), `size` (bytes), `share` (a
/// part in percent) and `name`.
pub fn schema() -> Value {
    of::<Scenario>(SCHEMA_ID)
}

/// The JSON Schema (2020-12) of a site file. Its own format is `time-of-day`, hours and minutes.
pub fn site_schema() -> Value {
    of::<Site>(SITE_SCHEMA_ID)
}

fn of<T: JsonSchema>(id: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = Value::from(generator.into_root_schema_for::<T>());
    tidy(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("$id".into(), id.into());
        root.insert("title".into(), id.into());
    }
    schema
}

/// Makes of what the types say what the language means: a key that is there has a value, and a text is not empty.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(schema) => {
            without_null(schema);
            if schema.get("format").and_then(Value::as_str).is_some_and(|f| f.starts_with("uint") || f == "double") {
                schema.remove("format");
            }
            if let Some(Value::String(text)) = schema.get_mut("description") {
                *text = text.replace("\n\n", "\r").replace('\n', " ").replace('\r', "\n\n");
            }
            if let Some(Value::Object(properties)) = schema.get_mut("properties") {
                properties.values_mut().for_each(not_empty);
            }
            schema.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// An optional key may be absent; it may not be there without a value.
fn without_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(either)) = schema.get("anyOf")
        && let [Value::Object(real), null] = either.as_slice()
        && null["type"] == "null"
    {
        let real = real.clone();
        schema.remove("anyOf");
        schema.extend(real);
    }
    if let Some(Value::Array(types)) = schema.get("type")
        && let [real, null] = types.as_slice()
        && null == "null"
    {
        let real = real.clone();
        schema.insert("type".into(), real);
    }
}

fn not_empty(property: &mut Value) {
    let Some(schema) = property.as_object_mut() else { return };
    without_null(schema);
    let free = ["minLength", "const", "format", "pattern"].iter().all(|key| !schema.contains_key(*key));
    if free && schema.get("type").is_some_and(|kind| kind == "string") {
        schema.insert("minLength".into(), 1.into());
    }
}

/// The schema that this one stands for: a `$ref` followed to its definition.
pub(crate) fn follow<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match definition(schema) {
        Some(name) => follow(root, &root["$defs"][name]),
        None => schema,
    }
}

/// The name of the definition that this schema refers to.
pub(crate) fn definition(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// The alternatives of a choice, each by the word that picks it: its schema, and that of its fields if it has any.
pub(crate) fn variants(schema: &Value) -> Vec<Variant<'_>> {
    let each = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    each.iter().filter_map(Variant::of).collect()
}

/// One alternative of a choice.
pub(crate) struct Variant<'a> {
    /// The word that picks it.
    pub(crate) word: &'a str,
    /// What stands under the word; `None` if the word stands alone.
    pub(crate) fields: Option<&'a Value>,
    /// Its documentation.
    pub(crate) summary: &'a str,
}

impl<'a> Variant<'a> {
    fn of(schema: &'a Value) -> Option<Self> {
        let summary = schema["description"].as_str().unwrap_or_default();
        if let Some(word) = schema["const"].as_str() {
            return Some(Self { word, fields: None, summary });
        }
        let (word, fields) = schema["properties"].as_object()?.iter().next()?;
        Some(Self { word, fields: Some(fields), summary })
    }
}
