//! Systems: that their names tell them apart, and that what names one means one that is there.

use std::collections::BTreeMap;

use crate::place::Path;
use crate::suggest::{closest, listed};
use crate::{FACTS, Name, fact_name};

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    let mut facts: BTreeMap<String, String> =
        FACTS.iter().map(|fact| (fact.name.into(), "the scenario's own".into())).collect();
    for (number, system) in rules.scenario.also.iter().enumerate() {
        let path = Path::of(["also"]).item(number).key("name");
        let name = system.name.as_str();
        if rules.scenario.also.iter().take(number).any(|before| before.name == system.name) {
            let hint = "Give each a name of its own: checks and reports tell them apart by it.";
            rules.say(&path, format!("two systems are named `{name}`"), hint);
            continue;
        }
        for fact in FACTS.iter().filter(|fact| fact.is_in(system.scratch.kind())) {
            let fact = fact_name(Some(name), fact.name);
            if let Some(other) = facts.insert(fact.clone(), format!("`{name}`")) {
                let message = format!("the name `{name}` makes a fact `{fact}`, which is {other} already");
                rules.say(&path, message, "Choose another name.");
                break;
            }
        }
    }
}

impl Rules<'_> {
    /// Whether there is a system of this name; also if none is named.
    pub(super) fn known(&mut self, path: &Path, name: Option<&Name>) -> bool {
        let Some(name) = name.filter(|name| self.scenario.system(Some(name.as_str())).is_none()) else { return true };
        let there = || self.scenario.also.iter().map(|system| system.name.as_str());
        let hint = match closest(name.as_str(), there()) {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None if self.scenario.also.is_empty() => {
                "Take it away: without `also` there is the scenario's own system only.".into()
            }
            None => format!("Those in `also` are {}; leave it out for the scenario's own.", listed(there())),
        };
        self.say(path, format!("there is no system `{name}` in `also`"), hint);
        false
    }
}
