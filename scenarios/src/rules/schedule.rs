//! When the drill is due, and the controls that it speaks to.

use crate::place::Path;
use crate::schedule;
use crate::suggest::closest;

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    due(rules);
    controls(rules);
}

fn due(rules: &mut Rules<'_>) {
    let Some(due) = &rules.scenario.schedule else { return };
    let path = Path::of(["schedule"]);
    match schedule::cron(&due.cron) {
        Err(reason) => rules.say(
            &path.key("cron"),
            format!("`cron` is not a cron expression: {reason}"),
            "Write five fields: minute, hour, day of month, month, day of week; `0 3 * * SUN` is Sundays at 03:00.",
        ),
        Ok(cron) if !schedule::ever(&cron) => rules.say(
            &path.key("cron"),
            "`cron` never comes",
            "Check day and month: no such day exists (such as 30 February).",
        ),
        Ok(_) => {}
    }
    if schedule::zone(&due.timezone).is_none() {
        let zones = schedule::zones();
        let hint = match closest(&due.timezone, zones.iter().map(String::as_str)) {
            Some(zone) => format!("Did you mean `{zone}`?"),
            None => "Write its IANA name: `Europe/Berlin`, `America/New_York`, `UTC`.".into(),
        };
        rules.say(&path.key("timezone"), format!("`{}` is not a time zone", due.timezone), hint);
    }
}

fn controls(rules: &mut Rules<'_>) {
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
