//! `drillctl forecast`: what the schedules lead to.

mod calendar;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use drill_agents::Clock;
use drill_reports::amount::{bytes, counted, duration};
use drill_scenarios::Name;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use owo_colors::OwoColorize;

use super::{Ended, Options, say, say_json, tell};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::forecast::{Expected, Outlook, look_ahead};
use crate::past::pasts;

/// Lines of a list that are shown; JSON has them all.
const SHOWN: usize = 20;
/// An obligation will not be met.
const UNMET: u8 = 1;

const AFTER: &str = "\
Lengths and sizes are the medians of earlier runs that passed. Where there are none, a drill is taken to last as long as its recovery time
objective, or an hour.
Exit codes: 0 every obligation that ends in that time will be met, 1 one will not, 2 usage, scenario or site problem.";

#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct Arguments {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "FOLDER|SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// The site file [default: site.yaml in the folder, if it is there]
    #[arg(long, value_name = "FILE")]
    site: Option<PathBuf>,
    /// The next month, which is the default
    #[arg(long, conflicts_with_all = ["quarter", "from", "until"])]
    month: bool,
    /// The next three months
    #[arg(long, conflicts_with_all = ["from", "until"])]
    quarter: bool,
    /// From the beginning of this day on, in the site's time zone [default: now]
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// To the end of this day [default: a month later]
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
}

pub(super) fn forecast(options: &Options, arguments: &Arguments) -> Ended {
    let fleet = Fleet::read(&arguments.scenarios, arguments.site.as_deref())?;
    let zone = fleet.site.zone();
    let range = arguments.range(&zone, Clock::system().now())?;
    let (pasts, unreadable) = pasts(options.existing()?.as_ref())?;
    for run in unreadable {
        tell(format_args!("the journal of run {run} can't be read: the forecast does without it"));
    }
    let (outlook, cut) = look_ahead(&fleet, &pasts, range);
    if cut {
        tell(format_args!("the forecast ends after {}", counted(outlook.occurrences.len(), "occurrence")));
    }
    if options.json {
        say_json(&outlook);
    } else {
        show(&fleet, &outlook, &zone);
    }
    Ok(if outlook.unmet.is_empty() { 0 } else { UNMET })
}

impl Arguments {
    fn range(&self, zone: &TimeZone, now: Timestamp) -> Result<(Timestamp, Timestamp), Failure> {
        let wrong = |_| Failure::usage("the calendar does not reach that far");
        let begin = |day: Date| day.to_zoned(zone.clone()).map(|at| at.timestamp()).map_err(wrong);
        let from = self.from.map_or(Ok(now), begin)?;
        let length: Span = if self.quarter { 3.months() } else { 1.month() };
        let until = match self.until {
            Some(day) => begin(day.tomorrow().map_err(wrong)?)?,
            None => from.to_zoned(zone.clone()).checked_add(length).map_err(wrong)?.timestamp(),
        };
        if until <= from {
            return Err(Failure::usage("the forecast ends before it begins").hint("Give a later day with --until."));
        }
        Ok((from, until))
    }
}

fn show(fleet: &Fleet, outlook: &Outlook, zone: &TimeZone) {
    let [first, last] = calendar::days(outlook, zone);
    say(format_args!("{first} to {last} ({})", fleet.site.timezone));
    say(calendar::picture(outlook, zone));
    drills(fleet, outlook);
    let lost = |one: &&Expected| one.starts_at.is_none();
    let line = |one: &Expected| line(one, &zone_of(fleet, &one.scenario));
    list("Do not start", outlook.occurrences.iter().filter(lost).map(line), |text| text.red().to_string());
    let moved = |one: &&Expected| one.starts_at.is_some() && one.because.is_some();
    list("Conflicts", outlook.occurrences.iter().filter(moved).map(line), |text| text.yellow().to_string());
    let unmet = outlook.unmet.iter().map(|one| (format!("{} {}", one.period, one.scenario), one.because.clone()));
    list("Obligations that will not be met", unmet, |text| text.red().bold().to_string());
}

/// A scenario a paragraph.
fn drills(fleet: &Fleet, outlook: &Outlook) {
    let mut by: BTreeMap<&Name, Vec<&Expected>> = BTreeMap::new();
    outlook.occurrences.iter().for_each(|one| by.entry(&one.scenario).or_default().push(one));
    say(format_args!("\n{}", "Drills".bold()));
    let (due, never): (Vec<_>, Vec<_>) = fleet.files.iter().partition(|file| by.contains_key(&file.scenario.name));
    for file in due {
        let name = &file.scenario.name;
        say(format_args!("  {}", name.as_str().bold()));
        let starts: Vec<&&Expected> =
            by.get(name).into_iter().flatten().filter(|one| one.starts_at.is_some()).collect();
        match starts.first().and_then(|first| Some((first.starts_at?, first))) {
            Some((at, first)) => {
                let first_at = local(at, &zone_of(fleet, name));
                say(format_args!("      {}, first {first_at}", counted(starts.len(), "drill")));
                say(format_args!("      {}", measure(first).dimmed()));
            }
            None => say(format_args!("      {}", "no drill: every due time is skipped or missed".yellow())),
        }
    }
    if !never.is_empty() {
        let names: Vec<&str> = never.iter().map(|file| file.scenario.name.as_str()).collect();
        say(format_args!("\n{}\n  {}", "Not due in that time".bold(), names.join("\n  ").dimmed()));
    }
}

fn zone_of(fleet: &Fleet, name: &Name) -> TimeZone {
    let file = fleet.files.iter().find(|file| file.scenario.name == *name);
    let schedule = file.and_then(|file| file.scenario.schedule.as_ref());
    schedule.map_or(TimeZone::UTC, |schedule| schedule.zone())
}

fn measure(one: &Expected) -> String {
    let length = one.secs.map_or("length not known yet".into(), |secs| format!("about {} each", duration(secs)));
    let size = one.bytes.map_or("size not known yet".into(), |size| format!("about {} restored", bytes(size)));
    format!("{length}, {size}")
}

fn line(one: &Expected, zone: &TimeZone) -> (String, String) {
    (format!("{} {}", local(one.due, zone), one.scenario), one.because.clone().unwrap_or_default())
}

fn list(title: &str, lines: impl Iterator<Item = (String, String)>, paint: impl Fn(&str) -> String) {
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return;
    }
    say(format_args!("\n{}", title.bold()));
    for (head, because) in lines.iter().take(SHOWN) {
        say(format_args!("  {}\n      {}", paint(head), drill_reports::shown(because)));
    }
    if let Some(more) = lines.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        say(format_args!("  and {more} more; --json has them all"));
    }
}

/// An instant by the clocks of those whom it concerns.
pub(super) fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
}
