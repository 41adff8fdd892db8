//! The application that is started on the restored data.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Container, Probe, Reference, Span};

/// The application that is started on the restored data. It sees the environment's facts as variables (`DRILL_ROOT`,
/// `DRILL_PORT`, `PGHOST`, …) and is stopped, with every process it started, before the environment is released.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Program and arguments; no shell is involved. `${DRILL_PORT}` and the other facts are filled in. In a container it is what the
    /// image is started with, behind its entrypoint if it has one; there it may be absent, and the image's own command is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub argv: Vec<String>,
    /// The container that it runs in. Absent: it is a program of this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// Folder it is started in, relative to the restored data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Further environment variables; facts are filled in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Further environment variables that are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Reference>,
    /// What must hold before the app counts as ready.
    pub ready: Ready,
}

impl App {
    /// What is started, for people: the program with its arguments, or the image.
    pub fn what(&self) -> String {
        match &self.container {
            None => self.argv.join(" "),
            Some(container) => format!("in a container of {}", container.image),
        }
    }
}

/// When the app counts as ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// What is looked at; it is repeated until it holds.
    pub probe: Probe,
    /// What it must show. Absent: that the probe reaches anything at all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: crate::Expectations,
    /// How long it may take.
    #[serde(default = "one_minute")]
    pub within: Span,
}

fn one_minute() -> Span {
    Span::from_secs(60)
}
