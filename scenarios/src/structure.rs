//! Holds the tree of a file against the schema and finds everything that doesn't fit: unknown, missing and doubled
//! keys, wrong types, unknown words. It stops at nothing; what it lets pass, the types accept.

use serde_json::{Map, Value};

use crate::format;
use crate::node::{Content, Entry, Node};
use crate::place::{Path, Place};
use crate::problem::Finding;
use crate::schema::{Variant, definition, follow, variants};
use crate::suggest::{closest, either, listed};

/// What the walk found: what is wrong, and places that hold a secret where a reference belongs.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) findings: Vec<Finding>,
    pub(crate) secrets: Vec<Place>,
}

/// Holds the whole tree against the whole schema.
pub(crate) fn check(text: &str, schema: &Value, tree: &Node) -> Found {
    let mut walk = Walk { text, root: schema, found: Found::default() };
    walk.doubled(tree, &Path::default());
    walk.node(tree, schema, &Path::default(), tree.head());
    walk.found
}

struct Walk<'a> {
    text: &'a str,
    root: &'a Value,
    found: Found,
}

impl<'a> Walk<'a> {
    fn say(&mut self, path: &Path, place: Place, message: String, hint: impl Into<String>) {
        self.found.findings.push(Finding { path: path.clone(), place, message, hint: hint.into() });
    }

    /// `key` is the place of the key or item that holds the node.
    fn node(&mut self, node: &Node, schema: &'a Value, path: &Path, key: Place) {
        if definition(schema) == Some("Reference") && self.secret(node, path) {
            return;
        }
        let schema = follow(self.root, schema);
        if schema.get("oneOf").is_some() {
            return self.choice(node, &variants(schema), path, key);
        }
        match (&node.content, schema["type"].as_str()) {
            (_, None) if !matches!(node.content, Content::Scalar(_)) => self.mistyped(node, schema, path, key),
            (_, None) => {}
            (Content::Map(entries), Some("object")) => self.map(entries, schema, path, key),
            (Content::List(items), Some("array")) => self.list(items, schema, path, key),
            (Content::Scalar(value), Some(kind)) if is(value, kind) => self.scalar(node, value, schema, path),
            _ => self.mistyped(node, schema, path, key),
        }
    }

    /// A value where it must be said where the value is kept. True if there is nothing more to say about it.
    fn secret(&mut self, node: &Node, path: &Path) -> bool {
        match &node.content {
            Content::Scalar(Value::Null) => false,
            Content::Scalar(_) => {
                self.found.secrets.push(node.place);
                let label = path.label();
                self.say(
                    path,
                    node.place,
                    format!("{label} holds a value, but a secret is never written in a scenario"),
                    format!(
                        "Say where it is kept: `{{env: NAME}}`, `{{file: path}}` or `{{credential: name}}`. If {label} \
                         was a real secret, replace it: it has been in a file."
                    ),
                );
                true
            }
            Content::Map(entries) => {
                let strange = entries.iter().filter(|e| !["env", "file", "credential"].contains(&e.key.as_str()));
                self.found.secrets.extend(strange.filter(|e| leaf(&e.node)).map(|e| e.node.place));
                false
            }
            Content::List(items) => {
                self.found.secrets.extend(items.iter().filter(|item| leaf(item)).map(|item| item.place));
                false
            }
        }
    }

    fn choice(&mut self, node: &Node, choices: &[Variant<'a>], path: &Path, key: Place) {
        match &node.content {
            Content::Scalar(Value::String(word)) => self.word(node, word, choices, path),
            Content::Map(entries) if choices.iter().any(|choice| choice.fields.is_some()) => {
                self.kind(entries, choices, path, key);
            }
            Content::Scalar(Value::Null) => self.empty(path, key, &options(choices)),
            _ => {
                let message = format!("{} must be {}, but is {}", path.label(), options(choices), self.called(node));
                self.say(path, self.spot(node, key), message, explained(choices));
            }
        }
    }

    fn word(&mut self, node: &Node, word: &str, choices: &[Variant<'a>], path: &Path) {
        match choices.iter().find(|choice| choice.word == word) {
            Some(choice) if choice.fields.is_none() => {}
            Some(choice) => {
                let hint = match choice.fields.map(|fields| follow(self.root, fields)) {
                    Some(fields) if fields["type"] == "object" && fields["required"].is_null() => {
                        format!("Write `{word}: {{}}` below it to take it with its defaults.")
                    }
                    _ => format!("Write `{word}:` below it, and what it needs below that."),
                };
                self.say(path, node.place, format!("`{word}` has fields and does not stand alone"), hint);
            }
            None => {
                let message = format!("{} must be {}, but is `{word}`", path.label(), options(choices));
                let meant = closest(word, choices.iter().map(|choice| choice.word));
                self.say(path, node.place, message, meant.map_or_else(|| explained(choices), did_you_mean));
            }
        }
    }

    /// A mapping whose one key is the kind.
    fn kind(&mut self, entries: &[Entry], choices: &[Variant<'a>], path: &Path, key: Place) {
        for entry in entries {
            let choice = choices.iter().find(|choice| choice.word == entry.key);
            match choice.map(|choice| choice.fields) {
                Some(Some(fields)) => self.node(&entry.node, fields, &path.key(&entry.key), entry.place),
                Some(None) => self.say(
                    &path.key(&entry.key),
                    entry.place,
                    format!("`{}` stands alone and has no fields", entry.key),
                    format!("Write it as the value of {}, without a colon after it.", path.label()),
                ),
                None => {
                    let message = format!("`{}` is not a kind of {}", entry.key, path.label());
                    let meant = closest(&entry.key, choices.iter().map(|choice| choice.word));
                    let hint = meant.map_or_else(|| explained(choices), did_you_mean);
                    self.say(&path.key(&entry.key), entry.place, message, hint);
                }
            }
        }
        match entries {
            [_] => {}
            [] => self.empty(path, key, &options(choices)),
            [_, second, ..] => {
                let named = listed(entries.iter().map(|entry| entry.key.as_str()));
                let message = format!("{} has {}, but must be exactly one", path.label(), named);
                self.say(
                    path,
                    second.place,
                    message,
                    "Keep one of them. If a field belongs to the kind, indent it further.",
                );
            }
        }
    }

    fn map(&mut self, entries: &[Entry], schema: &'a Value, path: &Path, key: Place) {
        let none = Map::new();
        let known = schema["properties"].as_object().unwrap_or(&none);
        let mut misspelt = Vec::new();
        for entry in entries {
            let below = path.key(&entry.key);
            match (self.root_key(known, schema, &entry.key), &schema["additionalProperties"]) {
                (Some(property), _) => self.node(&entry.node, property, &below, entry.place),
                (None, free) if free.is_object() => {
                    self.named(entry, schema, path);
                    self.node(&entry.node, free, &below, entry.place);
                }
                _ => misspelt.extend(self.unknown(entry, known, path)),
            }
        }
        self.missing(entries, known, schema, &misspelt, path, key);
        let least = schema["minProperties"].as_u64().unwrap_or(0);
        if (entries.len() as u64) < least {
            let hint = if known.is_empty() {
                "Write at least one line below it.".into()
            } else {
                format!("Give at least one of {}.", listed(known.keys().map(String::as_str)))
            };
            self.say(path, key, format!("{} is empty", path.label()), hint);
        }
    }

    fn root_key(&self, known: &Map<String, Value>, schema: &'a Value, key: &str) -> Option<&'a Value> {
        if known.contains_key(key) { schema["properties"].get(key) } else { None }
    }

    /// A key that is free, but must be one of the words that `propertyNames` lists.
    fn named(&mut self, entry: &Entry, schema: &'a Value, path: &Path) {
        let words = variants(follow(self.root, &schema["propertyNames"]));
        if words.is_empty() || words.iter().any(|word| word.word == entry.key) {
            return;
        }
        let hint =
            closest(&entry.key, words.iter().map(|word| word.word)).map_or_else(|| explained(&words), did_you_mean);
        let message = format!("`{}` is not known in {}", entry.key, path.label());
        self.say(&path.key(&entry.key), entry.place, message, hint);
    }

    fn unknown(&mut self, entry: &Entry, known: &Map<String, Value>, path: &Path) -> Option<String> {
        let meant = closest(&entry.key, known.keys().map(String::as_str));
        let hint = match meant {
            Some(meant) => did_you_mean(meant),
            None => format!("Known here: {}.", listed(known.keys().map(String::as_str))),
        };
        let message = format!("`{}` is not a key of {}", entry.key, path.label());
        self.say(&path.key(&entry.key), entry.place, message, hint);
        meant.map(String::from)
    }

    fn missing(
        &mut self,
        entries: &[Entry],
        known: &Map<String, Value>,
        schema: &'a Value,
        misspelt: &[String],
        path: &Path,
        key: Place,
    ) {
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let absent: Vec<&str> = required
            .iter()
            .filter_map(Value::as_str)
            .filter(|name| !entries.iter().any(|e| e.key == *name) && !misspelt.iter().any(|m| m == name))
            .collect();
        if absent.is_empty() {
            return;
        }
        let verb = if absent.len() == 1 { "is" } else { "are" };
        let inside = if path.steps().next().is_none() { String::new() } else { format!(" in {}", path.label()) };
        let summary = |name: &&str| format!("`{name}`: {}", first_sentence(&known[*name]["description"]));
        let hint = format!("Add {}", absent.iter().map(summary).collect::<Vec<_>>().join(" "));
        self.say(path, key, format!("{} {verb} missing{inside}", listed(absent.iter().copied())), hint);
    }

    fn list(&mut self, items: &[Node], schema: &'a Value, path: &Path, key: Place) {
        for (number, item) in items.iter().enumerate() {
            self.node(item, &schema["items"], &path.item(number), item.head());
        }
        let (least, most) = (schema["minItems"].as_u64().unwrap_or(0), schema["maxItems"].as_u64().unwrap_or(u64::MAX));
        let count = items.len() as u64;
        if count < least && least == 1 {
            self.say(path, key, format!("{} is empty", path.label()), "Write at least one item, each after a hyphen.");
        } else if count < least || count > most {
            let message = format!("{} must have {least} items, but has {count}", path.label());
            self.say(path, key, message, format!("Write exactly {least} items."));
        }
    }

    fn scalar(&mut self, node: &Node, value: &Value, schema: &Value, path: &Path) {
        if let Some(constant) = schema.get("const")
            && constant != value
        {
            let message = format!("{} must be {constant}, but is {value}", path.label());
            return self.say(path, node.place, message, "This drillctl knows only that one.");
        }
        if let Some(least) = schema["minimum"].as_i64()
            && value.as_i64().is_some_and(|number| number < least)
        {
            let message = format!("{} must not be below {least}, but is {value}", path.label());
            return self.say(path, node.place, message, format!("Write {least} or more."));
        }
        let Some(text) = value.as_str() else { return };
        if text.trim().is_empty() && schema["minLength"].as_u64().unwrap_or(0) > 0 {
            let message = format!("{} is empty", path.label());
            return self.say(path, node.place, message, "Write something between the quotes, or take the line away.");
        }
        if let Some((message, hint)) = schema["format"].as_str().and_then(|name| format::wrong(name, text)) {
            self.say(path, node.place, format!("{} {message}", path.label()), hint);
        }
    }

    fn empty(&mut self, path: &Path, key: Place, wanted: &str) {
        let message = format!("{} has no value", path.label());
        self.say(path, key, message, format!("Write {wanted} there, or take the line away."));
    }

    fn mistyped(&mut self, node: &Node, schema: &Value, path: &Path, key: Place) {
        let wanted = wanted(schema);
        if matches!(node.content, Content::Scalar(Value::Null)) {
            let defaults =
                schema["type"] == "object" && schema["required"].is_null() && schema["minProperties"].is_null();
            return if defaults && schema["properties"].is_object() {
                let (label, last) = (path.label(), path.steps().last().unwrap_or_default().to_owned());
                let hint = format!("Write `{last}: {{}}` to take it with its defaults.");
                self.say(path, key, format!("{label} has no value"), hint)
            } else {
                self.empty(path, key, &wanted)
            };
        }
        let message = format!("{} must be {wanted}, but is {}", path.label(), self.called(node));
        let hint = self.remedy(node, schema, path);
        self.say(path, self.spot(node, key), message, hint);
    }

    /// What to write instead of a value of the wrong type.
    fn remedy(&self, node: &Node, schema: &Value, path: &Path) -> String {
        let raw = self.text.get(node.place.start..node.place.end).unwrap_or_default();
        let last = path.steps().last().unwrap_or_default();
        let prefix = if last.parse::<usize>().is_ok() { "- ".into() } else { format!("{last}: ") };
        match (&node.content, schema["type"].as_str()) {
            (Content::Scalar(_), Some("string")) => match schema["format"].as_str() {
                Some(name) => format::example(name).into(),
                None => format!("Put it in quotes: `{prefix}\"{raw}\"`."),
            },
            (Content::Scalar(Value::String(text)), Some(kind)) if quoted_value(text, kind) => {
                format!("Take the quotes away: `{prefix}{text}`.")
            }
            (_, Some("boolean")) => format!("Write `{prefix}true` or `{prefix}false`."),
            (Content::Scalar(_), Some("array")) => format!("Write a list, also for a single item: `{prefix}[{raw}]`."),
            (_, Some("array")) => "Put a hyphen before each item.".into(),
            (_, Some("object")) if schema["properties"].is_object() => {
                let keys = schema["properties"].as_object().into_iter().flat_map(Map::keys).map(String::as_str);
                format!("Write its fields below it: {}.", listed(keys))
            }
            (_, Some("object")) => "Write `name: value` lines below it.".into(),
            _ => format!("Write {} on this line.", wanted(schema)),
        }
    }

    /// What people call the value.
    fn called(&self, node: &Node) -> String {
        match &node.content {
            Content::Map(_) => "a mapping".into(),
            Content::List(_) => "a list".into(),
            Content::Scalar(Value::String(text)) if text.chars().count() > 40 => "text".into(),
            Content::Scalar(Value::String(text)) => format!("the text `{text}`"),
            Content::Scalar(Value::Null) => "empty".into(),
            Content::Scalar(Value::Number(number)) => {
                let raw = self.text.get(node.place.start..node.place.end).filter(|raw| raw.parse::<f64>().is_ok());
                format!("the number {}", raw.map_or_else(|| number.to_string(), String::from))
            }
            Content::Scalar(value) => format!("{value}"),
        }
    }

    fn spot(&self, node: &Node, key: Place) -> Place {
        if matches!(node.content, Content::Scalar(_)) { node.place } else { key }
    }

    /// Doubled keys, anywhere.
    fn doubled(&mut self, node: &Node, path: &Path) {
        match &node.content {
            Content::Scalar(_) => {}
            Content::List(items) => {
                items.iter().enumerate().for_each(|(number, item)| self.doubled(item, &path.item(number)));
            }
            Content::Map(entries) => {
                let mut first = std::collections::HashMap::new();
                for entry in entries {
                    let below = path.key(&entry.key);
                    if let Some(place) = first.insert(entry.key.as_str(), entry.place) {
                        let line = self.text.get(..place.start).unwrap_or_default().matches('\n').count() + 1;
                        let hint = format!("Keep one of them; the other is in line {line}.");
                        self.say(&below, entry.place, format!("`{}` is written twice", entry.key), hint);
                    }
                    self.doubled(&entry.node, &below);
                }
            }
        }
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => false,
    }
}

fn leaf(node: &Node) -> bool {
    matches!(node.content, Content::Scalar(_))
}

/// Whether a text would be a value of this type without its quotes.
fn quoted_value(text: &str, kind: &str) -> bool {
    match kind {
        "integer" => text.parse::<i64>().is_ok(),
        "number" => text.parse::<f64>().is_ok_and(f64::is_finite),
        "boolean" => matches!(text, "true" | "false"),
        _ => false,
    }
}

fn wanted(schema: &Value) -> String {
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some(name)) => format::called(name).into(),
        (Some("string"), None) => "text".into(),
        (Some("integer"), _) => "a whole number".into(),
        (Some("number"), _) => "a number".into(),
        (Some("boolean"), _) => "true or false".into(),
        (Some("array"), _) => "a list".into(),
        (Some("object"), _) => "a mapping".into(),
        _ => "one value: text, a number, true, false or null".into(),
    }
}

fn options(choices: &[Variant<'_>]) -> String {
    either(choices.iter().map(|choice| choice.word))
}

fn explained(choices: &[Variant<'_>]) -> String {
    let each = choices.iter().map(|choice| match choice.summary.split_once(". ") {
        Some((first, _)) => format!("`{}`: {first}.", choice.word),
        None => format!("`{}`: {}", choice.word, choice.summary),
    });
    format!("There is {}", each.collect::<Vec<_>>().join(" "))
}

fn did_you_mean(word: &str) -> String {
    format!("Did you mean `{word}`?")
}

fn first_sentence(description: &Value) -> String {
    let text = description.as_str().unwrap_or_default();
    text.split_once(". ").map_or_else(|| text.into(), |(first, _)| format!("{first}."))
}
