//! From the lines of a file to its events.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Span, ToSpan, Unit};

use super::Refused;
use super::event::{Event, LONGEST_DAYS};
use super::lines::{Line, lines};
use super::moment::{Moment, duration, moment};
use super::rule::Rule;

/// The most events of a calendar.
const MOST_EVENTS: usize = 5_000;

/// A component with its own lines, without those of what it holds.
struct Component {
    begin: Line,
    kind: String,
    lines: Vec<Line>,
}

/// Time zones of the file by the name that its events use.
type Zones = BTreeMap<String, TimeZone>;

/// Every event of a calendar.
pub(super) fn events(text: &str) -> Result<Vec<Event>, Refused> {
    let components = components(lines(text)?)?;
    if let Some(busy) = components.iter().find(|component| component.kind == "VFREEBUSY") {
        return Err(busy.begin.refused("VFREEBUSY is not understood: export the events themselves"));
    }
    let zones = zones(&components);
    let of_events: Vec<&Component> = components.iter().filter(|component| component.kind == "VEVENT").collect();
    if of_events.len() > MOST_EVENTS {
        return Err(of_events[MOST_EVENTS].begin.refused(format!("there are more than {MOST_EVENTS} events")));
    }
    let (mut events, mut replaced) = (Vec::new(), Vec::new());
    for component in of_events {
        if let Some(line) = component.find("RECURRENCE-ID")? {
            replaced.push(component.replaces(line, &zones)?);
        }
        if component.find("STATUS")?.is_none_or(|status| !status.value.eq_ignore_ascii_case("CANCELLED")) {
            events.push(component.event(&zones)?);
        }
    }
    for (uid, moment) in replaced {
        let masters = events.iter_mut().filter(|event| event.rule.is_some() || !event.also.is_empty());
        masters.filter(|event| event.uid.as_ref() == Some(&uid)).for_each(|event| event.except.push(moment.clone()));
    }
    Ok(events)
}

/// The components, in the order of their beginnings.
fn components(lines: Vec<Line>) -> Result<Vec<Component>, Refused> {
    let (mut all, mut open): (Vec<Component>, Vec<usize>) = (Vec::new(), Vec::new());
    for line in lines {
        let kind = line.value.to_ascii_uppercase();
        match (line.name.as_str(), open.last()) {
            ("BEGIN", outer) if outer.is_some() != (kind == "VCALENDAR") => {
                open.push(all.len());
                all.push(Component { begin: line, kind, lines: Vec::new() });
            }
            ("END", Some(&at)) if all[at].kind == kind => _ = open.pop(),
            ("BEGIN" | "END", _) | (_, None) => {
                return Err(line.refused("this is no calendar: BEGIN and END don't match, or something stands outside"));
            }
            (_, Some(&at)) => all[at].lines.push(line),
        }
    }
    match open.last() {
        Some(&at) => Err(all[at].begin.refused(format!("{} has no END: the file is cut off", all[at].kind))),
        None if all.is_empty() => Err(Refused { line: 1, message: "the calendar is empty".into() }),
        None => Ok(all),
    }
}

/// Zones that the file defines under a name of its own, and says the IANA name of.
fn zones(components: &[Component]) -> Zones {
    let defined = components.iter().filter(|component| component.kind == "VTIMEZONE");
    let named = defined.filter_map(|component| {
        let value = |name: &str| component.lines.iter().find(|line| line.name == name).map(|line| line.value.as_str());
        Some((value("TZID")?.to_owned(), crate::zone::zone(value("X-LIC-LOCATION")?)?))
    });
    named.collect()
}

impl Component {
    /// The line of this name; there may be one.
    fn find(&self, name: &str) -> Result<Option<&Line>, Refused> {
        let mut found = self.lines.iter().filter(|line| line.name == name);
        let first = found.next();
        match found.next() {
            Some(second) => Err(second.refused(format!("{name} is given twice for one event"))),
            None => Ok(first),
        }
    }

    /// The UID of the event, and which of its beginnings this one replaces.
    fn replaces(&self, line: &Line, zones: &Zones) -> Result<(String, Moment), Refused> {
        if line.parameter("RANGE").is_some() {
            return Err(line.refused("RECURRENCE-ID with RANGE is not understood"));
        }
        let uid = self.find("UID")?.ok_or_else(|| line.refused("an event with RECURRENCE-ID has no UID"))?;
        Ok((uid.value.clone(), one(line, zones)?))
    }

    fn event(&self, zones: &Zones) -> Result<Event, Refused> {
        if let Some(line) = self.find("EXRULE")? {
            return Err(line.refused("EXRULE is not understood: list the dates as EXDATE"));
        }
        let begin = self.find("DTSTART")?.ok_or_else(|| self.begin.refused("an event has no DTSTART"))?;
        let start = one(begin, zones)?;
        let (lasts, lasts_days) = self.lasts(&start, begin, zones)?;
        let rule = self.find("RRULE")?.map(Rule::read).transpose()?.map(|rule| rule.counted(start.day()));
        let (also, except) = (self.several("RDATE", zones)?, self.several("EXDATE", zones)?);
        let uid = self.find("UID")?.map(|line| line.value.clone());
        Ok(Event { uid, start, lasts, lasts_days, rule, also, except })
    }

    /// How long it lasts, exactly and in days.
    fn lasts(&self, start: &Moment, begin: &Line, zones: &Zones) -> Result<(Span, i32), Refused> {
        let (line, lasts) = match (self.find("DTEND")?, self.find("DURATION")?, start) {
            (Some(_), Some(line), _) => return Err(line.refused("an event has both DTEND and DURATION")),
            (Some(line), None, _) => (line, between(start, &one(line, zones)?)),
            (None, Some(line), _) => (line, Some(duration(line)?)),
            (None, None, Moment::Day(_)) => (begin, Some(1.day())),
            (None, None, Moment::Time(..)) => return Err(begin.refused("an event has neither DTEND nor DURATION")),
        };
        let lasts = lasts.filter(|span| span.is_positive());
        let lasts = lasts.ok_or_else(|| line.refused("an event doesn't end after it begins"))?;
        let days = lasts.total((Unit::Day, start.day())).ok().filter(|days| *days <= f64::from(LONGEST_DAYS));
        let days = days.ok_or_else(|| line.refused(format!("an event lasts longer than {LONGEST_DAYS} days")))?;
        Ok((lasts, days.ceil() as i32))
    }

    fn several(&self, name: &str, zones: &Zones) -> Result<Vec<Moment>, Refused> {
        let mut moments = Vec::new();
        for line in self.lines.iter().filter(|line| line.name == name) {
            if line.parameter("VALUE") == Some("PERIOD") {
                return Err(line.refused(format!("{name} with periods is not understood")));
            }
            let zone = zone_of(line, zones)?;
            for text in line.value.split(',') {
                moments.push(moment(text, zone.clone(), line)?);
            }
        }
        Ok(moments)
    }
}

/// From one to the other: whole days, or time that passes.
fn between(start: &Moment, end: &Moment) -> Option<Span> {
    match (start, end) {
        (Moment::Day(start), Moment::Day(end)) => start.until((Unit::Day, *end)).ok(),
        (Moment::Time(..), Moment::Time(..)) => {
            let instant = |moment: &Moment| moment.begins(&TimeZone::UTC);
            instant(start)?.until((Unit::Second, instant(end)?)).ok()
        }
        _ => None,
    }
}

/// The one moment of a line.
fn one(line: &Line, zones: &Zones) -> Result<Moment, Refused> {
    moment(&line.value, zone_of(line, zones)?, line)
}

/// The zone that a line names.
fn zone_of(line: &Line, zones: &Zones) -> Result<Option<TimeZone>, Refused> {
    let Some(name) = line.parameter("TZID") else { return Ok(None) };
    let known = crate::zone::zone(name).or_else(|| zones.get(name).cloned());
    known.map(Some).ok_or_else(|| {
        line.refused(format!(
            "the time zone `{name}` has no IANA name: export the calendar with one, such as `Europe/Berlin`"
        ))
    })
}
