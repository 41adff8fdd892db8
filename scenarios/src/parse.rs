//! From the text of a file to a scenario or a site, or to everything that is wrong with it.
//!
//! One reading of the YAML gives a tree with places; the tree is held against the schema; what doesn't fit is mended as
//! well as it can be guessed, so that the types take it and the rules between fields are applied too. Each step reports
//! all that it finds.

use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::node::{Content, Node};
use crate::place::{Path, Place};
use crate::problem::{Finding, Problems};
use crate::secret::Masks;
use crate::{Scenario, Site, mend, rules, schema, structure};

/// The most bytes that a file may have.
const MAX_BYTES: usize = 256 * 1024;

static SCENARIO: LazyLock<Value> = LazyLock::new(schema::schema);
static SITE: LazyLock<Value> = LazyLock::new(schema::site_schema);

/// What a file can be.
trait Document: DeserializeOwned {
    /// What people call it.
    const NOUN: &'static str;
    /// What to do with an empty file.
    const BEGIN: &'static str;

    /// What it is held against.
    fn schema() -> &'static Value;
    /// What breaks a rule between its fields.
    fn broken(&self, tree: &Node) -> Vec<Finding>;
}

impl Document for Scenario {
    const NOUN: &'static str = "scenario";
    const BEGIN: &'static str = "Start from one of the examples beside `quickstart.yaml`, or with `version: 1`.";

    fn schema() -> &'static Value {
        &SCENARIO
    }

    fn broken(&self, tree: &Node) -> Vec<Finding> {
        rules::check(self, tree)
    }
}

impl Document for Site {
    const NOUN: &'static str = "site";
    const BEGIN: &'static str = "Start with `version: 1`, or do without the file.";

    fn schema() -> &'static Value {
        &SITE
    }

    fn broken(&self, tree: &Node) -> Vec<Finding> {
        rules::site::check(self, tree)
    }
}

/// Parses and checks a scenario. `name` is what the file is called in the problems.
///
/// # Errors
/// Everything that is wrong with the text, each with its place and what to do. Secrets that stand in the text are masked.
pub fn parse(name: &str, text: &str) -> Result<Scenario, Problems> {
    document(name, text)
}

/// Like [`parse`], for the bytes of a file.
///
/// # Errors
/// As [`parse`]; also for bytes that are not UTF-8.
pub fn parse_bytes(name: &str, bytes: &[u8]) -> Result<Scenario, Problems> {
    from_bytes(name, bytes)
}

/// Parses and checks the bytes of a site file.
///
/// # Errors
/// As [`parse_bytes`].
pub fn parse_site(name: &str, bytes: &[u8]) -> Result<Site, Problems> {
    from_bytes(name, bytes)
}

fn document<D: Document>(name: &str, text: &str) -> Result<D, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        return Err(too_big::<D>(name));
    }
    let mut secrets = Vec::new();
    examine(text, &mut secrets).map_err(|findings| Problems::new(name, text, findings, &Masks::of(text, secrets)))
}

fn from_bytes<D: Document>(name: &str, bytes: &[u8]) -> Result<D, Problems> {
    match std::str::from_utf8(bytes) {
        Ok(text) => document(name, text),
        Err(_) if bytes.len() > MAX_BYTES => Err(too_big::<D>(name)),
        Err(error) => {
            let text = String::from_utf8_lossy(bytes);
            let finding = whole(
                Place::new(error.valid_up_to(), error.valid_up_to() + 1),
                "the file is not UTF-8 text from here on",
                "Save it as UTF-8. If it is an archive or a backup, another file was meant.",
            );
            Err(Problems::new(name, &text, vec![finding], &Masks::of(&text, Vec::new())))
        }
    }
}

fn too_big<D: Document>(name: &str) -> Problems {
    let hint = format!("A {} has at most {} KiB. Was another file meant?", D::NOUN, MAX_BYTES / 1024);
    let finding = whole(Place::new(0, 0), format!("the file is too big for a {}", D::NOUN), hint);
    Problems::new(name, "", vec![finding], &Masks::of("", Vec::new()))
}

fn examine<D: Document>(text: &str, secrets: &mut Vec<Place>) -> Result<D, Vec<Finding>> {
    let mut findings = rules::written_secrets(text);
    let tree = match Node::read(text) {
        Ok(tree) => tree,
        Err(fault) => {
            findings.push(whole(fault.place, fault.message, fault.hint));
            return Err(findings);
        }
    };
    if matches!(tree.content, Content::Scalar(Value::Null)) {
        findings.push(whole(Place::new(0, 0), "the file is empty", D::BEGIN));
        return Err(findings);
    }
    let found = structure::check((text, D::NOUN), D::schema(), &tree);
    secrets.extend(found.secrets);
    let fits = found.findings.is_empty();
    let json = mend::mended(tree.to_json(), &found.mends);
    let document = match serde_json::from_value::<D>(json) {
        Ok(document) => {
            findings.extend(mend::untouched(document.broken(&tree), &found.mends));
            Some(document)
        }
        Err(reason) => {
            if fits {
                findings.push(whole(tree.head(), reason.to_string(), "Compare it with the reference of fields."));
            }
            None
        }
    };
    findings.extend(found.findings);
    document.filter(|_| findings.is_empty()).ok_or(findings)
}

fn whole(place: Place, message: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { path: Path::default(), place, message: message.into(), hint: hint.into() }
}
