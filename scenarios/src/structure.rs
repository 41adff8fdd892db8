//! Holds the tree of a file against the schema and finds everything that doesn't fit: unknown, missing and doubled
//! keys, wrong types, unknown words. It stops at nothing; what it lets pass, the types accept.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::format;
use crate::mend::Mend;
use crate::node::{Content, Entry, Node};
use crate::place::{Path, Place};
use crate::problem::Finding;
use crate::schema::{Variant, definition, follow, variants};
use crate::suggest::{closest, listed};
use crate::wording::{
    absent_value, called, did_you_mean, explained, first_sentence, options, plain_value, remedy, wanted,
};

/// What the walk found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What is wrong.
    pub(crate) findings: Vec<Finding>,
    /// Places that hold a secret where a reference belongs.
    pub(crate) secrets: Vec<Place>,
    /// What the mistakes were meant to be.
    pub(crate) mends: Vec<(Path, Mend)>,
}

/// Holds the whole tree against the whole schema. `noun` is what people call such a file.
pub(crate) fn check((text, noun): (&str, &str), schema: &Value, tree: &Node) -> Found {
    let mut walk = Walk { text, noun, root: schema, found: Found::default() };
    walk.doubled(tree, &Path::default());
    walk.node(tree, schema, &Path::default(), tree.head());
    walk.found
}

struct Walk<'a> {
    text: &'a str,
    noun: &'a str,
    root: &'a Value,
    found: Found,
}

impl<'a> Walk<'a> {
    fn say(&mut self, path: &Path, place: Place, message: String, hint: impl Into<String>) {
        self.found.findings.push(Finding { path: path.clone(), place, message, hint: hint.into() });
    }

    fn label(&self, path: &Path) -> String {
        if path.is_root() { format!("the {}", self.noun) } else { path.label() }
    }

    fn mend(&mut self, path: &Path, mend: Mend) {
        self.found.mends.push((path.clone(), mend));
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
            (Content::Map(entries), Some("object")) => self.map(entries, schema, path, key),
            (Content::List(items), Some("array")) => self.list(items, schema, path, key),
            (Content::Scalar(_), None) => {}
            (Content::Scalar(value), Some(kind)) if is(value, kind) => self.scalar(node, value, schema, path),
            (Content::Scalar(Value::Null), _) => self.empty(path, key, schema, true),
            _ => self.mistyped(node, schema, path, key),
        }
    }

    /// A value where it must be said where the value is kept. True if there is nothing more to say about it.
    fn secret(&mut self, node: &Node, path: &Path) -> bool {
        match &node.content {
            Content::Scalar(Value::Null) => false,
            Content::Scalar(_) => {
                self.found.secrets.push(node.place);
                self.mend(path, Mend::Replace(json!({ "env": "NAME" })));
                self.say(
                    path,
                    node.place,
                    format!("{} holds a value, but a secret is never written in a scenario", self.label(path)),
                    "Say where it is kept: `{env: NAME}`, `{file: path}` or `{credential: name}`. If this was a real \
                     secret, replace it: it has been in a file.",
                );
                true
            }
            Content::Map(_) | Content::List(_) => {
                self.hide(node);
                false
            }
        }
    }

    /// Marks what may be a secret in a place for references: everything but a reference's own name.
    fn hide(&mut self, node: &Node) {
        match &node.content {
            Content::Scalar(_) => self.found.secrets.push(node.place),
            Content::List(items) => items.iter().for_each(|item| self.hide(item)),
            Content::Map(entries) => {
                let name = |e: &&Entry| ["env", "file", "credential"].contains(&e.key.as_str()) && e.node.is_scalar();
                entries.iter().filter(|entry| !name(entry)).for_each(|entry| self.hide(&entry.node));
            }
        }
    }

    fn choice(&mut self, node: &Node, choices: &[Variant<'a>], path: &Path, key: Place) {
        match &node.content {
            Content::Scalar(Value::String(word)) => self.word(node, word, choices, path),
            Content::Map(entries) if choices.iter().any(|choice| choice.fields.is_some()) => {
                self.kind(entries, choices, path, key);
            }
            Content::Scalar(Value::Null) => {
                self.mend(path, Mend::one_of(choices));
                self.say(path, key, format!("{} has no value", self.label(path)), explained(choices));
            }
            _ => {
                let is = called(self.text, node);
                self.mend(path, Mend::one_of(choices));
                let message = format!("{} must be {}, but is {is}", self.label(path), options(choices));
                self.say(path, spot(node, key), message, explained(choices));
            }
        }
    }

    fn word(&mut self, node: &Node, word: &str, choices: &[Variant<'a>], path: &Path) {
        match choices.iter().find(|choice| choice.word == word) {
            Some(choice) if choice.fields.is_none() => {}
            Some(choice) => {
                let defaults = choice.fields.is_some_and(|fields| has_defaults(follow(self.root, fields)));
                let hint = if defaults {
                    self.mend(path, Mend::Replace(json!({ word: {} })));
                    format!("Write `{word}: {{}}` below it to take it with its defaults.")
                } else {
                    format!("Write `{word}:` below it, and what it needs below that.")
                };
                self.say(path, node.place, format!("`{word}` has fields and does not stand alone"), hint);
            }
            None => {
                let message = format!("{} must be {}, but is `{word}`", self.label(path), options(choices));
                let meant = closest(word, choices.iter().map(|choice| choice.word));
                self.mend(path, meant.map_or_else(|| Mend::one_of(choices), |meant| Mend::Replace(meant.into())));
                self.say(path, node.place, message, meant.map_or_else(|| explained(choices), did_you_mean));
            }
        }
    }

    /// A mapping whose one key is the kind.
    fn kind(&mut self, entries: &[Entry], choices: &[Variant<'a>], path: &Path, key: Place) {
        if self.not_indented(entries, choices, path) {
            return;
        }
        for entry in entries {
            let below = path.key(&entry.key);
            match choices.iter().find(|choice| choice.word == entry.key).map(|choice| choice.fields) {
                Some(Some(fields)) => self.entry(entry, fields, &below, true),
                Some(None) => self.say(
                    &below,
                    entry.place,
                    format!("`{}` stands alone and has no fields", entry.key),
                    format!("Write it as the value of {}, without a colon after it.", self.label(path)),
                ),
                None => {
                    let meant = closest(&entry.key, choices.iter().map(|choice| choice.word));
                    self.mend(&below, meant.map_or(Mend::StandIn(None), |meant| Mend::Rename(meant.into())));
                    let message = format!("`{}` is not a kind of {}", entry.key, self.label(path));
                    self.say(&below, entry.place, message, meant.map_or_else(|| explained(choices), did_you_mean));
                }
            }
        }
        match entries {
            [_] => {}
            [] => self.say(path, key, format!("{} has no value", self.label(path)), explained(choices)),
            [_, second, ..] => {
                let named = listed(entries.iter().map(|entry| entry.key.as_str()));
                let message = format!("{} has {named}, but must have exactly one", self.label(path));
                let hint = "Keep one of them. If one was meant as a field of the other, indent it further.";
                self.say(path, second.place, message, hint);
            }
        }
    }

    /// The usual slip: a kind's fields stand beside it instead of below it. True if that is what happened.
    fn not_indented(&mut self, entries: &[Entry], choices: &[Variant<'a>], path: &Path) -> bool {
        let [kind, beside @ ..] = entries else { return false };
        let choice = choices.iter().find(|choice| choice.word == kind.key);
        let Some(fields) = choice.and_then(|choice| choice.fields).map(|fields| follow(self.root, fields)) else {
            return false;
        };
        let slipped = is_null(&kind.node) && beside.iter().all(|entry| fields["properties"].get(&entry.key).is_some());
        let (true, Some(first)) = (slipped, beside.first()) else { return false };
        let named = listed(beside.iter().map(|entry| entry.key.as_str()));
        let verb = if beside.len() == 1 { "stands" } else { "stand" };
        self.mend(path, Mend::StandIn(None));
        self.say(
            &path.key(&first.key),
            first.place,
            format!("{named} {verb} beside `{}` instead of below it", kind.key),
            format!("Indent further what belongs to `{}`.", kind.key),
        );
        true
    }

    fn map(&mut self, entries: &[Entry], schema: &'a Value, path: &Path, key: Place) {
        let mut present: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        for entry in entries {
            let below = path.key(&entry.key);
            let free = &schema["additionalProperties"];
            match schema["properties"].get(&entry.key) {
                Some(property) => self.entry(entry, property, &below, required(schema).any(|name| name == entry.key)),
                None if free.is_object() => {
                    self.named(entry, schema, path);
                    self.entry(entry, free, &below, false);
                }
                None => present.extend(self.unknown(entry, schema, path)),
            }
        }
        self.missing(&present, schema, path, key);
        if entries.is_empty() && schema["minProperties"].as_u64().unwrap_or(0) > 0 {
            let keys: Vec<&str> = keys(schema).collect();
            let hint = if keys.is_empty() {
                "Write at least one line below it.".into()
            } else {
                format!("Give at least one of {}.", listed(keys))
            };
            self.say(path, key, format!("{} is empty", self.label(path)), hint);
        }
    }

    fn entry(&mut self, entry: &Entry, schema: &'a Value, path: &Path, required: bool) {
        let target = follow(self.root, schema);
        if is_null(&entry.node) && target["type"].is_string() {
            self.empty(path, entry.place, target, required);
        } else {
            self.node(&entry.node, schema, path, entry.place);
        }
    }

    /// A key that is free, but must have the format, or be one of the words, that `propertyNames` wants.
    fn named(&mut self, entry: &Entry, schema: &'a Value, path: &Path) {
        let names = follow(self.root, &schema["propertyNames"]);
        if let Some((message, hint)) = names["format"].as_str().and_then(|name| format::wrong(name, &entry.key)) {
            let below = path.key(&entry.key);
            self.mend(&below, Mend::StandIn(None));
            return self.say(&below, entry.place, format!("a key of {} {message}", self.label(path)), hint);
        }
        let words = variants(names);
        if words.is_empty() || words.iter().any(|word| word.word == entry.key) {
            return;
        }
        let meant = closest(&entry.key, words.iter().map(|word| word.word));
        let below = path.key(&entry.key);
        self.mend(&below, Mend::StandIn(None));
        let message = format!("`{}` is not known in {}", entry.key, self.label(path));
        self.say(&below, entry.place, message, meant.map_or_else(|| explained(&words), did_you_mean));
    }

    /// An unknown key; what it was meant to be, if that can be guessed.
    fn unknown(&mut self, entry: &Entry, schema: &'a Value, path: &Path) -> Option<&'a str> {
        let meant = closest(&entry.key, keys(schema));
        let below = path.key(&entry.key);
        let hint = meant.map_or_else(|| format!("Known here: {}.", listed(keys(schema))), did_you_mean);
        self.mend(&below, meant.map_or(Mend::StandIn(None), |meant| Mend::Rename(meant.into())));
        self.say(&below, entry.place, format!("`{}` is not a key of {}", entry.key, self.label(path)), hint);
        meant
    }

    /// `present` names the keys that are there, and those that were meant.
    fn missing(&mut self, present: &[&str], schema: &'a Value, path: &Path, key: Place) {
        let absent: Vec<&str> = required(schema).filter(|name| !present.contains(name)).collect();
        if absent.is_empty() {
            return;
        }
        for name in &absent {
            self.mend(&path.key(name), Mend::stand_in(follow(self.root, &schema["properties"][*name])));
        }
        let verb = if absent.len() == 1 { "is" } else { "are" };
        let inside = if path.is_root() { String::new() } else { format!(" in {}", self.label(path)) };
        let about = |name: &&str| format!("  {name}: {}", first_sentence(&schema["properties"][*name]["description"]));
        let hint = format!("Add\n{}", absent.iter().map(about).collect::<Vec<_>>().join("\n"));
        self.say(path, key, format!("{} {verb} missing{inside}", listed(absent.iter().copied())), hint);
    }

    fn list(&mut self, items: &[Node], schema: &'a Value, path: &Path, key: Place) {
        for (number, item) in items.iter().enumerate() {
            self.node(item, &schema["items"], &path.item(number), item.head());
        }
        let count = items.len() as u64;
        let (least, most) = (schema["minItems"].as_u64().unwrap_or(0), schema["maxItems"].as_u64().unwrap_or(u64::MAX));
        if least == 1 && count == 0 {
            self.say(path, key, format!("{} is empty", self.label(path)), "Write at least one item.");
        } else if count < least || count > most {
            let message = format!("{} must have {least} items, but has {count}", self.label(path));
            self.say(path, key, message, format!("Write exactly {least} items."));
        }
    }

    fn scalar(&mut self, node: &Node, value: &Value, schema: &Value, path: &Path) {
        let (label, last) = (self.label(path), path.last());
        if let Some(constant) = schema.get("const").filter(|constant| *constant != value) {
            self.mend(path, Mend::Replace(constant.clone()));
            let hint = format!("Write `{last}: {constant}`; this drillctl knows no other.");
            return self.say(path, node.place, format!("{label} must be {constant}, but is {value}"), hint);
        }
        if let Some(least) = schema["minimum"].as_f64()
            && value.as_f64().is_some_and(|number| number < least)
        {
            self.mend(path, Mend::stand_in(schema));
            let message = format!("{label} must not be below {least}, but is {value}");
            return self.say(path, node.place, message, format!("Write {least} or more."));
        }
        if let Some(most) = schema["maximum"].as_f64()
            && value.as_f64().is_none_or(|number| number > most)
        {
            self.mend(path, Mend::stand_in(schema));
            let message = format!("{label} must not be above {most}, but is {value}");
            return self.say(path, node.place, message, format!("Write {most} or less."));
        }
        let Some(text) = value.as_str() else { return };
        if text.trim().is_empty() && schema["minLength"].as_u64().unwrap_or(0) > 0 {
            return self.say(path, node.place, format!("{label} is empty"), "Write something between the quotes.");
        }
        if let Some((message, hint)) = schema["format"].as_str().and_then(|name| format::wrong(name, text)) {
            self.mend(path, Mend::stand_in(schema));
            self.say(path, node.place, format!("{label} {message}"), hint);
        }
    }

    /// A key, or an item, without a value.
    fn empty(&mut self, path: &Path, key: Place, schema: &Value, required: bool) {
        let hint = if has_defaults(schema) {
            self.mend(path, Mend::Replace(json!({})));
            format!("Write `{}: {{}}` to take it with its defaults.", path.last())
        } else {
            self.mend(path, Mend::stand_in(schema));
            absent_value(schema, required)
        };
        self.say(path, key, format!("{} has no value", self.label(path)), hint);
    }

    fn mistyped(&mut self, node: &Node, schema: &Value, path: &Path, key: Place) {
        if holds_references(schema) {
            self.hide(node);
        }
        let meant = plain_value(self.text, node, schema);
        self.mend(path, meant.map_or_else(|| Mend::stand_in(schema), Mend::Replace));
        let message = format!("{} must be {}, but is {}", self.label(path), wanted(schema), called(self.text, node));
        let hint = remedy(self.text, node, schema, path);
        self.say(path, spot(node, key), message, hint);
    }

    /// Doubled keys, anywhere.
    fn doubled(&mut self, node: &Node, path: &Path) {
        match &node.content {
            Content::Scalar(_) => {}
            Content::List(items) => {
                items.iter().enumerate().for_each(|(number, item)| self.doubled(item, &path.item(number)));
            }
            Content::Map(entries) => {
                let mut first = HashMap::new();
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

/// The names that a mapping must have.
fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The names that a mapping knows.
fn keys(schema: &Value) -> impl Iterator<Item = &str> {
    schema["properties"].as_object().into_iter().flat_map(Map::keys).map(String::as_str)
}

/// Whether `{}` is enough.
fn has_defaults(schema: &Value) -> bool {
    schema["properties"].is_object() && schema["required"].is_null() && schema["minProperties"].is_null()
}

/// Whether references to secrets stand directly in such a value, so that a secret may stand there by mistake.
fn holds_references(schema: &Value) -> bool {
    let properties = schema["properties"].as_object().into_iter().flat_map(Map::values);
    let mut below = [&schema["items"], &schema["additionalProperties"]].into_iter().chain(properties);
    below.any(|schema| definition(schema) == Some("Reference"))
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => false,
    }
}

fn is_null(node: &Node) -> bool {
    matches!(node.content, Content::Scalar(Value::Null))
}

fn spot(node: &Node, key: Place) -> Place {
    if node.is_scalar() { node.place } else { key }
}
