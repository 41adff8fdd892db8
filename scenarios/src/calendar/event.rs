//! One event of a calendar: when it begins, how long it lasts, on which days it comes again.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

use super::moment::Moment;
use super::rule::Rule;

/// The longest that an event may last.
pub(super) const LONGEST_DAYS: i32 = 400;

/// An event that takes time.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// What it and its exceptions have in common.
    pub(super) uid: Option<String>,
    /// When it begins for the first time.
    pub(super) start: Moment,
    /// How long it lasts: days on the wall, hours as they pass.
    pub(super) lasts: Span,
    /// The same, rounded up to whole days.
    pub(super) lasts_days: i32,
    /// How it comes again.
    pub(super) rule: Option<Rule>,
    /// Further beginnings.
    pub(super) also: Vec<Moment>,
    /// Beginnings that don't count.
    pub(super) except: Vec<Moment>,
}

impl Event {
    /// When it lasts, as far as that holds an instant or begins within so many days after it.
    pub(super) fn around(&self, at: Timestamp, ahead: i32, zone: &TimeZone) -> Vec<(Timestamp, Timestamp)> {
        let mut found: Vec<_> = self.also.iter().filter_map(|moment| self.interval(moment, zone)).collect();
        if self.rule.is_none() {
            found.extend(self.interval(&self.start, zone));
            return found;
        }
        let today = zone.to_datetime(at).date();
        // A day more on either side, for the event may live in another zone.
        let first = today.checked_sub(i64::from(self.lasts_days + 2).days()).unwrap_or(Date::MIN).max(self.start.day());
        let last = today.checked_add(i64::from(ahead).days()).unwrap_or(Date::MAX);
        let days = first.series(1.day()).take_while(|day| *day <= last);
        found.extend(
            days.filter(|day| self.comes_on(*day, zone)).filter_map(|day| self.interval(&self.start.on(day), zone)),
        );
        found
    }

    fn comes_on(&self, day: Date, zone: &TimeZone) -> bool {
        let first = self.start.day();
        let Some(rule) = &self.rule else { return day == first };
        let over = match rule.until() {
            None => false,
            Some(Moment::Day(last)) => day > *last,
            Some(last) => self.start.on(day).begins(zone) > last.begins(zone),
        };
        day == first || (!over && rule.comes_on(day, first))
    }

    fn interval(&self, moment: &Moment, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        if self.is_excepted(moment, zone) {
            return None;
        }
        let begin = moment.begins(zone)?;
        let own = match moment {
            Moment::Time(_, Some(own)) => own,
            Moment::Day(_) | Moment::Time(_, None) => zone,
        };
        let end = begin.to_zoned(own.clone()).checked_add(self.lasts).map_or(Timestamp::MAX, |end| end.timestamp());
        Some((begin, end))
    }

    /// By the instant; by the day, if the exception or the event is one.
    fn is_excepted(&self, moment: &Moment, zone: &TimeZone) -> bool {
        self.except.iter().any(|except| match (except, moment) {
            (Moment::Time(..), Moment::Time(..)) => except.begins(zone) == moment.begins(zone),
            _ => except.day() == moment.day(),
        })
    }
}
