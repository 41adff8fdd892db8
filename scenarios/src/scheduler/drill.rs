//! A drill: a scenario with due times, as far as a scheduler needs to know it.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::stretch::later;
use crate::{CatchUp, Criticality, Name, Occurrence, Retry, Scenario, Schedule, Source, Span};

/// The fields of a source that say which it is, whichever kind it has.
const ADDRESS: [&str; 10] =
    ["list", "path", "url", "url_from", "argv", "endpoints", "repository", "place", "stanza", "config"];

/// A scenario with due times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drill {
    /// The scenario's name.
    pub name: Name,
    /// Its schedule, which has a `cron`.
    pub(super) cron: String,
    pub(super) timezone: String,
    pub(super) spread: Option<Span>,
    pub(super) start_within: Span,
    pub(super) catch_up: CatchUp,
    pub(super) retry: Option<Retry>,
    pub(super) after: Vec<Name>,
    /// The higher, the earlier.
    pub priority: u8,
    /// Its labels.
    pub labels: Vec<Name>,
    /// Its sources, each in words that are the same for the same source; none twice.
    pub sources: Vec<String>,
}

impl Drill {
    /// Of a scenario whose relative paths start in `base`; nothing if it has no due times.
    pub fn of(scenario: &Scenario, base: &Path) -> Option<Self> {
        let schedule = scenario.schedule.as_ref()?;
        Some(Self {
            name: scenario.name.clone(),
            cron: schedule.cron.clone()?,
            timezone: schedule.timezone.clone(),
            spread: schedule.spread,
            start_within: schedule.start_within,
            catch_up: schedule.catch_up,
            retry: schedule.retry,
            after: schedule.after.clone(),
            priority: priority(schedule, scenario.criticality),
            labels: scenario.labels.clone(),
            sources: addresses(scenario, base),
        })
    }
}

impl Drill {
    /// When an occurrence of it is to start, if nothing is in the way.
    pub fn planned(&self, occurrence: &Occurrence) -> Timestamp {
        occurrence.planned(self.spread)
    }

    /// When the start of what is due at an instant is decided at the latest.
    pub fn decided_by(&self, due: Timestamp) -> Timestamp {
        let spread = self.spread.map_or(0, |spread| spread.duration().as_secs());
        let secs = self.start_within.duration().as_secs().saturating_add(spread);
        later(due, SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX)))
    }
}

fn priority(schedule: &Schedule, criticality: Criticality) -> u8 {
    schedule.priority.unwrap_or(match criticality {
        Criticality::Low => 20,
        Criticality::Medium => 40,
        Criticality::High => 60,
        Criticality::Critical => 80,
    })
}

fn addresses(scenario: &Scenario, base: &Path) -> Vec<String> {
    let mut addresses: Vec<String> = scenario.systems().map(|system| address(system.source, base)).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Which source it is, in words. Two that differ in other fields only are one.
fn address(source: &Source, base: &Path) -> String {
    let json = serde_json::to_value(source).unwrap_or_default();
    let fields = &json[source.kind()];
    let mut words = vec![source.kind().to_owned()];
    words.extend(ADDRESS.into_iter().filter_map(|name| said(name, &fields[name], base)));
    match words.as_slice() {
        [_] => format!("{} {fields}", source.kind()),
        words => words.join(" "),
    }
}

fn said(name: &str, value: &Value, base: &Path) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(path) if name == "path" => Some(base.join(path).display().to_string()),
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::address;
    use crate::Source;

    fn words(json: serde_json::Value) -> String {
        address(&serde_json::from_value::<Source>(json).expect("a source"), Path::new("/srv/scenarios"))
    }

    #[test]
    fn a_source_is_known_by_its_address_and_not_by_how_it_is_taken() {
        use serde_json::json;
        let url = "postgresql://backup@db/orders";
        let dump = words(json!({"postgres": {"url": url}}));
        assert_eq!(dump, format!("postgres {url}"));
        assert_eq!(words(json!({"postgres": {"url": url, "method": "physical"}})), dump);
        assert_eq!(words(json!({"directory": {"path": "data"}})), "directory /srv/scenarios/data");
        let etcd = words(json!({"etcd": {"endpoints": ["https://a:2379"], "user": "backup"}}));
        assert_eq!(etcd, words(json!({"etcd": {"endpoints": ["https://a:2379"]}})));
        assert_ne!(words(json!({"sqlite": {"path": "data"}})), words(json!({"directory": {"path": "data"}})));
        assert!(words(json!({"command": {"argv": ["dump", "a"], "content": "tar"}})).contains("[\"dump\",\"a\"]"));
    }
}
