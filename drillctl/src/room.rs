//! How programs find their way in the environments of a run.

use std::collections::BTreeMap;

use drill_agents::free_port;
use drill_reports::Room;
use drill_scenarios::fact_name;

/// The facts of all environments, each under the name that it has for its system, and those of the run.
///
/// # Errors
/// If there is no port left.
pub(crate) fn facts<'a>(
    rooms: impl IntoIterator<Item = (Option<&'a str>, &'a Room)>,
    run: &str,
) -> drill_agents::Result<BTreeMap<String, String>> {
    let mut facts = BTreeMap::new();
    for (system, room) in rooms {
        facts.extend(room.facts.iter().map(|(name, value)| (fact_name(system, name), value.clone())));
        facts.insert(fact_name(system, "DRILL_ROOT"), room.root.clone());
    }
    facts.insert("DRILL_RUN".into(), run.to_owned());
    facts.insert("DRILL_PORT".into(), free_port()?.to_string());
    Ok(facts)
}
