//! When the drill is due.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::cron::Cron;
use crate::place::Path;
use crate::suggest::{closest, listed};
use crate::zone::{zone, zones};
use crate::{Schedule, Span};

use super::Rules;

/// Due times that are looked at to find the shortest time between two.
const LOOKED_AT: usize = 400;

pub(super) fn check(rules: &mut Rules<'_>) {
    let Some(schedule) = &rules.scenario.schedule else { return };
    let path = Path::of(["schedule"]);
    if zone(&schedule.timezone).is_none() {
        let (message, hint) = no_zone(&schedule.timezone);
        rules.say(&path.key("timezone"), message, hint);
    }
    match &schedule.cron {
        Some(text) => match cron(text, "cron") {
            Err((message, hint)) => rules.say(&path.key("cron"), message, hint),
            Ok(cron) => spread(rules, schedule, &cron),
        },
        None => without_due_times(rules, schedule),
    }
    after(rules, schedule);
}

/// The expression, understood; or what is wrong with it and what to do.
pub(super) fn cron(text: &str, field: &str) -> Result<Cron, (String, String)> {
    match Cron::parse(text, TimeZone::UTC) {
        Err(reason) => Err((
            format!("`{field}` is not a cron expression: {reason}"),
            "Write five fields: minute, hour, day of month, month, day of week; `0 3 * * SUN` is Sundays at 03:00."
                .into(),
        )),
        Ok(cron) if !cron.ever() => Err((
            format!("`{field}` never comes"),
            "Check day and month: no such day exists (such as 30 February).".into(),
        )),
        Ok(cron) => Ok(cron),
    }
}

/// That there is no such zone, and which was meant.
pub(super) fn no_zone(name: &str) -> (String, String) {
    let zones = zones();
    let hint = match closest(name, zones.iter().map(String::as_str)) {
        Some(zone) => format!("Did you mean `{zone}`?"),
        None => "Write its IANA name: `Europe/Berlin`, `America/New_York`, `UTC`.".into(),
    };
    (format!("`{name}` is not a time zone"), hint)
}

fn spread(rules: &mut Rules<'_>, schedule: &Schedule, cron: &Cron) {
    let Some(spread) = schedule.spread else { return };
    if let Some(shortest) = shortest(cron).filter(|shortest| spread >= *shortest) {
        let message = format!("`spread` is not shorter than the {shortest} between two due times");
        rules.say(&Path::of(["schedule", "spread"]), message, format!("Write less than `{shortest}`."));
    }
}

/// The shortest time between two of the next due times.
fn shortest(cron: &Cron) -> Option<Span> {
    // The date only has to be the same each time that the file is read.
    let start = Timestamp::constant(1_767_225_600, 0);
    let mut due: Vec<Timestamp> = Vec::with_capacity(LOOKED_AT);
    due.extend(cron.next_after(start));
    while let Some(next) = due.last().and_then(|last| cron.next_after(*last)).filter(|_| due.len() < LOOKED_AT) {
        due.push(next);
    }
    let gaps = due.windows(2).map(|pair| pair[1].duration_since(pair[0]));
    let shortest: SignedDuration = gaps.min()?;
    Some(Span::from_secs(u64::try_from(shortest.as_secs()).ok()?))
}

fn without_due_times(rules: &mut Rules<'_>, schedule: &Schedule) {
    let path = Path::of(["schedule"]);
    if schedule.every.is_none() {
        let hint = "Add `cron` to have it started, or `every` if people start it and must not forget.";
        rules.say(&path, "`schedule` has neither `cron` nor `every`", hint);
    }
    let about = schedule.about_due_times();
    if let Some(first) = about.first().filter(|_| schedule.every.is_some()) {
        let verb = if about.len() == 1 { "means" } else { "mean" };
        let message = format!("{} {verb} nothing without `cron`", listed(about.iter().copied()));
        rules.say(&path.key(first), message, "Add `cron`, or take this away.");
    }
}

fn after(rules: &mut Rules<'_>, schedule: &Schedule) {
    let path = Path::of(["schedule", "after"]);
    for (number, name) in schedule.after.iter().enumerate() {
        if *name == rules.scenario.name {
            rules.say(&path.item(number), "a scenario can't come after itself", "Name another scenario.");
        } else if schedule.after.iter().take(number).any(|before| before == name) {
            rules.say(&path.item(number), format!("`{name}` is given twice"), "Keep one of them.");
        }
    }
}
