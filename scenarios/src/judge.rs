//! Holds what was observed against what was expected.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;

use crate::{Condition, Expectations, Judgement, Observation, Scalar, Span};

/// A clock that is this much ahead is still taken for one that is right.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

/// The longest text of an observed value that a line repeats, in characters.
const SHOWN: usize = 120;

/// Judges an observation. All conditions on all values must hold.
///
/// * `equals` and `not` compare like with like. Numbers are equal by value, whether whole or not (`5`, `5.0`); a text that
///   is a number equals that number, but `"007"` in quotes equals only that text. `null` equals null only. A newline at
///   the end of an observed text doesn't count.
/// * `matches` looks into text, and into numbers as they are printed.
/// * `at_least`, `at_most` and `within` need a number, or text that is one.
/// * `newer_than` needs a point in time (see [`Scalar::instant`]) that is at most so long before `failure_instant`. One
///   that is more than five minutes *after* it is unclear: a clock is wrong, and an age can't be told.
///
/// A value that was not observed, or that a condition can't be applied to, is unclear. Where something fails besides, the
/// whole fails: more knowledge could not mend it.
pub fn judge(expectations: &Expectations, seen: &Observation, failure_instant: Timestamp) -> Judgement {
    let (mut fails, mut unclear) = (Vec::new(), Vec::new());
    for (name, condition) in expectations {
        let Some(value) = seen.get(name) else {
            unclear.push(format!("{name} was not observed"));
            continue;
        };
        for part in parts(condition) {
            match part.holds(value, failure_instant) {
                Outcome::Holds => {}
                Outcome::Fails => fails.push(format!("expected {name} {part}, saw {}", shown(value))),
                Outcome::Unclear(why) => unclear.push(format!("expected {name} {part}, saw {}: {why}", shown(value))),
            }
        }
    }
    match (fails.is_empty(), unclear.is_empty()) {
        (true, true) => Judgement::Holds,
        (true, false) => Judgement::Unclear(unclear),
        (false, _) => Judgement::Fails(fails),
    }
}

/// The expectations in one line for people: "body matches /ok/, status equals 200".
pub fn describe(expectations: &Expectations) -> String {
    let each = expectations.iter().map(|(name, condition)| {
        let all: Vec<String> = parts(condition).iter().map(Part::to_string).collect();
        format!("{name} {}", all.join(" and "))
    });
    each.collect::<Vec<_>>().join(", ")
}

/// One part of a condition.
enum Part<'a> {
    Equals(&'a Scalar),
    Not(&'a Scalar),
    Matches(&'a str),
    AtLeast(f64),
    AtMost(f64),
    Within(f64, f64),
    NewerThan(Span),
}

enum Outcome {
    Holds,
    Fails,
    Unclear(&'static str),
}

fn parts(condition: &Condition) -> Vec<Part<'_>> {
    let Condition { equals, not, matches, at_least, at_most, within, newer_than } = condition;
    [
        equals.as_ref().map(Part::Equals),
        not.as_ref().map(Part::Not),
        matches.as_deref().map(Part::Matches),
        at_least.map(Part::AtLeast),
        at_most.map(Part::AtMost),
        within.map(|[low, high]| Part::Within(low, high)),
        newer_than.map(Part::NewerThan),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Part<'_> {
    fn holds(&self, seen: &Scalar, failure_instant: Timestamp) -> Outcome {
        match self {
            // Nothing has no size, no age and no text: what `max(at)` gives on a table that came back empty.
            _ if *seen == Scalar::Null && !matches!(self, Part::Equals(_) | Part::Not(_)) => Outcome::Fails,
            Part::Equals(wanted) => same(seen, wanted).map_or(OTHER_TYPE, verdict),
            Part::Not(wanted) => same(seen, wanted).map_or(OTHER_TYPE, |same| verdict(!same)),
            Part::Matches(regex) => matches(seen, regex),
            Part::AtLeast(low) => number(seen).map_or(NO_NUMBER, |n| verdict(n >= *low)),
            Part::AtMost(high) => number(seen).map_or(NO_NUMBER, |n| verdict(n <= *high)),
            Part::Within(low, high) => number(seen).map_or(NO_NUMBER, |n| verdict(*low <= n && n <= *high)),
            Part::NewerThan(span) => seen.instant().map_or(NO_INSTANT, |at| newer(at, *span, failure_instant)),
        }
    }
}

const OTHER_TYPE: Outcome = Outcome::Unclear("the two can't be compared");
const NO_NUMBER: Outcome = Outcome::Unclear("that is not a number");
const NO_INSTANT: Outcome = Outcome::Unclear("that is not a point in time");

fn verdict(holds: bool) -> Outcome {
    if holds { Outcome::Holds } else { Outcome::Fails }
}

/// Whether an observed value is the wanted one; `None` if they can't be compared.
fn same(seen: &Scalar, wanted: &Scalar) -> Option<bool> {
    Some(match (seen, wanted) {
        (Scalar::Null, Scalar::Null) => true,
        (Scalar::Null, _) | (_, Scalar::Null) => false,
        (Scalar::Bool(a), Scalar::Bool(b)) => a == b,
        (Scalar::Text(a), Scalar::Bool(b)) => match a.trim() {
            "true" | "t" => *b,
            "false" | "f" => !*b,
            _ => return None,
        },
        (Scalar::Int(_) | Scalar::Float(_), Scalar::Text(text)) => seen.to_string() == *text,
        (Scalar::Text(a), Scalar::Text(b)) => a == b || a.strip_suffix('\n').is_some_and(|a| a == b),
        (Scalar::Bool(_), _) | (_, Scalar::Bool(_)) => return None,
        (Scalar::Int(a), Scalar::Int(b)) => a == b,
        (Scalar::Text(text), Scalar::Int(b)) if text.trim().parse::<i64>().is_ok() => text.trim().parse() == Ok(*b),
        (Scalar::Int(int), Scalar::Float(float)) | (Scalar::Float(float), Scalar::Int(int)) => {
            whole(*float) == Some(*int)
        }
        (Scalar::Text(_), Scalar::Int(b)) => number(seen).and_then(whole) == Some(*b),
        (Scalar::Text(_) | Scalar::Float(_), Scalar::Float(b)) => number(seen) == Some(*b),
    })
}

/// The whole number that this is, if it is one.
fn whole(float: f64) -> Option<i64> {
    // The upper bound, 2^63, is not itself an `i64`; below it the conversion is exact.
    let fits = float.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float);
    fits.then_some(float as i64)
}

fn number(seen: &Scalar) -> Option<f64> {
    match seen {
        Scalar::Int(int) => Some(*int as f64),
        Scalar::Float(float) => Some(*float),
        Scalar::Text(text) => text.trim().parse().ok(),
        Scalar::Null | Scalar::Bool(_) => None,
    }
    .filter(|number: &f64| number.is_finite())
}

fn matches(seen: &Scalar, regex: &str) -> Outcome {
    match (seen, Regex::new(regex)) {
        (Scalar::Null | Scalar::Bool(_), _) => Outcome::Unclear("that is not text"),
        (_, Err(_)) => Outcome::Unclear("the expression can't be used"),
        (Scalar::Text(text), Ok(regex)) => verdict(regex.is_match(text)),
        (printed, Ok(regex)) => verdict(regex.is_match(&printed.to_string())),
    }
}

fn newer(at: Timestamp, span: Span, failure_instant: Timestamp) -> Outcome {
    let age = failure_instant.duration_since(at);
    let longest = SignedDuration::try_from(span.duration()).unwrap_or(SignedDuration::MAX);
    if age < -CLOCKS_DIFFER {
        Outcome::Unclear("that is in the future, so a clock is wrong")
    } else {
        verdict(age <= longest)
    }
}

/// As a scenario writes it: text as it is, without quotes.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
        }
    }
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Equals(value) => write!(f, "equals {}", shown(value)),
            Part::Not(value) => write!(f, "is not {}", shown(value)),
            Part::Matches(regex) => write!(f, "matches /{regex}/"),
            Part::AtLeast(low) => write!(f, "is at least {low}"),
            Part::AtMost(high) => write!(f, "is at most {high}"),
            Part::Within(low, high) => write!(f, "is within {low} and {high}"),
            Part::NewerThan(span) => write!(f, "is newer than {span} before the failure"),
        }
    }
}

/// A value for a line of a report: text in quotes, escaped, and cut if it is long.
fn shown(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) if text.chars().count() > SHOWN => {
            format!("{:?}…", text.chars().take(SHOWN).collect::<String>())
        }
        Scalar::Text(text) => format!("{text:?}"),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: &str = "2027-01-31T03:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().expect("a valid one")
    }

    fn expect(condition: Condition) -> Expectations {
        [("value".to_owned(), condition)].into()
    }

    fn judged(condition: Condition, seen: Scalar) -> Judgement {
        judge(&expect(condition), &[("value".to_owned(), seen)].into(), now())
    }

    fn equals(wanted: Scalar) -> Condition {
        Condition { equals: Some(wanted), ..Condition::default() }
    }

    fn text(text: &str) -> Scalar {
        Scalar::Text(text.into())
    }

    #[test]
    fn numbers_are_equal_by_value_and_quoted_text_by_its_letters() {
        for (wanted, seen) in [
            (Scalar::Int(5), Scalar::Float(5.0)),
            (Scalar::Int(5), text("5\n")),
            (Scalar::Int(5), text("5.0")),
            (Scalar::Float(12.5), text("12.50")),
            (text("200"), Scalar::Int(200)),
            (text("ok"), text("ok\n")),
            (Scalar::Bool(true), text("t")),
            (Scalar::Null, Scalar::Null),
        ] {
            assert_eq!(judged(equals(wanted.clone()), seen.clone()), Judgement::Holds, "{wanted:?} {seen:?}");
        }
        for (wanted, seen) in [
            (text("007"), Scalar::Int(7)),
            (text("ok"), text("ok\n\n")),
            (Scalar::Int(i64::MAX), Scalar::Float(9_223_372_036_854_775_808.0)),
            (Scalar::Int(9_007_199_254_740_993), text("9007199254740992")),
            (Scalar::Int(0), Scalar::Null),
            (Scalar::Null, text("")),
            (Scalar::Int(5), text("five")),
        ] {
            assert!(matches!(judged(equals(wanted.clone()), seen.clone()), Judgement::Fails(_)), "{wanted:?} {seen:?}");
        }
        assert!(matches!(judged(equals(Scalar::Bool(true)), Scalar::Int(1)), Judgement::Unclear(_)));
    }

    #[test]
    fn what_was_not_observed_is_unclear_and_a_failure_beside_it_decides() {
        let mut expectations = expect(equals(Scalar::Int(1)));
        let nothing = Observation::new();
        assert_eq!(judge(&expectations, &nothing, now()), Judgement::Unclear(vec!["value was not observed".into()]));
        expectations.insert("rows".into(), Condition { at_least: Some(3.0), ..Condition::default() });
        let seen = [("rows".to_owned(), Scalar::Int(2))].into();
        let fails = Judgement::Fails(vec!["expected rows is at least 3, saw 2".into()]);
        assert_eq!(judge(&expectations, &seen, now()), fails);
    }

    #[test]
    fn age_is_counted_back_from_the_failure() {
        let newer =
            |span: &str| Condition { newer_than: Some(span.parse().expect("a valid one")), ..Condition::default() };
        assert_eq!(judged(newer("1h"), text("2027-01-31 02:00:00+00")), Judgement::Holds);
        assert!(matches!(judged(newer("1h"), text("2027-01-31 01:59:59")), Judgement::Fails(_)));
        assert_eq!(judged(newer("1h"), text("2027-01-31T03:05:00Z")), Judgement::Holds);
        assert!(matches!(judged(newer("1h"), text("2027-01-31T03:05:01Z")), Judgement::Unclear(_)));
        assert!(matches!(judged(newer("1h"), text("soon")), Judgement::Unclear(_)));
        assert!(matches!(judged(newer("1h"), Scalar::Null), Judgement::Fails(_)));
        let at_least = Condition { at_least: Some(0.0), ..Condition::default() };
        assert!(matches!(judged(at_least, Scalar::Null), Judgement::Fails(_)));
    }

    #[test]
    fn expectations_read_as_a_line() {
        let expectations: Expectations = [
            ("status".to_owned(), equals(Scalar::Int(200))),
            ("body".to_owned(), Condition { matches: Some("ok".into()), not: Some(text("x")), ..Condition::default() }),
        ]
        .into();
        assert_eq!(describe(&expectations), "body is not \"x\" and matches /ok/, status equals 200");
    }

    #[test]
    fn null_can_be_expected() {
        let condition: Condition = serde_json::from_str(r#"{"equals": null}"#).expect("a valid one");
        assert_eq!(condition.equals, Some(Scalar::Null));
        let condition: Condition = serde_json::from_str("{}").expect("a valid one");
        assert_eq!(condition, Condition::default());
    }

    fn scalars() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            Just(Scalar::Null),
            any::<bool>().prop_map(Scalar::Bool),
            any::<i64>().prop_map(Scalar::Int),
            (-1e12..1e12f64).prop_map(Scalar::Float),
            ".{0,12}".prop_map(Scalar::Text),
            (-999i64..999).prop_map(|n| Scalar::Text(n.to_string())),
        ]
    }

    proptest! {
        #[test]
        fn every_value_equals_itself(value in scalars()) {
            prop_assert_eq!(judged(equals(value.clone()), value), Judgement::Holds);
        }

        #[test]
        fn not_is_the_contrary_of_equals(seen in scalars(), wanted in scalars()) {
            let not = Condition { not: Some(wanted.clone()), ..Condition::default() };
            match (judged(equals(wanted), seen.clone()), judged(not, seen)) {
                (Judgement::Holds, Judgement::Fails(_)) | (Judgement::Fails(_), Judgement::Holds) => {}
                (Judgement::Unclear(_), Judgement::Unclear(_)) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn within_is_at_least_and_at_most(seen in scalars(), low in -1e6..1e6f64, high in -1e6..1e6f64) {
            let within = Condition { within: Some([low, high]), ..Condition::default() };
            let both = Condition { at_least: Some(low), at_most: Some(high), ..Condition::default() };
            let kind = |judgement| std::mem::discriminant(&judgement);
            prop_assert_eq!(kind(judged(within, seen.clone())), kind(judged(both, seen)));
        }

        #[test]
        fn a_longer_age_is_never_stricter(at in 0i64..4_000_000_000, short in 1u64..10_000_000, more in 0u64..10_000_000) {
            let newer = |secs| Condition { newer_than: Some(Span::from_secs(secs)), ..Condition::default() };
            if judged(newer(short), Scalar::Int(at)) == Judgement::Holds {
                prop_assert_eq!(judged(newer(short + more), Scalar::Int(at)), Judgement::Holds);
            }
        }
    }
}
