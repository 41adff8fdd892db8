//! Rules that hold between fields: what the structure of a file can't say. Each looks at the typed scenario and places
//! what it finds at the value that is to be changed.

mod adopted;
mod check;
mod container;
mod controls;
mod etcd;
mod exception;
mod history;
mod objectives;
mod sandbox;
mod schedule;
mod seal;
pub(crate) mod site;
mod source;
mod system;
mod text;
mod vault;

use std::collections::BTreeMap;

use crate::facts::{TARGET_TIME, samples, samples_of};
use crate::node::Node;
use crate::place::{Path, Place};
use crate::problem::Finding;
use crate::{Content, Name, RecoverTo, Scenario, Scratch, Source, System, fact_name, secret};

/// Everything that breaks a rule. `tree` is where `scenario` was read from.
pub(crate) fn check(scenario: &Scenario, tree: &Node) -> Vec<Finding> {
    let mut rules = Rules { scenario, tree, system: scenario.own_system(), findings: Vec::new() };
    system::check(&mut rules);
    for system in scenario.systems() {
        rules.within(system, |rules| {
            source::check(rules);
            adopted::check(rules);
            vault::of_source(rules);
        });
    }
    adopted::needs(&mut rules);
    vault::check(&mut rules);
    seal::check(&mut rules);
    check::check(&mut rules);
    container::check(&mut rules);
    sandbox::check(&mut rules);
    objectives::check(&mut rules);
    history::check(&mut rules);
    schedule::check(&mut rules);
    controls::check(&mut rules);
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
    /// The system that is looked at.
    system: System<'a>,
    findings: Vec<Finding>,
}

impl Rules<'_> {
    fn say(&mut self, path: &Path, message: impl Into<String>, hint: impl Into<String>) {
        let place = self.tree.locate(path);
        self.findings.push(Finding { path: path.clone(), place, message: message.into(), hint: hint.into() });
    }

    /// Looks at another system for a while.
    fn within(&mut self, system: System<'_>, look: impl FnOnce(&mut Rules<'_>)) {
        let mut there = Rules { scenario: self.scenario, tree: self.tree, system, findings: Vec::new() };
        look(&mut there);
        self.findings.append(&mut there.findings);
    }

    /// The path of a key of the system that is looked at.
    fn at<const N: usize>(&self, keys: [&str; N]) -> Path {
        let name = |also: &crate::FurtherSystem| Some(&also.name) == self.system.name;
        let base = match self.scenario.also.iter().position(name) {
            Some(number) => Path::of(["also"]).item(number),
            None => Path::default(),
        };
        keys.into_iter().fold(base, |path, key| path.key(key))
    }

    /// The facts of all systems.
    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        for System { name, source, scratch } in self.scenario.systems() {
            let name = name.map(Name::as_str);
            facts.extend(name.map_or_else(|| samples(scratch.kind()), |name| samples_of(name, scratch.kind())));
            if !source.recover_to().is_some_and(RecoverTo::is_instant) {
                facts.remove(&fact_name(name, TARGET_TIME));
            }
        }
        facts
    }

    /// The database server that the backup is restored into and that understands SQL, as people call it.
    fn server(&self) -> Option<&'static str> {
        match self.system.scratch {
            Scratch::Directory(_) | Scratch::Redis(_) | Scratch::Etcd(_) => None,
            Scratch::Postgres(_) => Some("PostgreSQL"),
            Scratch::Mariadb(_) => Some("MariaDB"),
        }
    }

    /// The key-value store that the backup is restored into.
    fn store(&self) -> Option<Store> {
        match self.system.scratch {
            Scratch::Redis(_) => Some(Store::REDIS),
            Scratch::Etcd(_) => Some(Store::ETCD),
            Scratch::Directory(_) | Scratch::Postgres(_) | Scratch::Mariadb(_) => None,
        }
    }

    /// How many SQLite databases the source names.
    fn sqlite_count(&self) -> usize {
        match self.system.source {
            Source::Sqlite(_) => 1,
            Source::Directory(directory) => directory.sqlite.len(),
            Source::Postgres(_)
            | Source::Mariadb(_)
            | Source::Redis(_)
            | Source::Objects(_)
            | Source::Etcd(_)
            | Source::Command(_)
            | Source::Restic(_)
            | Source::Borg(_)
            | Source::Files(_)
            | Source::Pgbackrest(_)
            | Source::Barman(_)
            | Source::Tool(_) => 0,
        }
    }

    /// Whether the backup is a dump of a server's database, which doesn't say when it was made.
    fn is_dump(&self) -> bool {
        matches!(self.wanted_scratch(), "postgres" | "mariadb")
    }

    /// The kind of scratch that the backup can be restored into.
    fn wanted_scratch(&self) -> &'static str {
        match self.system.source {
            Source::Directory(_) | Source::Sqlite(_) | Source::Objects(_) | Source::Restic(_) | Source::Borg(_) => {
                "directory"
            }
            Source::Postgres(_) | Source::Pgbackrest(_) | Source::Barman(_) => "postgres",
            Source::Mariadb(_) => "mariadb",
            Source::Redis(_) => "redis",
            Source::Etcd(_) => "etcd",
            Source::Command(source) => takes(&source.content),
            Source::Files(source) => takes(&source.content),
            Source::Tool(source) => takes(&source.content),
        }
    }
}

/// A key-value store: it understands no SQL and keeps no times.
struct Store {
    /// What people call it.
    called: &'static str,
    /// A `command` probe that asks it something.
    probe: &'static str,
    /// What the recovery point is measured by.
    measured_by: &'static str,
}

impl Store {
    const REDIS: Self = Self {
        called: "Redis",
        probe: "argv: [redis-cli, -s, \"${REDIS_SOCKET}\", dbsize]",
        measured_by: "the time at which the source made the RDB",
    };
    const ETCD: Self =
        Self { called: "etcd", probe: "argv: [etcdctl, get, --print-value-only, a/key]", measured_by: "the canary" };
}

/// The kind of scratch that takes what a program writes, or what is in a file.
fn takes(content: &Content) -> &'static str {
    match content {
        Content::Tar | Content::File(_) => "directory",
        Content::PgDump => "postgres",
        Content::MariadbDump => "mariadb",
    }
}
