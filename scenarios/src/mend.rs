//! Guesses what a scenario with mistakes was meant to be, so that the rules between fields can be applied to the rest of it
//! in the same go. A mended scenario is never run: its mistakes are reported beside whatever the rules find.

use serde_json::{Value, json};

use crate::format;
use crate::place::Path;
use crate::problem::Finding;
use crate::schema::{Variant, variants};

/// How one mistake is mended.
#[derive(Debug)]
pub(crate) enum Mend {
    /// The key was meant to be this one.
    Rename(String),
    /// The value was meant to be this one.
    Replace(Value),
    /// Nobody knows. This value, or none, only lets the rest be looked at.
    StandIn(Option<Value>),
}

impl Mend {
    /// Lets the rest be looked at where a value of this schema is wrong or missing.
    pub(crate) fn stand_in(schema: &Value) -> Self {
        let value = match (schema["type"].as_str(), schema["format"].as_str()) {
            _ if schema.get("const").is_some() => schema.get("const").cloned(),
            (_, Some(name)) => Some(format::sample(name).into()),
            (Some("string"), None) => Some("something".into()),
            (Some("integer" | "number"), None) => Some(1.into()),
            (Some("boolean"), None) => Some(false.into()),
            (Some("object"), None) if schema["required"].is_null() => Some(json!({})),
            _ => return Self::one_of(&variants(schema)),
        };
        Self::StandIn(value)
    }

    /// The same for a choice.
    pub(crate) fn one_of(choices: &[Variant<'_>]) -> Self {
        Self::StandIn(choices.iter().find(|choice| choice.fields.is_none()).map(|choice| choice.word.into()))
    }
}

/// The data with its mistakes mended.
pub(crate) fn mended(mut json: Value, mends: &[(Path, Mend)]) -> Value {
    for (path, mend) in mends {
        let pointer = path.to_string();
        let parent = pointer.rsplit_once('/').and_then(|(parent, _)| json.pointer_mut(parent));
        match parent {
            Some(Value::Object(parent)) => {
                let old = parent.remove(path.last());
                match (mend, old) {
                    (Mend::Rename(name), Some(old)) => _ = parent.entry(name.as_str()).or_insert(old),
                    (Mend::Replace(new) | Mend::StandIn(Some(new)), _) => {
                        _ = parent.insert(path.last().into(), new.clone())
                    }
                    _ => {}
                }
            }
            Some(Value::Array(_)) => {
                if let (Mend::Replace(new) | Mend::StandIn(Some(new)), Some(old)) = (mend, json.pointer_mut(&pointer)) {
                    *old = new.clone();
                }
            }
            _ => {}
        }
    }
    json
}

/// The findings that are not about what nobody knows, or about something that holds it.
pub(crate) fn untouched(findings: Vec<Finding>, mends: &[(Path, Mend)]) -> impl Iterator<Item = Finding> {
    let unknown = |(path, mend): &(Path, Mend), finding: &Finding| {
        matches!(mend, Mend::StandIn(_)) && (path.is_below(&finding.path) || finding.path.is_below(path))
    };
    findings.into_iter().filter(move |finding| !mends.iter().any(|mend| unknown(mend, finding)))
}
