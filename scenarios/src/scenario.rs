//! The whole of a scenario file.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    App, Check, Container, Exception, Framework, FurtherSystem, History, Keep, Limits, Objectives, Sandbox, Schedule,
    Scratch, Seal, Source, Span, Vault,
};

/// One drill: what to restore, where, and what must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of the scenario language. This is version 1.
    pub version: Version,
    /// Short, stable identifier: lower-case letters, digits and hyphens. It names runs, snapshots and records.
    pub name: Name,
    /// One line for people: what is drilled.
    pub title: String,
    /// Who answers for this backup: a person, a team or an address.
    pub owner: String,
    /// How much depends on the system.
    pub criticality: Criticality,
    /// Class of the data, in the organisation's own words ("personal data", "public"). It goes into the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_class: Option<String>,
    /// Words that a site's policy speaks of: its blackouts, and how many drills may run at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Name>,
    /// What is backed up.
    pub source: Source,
    /// Where sealed snapshots rest. Needed unless the source is a backup that another tool took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<Vault>,
    /// To whom snapshots are encrypted, and which identities the drill opens them with. Needed as `vault` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
    /// The kind of throw-away place that the backup is restored into.
    pub scratch: Scratch,
    /// Systems that are backed up and restored together with this one. Captured in this order, after it, so that what one points to is
    /// in those that follow. Vault, seal, sandbox, app and objectives are the scenario's; `rpo` is measured on its own system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<FurtherSystem>,
    /// Keeps the app and the programs of probes from everything but what was restored. Absent: they run as any program of this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
    /// How closely what came back is compared with what went in.
    #[serde(default)]
    pub verify: Verify,
    /// What is started on the restored data, so that its health can be probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
    /// What must hold on the restored data. At least one: a drill that checks nothing proves nothing.
    #[schemars(length(min = 1))]
    pub checks: Vec<Check>,
    /// What was promised, and where the promise is written.
    pub objectives: Objectives,
    /// How the backup may differ from those of earlier runs.
    #[serde(default)]
    pub history: History,
    /// When the drill is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// How long each stage may take before it is given up.
    #[serde(default)]
    pub deadlines: Deadlines,
    /// What the drill may take of the systems that it touches.
    #[serde(default)]
    pub limits: Limits,
    /// How long the environment stays for people to look at.
    #[serde(default)]
    pub keep: Keep,
    /// Controls that this drill speaks to, by framework.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::framework::by_framework")]
    pub controls: BTreeMap<Framework, Vec<String>>,
    /// What this drill does not cover, in plain words. Every report repeats it.
    #[schemars(inner(length(min = 1)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<String>,
    /// Differences that somebody has accepted until a date.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
}

impl Scenario {
    /// The container that the app runs in, if it runs in one.
    pub fn container(&self) -> Option<&Container> {
        self.app.as_ref()?.container.as_ref()
    }
}

/// Version of the scenario language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Version;

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        if number == 1 { Ok(Self) } else { Err(format!("version {number} is not known to this drillctl")) }
    }
}

impl From<Version> for u64 {
    fn from(_: Version) -> Self {
        1
    }
}

impl JsonSchema for Version {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "const": 1 })
    }
}

/// Name of a scenario: 1 to 63 lower-case letters, digits and hyphens, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| plain(b) || b == b'-')
            && text.as_bytes().first().copied().is_some_and(plain)
            && text.as_bytes().last().copied().is_some_and(plain);
        if fits { Ok(Self(text)) } else { Err(format!("`{text}` is not a name")) }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "name",
            "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
            "examples": ["orders-db"],
        })
    }
}

/// How much depends on the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// An outage is a nuisance.
    Low,
    /// An outage slows people down.
    Medium,
    /// An outage stops a part of the business.
    High,
    /// An outage stops the business.
    Critical,
}

/// How closely what came back is compared with what went in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// How deep the comparison goes.
    #[serde(default)]
    pub level: Level,
    /// Read restored files back from the disk to digest them, past the cache where the system allows it. `false` takes the digests from
    /// what was written, which proves less and spares a second pass over the data. If absent, `true` unless the scratch is in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_back: Option<bool>,
}

/// How deep the comparison of restored data goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Names and numbers: every path with type and size; every table with its row count; every schema object's name.
    Count,
    /// Everything: every path's mode, times and SHA-256; every table's content fingerprint; every schema object's
    /// definition.
    #[default]
    Content,
}

/// How long each stage may take. A stage that takes longer is stopped, and the run is Errored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// Taking and sealing the backup.
    pub capture: Span,
    /// Completing the snapshot in the vault.
    pub store: Span,
    /// Making the environment.
    pub provision: Span,
    /// Fetching, opening and restoring the snapshot.
    pub restore: Span,
    /// Comparing what came back with what went in.
    pub verify: Span,
    /// Starting the app and running the checks.
    pub probe: Span,
    /// Removing what the run made.
    pub release: Span,
}

impl Default for Deadlines {
    fn default() -> Self {
        let (long, short) = (Span::from_secs(24 * 3600), Span::from_secs(15 * 60));
        Self { capture: long, store: long, provision: short, restore: long, verify: long, probe: short, release: short }
    }
}
