//! What must hold between scenarios that are scheduled together.

use std::collections::BTreeMap;

use crate::{Name, Scenario};

/// Everything that is wrong with these scenarios beside each other, each as a fragment with the name of the scenario in front.
pub fn together<'a>(scenarios: impl IntoIterator<Item = &'a Scenario>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut known: BTreeMap<&Name, &Scenario> = BTreeMap::new();
    for scenario in scenarios {
        if known.insert(&scenario.name, scenario).is_some() {
            problems.push(format!("{}: there is another scenario of this name", scenario.name));
        }
    }
    for (name, scenario) in &known {
        for other in after(scenario) {
            match known.get(other) {
                None => problems.push(format!("{name}: it comes after {other}, which is not here")),
                Some(other) if !has_due_times(other) => {
                    problems.push(format!("{name}: it comes after {}, which has no due times", other.name));
                }
                Some(_) => {}
            }
        }
        if comes_after_itself(name, &known) {
            problems.push(format!("{name}: by the others it comes after itself"));
        }
    }
    problems
}

fn after(scenario: &Scenario) -> &[Name] {
    scenario.schedule.as_ref().map_or(&[], |schedule| &schedule.after)
}

fn has_due_times(scenario: &Scenario) -> bool {
    scenario.schedule.as_ref().is_some_and(|schedule| schedule.cron.is_some())
}

fn comes_after_itself(name: &Name, known: &BTreeMap<&Name, &Scenario>) -> bool {
    let (mut seen, mut open): (Vec<&Name>, Vec<&Name>) = (Vec::new(), vec![name]);
    while let Some(one) = open.pop() {
        for other in known.get(one).map_or(&[][..], |scenario| after(scenario)) {
            if other == name {
                return true;
            }
            if !seen.contains(&other) {
                seen.push(other);
                open.push(other);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::together;
    use crate::{Scenario, parse};

    fn scenario(name: &str, schedule: &str) -> Scenario {
        let text = include_str!("../directory.yaml").replace("handbook-files", name);
        let (before, rest) = text.split_once("\nschedule:").expect("a schedule");
        let (_, rest) = rest.split_once("\n\n").expect("more");
        parse("s.yaml", &format!("{before}\nschedule: {schedule}\n\n{rest}"))
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        let cron = "cron: \"0 3 * * *\"";
        let all = [
            scenario("a", &format!("{{{cron}, after: [b]}}")),
            scenario("b", &format!("{{{cron}, after: [c, d]}}")),
            scenario("c", &format!("{{{cron}, after: [a, nobody]}}")),
            scenario("d", "{every: month}"),
            scenario("e", &format!("{{{cron}, after: [a]}}")),
            scenario("e", &format!("{{{cron}}}")),
        ];
        assert_eq!(
            together(&all),
            [
                "e: there is another scenario of this name",
                "a: by the others it comes after itself",
                "b: it comes after d, which has no due times",
                "b: by the others it comes after itself",
                "c: it comes after nobody, which is not here",
                "c: by the others it comes after itself",
            ]
        );
        assert_eq!(
            together(&[scenario("a", &format!("{{{cron}}}")), scenario("b", &format!("{{{cron}, after: [a]}}"))]),
            [""; 0]
        );
    }
}
