//! The YAML text as a small tree in which every node knows its place. It owns the reading of YAML and knows nothing of
//! what a scenario is.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Error, Location, Options, Spanned};

use crate::place::{Path, Place};

/// Deeper than any scenario, and shallow enough for every thread's stack.
const MAX_DEPTH: usize = 40;
/// Far more nodes than any scenario has, anchors expanded.
const MAX_NODES: usize = 50_000;

/// One value of the file.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where it stands. A mapping or list begins with its first entry.
    pub(crate) place: Place,
    /// What it holds.
    pub(crate) content: Content,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// Null, true, false, a number or text.
    Scalar(Value),
    /// Items in their order.
    List(Vec<Node>),
    /// Entries in their order, doubled keys included.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The key as it is written, without quotes.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) place: Place,
    /// Its value.
    pub(crate) node: Node,
}

/// Why a text is not one YAML document, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The place, as far as it is known.
    pub(crate) place: Place,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: String,
}

impl Node {
    /// Reads one YAML document.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let raw: Spanned<Raw> =
            serde_saphyr::from_str_with_options(text, options()).map_err(|error| fault(text, &error))?;
        Ok(Self::of(raw))
    }

    fn of(raw: Spanned<Raw>) -> Self {
        let content = match raw.value {
            Raw::Scalar(value) => Content::Scalar(value),
            Raw::List(items) => Content::List(items.into_iter().map(Self::of).collect()),
            Raw::Map(entries) => Content::Map(entries.into_iter().map(Entry::of).collect()),
        };
        Self { place: place_of(&raw.referenced), content }
    }

    /// Whether it is neither a mapping nor a list.
    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self.content, Content::Scalar(_))
    }

    /// The same data as JSON. Of a doubled key the last value stays.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(entries) => entries.iter().map(|e| (e.key.clone(), e.node.to_json())).collect(),
        }
    }

    /// Where to point for `path`: a scalar's own place, the key of a mapping or list, and for what is not in the file
    /// the nearest thing around it that is.
    pub(crate) fn locate(&self, path: &Path) -> Place {
        let mut node = self;
        let mut place = self.head();
        for step in path.steps() {
            let Some((key, child)) = node.step(step) else { return place };
            node = child;
            place = if matches!(node.content, Content::Scalar(Value::Null)) {
                key.unwrap_or(place)
            } else if let Content::Scalar(_) = node.content {
                node.place
            } else {
                key.unwrap_or_else(|| node.head())
            };
        }
        place
    }

    fn step(&self, step: &str) -> Option<(Option<Place>, &Node)> {
        match &self.content {
            Content::Scalar(_) => None,
            Content::List(items) => items.get(step.parse::<usize>().ok()?).map(|node| (None, node)),
            Content::Map(entries) => {
                entries.iter().find(|e| e.key == step).map(|entry| (Some(entry.place), &entry.node))
            }
        }
    }

    /// Where a node begins that has no key: at its first key or item.
    pub(crate) fn head(&self) -> Place {
        match &self.content {
            Content::Map(entries) => entries.first().map_or(self.place, |entry| entry.place),
            Content::List(items) => items.first().map_or(self.place, Node::head),
            Content::Scalar(_) => self.place,
        }
    }
}

impl Entry {
    fn of((key, value): (Spanned<String>, Spanned<Raw>)) -> Self {
        Self { place: place_of(&key.referenced), key: key.value, node: Node::of(value) }
    }
}

fn options() -> Options {
    let budget = serde_saphyr::budget! { max_depth: MAX_DEPTH, flow_nesting_limit: MAX_DEPTH, max_nodes: MAX_NODES };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        emit_comments: false,
        with_snippet: false,
    }
}

fn place_of(location: &Location) -> Place {
    let start = location.span().byte_offset().and_then(|offset| usize::try_from(offset).ok()).unwrap_or_default();
    let length = location.span().byte_len().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    Place::new(start, start.saturating_add(length))
}

fn fault(text: &str, error: &Error) -> Fault {
    let place = error.location().map_or(Place::new(0, 0), |location| match location.span().byte_offset() {
        Some(_) => place_of(&location),
        None => spot(text, location.line(), location.column()),
    });
    let (message, hint) = explain(error);
    Fault { place, message, hint: hint.into() }
}

/// The one character at a line and column, both counted from one.
fn spot(text: &str, line: u64, column: u64) -> Place {
    let before = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut start = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number == before(line) {
            let within: Range<usize> = content
                .char_indices()
                .nth(before(column))
                .map_or(content.len()..content.len(), |(at, c)| at..at + c.len_utf8());
            return Place::new(start + within.start, start + within.end);
        }
        start += content.len();
    }
    Place::new(text.len(), text.len())
}

/// What the reader says of a text that is no single plain document: a part of its message, what we say instead (nothing:
/// its own words), and what to do. Each has its file in `scenarios/invalid/` or a test below.
const EXPLAINED: [(&str, Option<&str>, &str); 15] = [
    (
        "multiple YAML documents",
        Some("a second document begins here"),
        "Keep one scenario a file: move what follows `---` to a file of its own.",
    ),
    ("null into string", Some("a key is empty"), "Write the key before the colon."),
    ("expected string scalar", Some("a key is not text"), "Write a plain word before the colon."),
    (
        "recursive references",
        Some("an alias stands inside its own anchor"),
        "Write the value out instead of the alias.",
    ),
    (
        "non-finite float",
        Some("this number is not finite"),
        "Write a finite number, or put it in quotes if it is text.",
    ),
    ("limit exceeded", Some(TOO_MUCH), "Write the values out, without lists in lists or aliases of aliases."),
    ("budget breached", Some(TOO_MUCH), "Write the values out, without lists in lists or aliases of aliases."),
    (
        "tag",
        Some("a scenario has no tags"),
        "Take the word with `!` away; put the value in quotes if the `!` belongs to it.",
    ),
    ("tab", None, "Indent with spaces: YAML allows no tabs there."),
    ("mapping values", None, "Check the indentation; a value with a colon and a space in it needs quotes."),
    ("unclosed quote", None, "Close the quote that begins here."),
    ("unclosed bracket", None, "Close the bracket that begins here."),
    ("flow mapping", None, "Look for a brace before this place that is not closed, or a comma that is missing."),
    (
        "illegal placement of ':'",
        None,
        "Look for a bracket or brace above that is not closed, and check the indentation.",
    ),
    ("unknown anchor", None, "Write the value out; if the text begins with `*`, put it in quotes."),
];
const TOO_MUCH: &str = "the file nests too deep or expands to too much";

fn explain(error: &Error) -> (String, &'static str) {
    let text = error.to_string();
    let plain = text.split_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    match EXPLAINED.iter().find(|(part, ..)| plain.contains(part)) {
        Some((_, Some(message), hint)) => ((*message).into(), hint),
        Some((_, None, hint)) => (format!("this is not YAML: {plain}"), hint),
        None => (
            format!("this is not YAML: {plain}"),
            "Check the indentation and the quotes on this line and the one above, and put a value in quotes that begins \
             with a sign.",
        ),
    }
}

/// What serde-saphyr gives, with its own places.
#[derive(Debug)]
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Node;

    #[test]
    fn words_and_numbers_that_other_readers_take_for_something_else_stay_what_they_are() {
        let text =
            "a: NO\nb: on\nc: 0755\nd: 1_000\ne: 2027-01-31\nf: 12:30\ng: 0x10\nh: 1.50\ni: ~\nj: 'true'\nk: Null\n";
        let wanted = json!({
            "a": "NO", "b": "on", "c": "0755", "d": "1_000", "e": "2027-01-31", "f": "12:30", "g": 16, "h": 1.5,
            "i": null, "j": "true", "k": null,
        });
        assert_eq!(Node::read(text).expect("a valid one").to_json(), wanted);
    }

    #[test]
    fn aliases_and_merged_mappings_are_plain_values() {
        let tree = Node::read("a: &x {k: 1}\nb: *x\nc: {<<: *x, z: 2}\n").expect("a valid one");
        assert_eq!(tree.to_json(), json!({"a": {"k": 1}, "b": {"k": 1}, "c": {"k": 1, "z": 2}}));
    }

    #[test]
    fn what_is_not_one_plain_document_says_what_to_do() {
        for (text, message) in [
            ("~: 1", "a key is empty"),
            ("? [a, b]\n: c", "a key is not text"),
            ("a: &a [*a]", "an alias stands inside its own anchor"),
            ("a: .inf", "this number is not finite"),
            ("a: 1e999", "this number is not finite"),
            ("a: !secret x", "a scenario has no tags"),
            ("a: *b", "this is not YAML: alias references unknown anchor"),
        ] {
            let fault = Node::read(text).expect_err(text);
            assert_eq!(fault.message, message, "{text}");
            assert!(fault.hint.ends_with('.'));
        }
    }
}
