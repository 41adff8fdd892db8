//! What each kind of probe observes: a closed list a kind, so that an expectation of something that is never observed
//! is found before a drill runs.

use crate::Probe;

/// One value that a probe observes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// Its name in `expect`. One that ends in a dot is the beginning of a name that the scenario completes.
    pub name: &'static str,
    /// What kind of value it is.
    pub shape: Shape,
    /// What it says.
    pub summary: &'static str,
}

/// What kind of value is observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// Text.
    Text,
    /// A point in time, as text.
    Time,
    /// Whatever is found there.
    Any,
}

const fn value(name: &'static str, shape: Shape, summary: &'static str) -> Observed {
    Observed { name, shape, summary }
}

const HTTP: [Observed; 6] = [
    value("status", Shape::Int, "Status code of the answer."),
    value("body", Shape::Text, "Body of the answer."),
    value("bytes", Shape::Int, "Length of the body in bytes."),
    value("sha256", Shape::Text, "SHA-256 of the body, 64 lower-case hexadecimal digits."),
    value("latency_ms", Shape::Int, "Milliseconds until the answer was whole."),
    value("header.", Shape::Text, "A header of the answer, its name in lower case."),
];
const SQL: [Observed; 3] = [
    value("value", Shape::Any, "First column of the first row."),
    value("rows", Shape::Int, "Number of rows."),
    value("column.", Shape::Any, "A column of the first row, by its name."),
];
const TCP: [Observed; 3] = [
    value("open", Shape::Bool, "Whether the connection was accepted."),
    value("latency_ms", Shape::Int, "Milliseconds until the connection was open."),
    value("banner", Shape::Text, "The first that the other side wrote."),
];
const COMMAND: [Observed; 4] = [
    value("exit", Shape::Int, "Exit code."),
    value("stdout", Shape::Text, "What the program wrote to its standard output."),
    value("stderr", Shape::Text, "What the program wrote to its standard error."),
    value("json.", Shape::Any, "A key of the one JSON object that the program wrote to its standard output."),
];
const FILE: [Observed; 8] = [
    value("exists", Shape::Bool, "Whether there is such a file."),
    value("type", Shape::Text, "`file`, `directory`, `symlink` or another type."),
    value("bytes", Shape::Int, "Length in bytes."),
    value("sha256", Shape::Text, "SHA-256 of the content, 64 lower-case hexadecimal digits."),
    value("mode", Shape::Any, "Permissions as octal digits: `0644`."),
    value("modified", Shape::Time, "Time of the last modification."),
    value("text", Shape::Text, "The content, if it is text."),
    value("count", Shape::Int, "How many files the path's glob matches."),
];

const REFERENCES: [Observed; 5] = [
    value("references", Shape::Int, "How many files the database names."),
    value("unresolved", Shape::Int, "How many of them are missing or differ."),
    value("missing", Shape::Int, "How many are not there."),
    value("differing", Shape::Int, "How many are there with another `size` or `sha256` than the query gives."),
    value("first_unresolved", Shape::Text, "The first that is missing or differs, and how."),
];

impl Probe {
    /// The word that picks this kind in a scenario.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Sql(_) => "sql",
            Self::Tcp(_) => "tcp",
            Self::Command(_) => "command",
            Self::File(_) => "file",
            Self::References(_) => "references",
        }
    }

    /// Everything that this kind of probe observes.
    pub fn observes(&self) -> &'static [Observed] {
        observed(self.kind())
    }
}

/// What the probes of a kind observe; nothing for a kind that doesn't exist.
pub(crate) fn observed(kind: &str) -> &'static [Observed] {
    match kind {
        "http" => &HTTP,
        "sql" => &SQL,
        "tcp" => &TCP,
        "command" => &COMMAND,
        "file" => &FILE,
        "references" => &REFERENCES,
        _ => &[],
    }
}

impl Observed {
    /// Whether an expectation of this name is about this value.
    pub(crate) fn is(&self, name: &str) -> bool {
        if self.name.ends_with('.') {
            name.strip_prefix(self.name).is_some_and(|rest| !rest.is_empty())
        } else {
            name == self.name
        }
    }
}
