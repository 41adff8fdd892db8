//! Calendars as other programs write them, and what is refused.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::Calendar;

/// A calendar with these lines in its events, one text an event.
fn calendar(events: &[&str]) -> String {
    let events: String = events.iter().map(|lines| format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT\n")).collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//tests//EN\n{events}END:VCALENDAR\n")
}

/// The hours of a stretch of time at which an event lasts, as `MM-DD HH` in UTC, by asking for each.
fn hours(text: &str, zone: &str, from: &str, days: i64) -> Vec<String> {
    let calendar = Calendar::parse(text, zone).expect("a calendar");
    let from: Timestamp = from.parse().expect("an instant");
    let instants = (0..days * 24).map(|hour| from + SignedDuration::from_hours(hour));
    instants.filter(|at| calendar.stretch(*at).closed).map(|at| at.strftime("%m-%d %H").to_string()).collect()
}

/// The days at whose noon an event lasts.
fn days(text: &str, from: &str, count: i64) -> Vec<String> {
    let calendar = Calendar::parse(text, "UTC").expect("a calendar");
    let from: Timestamp = format!("{from}T12:00:00Z").parse().expect("an instant");
    let instants = (0..count).map(|day| from + SignedDuration::from_hours(day * 24));
    instants.filter(|at| calendar.stretch(*at).closed).map(|at| at.strftime("%Y-%m-%d").to_string()).collect()
}

fn refused(lines: &str) -> String {
    Calendar::parse(&calendar(&[lines]), "UTC").expect_err(lines).to_string()
}

#[test]
fn a_whole_day_is_a_day_of_those_who_use_the_calendar() {
    let text = calendar(&["SUMMARY:Labour Day\nDTSTART;VALUE=DATE:20270501"]);
    let found = hours(&text, "America/New_York", "2027-04-30T00:00:00Z", 4);
    assert_eq!((found.len(), found[0].as_str(), found[23].as_str()), (24, "05-01 04", "05-02 03"));
}

#[test]
fn an_event_of_several_days_ends_before_its_end() {
    let text = calendar(&["DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227"]);
    assert_eq!(days(&text, "2026-12-22", 8), ["2026-12-24", "2026-12-25", "2026-12-26"]);
}

#[test]
fn a_time_is_that_of_its_zone_on_either_side_of_a_change_of_clocks() {
    let text = calendar(&["DTSTART;TZID=Europe/Berlin:20270326T220000\nDURATION:PT2H\nRRULE:FREQ=DAILY;COUNT=4"]);
    let found = hours(&text, "UTC", "2027-03-26T00:00:00Z", 6);
    assert_eq!(found, ["03-26 21", "03-26 22", "03-27 21", "03-27 22", "03-28 20", "03-28 21", "03-29 20", "03-29 21"]);
}

#[test]
fn a_zone_under_a_name_of_its_own_is_known_by_its_place() {
    let zone = "BEGIN:VTIMEZONE\nTZID:W. Europe\nX-LIC-LOCATION:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:19701025T030000\nEND:STANDARD\nEND:VTIMEZONE\n";
    let text = calendar(&["DTSTART;TZID=\"W. Europe\":20270101T120000\nDTEND;TZID=W. Europe:20270101T130000"]);
    assert!(Calendar::parse(&text, "UTC").expect_err("a zone nobody knows").to_string().contains("`W. Europe`"));
    let text = text.replace("BEGIN:VEVENT", &format!("{zone}BEGIN:VEVENT"));
    assert_eq!(hours(&text, "UTC", "2027-01-01T00:00:00Z", 1), ["01-01 11"]);
}

#[test]
fn rules_come_again_on_the_days_that_the_standard_shows() {
    for (start, rule, from, count, expected) in [
        ("20270104", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "2027-01-01", 31, vec!["01-04", "01-08", "01-18", "01-22"]),
        ("20270101", "FREQ=MONTHLY;BYDAY=-1FR", "2027-02-01", 60, vec!["02-26", "03-26"]),
        ("20270131", "FREQ=MONTHLY", "2027-02-01", 60, vec!["03-31"]),
        ("20270101", "FREQ=MONTHLY;BYMONTHDAY=-1", "2027-02-01", 60, vec!["02-28", "03-31"]),
        ("20270113", "FREQ=MONTHLY;BYDAY=WE;BYMONTHDAY=13,14", "2027-01-14", 100, vec!["04-14"]),
        ("20200229", "FREQ=YEARLY", "2027-02-01", 760, vec!["02-29"]),
        ("20270118", "FREQ=YEARLY;BYMONTH=1;BYDAY=3MO", "2028-01-01", 31, vec!["01-17"]),
        ("20270101", "FREQ=YEARLY;BYDAY=20MO", "2027-05-01", 31, vec!["05-17"]),
        ("20270101", "FREQ=DAILY;INTERVAL=3;UNTIL=20270108", "2027-01-01", 31, vec!["01-01", "01-04", "01-07"]),
        ("20270101", "FREQ=DAILY;COUNT=2", "2027-01-01", 31, vec!["01-01", "01-02"]),
        // WKST makes the difference, as RFC 5545 shows for 1997.
        (
            "19970805",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
            "1997-08-01",
            31,
            vec!["08-05", "08-10", "08-19", "08-24"],
        ),
        (
            "19970805",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
            "1997-08-01",
            31,
            vec!["08-05", "08-17", "08-19", "08-31"],
        ),
    ] {
        let text = calendar(&[&format!("DTSTART;VALUE=DATE:{start}\nRRULE:{rule}")]);
        let found: Vec<String> = days(&text, from, count).iter().map(|day| day[5..].to_owned()).collect();
        assert_eq!(found, expected, "{start} {rule}");
    }
}

#[test]
fn single_times_are_taken_out_put_in_and_moved() {
    let text = calendar(&[
        "UID:a\nDTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nRRULE:FREQ=DAILY;COUNT=5\nEXDATE:20270105T100000Z\nRDATE:20270110T100000Z",
        "UID:a\nRECURRENCE-ID:20270106T100000Z\nDTSTART:20270106T150000Z\nDTEND:20270106T160000Z",
        "UID:a\nRECURRENCE-ID:20270107T100000Z\nSTATUS:CANCELLED\nDTSTART:20270107T100000Z\nDTEND:20270107T110000Z",
        "UID:b\nSTATUS:CANCELLED\nDTSTART:20270104T200000Z\nDTEND:20270104T210000Z",
    ]);
    let found = hours(&text, "UTC", "2027-01-03T00:00:00Z", 9);
    assert_eq!(found, ["01-04 10", "01-06 15", "01-08 10", "01-10 10"]);
}

#[test]
fn lines_are_unfolded_and_alarms_and_tasks_are_no_events() {
    let text = "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nDTSTART:20270101T000000Z\r\nEND:VTODO\r\nBEGIN:VEVENT\r\nSUMMARY:a \r\n  long: one\r\nDTSTA\r\n RT:20270101T100000Z\r\nDTEND:20270101T110000Z\r\nBEGIN:VALARM\r\nDURATION:PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    assert_eq!(hours(text, "UTC", "2027-01-01T00:00:00Z", 1), ["01-01 10"]);
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    let day = "DTSTART;VALUE=DATE:20270101\n";
    for (lines, said) in [
        (format!("{day}RRULE:FREQ=HOURLY"), "line 6: `FREQ=HOURLY` of RRULE is not understood"),
        (format!("{day}RRULE:FREQ=MONTHLY;BYSETPOS=1;BYDAY=MO"), "line 6: `BYSETPOS=1` of RRULE is not understood"),
        (format!("{day}RRULE:FREQ=WEEKLY;BYDAY=1MO"), "line 6: RRULE counts weekdays"),
        (format!("{day}RRULE:INTERVAL=2"), "line 6: RRULE has no FREQ"),
        (format!("{day}RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY"), "line 7: RRULE is given twice"),
        (format!("{day}EXRULE:FREQ=DAILY"), "line 6: EXRULE is not understood"),
        (format!("{day}RDATE;VALUE=PERIOD:20270101T000000Z/PT1H"), "line 6: RDATE with periods is not understood"),
        ("DTSTART:20270101T000000Z".into(), "line 5: an event has neither DTEND nor DURATION"),
        ("DTSTART:20270101T000000Z\nDTEND:20270101T000000Z".into(), "line 6: an event doesn't end after it begins"),
        ("DTSTART:20270101T000000Z\nDTEND;VALUE=DATE:20270102".into(), "line 6: an event doesn't end after it begins"),
        ("DTSTART:20270101T000000Z\nDURATION:P9Y".into(), "line 6: an event lasts longer than 400 days"),
        ("DTSTART:2027-01-01".into(), "line 5: `2027-01-01` is not a date"),
        ("DTSTART:20270230".into(), "line 5: `20270230` is not a date"),
        ("DTSTART;TZID=Mars/Base:20270101T000000\nDURATION:PT1H".into(), "line 5: the time zone `Mars/Base`"),
        ("SUMMARY:nothing".into(), "line 4: an event has no DTSTART"),
        ("RECURRENCE-ID;RANGE=THISANDFUTURE:20270101\nUID:a".into(), "line 5: RECURRENCE-ID with RANGE"),
        ("no line".into(), "line 5: this is not a line of iCalendar"),
    ] {
        assert!(refused(&lines).starts_with(said), "{}", refused(&lines));
    }
    for (text, said) in [
        ("", "line 1: the calendar is empty"),
        ("BEGIN:VEVENT\nEND:VEVENT", "line 1: this is no calendar"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20270101", "line 2: VEVENT has no END"),
        ("BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\nEND:VFREEBUSY\nEND:VCALENDAR", "line 2: VFREEBUSY is not understood"),
    ] {
        let refused = Calendar::parse(text, "UTC").expect_err(text).to_string();
        assert!(refused.starts_with(said), "{refused}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_calendar_or_refused(text in "(?s).{0,300}") {
        let _ = Calendar::parse(&text, "Europe/Berlin");
    }

    #[test]
    fn a_calendar_with_pieces_changed_is_answered_and_every_event_counted(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..12, "[-:;=,\"\n 0-9A-Z+]{0,8}"), 0..4),
        at in -4_000_000_000_i64..8_000_000_000,
    ) {
        let text = calendar(&[
            "UID:a\nDTSTART;TZID=Europe/Berlin:20270326T220000\nDURATION:PT2H\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=4\nEXDATE:20270326T210000Z",
            "UID:b\nDTSTART;VALUE=DATE:20270101\nDTEND;VALUE=DATE:20270103\nRRULE:FREQ=YEARLY;UNTIL=20400101;BYMONTH=1,2",
        ]);
        let mut letters: Vec<char> = text.chars().collect();
        for (at, length, piece) in cuts {
            let start = at.index(letters.len());
            letters.splice(start..(start + length).min(letters.len()), piece.chars());
        }
        let text: String = letters.into_iter().collect();
        if let Ok(calendar) = Calendar::parse(&text, "UTC") {
            let at = Timestamp::from_second(at).expect("an instant");
            let stretch = calendar.stretch(at);
            prop_assert!(stretch.until > at);
            let begins = text.lines().filter(|line| line.trim_end() == "BEGIN:VEVENT").count();
            let cancelled = text.to_ascii_uppercase().contains("CANCELLED");
            prop_assert!(cancelled || calendar.events() >= begins.min(1), "{text}");
        }
    }

    #[test]
    fn a_stretch_is_the_same_until_it_ends(at in 1_790_000_000_i64..1_900_000_000, step in 0.0..1.0f64) {
        let text = calendar(&[
            "DTSTART;TZID=America/New_York:20260101T230000\nDURATION:PT7H\nRRULE:FREQ=WEEKLY;BYDAY=MO,TH",
            "DTSTART;VALUE=DATE:20260115\nDURATION:P3D\nRRULE:FREQ=MONTHLY",
        ]);
        let calendar = Calendar::parse(&text, "Australia/Lord_Howe").expect("a calendar");
        let at = Timestamp::from_second(at).expect("an instant");
        let stretch = calendar.stretch(at);
        let inside = at + SignedDuration::from_secs(((stretch.until.as_second() - at.as_second()) as f64 * step) as i64);
        prop_assert_eq!(calendar.stretch(inside.min(stretch.until - SignedDuration::from_secs(1))).closed, stretch.closed);
    }
}
