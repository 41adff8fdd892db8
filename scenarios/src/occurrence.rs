//! One time at which a drill was due: its id, when it is to start, and what can become of it.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Name, Span};

/// How the due time is written in an id.
const FORM: &str = "%Y%m%dT%H%M%SZ";

/// One time at which a drill is due. It is made of nothing but the scenario and the time, so it can't be there twice, whoever works
/// it out. Written as `orders-db@20270131T020000Z`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Occurrence {
    scenario: Name,
    due: Timestamp,
}

impl Occurrence {
    /// Of this scenario at this time, whose parts of a second are dropped: no due time has any.
    pub fn new(scenario: Name, due: Timestamp) -> Self {
        let due = Timestamp::from_second(due.as_second()).unwrap_or(due);
        Self { scenario, due }
    }

    /// The scenario.
    pub fn scenario(&self) -> &Name {
        &self.scenario
    }

    /// When it is due.
    pub fn due(&self) -> Timestamp {
        self.due
    }

    /// When it is to start: the due time, and a part of `spread` that is drawn from the id.
    pub fn planned(&self, spread: Option<Span>) -> Timestamp {
        let secs = spread.map_or(0, |spread| spread.duration().as_secs());
        let delay = if secs == 0 { 0 } else { digest(&self.to_string()) % secs };
        let delay = SignedDuration::from_secs(i64::try_from(delay).unwrap_or_default());
        self.due.checked_add(delay).unwrap_or(self.due)
    }
}

/// FNV-1a of 64 bits, and the finishing steps of SplitMix64, as FNV alone leaves neighbours near each other. It must give the same for
/// ever and everywhere.
fn digest(text: &str) -> u64 {
    let fnv = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl fmt::Display for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.scenario, self.due.strftime(FORM))
    }
}

impl FromStr for Occurrence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not the id of an occurrence");
        let (scenario, due) = text.split_once('@').ok_or_else(wrong)?;
        let due = jiff::civil::DateTime::strptime(FORM, due).map_err(|_| wrong())?;
        let due = jiff::tz::Offset::UTC.to_timestamp(due).map_err(|_| wrong())?;
        let occurrence = Self { scenario: Name::try_from(scenario.to_owned()).map_err(|_| wrong())?, due };
        if occurrence.to_string() == text { Ok(occurrence) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Occurrence {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Occurrence> for String {
    fn from(occurrence: Occurrence) -> Self {
        occurrence.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;

    use super::Occurrence;
    use crate::{Name, Span};

    fn occurrence(name: &str, due: i64) -> Occurrence {
        let name = Name::try_from(name.to_owned()).expect("a name");
        Occurrence::new(name, Timestamp::from_second(due).expect("an instant"))
    }

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let one = occurrence("orders-db", 1_801_364_400);
        assert_eq!(one.to_string(), "orders-db@20270131T030000Z");
        assert_eq!(one.to_string().parse(), Ok(one.clone()));
        assert_eq!(serde_json::to_string(&one).expect("JSON"), "\"orders-db@20270131T030000Z\"");
        for wrong in
            ["", "orders-db", "orders-db@", "@20270131T030000Z", "Orders@20270131T030000Z", "a@20270231T030000Z"]
        {
            assert!(wrong.parse::<Occurrence>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_spread_is_the_same_for_ever_and_stays_within_its_bounds() {
        let spread = Some(Span::from_secs(3600));
        let delay = |due: i64| occurrence("orders-db", due).planned(spread).as_second() - due;
        assert_eq!([delay(1_801_364_400), delay(1_801_450_800)], [2396, 1799]);
        assert!((0..10_000).map(|day| delay(day * 86_400)).all(|delay| (0..3600).contains(&delay)));
        assert_eq!(occurrence("a", 7).planned(None).as_second(), 7);
    }

    #[test]
    fn scenarios_that_are_due_together_start_evenly_spread() {
        let spread = Some(Span::from_secs(600));
        let delays: Vec<i64> = (0..6000)
            .map(|n| occurrence(&format!("s{n}"), 1_801_364_400).planned(spread).as_second() - 1_801_364_400)
            .collect();
        for minute in 0..10 {
            let count = delays.iter().filter(|delay| **delay / 60 == minute).count();
            assert!((500..700).contains(&count), "{count} in minute {minute}");
        }
        assert!(delays.iter().collect::<BTreeSet<_>>().len() > 590);
    }
}
