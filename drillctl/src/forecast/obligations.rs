//! Which obligations the plan will not meet.

use std::collections::BTreeMap;

use drill_scenarios::{End, Period, Scenario};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Expected;
use crate::fleet::Fleet;
use crate::past::Past;

/// A period in which a scenario must pass, and no drill will start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Unmet {
    pub(crate) scenario: String,
    /// `2027-Q1`, `2027-01`, `2027-W05`, `2027`.
    pub(crate) period: String,
    /// Why, as a fragment.
    pub(crate) because: String,
}

/// Of every scenario with an obligation, each period that ends within the forecast.
pub(super) fn unmet(
    fleet: &Fleet,
    pasts: &BTreeMap<String, Past>,
    expected: &[Expected],
    range: (Timestamp, Timestamp),
) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    for file in &fleet.files {
        let Some((period, zone)) = obligation(&file.scenario) else { continue };
        let past = pasts.get(file.scenario.name.as_str());
        let own: Vec<&Expected> = expected.iter().filter(|one| one.scenario == file.scenario.name).collect();
        for (begin, end) in periods(period, &zone, range) {
            let within = |at: Timestamp| begin <= at && at < end;
            let passed = past.is_some_and(|past| past.runs.iter().any(|run| run.end == End::Passed && within(run.at)));
            let starts = own.iter().any(|one| one.starts_at.is_some_and(within));
            if !passed && !starts {
                let lost = own.iter().filter(|one| one.starts_at.is_none() && within(one.due));
                let because = because(&file.scenario, lost.filter_map(|one| one.because.as_deref()).collect());
                let (scenario, period) = (file.scenario.name.to_string(), period.name(begin, &zone));
                unmet.push(Unmet { scenario, period, because });
            }
        }
    }
    unmet
}

fn obligation(scenario: &Scenario) -> Option<(Period, TimeZone)> {
    let schedule = scenario.schedule.as_ref()?;
    Some((schedule.every?, schedule.zone()))
}

/// Periods that end in the range; the first may have begun before it.
fn periods(period: Period, zone: &TimeZone, (from, until): (Timestamp, Timestamp)) -> Vec<(Timestamp, Timestamp)> {
    let next = |(_, end): &(Timestamp, Timestamp)| period.around(*end, zone);
    let all = std::iter::successors(period.around(from, zone), next);
    all.take_while(|(_, end)| *end <= until).collect()
}

fn because(scenario: &Scenario, mut lost: Vec<&str>) -> String {
    lost.dedup();
    let has_due_times = scenario.schedule.as_ref().is_some_and(|schedule| schedule.cron.is_some());
    match (has_due_times, lost.as_slice()) {
        (false, _) => "it has no due times: somebody must run it".into(),
        (true, []) => "no due time is left in it".into(),
        (true, [only]) => format!("its only due time there is {only}"),
        (true, [first, ..]) => format!("every due time there is skipped or missed, the first {first}"),
    }
}
