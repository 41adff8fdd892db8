//! The table of kinds, read from the schema: sources, vaults, scratches and probes, with their fields.

use serde_json::Value;

use crate::schema::{Variant, definition, follow, schema, variants};

/// The families of kinds, with the definition that holds each.
pub(crate) const FAMILIES: [(&str, &str); 4] =
    [("source", "Source"), ("vault", "Vault"), ("scratch", "Scratch"), ("probe", "Probe")];

/// One kind of source, vault, scratch or probe.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Kind {
    /// `source`, `vault`, `scratch` or `probe`.
    pub family: String,
    /// The word that picks it in a scenario.
    pub name: String,
    /// What it is, in one or two sentences.
    pub summary: String,
    /// Its fields, those that are required first. Empty for a kind that is a single text.
    pub fields: Vec<Field>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Field {
    /// Its key.
    pub name: String,
    /// What its value is, in words (`text`, `list of text`, `length of time`, the name of a definition).
    #[serde(rename = "type")]
    pub shape: String,
    /// Whether it must be given.
    pub required: bool,
    /// What holds if it isn't given, where that is one value.
    pub default: Option<Value>,
    /// What it says.
    pub summary: String,
    /// The definition that its value follows, if that has fields or words of its own.
    #[serde(skip)]
    pub(crate) definition: Option<String>,
}

/// Every kind of every family, in the order of the types.
pub fn kinds() -> Vec<Kind> {
    let root = schema();
    let family = |(family, name): (&str, &str)| {
        let found = variants(&root["$defs"][name]);
        found.iter().map(|variant| Kind::of(&root, family, variant)).collect::<Vec<_>>()
    };
    FAMILIES.into_iter().flat_map(family).collect()
}

impl Kind {
    fn of(root: &Value, family: &str, variant: &Variant<'_>) -> Self {
        let fields = variant.fields.map(|schema| fields(root, follow(root, schema))).unwrap_or_default();
        Self { family: family.into(), name: variant.word.into(), summary: variant.summary.into(), fields }
    }
}

/// The fields of a mapping: the required ones in the order of the type, then the others by name.
pub(crate) fn fields(root: &Value, schema: &Value) -> Vec<Field> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object();
    let mut fields: Vec<Field> =
        properties.into_iter().flatten().map(|(name, property)| Field::of(root, name, property, &required)).collect();
    fields.sort_by_key(|field| required.iter().position(|name| *name == field.name).unwrap_or(usize::MAX));
    fields
}

impl Field {
    fn of(root: &Value, name: &str, property: &Value, required: &[&str]) -> Self {
        Self {
            name: name.into(),
            shape: shape(root, property),
            required: required.contains(&name),
            default: property.get("default").cloned(),
            summary: property["description"].as_str().unwrap_or_default().into(),
            definition: inner(property)
                .and_then(definition)
                .filter(|name| speaks(&root["$defs"][name]))
                .map(String::from),
        }
    }
}

/// The schema that says what stands in a field, in its items or in its values.
fn inner(schema: &Value) -> Option<&Value> {
    if definition(schema).is_some() {
        return Some(schema);
    }
    let below = [&schema["propertyNames"], &schema["items"], &schema["additionalProperties"]];
    below.into_iter().find(|below| below.is_object()).and_then(inner)
}

/// Whether a definition has fields or words to explain.
fn speaks(schema: &Value) -> bool {
    schema["properties"].is_object() || schema["oneOf"].is_array()
}

/// What a value is, in words.
pub(crate) fn shape(root: &Value, schema: &Value) -> String {
    if let Some(name) = definition(schema) {
        let target = follow(root, schema);
        return if speaks(target) { words(name) } else { shape(root, target) };
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (_, Some("span")) => "length of time".into(),
        (_, Some(format)) => format.into(),
        (Some("string"), None) => "text".into(),
        (Some("integer"), None) => "whole number".into(),
        (Some("boolean"), None) => "true or false".into(),
        (Some("array"), None) if schema["maxItems"] == 2 => format!("two {}", several(root, &schema["items"])),
        (Some("array"), None) => format!("list of {}", several(root, &schema["items"])),
        (Some("object"), None) if schema["additionalProperties"].is_object() => {
            let key = definition(&schema["propertyNames"]).map_or("name".into(), words);
            format!("{} by {key}", several(root, &schema["additionalProperties"]))
        }
        (Some(kind), None) => kind.into(),
        (None, None) => "text, number, true, false or null".into(),
    }
}

/// What several such values are, in words.
fn several(root: &Value, schema: &Value) -> String {
    match shape(root, schema).as_str() {
        "text" => "text".into(),
        list if list.starts_with("list of ") => list.replacen("list", "lists", 1),
        one => format!("{one}s"),
    }
}

/// `PostgresSource` as words: "postgres source".
pub(crate) fn words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::kinds;

    #[test]
    fn every_kind_is_there_with_its_fields() {
        let names: Vec<String> = kinds().iter().map(|kind| format!("{} {}", kind.family, kind.name)).collect();
        let expected = [
            "source directory",
            "source sqlite",
            "source postgres",
            "source mariadb",
            "source redis",
            "source objects",
            "source etcd",
            "source command",
            "source restic",
            "source borg",
            "source files",
            "source pgbackrest",
            "source barman",
            "source tool",
            "vault url",
            "vault fs",
            "vault s3",
            "vault opendal",
            "scratch directory",
            "scratch postgres",
            "scratch mariadb",
            "scratch redis",
            "scratch etcd",
            "probe http",
            "probe sql",
            "probe tcp",
            "probe command",
            "probe file",
            "probe references",
        ];
        assert_eq!(names, expected);
        for kind in kinds() {
            assert!(!kind.summary.is_empty(), "{}", kind.name);
            assert!(kind.fields.iter().all(|field| !field.summary.is_empty() && !field.shape.is_empty()), "{kind:?}");
        }
    }

    #[test]
    fn a_field_says_what_it_takes() {
        let kinds = kinds();
        let directory = kinds.iter().find(|kind| kind.name == "directory").expect("a valid one");
        let shown: Vec<String> =
            directory.fields.iter().map(|f| format!("{} {} {} {:?}", f.name, f.shape, f.required, f.default)).collect();
        assert_eq!(shown[0], "path text true None");
        assert!(shown.contains(&"canary true or false false Some(Bool(false))".to_owned()), "{shown:?}");
        assert!(shown.contains(&"exclude list of text false None".to_owned()), "{shown:?}");
    }

    #[test]
    fn every_probe_lists_what_it_observes() {
        for kind in kinds().iter().filter(|kind| kind.family == "probe") {
            for observed in crate::observed::observed(&kind.name) {
                assert!(kind.summary.contains(&format!("`{}", observed.name)), "{} {}", kind.name, observed.name);
            }
            assert!(!crate::observed::observed(&kind.name).is_empty());
        }
    }
}
