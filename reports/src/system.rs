//! The systems of a drill, each with what became of it: one view of a record that holds the scenario's own apart from those that were
//! restored with it.

use std::collections::BTreeMap;

use crate::{Backup, Counts, EnvironmentFacts, Identity, Record, SystemRecord};

/// One system of a record.
#[derive(Debug, Clone, Copy)]
pub struct System<'a> {
    /// What it is called; nothing for the scenario's own.
    pub name: Option<&'a str>,
    /// Kinds of source, vault and scratch.
    pub kinds: &'a BTreeMap<String, String>,
    /// Identity of the source.
    pub source: &'a Identity,
    /// The backup that was restored, if there was one.
    pub backup: Option<&'a Backup>,
    /// The identity that opened it, if one did.
    pub opened_with: Option<&'a str>,
    /// Where it was restored, if it was.
    pub environment: Option<&'a EnvironmentFacts>,
    /// What came back, in numbers.
    pub counts: Option<&'a Counts>,
}

impl Record {
    /// Every system, the scenario's own first.
    pub fn systems(&self) -> impl Iterator<Item = System<'_>> {
        let own = System {
            name: None,
            kinds: &self.kinds,
            source: &self.source,
            backup: self.backup.as_ref(),
            opened_with: self.opened_with.as_deref(),
            environment: self.environment.as_ref(),
            counts: self.counts.as_ref(),
        };
        std::iter::once(own).chain(self.also.iter().map(SystemRecord::view))
    }

    /// The system of this name; the scenario's own without one.
    #[must_use]
    pub fn system(&self, name: Option<&str>) -> Option<System<'_>> {
        self.systems().find(|system| system.name == name)
    }
}

impl SystemRecord {
    fn view(&self) -> System<'_> {
        System {
            name: Some(&self.name),
            kinds: &self.kinds,
            source: &self.source,
            backup: self.backup.as_ref(),
            opened_with: self.opened_with.as_deref(),
            environment: self.environment.as_ref(),
            counts: self.counts.as_ref(),
        }
    }
}
