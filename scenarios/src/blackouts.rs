//! The blackouts of a site, understood: whether a drill may start, and from when.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::calendar::Calendar;
use crate::cron::Cron;
use crate::stretch::{Stretch, earlier, later};
use crate::{Days, Name, Site, Weekly, When};

/// Further blackouts that may follow one another without a gap.
const CHAINED: usize = 1_000;

/// Every blackout, and the freeze.
#[derive(Debug, Clone, Default)]
pub struct Blackouts {
    all: Vec<Known>,
}

/// Why a drill can't start at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The name of the blackout, or the words of the freeze.
    pub name: String,
    /// Until when it is sure to last.
    pub until: Timestamp,
}

#[derive(Debug, Clone)]
struct Known {
    name: String,
    only: Vec<Name>,
    rule: Rule,
    /// What was found last: it is asked again and again about instants that hardly move.
    last: Option<(Timestamp, Stretch)>,
}

#[derive(Debug, Clone)]
enum Rule {
    Weekly(Weekly, TimeZone),
    Cron(Box<Cron>, SignedDuration),
    Between(Timestamp, Timestamp),
    Calendar(Calendar),
}

impl Blackouts {
    /// Those of a site, with the calendars that it names.
    ///
    /// # Errors
    /// The name of a calendar that isn't among `calendars`.
    pub fn new(site: &Site, calendars: &BTreeMap<PathBuf, Calendar>) -> Result<Self, PathBuf> {
        let zone = site.zone();
        let mut all = Vec::new();
        for blackout in &site.blackouts {
            let rule = match &blackout.when {
                When::Weekly(weekly) => Some(Rule::Weekly(weekly.clone(), zone.clone())),
                When::Cron(window) => Cron::parse(&window.begins, zone.clone()).ok().map(|cron| {
                    let lasts = SignedDuration::try_from(window.lasts.duration()).unwrap_or(SignedDuration::MAX);
                    Rule::Cron(Box::new(cron), lasts)
                }),
                When::Days(days) => between(days, &zone),
                When::Between(between) => Some(Rule::Between(between.from, between.until)),
                When::Calendar(file) => {
                    Some(Rule::Calendar(calendars.get(&file.file).ok_or_else(|| file.file.clone())?.clone()))
                }
            };
            // A parsed site has no rule that isn't understood.
            all.extend(rule.map(|rule| Known {
                name: blackout.name.clone(),
                only: blackout.only.clone(),
                rule,
                last: None,
            }));
        }
        all.extend(site.freeze.as_ref().map(|freeze| Known {
            name: format!("freeze by {}: {}", freeze.by, freeze.because),
            only: Vec::new(),
            rule: Rule::Between(Timestamp::MIN, freeze.until.unwrap_or(Timestamp::MAX)),
            last: None,
        }));
        Ok(Self { all })
    }

    /// Why a drill with these labels can't start at an instant: of several reasons the one that lasts longest.
    pub fn closed(&mut self, at: Timestamp, labels: &[Name]) -> Option<Closed> {
        let concerned =
            |known: &&mut Known| known.only.is_empty() || known.only.iter().any(|name| labels.contains(name));
        let stretches = self.all.iter_mut().filter(concerned).map(|known| (known.stretch(at), &known.name));
        let longest = stretches.filter(|(stretch, _)| stretch.closed).max_by_key(|(stretch, _)| stretch.until);
        longest.map(|(stretch, name)| Closed { name: name.clone(), until: stretch.until })
    }

    /// The first instant from `at` to `last` at which it may start.
    pub fn opening(&mut self, at: Timestamp, last: Timestamp, labels: &[Name]) -> Option<Timestamp> {
        let mut at = at;
        for _ in 0..CHAINED {
            match self.closed(at, labels) {
                _ if at > last => return None,
                None => return Some(at),
                Some(closed) => at = closed.until,
            }
        }
        None
    }
}

impl Known {
    fn stretch(&mut self, at: Timestamp) -> Stretch {
        if let Some((from, stretch)) = self.last
            && from <= at
            && at < stretch.until
        {
            return stretch;
        }
        let stretch = self.rule.stretch(at);
        self.last = Some((at, stretch));
        stretch
    }
}

impl Rule {
    fn stretch(&self, at: Timestamp) -> Stretch {
        match self {
            Self::Weekly(weekly, zone) => weekly_stretch(weekly, zone, at),
            Self::Cron(cron, lasts) => cron_stretch(cron, *lasts, at),
            Self::Between(from, until) => Stretch::of(std::iter::once((*from, *until)), at, Timestamp::MAX),
            Self::Calendar(calendar) => calendar.stretch(at),
        }
    }
}

fn between(days: &Days, zone: &TimeZone) -> Option<Rule> {
    let begin = |day: Date| zone.to_zoned(day.at(0, 0, 0, 0)).ok().map(|midnight| midnight.timestamp());
    Some(Rule::Between(begin(days.first)?, days.last.tomorrow().ok().and_then(begin).unwrap_or(Timestamp::MAX)))
}

/// The days around an instant tell: a window of the week is at most a day long, and the next is at most a week away.
fn weekly_stretch(weekly: &Weekly, zone: &TimeZone, at: Timestamp) -> Stretch {
    let today = zone.to_datetime(at).date();
    let days = (-2..=8).filter_map(|offset: i64| today.checked_add(offset.days()).ok());
    let begins =
        days.filter(|day| weekly.days.is_empty() || weekly.days.iter().any(|one| one.civil() == day.weekday()));
    let windows = begins.filter_map(|day| {
        let end = if weekly.until > weekly.from { day } else { day.tomorrow().ok()? };
        let instant = |wall| zone.to_zoned(wall).ok().map(|at| at.timestamp());
        Some((instant(weekly.from.on(day)?)?, instant(weekly.until.on(end)?)?))
    });
    Stretch::of(windows, at, later(at, SignedDuration::from_hours(6 * 24)))
}

fn cron_stretch(cron: &Cron, lasts: SignedDuration, at: Timestamp) -> Stretch {
    let Some(mut begin) = cron.next_after(earlier(at, lasts)) else {
        return Stretch { closed: false, until: Timestamp::MAX };
    };
    if begin > at {
        return Stretch { closed: false, until: begin };
    }
    let mut until = later(begin, lasts);
    for _ in 0..CHAINED {
        match cron.next_after(begin).filter(|next| *next <= until) {
            Some(next) => (begin, until) = (next, later(next, lasts)),
            None => break,
        }
    }
    Stretch { closed: true, until }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;

    use super::Blackouts;
    use crate::calendar::Calendar;
    use crate::{Name, Site, parse_site};

    fn site(blackouts: &str) -> Site {
        let text = format!("version: 1\ntimezone: Australia/Lord_Howe\n{blackouts}\n");
        parse_site("site.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn blackouts(text: &str) -> Blackouts {
        Blackouts::new(&site(text), &BTreeMap::new()).expect("no calendar is named")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    fn names(words: &[&str]) -> Vec<Name> {
        words.iter().map(|word| Name::try_from((*word).to_owned()).expect("a name")).collect()
    }

    #[test]
    fn a_window_over_midnight_is_what_the_wall_says_every_quarter_of_an_hour_of_a_year() {
        let mut blackouts = blackouts(
            "blackouts: [{name: nights, when: {weekly: {days: [mon, fri], from: \"22:00\", until: \"06:00\"}}}]",
        );
        let zone = crate::zone::zone("Australia/Lord_Howe").expect("a zone");
        let mut open = 0;
        for quarter in 0..366 * 96 {
            let instant = at("2027-01-01T00:00:00Z") + SignedDuration::from_mins(quarter * 15);
            let wall = zone.to_datetime(instant);
            let (today, yesterday) =
                (wall.weekday().to_monday_zero_offset(), wall.weekday().previous().to_monday_zero_offset());
            let expected =
                ([0, 4].contains(&today) && wall.hour() >= 22) || ([0, 4].contains(&yesterday) && wall.hour() < 6);
            assert_eq!(blackouts.closed(instant, &[]).is_some(), expected, "{wall}");
            open += i64::from(!expected);
        }
        assert!(open > 366 * 70);
    }

    #[test]
    fn the_reason_is_the_one_that_lasts_longest_and_labels_choose() {
        let text = "blackouts:
  - {name: one day, when: {days: {first: 2027-01-01, last: 2027-01-01}}}
  - {name: two days, only: [office], when: {days: {first: 2027-01-01, last: 2027-01-02}}}";
        let mut blackouts = blackouts(text);
        let noon = at("2027-01-01T01:00:00Z");
        let reason = |blackouts: &mut Blackouts, labels: &[&str]| {
            blackouts.closed(noon, &names(labels)).map(|closed| (closed.name, closed.until.to_string()))
        };
        assert_eq!(reason(&mut blackouts, &[]), Some(("one day".into(), "2027-01-01T13:00:00Z".into())));
        let both = reason(&mut blackouts, &["web", "office"]);
        assert_eq!(both, Some(("two days".into(), "2027-01-02T13:00:00Z".into())));
        let opening = blackouts.opening(noon, at("2027-02-01T00:00:00Z"), &names(&["office"]));
        assert_eq!(opening, Some(at("2027-01-02T13:00:00Z")));
        assert_eq!(blackouts.opening(noon, at("2027-01-02T12:00:00Z"), &names(&["office"])), None);
    }

    #[test]
    fn a_freeze_holds_for_all_until_its_end_or_for_ever() {
        let mut frozen = blackouts("freeze: {because: migration, by: ops, until: 2027-01-02T00:00:00Z}");
        let closed = frozen.closed(at("2027-01-01T00:00:00Z"), &[]).expect("it is frozen");
        assert_eq!((closed.name.as_str(), closed.until), ("freeze by ops: migration", at("2027-01-02T00:00:00Z")));
        assert_eq!(frozen.closed(at("2027-01-02T00:00:00Z"), &[]), None);
        let mut for_ever = blackouts("freeze: {because: migration, by: ops}");
        assert_eq!(for_ever.opening(at("2027-01-01T00:00:00Z"), at("2099-01-01T00:00:00Z"), &[]), None);
    }

    #[test]
    fn windows_that_touch_are_one() {
        let mut blackouts =
            blackouts("blackouts: [{name: hourly, when: {cron: {begins: \"0 0-5 * * *\", lasts: 1h}}}]");
        let closed = blackouts.closed(at("2027-01-09T13:30:00Z"), &[]).expect("half past midnight");
        assert_eq!(closed.until, at("2027-01-09T19:00:00Z"));
    }

    #[test]
    fn a_calendar_that_was_not_read_is_named() {
        let site =
            site("blackouts: [{name: a, when: {calendar: {file: a.ics}}}, {name: b, when: {calendar: {file: b.ics}}}]");
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20270101\nEND:VEVENT\nEND:VCALENDAR\n";
        let calendar = Calendar::parse(text, &site.timezone).expect("a calendar");
        let mut calendars = BTreeMap::from([(PathBuf::from("a.ics"), calendar.clone())]);
        assert_eq!(Blackouts::new(&site, &calendars).err(), Some(PathBuf::from("b.ics")));
        calendars.insert("b.ics".into(), calendar);
        let mut blackouts = Blackouts::new(&site, &calendars).expect("both");
        assert!(blackouts.closed(at("2026-12-31T13:00:00Z"), &[]).is_some());
        assert!(blackouts.closed(at("2026-12-31T12:59:59Z"), &[]).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_changes_before_it_is_said_to_and_every_beginning_counts(
            start in 1_790_000_000_i64..1_900_000_000,
            steps in proptest::collection::vec(0_i64..90_000, 1..40),
        ) {
            let text = "blackouts:
  - {name: a, when: {cron: {begins: \"30 1 * * 6,0\", lasts: 5h}}}
  - {name: b, when: {weekly: {days: [wed]}}}
  - {name: c, when: {between: {from: 2027-03-12T18:00:00+01:00, until: 2027-03-15T06:00:00+01:00}}}";
            let mut asked = blackouts(text);
            let mut instant = Timestamp::from_second(start).expect("an instant");
            let begins = crate::cron::Cron::parse("30 1 * * 6,0", crate::zone::zone("Australia/Lord_Howe").expect("a zone")).expect("cron");
            for step in steps {
                let closed = asked.closed(instant, &[]);
                prop_assert_eq!(&closed, &blackouts(text).closed(instant, &[]), "what was known makes no difference");
                let begin = begins.next_after(instant - SignedDuration::from_hours(5)).expect("it comes");
                prop_assert!(begin > instant || closed.is_some());
                if let Some(closed) = &closed {
                    let inside = instant + SignedDuration::from_secs((closed.until.as_second() - instant.as_second() - 1) * step / 90_000);
                    prop_assert!(asked.clone().closed(inside, &[]).is_some());
                }
                instant += SignedDuration::from_secs(step);
            }
        }
    }
}
