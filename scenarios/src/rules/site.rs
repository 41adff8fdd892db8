//! Rules between the fields of a site file.

use crate::node::Node;
use crate::place::Path;
use crate::problem::Finding;
use crate::zone::zone;
use crate::{Blackout, Site, When};

use super::schedule::{cron, no_zone};

/// Everything in a site that breaks a rule. `tree` is where it was read from.
pub(crate) fn check(site: &Site, tree: &Node) -> Vec<Finding> {
    let mut rules = Rules { tree, findings: Vec::new() };
    if zone(&site.timezone).is_none() {
        let (message, hint) = no_zone(&site.timezone);
        rules.say(&Path::of(["timezone"]), message, hint);
    }
    let path = Path::of(["blackouts"]);
    for (number, blackout) in site.blackouts.iter().enumerate() {
        if site.blackouts.iter().take(number).any(|before| before.name == blackout.name) {
            let message = format!("there is a blackout `{}` already", blackout.name);
            rules.say(
                &path.item(number).key("name"),
                message,
                "Give each its own name: it tells why a drill was skipped.",
            );
        }
        rules.blackout(blackout, &path.item(number).key("when"));
    }
    rules.findings
}

struct Rules<'a> {
    tree: &'a Node,
    findings: Vec<Finding>,
}

impl Rules<'_> {
    fn say(&mut self, path: &Path, message: impl Into<String>, hint: impl Into<String>) {
        let place = self.tree.locate(path);
        self.findings.push(Finding { path: path.clone(), place, message: message.into(), hint: hint.into() });
    }

    fn blackout(&mut self, blackout: &Blackout, when: &Path) {
        match &blackout.when {
            When::Cron(window) => {
                if let Err((message, hint)) = cron(&window.begins, "begins") {
                    self.say(&when.key("cron").key("begins"), message, hint);
                }
            }
            When::Days(days) if days.last < days.first => self.say(
                &when.key("days").key("last"),
                format!("the last day is before the first, {}", days.first),
                "Write the later day as `last`. For one day, write it twice.",
            ),
            When::Between(between) if between.until <= between.from => self.say(
                &when.key("between").key("until"),
                "`until` is not later than `from`",
                "Write the later instant as `until`.",
            ),
            When::Weekly(_) | When::Days(_) | When::Between(_) | When::Calendar(_) => {}
        }
    }
}
