//! The sandbox: that what can be read in it is named so that it can be found, and leaves the host out.

use crate::place::Path;

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    let Some(sandbox) = &rules.scenario.sandbox else { return };
    for (number, readable) in sandbox.readable.iter().enumerate() {
        let path = Path::of(["sandbox", "readable"]).item(number);
        if !readable.is_absolute() {
            let hint = "Write it from the root on, as in `/opt/wiki`: it has the same path inside.";
            rules.say(&path, format!("`{}` is not an absolute path", readable.display()), hint);
        } else if readable.parent().is_none() {
            let hint = "Name only what the app needs: a program's own folder, its settings.";
            rules.say(&path, "`/` is all of this host, so nothing would be kept from the app", hint);
        }
    }
}
