//! Recurrence rules of iCalendar (RFC 5545, section 3.3.10), as far as they are about days: on which days an event comes again.

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan, Unit};

use super::Refused;
use super::lines::Line;
use super::moment::{Moment, moment};

/// How far the days of a rule with a count are walked.
const WALK_DAYS: usize = 366 * 100;

/// On which days an event comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    frequency: Frequency,
    interval: i32,
    week_start: Weekday,
    months: Vec<i8>,
    month_days: Vec<i8>,
    /// With which of its kind in the month or year, from 1, or from the end from -1; 0 for each.
    week_days: Vec<(i8, Weekday)>,
    until: Option<Moment>,
    count: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Rule {
    /// Reads the value of `RRULE`.
    pub(super) fn read(line: &Line) -> Result<Self, Refused> {
        let mut frequency = None;
        let mut rule = Self {
            frequency: Frequency::Daily,
            interval: 1,
            week_start: Weekday::Monday,
            months: Vec::new(),
            month_days: Vec::new(),
            week_days: Vec::new(),
            until: None,
            count: None,
        };
        for part in line.value.split(';').filter(|part| !part.is_empty()) {
            let wrong = || line.refused(format!("`{part}` of RRULE is not understood"));
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            match name {
                "FREQ" => frequency = Some(Frequency::read(value).ok_or_else(wrong)?),
                "INTERVAL" => {
                    rule.interval = value.parse().ok().filter(|n| (1..=1_000).contains(n)).ok_or_else(wrong)?
                }
                "COUNT" => rule.count = Some(value.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?),
                "UNTIL" => rule.until = Some(moment(value, None, line)?),
                "WKST" => rule.week_start = week_day(value).ok_or_else(wrong)?,
                "BYMONTH" => rule.months = numbers(value, 1..=12).ok_or_else(wrong)?,
                "BYMONTHDAY" => rule.month_days = numbers(value, -31..=31).ok_or_else(wrong)?,
                "BYDAY" => rule.week_days = value.split(',').map(which).collect::<Option<_>>().ok_or_else(wrong)?,
                _ => return Err(wrong()),
            }
        }
        rule.frequency = frequency.ok_or_else(|| line.refused("RRULE has no FREQ"))?;
        rule.sound(line)?;
        Ok(rule)
    }

    /// What the standard doesn't allow, nobody understands alike.
    fn sound(&self, line: &Line) -> Result<(), Refused> {
        let counted = self.week_days.iter().any(|(which, _)| *which != 0);
        if counted && matches!(self.frequency, Frequency::Daily | Frequency::Weekly) {
            return Err(line.refused("RRULE counts weekdays (`BYDAY=1MO`), which only MONTHLY and YEARLY can"));
        }
        if self.frequency == Frequency::Weekly && !self.month_days.is_empty() {
            return Err(line.refused("RRULE has BYMONTHDAY with FREQ=WEEKLY, which the standard doesn't allow"));
        }
        if self.count.is_some() && self.until.is_some() {
            return Err(line.refused("RRULE has both COUNT and UNTIL"));
        }
        Ok(())
    }

    /// The same with its count replaced by the last day, for an event that begins on `start`.
    pub(super) fn counted(mut self, start: Date) -> Self {
        if let Some(count) = self.count.take() {
            let days = start.series(1.day()).take(WALK_DAYS);
            let last = days.filter(|day| *day == start || self.comes_on(*day, start)).take(count).last();
            self.until = last.map(Moment::Day);
        }
        self
    }

    /// Until when, at most.
    pub(super) fn until(&self) -> Option<&Moment> {
        self.until.as_ref()
    }

    /// Whether an event that began on `start` comes again on `day`, but for its end.
    pub(super) fn comes_on(&self, day: Date, start: Date) -> bool {
        day >= start
            && self.in_step(day, start)
            && (self.months.is_empty() || self.months.contains(&day.month()))
            && self.on_month_day(day, start)
            && self.on_week_day(day, start)
    }

    fn in_step(&self, day: Date, start: Date) -> bool {
        let steps = match self.frequency {
            Frequency::Daily => days_between(start, day),
            Frequency::Weekly => days_between(self.week_of(start), self.week_of(day)) / 7,
            Frequency::Monthly => {
                (i32::from(day.year()) - i32::from(start.year())) * 12 + i32::from(day.month())
                    - i32::from(start.month())
            }
            Frequency::Yearly => i32::from(day.year()) - i32::from(start.year()),
        };
        steps % self.interval == 0
    }

    fn week_of(&self, day: Date) -> Date {
        let into = day.weekday().since(self.week_start);
        day.checked_sub(Span::new().days(into)).unwrap_or(day)
    }

    fn on_month_day(&self, day: Date, start: Date) -> bool {
        if !self.month_days.is_empty() {
            let from_the_end = day.day() - day.days_in_month() - 1;
            return self.month_days.contains(&day.day()) || self.month_days.contains(&from_the_end);
        }
        match self.frequency {
            Frequency::Daily | Frequency::Weekly => true,
            _ if !self.week_days.is_empty() => true,
            Frequency::Monthly => day.day() == start.day(),
            Frequency::Yearly => day.day() == start.day() && (!self.months.is_empty() || day.month() == start.month()),
        }
    }

    fn on_week_day(&self, day: Date, start: Date) -> bool {
        if self.week_days.is_empty() {
            return self.frequency != Frequency::Weekly || day.weekday() == start.weekday();
        }
        // Within a year only where no months are named.
        let (at, of) = match self.frequency {
            Frequency::Yearly if self.months.is_empty() => (day.day_of_year(), day.days_in_year()),
            _ => (i16::from(day.day()), i16::from(day.days_in_month())),
        };
        let (nth, from_the_end) = ((at - 1) / 7 + 1, -((of - at) / 7 + 1));
        self.week_days.iter().any(|(which, week_day)| {
            let which = i16::from(*which);
            *week_day == day.weekday() && (which == 0 || which == nth || which == from_the_end)
        })
    }
}

impl Frequency {
    fn read(word: &str) -> Option<Self> {
        match word {
            "DAILY" => Some(Self::Daily),
            "WEEKLY" => Some(Self::Weekly),
            "MONTHLY" => Some(Self::Monthly),
            "YEARLY" => Some(Self::Yearly),
            _ => None,
        }
    }
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until((Unit::Day, to)).map_or(0, |span| span.get_days())
}

fn numbers(list: &str, range: std::ops::RangeInclusive<i8>) -> Option<Vec<i8>> {
    let number = |text: &str| text.parse::<i8>().ok().filter(|number| *number != 0 && range.contains(number));
    list.split(',').map(number).collect()
}

fn week_day(word: &str) -> Option<Weekday> {
    Some(match word {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

/// `MO`, `1MO`, `-1FR`.
fn which(text: &str) -> Option<(i8, Weekday)> {
    let (number, word) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let number = match number {
        "" => 0,
        number => number.parse::<i8>().ok().filter(|n| (-53..=53).contains(n) && *n != 0)?,
    };
    Some((number, week_day(word)?))
}
