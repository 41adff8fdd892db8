//! What must hold on the restored data: a probe and what is expected of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Expectations, Name, Reference, Span};

/// One thing that must hold on the restored data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// One line for people: what holds if the check passes.
    pub name: String,
    /// What is looked at. Facts of the environment (`${DRILL_ROOT}`, `${DRILL_PORT}`, …) are filled in.
    pub probe: Probe,
    /// The system of `also` that is looked into. Absent: the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Name>,
    /// What it must show: for each observed value the condition it must meet.
    #[schemars(extend("minProperties" = 1))]
    pub expect: Expectations,
    /// The probe is repeated until it holds, for this long. Absent: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

/// Looks into an environment and returns observed values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// An HTTP request to the app. Observes `status`, `body`, `bytes`, `sha256`, `latency_ms` and `header.<name>`.
    Http(HttpProbe),
    /// A query on the restored database. Observes `value` (first column of the first row), `rows`, and `column.<name>`
    /// of the first row.
    Sql(SqlProbe),
    /// A TCP connection to the app. Observes `open`, `latency_ms` and `banner`.
    Tcp(TcpProbe),
    /// A program. Observes `exit`, `stdout` and `stderr`; if the output is one JSON object, also `json.<key>`.
    Command(CommandProbe),
    /// A restored file. Observes `exists`, `type`, `bytes`, `sha256`, `mode`, `modified`, `text` and `count` (of files
    /// that the path's glob matches).
    File(FileProbe),
    /// Files that a restored database names, each looked for where they were restored. Observes `references`, `unresolved`, `missing`,
    /// `differing` and `first_unresolved`. A query that names no file has proved nothing, so the check fails.
    References(ReferencesProbe),
}

/// An HTTP request. It goes to the environment only: to loopback, and follows no redirect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpProbe {
    /// Address, usually `http://127.0.0.1:${DRILL_PORT}/…`.
    pub url: String,
    /// Method.
    #[serde(default)]
    pub method: Method,
    /// Request headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Request headers that are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, Reference>,
    /// Request body.
    #[schemars(length(min = 0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// How long one request may take.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
}

/// Method of an HTTP request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    #[default]
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlProbe {
    /// The statement. On PostgreSQL and MariaDB it runs in the restored database, on SQLite in `database`.
    pub query: String,
    /// SQLite only: the database file, relative to the restored data. May be left out when there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<PathBuf>,
    /// How long the query may take.
    #[serde(default = "one_minute")]
    pub timeout: Span,
}

/// A TCP connection. It goes to the environment only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TcpProbe {
    /// Address and port, usually `127.0.0.1:${DRILL_PORT}`.
    pub address: String,
    /// Text to send after connecting.
    #[schemars(length(min = 0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// How long connecting and the first answer may take.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandProbe {
    /// Program and arguments; no shell is involved. It is started in the restored data.
    #[schemars(length(min = 1))]
    pub argv: Vec<String>,
    /// Further environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Further environment variables that are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Reference>,
    /// It is a program of the app's image, and runs in the app's container. Else it is one of this host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_app: bool,
    /// How long it may take.
    #[serde(default = "five_minutes")]
    pub timeout: Span,
}

/// A restored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileProbe {
    /// Path or glob below the restored data. Of a glob's matches the newest is looked at.
    pub path: String,
}

/// Files that a restored database names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferencesProbe {
    /// A query whose first column is the path of a file, one row a reference; a null names none. Where a column is called `size` or
    /// `sha256` (64 hexadecimal digits), the file must have that length or that content.
    pub query: String,
    /// SQLite only: the database file, relative to the restored data. May be left out when there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<PathBuf>,
    /// The system of `also` that holds the files. Absent: the one that the query runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Name>,
    /// Folder that the paths begin in, relative to the restored data. Absent: the restored data itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<PathBuf>,
    /// How long all of it may take.
    #[serde(default = "five_minutes")]
    pub timeout: Span,
}

fn ten_seconds() -> Span {
    Span::from_secs(10)
}

fn one_minute() -> Span {
    Span::from_secs(60)
}

fn five_minutes() -> Span {
    Span::from_secs(300)
}
