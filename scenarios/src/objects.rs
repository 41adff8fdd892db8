//! Objects that applications keep in storage: where they are, and what of them is left out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Vault;

/// Objects in storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectsSource {
    /// Where they are: the same addresses as a vault's, but for folders, which are a source of their own kind. Everything below the prefix is
    /// taken. Keys that may list and read are enough.
    pub place: Vault,
    /// Globs of keys below the prefix that are left out (`*.tmp`, `cache/**`). The report lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)))]
    pub exclude: Vec<String>,
    /// Plant an object with a nonce below the prefix before the capture, and take it away after the run. It needs keys that may write and
    /// delete there, sets off the bucket's notifications, and where versions are kept it stays as one of them.
    #[serde(default)]
    pub canary: bool,
}

impl ObjectsSource {
    /// What is left out beside what the scenario names.
    const NEVER_TAKEN: [&str; 3] = [
        "Of each object the current version is taken: earlier versions and delete markers are left out.",
        "Tags, access rules, storage classes, retention and encryption of objects are left out, and so are their headers `Expires` and \
         `Content-Language` and metadata that is not plain ASCII.",
        "The settings of the bucket are left out: its policies, lifecycle rules, versioning, notifications.",
    ];

    /// What it covers, in words for the report.
    pub(crate) fn covers(&self) -> String {
        format!("The objects in {}, with content, content type, metadata and time.", self.place.location())
    }

    /// What it leaves out, as statements for the report.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let globs = self.exclude.iter().map(|glob| format!("Objects whose keys match `{glob}` are left out."));
        globs.chain(Self::NEVER_TAKEN.map(str::to_owned)).collect()
    }
}
