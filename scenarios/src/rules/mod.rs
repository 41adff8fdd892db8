//! Rules that hold between fields: what the structure of a file can't say. Each looks at the typed scenario and places
//! what it finds at the value that is to be changed.

mod adopted;
mod check;
mod exception;
mod history;
mod objectives;
mod schedule;
mod seal;
mod source;
mod text;
mod vault;

use std::collections::BTreeMap;

use crate::facts::samples;
use crate::node::Node;
use crate::place::{Path, Place};
use crate::problem::Finding;
use crate::{Content, Scenario, Scratch, Source, secret};

/// Everything that breaks a rule. `tree` is where `scenario` was read from.
pub(crate) fn check(scenario: &Scenario, tree: &Node) -> Vec<Finding> {
    let mut rules = Rules { scenario, tree, findings: Vec::new() };
    source::check(&mut rules);
    adopted::check(&mut rules);
    vault::check(&mut rules);
    seal::check(&mut rules);
    check::check(&mut rules);
    objectives::check(&mut rules);
    history::check(&mut rules);
    schedule::check(&mut rules);
    exception::check(&mut rules);
    rules.findings
}

/// A secret in the text, wherever it stands; also in a text that is no YAML.
pub(crate) fn written_secrets(text: &str) -> Vec<Finding> {
    let finding = |place: Place| Finding {
        path: Path::default(),
        place,
        message: "a secret key stands in the scenario".into(),
        hint: "Take it out, make a new key (this one has been in a file), and say where the new one is kept: \
               `identities: [{file: path}]`."
            .into(),
    };
    secret::certain(text).into_iter().map(finding).collect()
}

struct Rules<'a> {
    scenario: &'a Scenario,
    tree: &'a Node,
    findings: Vec<Finding>,
}

impl Rules<'_> {
    fn say(&mut self, path: &Path, message: impl Into<String>, hint: impl Into<String>) {
        let place = self.tree.locate(path);
        self.findings.push(Finding { path: path.clone(), place, message: message.into(), hint: hint.into() });
    }

    fn facts(&self) -> BTreeMap<String, String> {
        samples(self.scenario.scratch.kind())
    }

    fn has_postgres(&self) -> bool {
        matches!(self.scenario.scratch, Scratch::Postgres(_))
    }

    fn has_redis(&self) -> bool {
        matches!(self.scenario.scratch, Scratch::Redis(_))
    }

    /// How many SQLite databases the source names.
    fn sqlite_count(&self) -> usize {
        match &self.scenario.source {
            Source::Sqlite(_) => 1,
            Source::Directory(directory) => directory.sqlite.len(),
            Source::Postgres(_)
            | Source::Redis(_)
            | Source::Command(_)
            | Source::Restic(_)
            | Source::Borg(_)
            | Source::Files(_) => 0,
        }
    }

    /// Whether the backup is a dump of a PostgreSQL database.
    fn is_dump(&self) -> bool {
        match &self.scenario.source {
            Source::Postgres(_) => true,
            Source::Command(command) => command.content == Content::PgDump,
            Source::Files(files) => files.content == Content::PgDump,
            Source::Directory(_) | Source::Sqlite(_) | Source::Redis(_) | Source::Restic(_) | Source::Borg(_) => false,
        }
    }
}
