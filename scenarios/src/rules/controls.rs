//! The controls that the drill speaks to.

use crate::place::Path;

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    for (framework, ids) in &rules.scenario.controls {
        let path = Path::of(["controls", framework.as_str()]);
        for (number, id) in ids.iter().enumerate() {
            let path = path.item(number);
            if !framework.writes(id) {
                let message = format!("`{id}` is not how {} writes a control", framework.as_str());
                rules.say(&path, message, format!("Write {}.", framework.examples()));
            } else if ids.iter().take(number).any(|before| before == id) {
                rules.say(&path, format!("`{id}` is given twice"), "Keep one of them.");
            }
        }
    }
}
