//! Cron expressions in a time zone: the instants at which one comes. croner knows which times on the wall match; what becomes of
//! times that a change of the clocks skips or repeats is decided here.

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// An expression that was understood, in its time zone.
#[derive(Debug, Clone)]
pub(crate) struct Cron {
    pattern: croner::Cron,
    zone: TimeZone,
    follows: Follows,
}

/// What an expression holds on to when the clocks change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// The wall: its hours are named. What is skipped comes when the clocks have moved on, what is repeated comes once.
    Wall,
    /// The time that really passes: it comes in every hour, or every so many. What is skipped never was, what is repeated comes twice.
    Flow,
}

impl Cron {
    /// The expression, understood; or what is wrong with it.
    pub(crate) fn parse(text: &str, zone: TimeZone) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let pattern = parser.parse(text).map_err(|error| match error {
            CronError::InvalidPattern(why) | CronError::IllegalCharacters(why) | CronError::ComponentError(why) => {
                why.trim_end_matches('.').to_lowercase()
            }
            CronError::EmptyPattern => "it is empty".into(),
            other => other.to_string(),
        })?;
        let follows = if any_hour(text) { Follows::Flow } else { Follows::Wall };
        Ok(Self { pattern, zone, follows })
    }

    /// Whether it ever comes. Every combination of day, month and weekday that exists comes within 28 years of any date in
    /// this century.
    pub(crate) fn ever(&self) -> bool {
        self.match_after(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).is_some()
    }

    /// The first instant after another at which it comes.
    pub(crate) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self.follows {
            Follows::Wall => self.next_on_the_wall(after),
            Follows::Flow => self.next_in_the_flow(after),
        }
    }

    fn next_on_the_wall(&self, after: Timestamp) -> Option<Timestamp> {
        let mut wall = self.zone.to_datetime(after);
        loop {
            wall = self.match_after(wall)?;
            let found = self.zone.to_ambiguous_timestamp(wall);
            let instant = match found.offset() {
                AmbiguousOffset::Gap { .. } => self.change_after(found.earlier().ok()?)?,
                AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => found.earlier().ok()?,
            };
            if instant > after {
                return Some(instant);
            }
        }
    }

    /// Between two changes of the clocks the wall goes as time does.
    fn next_in_the_flow(&self, after: Timestamp) -> Option<Timestamp> {
        let (mut from, mut between) = (after, after);
        loop {
            let offset = self.zone.to_offset(between);
            let found = offset.to_timestamp(self.match_after(offset.to_datetime(from))?).ok()?;
            match self.change_after(between).filter(|change| found >= *change) {
                None => return Some(found),
                // What comes at the very instant of the change comes after the second before it, by the new offset.
                Some(change) => (from, between) = (change.checked_sub(SignedDuration::from_secs(1)).ok()?, change),
            }
        }
    }

    /// When the clocks change next.
    fn change_after(&self, instant: Timestamp) -> Option<Timestamp> {
        self.zone.following(instant).next().map(|change| change.timestamp())
    }

    /// The first time on the wall after another that matches.
    fn match_after(&self, wall: DateTime) -> Option<DateTime> {
        let seconds = wall.with().subsec_nanosecond(0).build().ok()?;
        self.pattern.find_next_occurrence(&seconds, false).ok()
    }
}

/// Whether it comes in every hour or every so many. Of five fields the hour is the second, of six the third.
fn any_hour(text: &str) -> bool {
    let fields: Vec<&str> = text.split_whitespace().collect();
    match fields.as_slice() {
        [word] => word.eq_ignore_ascii_case("@hourly"),
        fields => fields.iter().rev().nth(3).is_some_and(|hour| hour.starts_with('*')),
    }
}
