//! A secret is never written in a scenario; what is written says where it is kept.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is kept. The value itself never stands in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// In this environment variable of the drillctl process.
    Env(String),
    /// In this file, relative to the scenario's folder; one newline at its end is not part of it.
    File(PathBuf),
    /// Under this name in the credentials folder that the service manager sets up (`CREDENTIALS_DIRECTORY`).
    Credential(String),
}
