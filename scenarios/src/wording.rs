//! How the structure's mistakes are put into words: what was wanted, what is there, what to write instead.

use serde_json::{Map, Value, json};

use crate::format;
use crate::node::{Content, Node};
use crate::place::Path;
use crate::schema::Variant;
use crate::suggest::{either, listed};

/// The longest text that a message repeats, in characters.
const REPEATED: usize = 40;

/// What a schema wants, in words.
pub(crate) fn wanted(schema: &Value) -> String {
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some(name)) => format::called(name).into(),
        (Some("string"), None) => "text".into(),
        (Some("integer"), _) => "a whole number".into(),
        (Some("number"), _) => "a number".into(),
        (Some("boolean"), _) => "true or false".into(),
        (Some("array"), _) => "a list".into(),
        (Some("object"), _) => "a mapping".into(),
        _ => "a single value".into(),
    }
}

/// What a node is, in words.
pub(crate) fn called(text: &str, node: &Node) -> String {
    match &node.content {
        Content::Map(_) => "a mapping".into(),
        Content::List(_) => "a list".into(),
        Content::Scalar(Value::String(text)) if text.chars().count() > REPEATED => "text".into(),
        Content::Scalar(Value::String(text)) => format!("the text `{text}`"),
        Content::Scalar(Value::Null) => "empty".into(),
        Content::Scalar(Value::Number(number)) => match raw(text, node) {
            "" => format!("the number {number}"),
            raw => format!("the number {raw}"),
        },
        Content::Scalar(value) => value.to_string(),
    }
}

/// What to write instead of a value of the wrong type.
pub(crate) fn remedy(text: &str, node: &Node, schema: &Value, path: &Path) -> String {
    let raw = raw(text, node);
    let before = if path.is_item() { String::new() } else { format!("{}: ", path.last()) };
    match (&node.content, schema["type"].as_str()) {
        (Content::Scalar(_), Some("string")) => match schema["format"].as_str() {
            Some(name) => format::example(name).into(),
            None => format!("Put it in quotes: `{before}\"{raw}\"`."),
        },
        (Content::Scalar(Value::String(word)), Some("integer" | "number"))
            if plain_value(text, node, schema).is_some() =>
        {
            format!("Take the quotes away: `{before}{word}`.")
        }
        (_, Some("boolean")) => format!("Write `{before}true` or `{before}false`."),
        (Content::Scalar(Value::String(words)), Some("array")) if path.last() == "argv" => {
            format!(
                "Write each word as an item: `{before}[{}]`.",
                words.split_whitespace().collect::<Vec<_>>().join(", ")
            )
        }
        (Content::Scalar(_), Some("array")) => format!("Write a list, also for a single item: `{before}[{raw}]`."),
        (_, Some("array")) => "Put a hyphen before each item, also before a single one.".into(),
        (_, Some("object")) => match schema["properties"].as_object() {
            Some(properties) if path.is_root() => {
                format!(
                    "Write its keys, each at the beginning of a line: {}.",
                    listed(properties.keys().map(String::as_str))
                )
            }
            Some(_) if node.is_scalar() && main_field(schema).is_some() => {
                format!("Write `{before}{{{}: {raw}}}`.", main_field(schema).unwrap_or_default())
            }
            Some(properties) => below(properties),
            None if node.is_scalar() => "Write `name: value` lines below it.".into(),
            None => "Take the hyphens away: it is made of `name: value` lines.".into(),
        },
        (Content::Map(_), Some("string")) => {
            "Write text there. If it is one text with a colon in it, put it in quotes.".into()
        }
        (_, None) => "Write one value. To allow several texts, use `matches: \"^(one|other)$\"`.".into(),
        _ => format!("Write {} there.", wanted(schema)),
    }
}

/// What to write where a key has no value.
pub(crate) fn absent_value(schema: &Value, required: bool) -> String {
    let or = if required { "" } else { ", or take the line away" };
    match schema["properties"].as_object() {
        Some(properties) => below(properties),
        None => format!("Write {} there{or}.", wanted(schema)),
    }
}

fn below(properties: &Map<String, Value>) -> String {
    format!("Write its fields below it: {}.", listed(properties.keys().map(String::as_str)))
}

/// The field that a value belongs to which stands in place of a whole mapping.
fn main_field(schema: &Value) -> Option<&str> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match required.as_slice() {
        [only] => Some(only),
        _ => ["equals", "cron"].into_iter().find(|name| !schema["properties"][*name].is_null()),
    }
}

/// The value that was meant, if only its quotes or its key are wrong.
pub(crate) fn plain_value(text: &str, node: &Node, schema: &Value) -> Option<Value> {
    match (&node.content, schema["type"].as_str()?) {
        (Content::Scalar(Value::Number(_) | Value::Bool(_)), "string") if schema["format"].is_null() => {
            Some(raw(text, node).into())
        }
        (Content::Scalar(Value::String(text)), "integer") => text.parse::<i64>().ok().map(Value::from),
        (Content::Scalar(Value::String(text)), "number") => {
            text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from)
        }
        (Content::Scalar(value), "object") => main_field(schema).map(|name| json!({ name: value })),
        _ => None,
    }
}

/// The node as it is written, its first line.
fn raw<'a>(text: &'a str, node: &Node) -> &'a str {
    text.get(node.place.start..node.place.end).and_then(|raw| raw.lines().next()).unwrap_or_default()
}

/// The words of a choice: "`a`, `b` or `c`".
pub(crate) fn options(choices: &[Variant<'_>]) -> String {
    either(choices.iter().map(|choice| choice.word))
}

/// The words of a choice with what each means, a line a word.
pub(crate) fn explained(choices: &[Variant<'_>]) -> String {
    let line = |choice: &Variant<'_>| format!("\n  {}: {}", choice.word, sentence(choice.summary));
    format!("Write one of{}", choices.iter().map(line).collect::<String>())
}

/// "Did you mean `word`?"
pub(crate) fn did_you_mean(word: &str) -> String {
    format!("Did you mean `{word}`?")
}

/// The first sentence of a schema's description.
pub(crate) fn first_sentence(description: &Value) -> String {
    sentence(description.as_str().unwrap_or_default())
}

fn sentence(text: &str) -> String {
    text.split_once(". ").map_or_else(|| text.into(), |(first, _)| format!("{first}."))
}
