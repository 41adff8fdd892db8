//! Accepted differences.

use crate::place::Path;

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    for (number, exception) in rules.scenario.exceptions.iter().enumerate() {
        let path = Path::of(["exceptions"]).item(number);
        rules.known(&path.key("system"), exception.system.as_ref());
        let path = path.key("pattern");
        if let Err(error) = exception.glob() {
            rules.not_a_glob(&path, &error);
        }
        if exception.pattern.chars().all(|c| "*/?.".contains(c)) {
            let hint = "Name what is accepted: a folder (`var/cache/**`), a table (`table:public.sessions`). A drill that \
                        accepts every difference proves nothing.";
            rules.say(&path, "`pattern` accepts every difference", hint);
        }
    }
}
