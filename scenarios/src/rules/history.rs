//! What may differ from earlier runs.

use crate::place::Path;

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    let path = Path::of(["history", "ignore"]);
    for (number, glob) in rules.scenario.history.ignore.iter().enumerate() {
        rules.glob(&path.item(number), glob);
    }
}
