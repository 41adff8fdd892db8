//! The systems of a drill: the scenario's own, and those that are backed up and restored with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Name, Scenario, Scratch, Source};

/// A system that is backed up and restored together with the scenario's own, such as the folder or bucket that a database points
/// into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FurtherSystem {
    /// What it is called in this scenario: checks pick it with `system`, reports name it, and its facts begin with it in capitals
    /// (`${UPLOADS_ROOT}`).
    pub name: Name,
    /// What is backed up.
    pub source: Source,
    /// The kind of throw-away place that it is restored into.
    pub scratch: Scratch,
}

/// One system of a drill.
#[derive(Debug, Clone, Copy)]
pub struct System<'a> {
    /// What it is called; nothing for the scenario's own.
    pub name: Option<&'a Name>,
    /// What is backed up.
    pub source: &'a Source,
    /// What it is restored into.
    pub scratch: &'a Scratch,
}

impl FurtherSystem {
    fn as_system(&self) -> System<'_> {
        System { name: Some(&self.name), source: &self.source, scratch: &self.scratch }
    }
}

impl Scenario {
    /// The scenario's own system.
    pub fn own_system(&self) -> System<'_> {
        System { name: None, source: &self.source, scratch: &self.scratch }
    }

    /// Every system, the scenario's own first: in the order in which they are captured.
    pub fn systems(&self) -> impl Iterator<Item = System<'_>> {
        std::iter::once(self.own_system()).chain(self.also.iter().map(FurtherSystem::as_system))
    }

    /// The system of this name; the scenario's own without one.
    pub fn system(&self, name: Option<&str>) -> Option<System<'_>> {
        self.systems().find(|system| system.name.map(Name::as_str) == name)
    }
}

/// What a fact of a system is called: the scenario's own goes by its own name, and another's by the system's name in capitals before it,
/// where it takes the place of a `DRILL_`.
pub fn fact_name(system: Option<&str>, fact: &str) -> String {
    match system {
        None => fact.into(),
        Some(system) => {
            let system = system.to_ascii_uppercase().replace('-', "_");
            format!("{system}_{}", fact.strip_prefix("DRILL_").unwrap_or(fact))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fact_name;

    #[test]
    fn a_fact_is_called_after_its_system() {
        assert_eq!(fact_name(None, "DRILL_ROOT"), "DRILL_ROOT");
        assert_eq!(fact_name(Some("uploads"), "DRILL_ROOT"), "UPLOADS_ROOT");
        assert_eq!(fact_name(Some("audit-db"), "PGHOST"), "AUDIT_DB_PGHOST");
    }
}
