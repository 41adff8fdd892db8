//! A picture of the days: a line a week, with the number of drills that start on each day.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use owo_colors::OwoColorize;

use crate::forecast::Outlook;

/// Weeks that are shown at most.
const WEEKS: usize = 60;

/// What is known of a day.
#[derive(Default)]
struct Day {
    starts: usize,
    lost: usize,
}

/// The days of a forecast in a time zone. Narrower than 50 columns.
pub(super) fn picture(outlook: &Outlook, zone: &TimeZone) -> String {
    let day = |at| zone.to_datetime(at).date();
    let mut days: BTreeMap<Date, Day> = BTreeMap::new();
    for one in &outlook.occurrences {
        let known = days.entry(day(one.starts_at.unwrap_or(one.due))).or_default();
        match one.starts_at {
            Some(_) => known.starts += 1,
            None => known.lost += 1,
        }
    }
    let [first, last] = self::days(outlook, zone);
    let mut picture = format!("\n        {}", "  Mon  Tue  Wed  Thu  Fri  Sat  Sun".dimmed());
    let mondays = monday(first).series(7.days()).take_while(|monday| *monday <= last).take(WEEKS);
    for monday in mondays {
        let cells = monday.series(1.day()).take(7).map(|date| cell(days.get(&date), date < first || date > last));
        let week = format!("  {}{}", monday.strftime("%b %d"), cells.collect::<String>());
        picture.push_str(&format!("\n{}", week.trim_end()));
    }
    picture.push_str(&format!("\n  {}", "·  nothing starts     !  one is skipped or missed".dimmed()));
    picture
}

/// The first and the last day.
pub(super) fn days(outlook: &Outlook, zone: &TimeZone) -> [Date; 2] {
    let last = outlook.until.as_nanosecond() - 1;
    let last = Timestamp::from_nanosecond(last).unwrap_or(outlook.until);
    [outlook.from, last].map(|at| zone.to_datetime(at).date())
}

fn monday(day: Date) -> Date {
    day.checked_sub(i64::from(day.weekday().since(Weekday::Monday)).days()).unwrap_or(day)
}

fn cell(day: Option<&Day>, outside: bool) -> String {
    let (starts, lost) = day.map_or((0, 0), |day| (day.starts, day.lost));
    let number = if starts > 999 { "1k+".to_owned() } else { starts.to_string() };
    let mark = if lost > 0 { "!" } else { " " };
    match (starts, outside) {
        (_, true) => "     ".to_owned(),
        (0, _) if lost > 0 => format!("   -{}", mark.red()),
        (0, _) => format!("   {} ", "·".dimmed()),
        _ => format!(" {:>3}{}", number.green(), mark.red()),
    }
}
