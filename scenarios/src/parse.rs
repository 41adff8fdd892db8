//! From the text of a file to a scenario, or to everything that is wrong with it.
//!
//! One reading of the YAML gives a tree with places; the tree is held against the schema; what doesn't fit is mended as
//! well as it can be guessed, so that the types take it and the rules between fields are applied too. Each step reports
//! all that it finds.

use std::sync::LazyLock;

use serde_json::Value;

use crate::node::{Content, Node};
use crate::place::{Path, Place};
use crate::problem::{Finding, Problems};
use crate::secret::Masks;
use crate::{Scenario, mend, rules, schema, structure};

/// The most bytes that a scenario file may have.
const MAX_BYTES: usize = 256 * 1024;

static SCHEMA: LazyLock<Value> = LazyLock::new(schema::schema);

/// Parses and checks a scenario. `name` is what the file is called in the problems.
///
/// # Errors
/// Everything that is wrong with the text, each with its place and what to do. Secrets that stand in the text are masked.
pub fn parse(name: &str, text: &str) -> Result<Scenario, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        return Err(too_big(name));
    }
    let mut secrets = Vec::new();
    examine(text, &mut secrets).map_err(|findings| Problems::new(name, text, findings, &Masks::of(text, secrets)))
}

/// Like [`parse`], for the bytes of a file.
///
/// # Errors
/// As [`parse`]; also for bytes that are not UTF-8.
pub fn parse_bytes(name: &str, bytes: &[u8]) -> Result<Scenario, Problems> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(name, text),
        Err(_) if bytes.len() > MAX_BYTES => Err(too_big(name)),
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

fn too_big(name: &str) -> Problems {
    let hint = format!("A scenario has at most {} KiB. Was another file meant?", MAX_BYTES / 1024);
    let finding = whole(Place::new(0, 0), "the file is too big for a scenario", hint);
    Problems::new(name, "", vec![finding], &Masks::of("", Vec::new()))
}

fn examine(text: &str, secrets: &mut Vec<Place>) -> Result<Scenario, Vec<Finding>> {
    let mut findings = rules::written_secrets(text);
    let tree = match Node::read(text) {
        Ok(tree) => tree,
        Err(fault) => {
            findings.push(whole(fault.place, fault.message, fault.hint));
            return Err(findings);
        }
    };
    if matches!(tree.content, Content::Scalar(Value::Null)) {
        let hint = "Start from one of the examples beside `quickstart.yaml`, or with `version: 1`.";
        findings.push(whole(Place::new(0, 0), "the file is empty", hint));
        return Err(findings);
    }
    let found = structure::check(text, &SCHEMA, &tree);
    secrets.extend(found.secrets);
    let fits = found.findings.is_empty();
    let json = mend::mended(tree.to_json(), &found.mends);
    let scenario = match serde_json::from_value::<Scenario>(json) {
        Ok(scenario) => {
            findings.extend(mend::untouched(rules::check(&scenario, &tree), &found.mends));
            Some(scenario)
        }
        Err(reason) => {
            if fits {
                findings.push(whole(tree.head(), reason.to_string(), "Compare it with the reference of fields."));
            }
            None
        }
    };
    findings.extend(found.findings);
    scenario.filter(|_| findings.is_empty()).ok_or(findings)
}

fn whole(place: Place, message: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { path: Path::default(), place, message: message.into(), hint: hint.into() }
}
