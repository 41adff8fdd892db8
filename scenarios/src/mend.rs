//! Guesses what a scenario with mistakes was meant to be, so that the rules between fields can be applied to the rest of it
//! in the same go. A mended scenario is never run: its mistakes are reported beside whatever the rules find.

use serde_json::Value;

use crate::place::Path;
use crate::problem::Finding;

/// How one mistake is mended.
#[derive(Debug)]
pub(crate) enum Mend {
    /// The key was meant to be this one.
    Rename(String),
    /// The value was meant to be this one.
    Replace(Value),
    /// Nobody knows; it is left out.
    Remove,
}

/// The data with its mistakes mended.
pub(crate) fn mended(mut json: Value, mends: &[(Path, Mend)]) -> Value {
    for (path, mend) in mends {
        let pointer = path.to_string();
        let parent = pointer.rsplit_once('/').and_then(|(parent, _)| json.pointer_mut(parent));
        let (Some(Value::Object(parent)), Some(key)) = (parent, path.steps().last()) else {
            if let (Mend::Replace(value), Some(place)) = (mend, json.pointer_mut(&pointer)) {
                *place = value.clone();
            }
            continue;
        };
        match (mend, parent.remove(key)) {
            (Mend::Rename(name), Some(value)) => {
                parent.entry(name.as_str()).or_insert(value);
            }
            (Mend::Replace(value), Some(_)) => {
                parent.insert(key.into(), value.clone());
            }
            _ => {}
        }
    }
    json
}

/// The findings that are not about what was mended, or about something that holds it.
pub(crate) fn untouched(findings: Vec<Finding>, mends: &[(Path, Mend)]) -> impl Iterator<Item = Finding> {
    findings.into_iter().filter(|finding| !mends.iter().any(|(mended, _)| mended.is_below(&finding.path)))
}
