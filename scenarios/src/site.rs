//! The policy of a site: what holds for the drills of all its scenarios.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::zone::{utc, zone};
use crate::{Name, Span, TimeOfDay, Version};

/// When no drill may start, and how many may run at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Version of the language. This is version 1.
    pub version: Version,
    /// Time zone of blackouts and of what a calendar says without one, by its IANA name.
    #[serde(default = "utc")]
    pub timezone: String,
    /// Times in which no drill starts. One that runs already goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blackouts: Vec<Blackout>,
    /// No drill starts at all while this is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// How many drills may run at once.
    #[serde(default)]
    pub at_once: AtOnce,
}

/// What holds where no site file is.
impl Default for Site {
    fn default() -> Self {
        Self { version: Version, timezone: utc(), blackouts: Vec::new(), freeze: None, at_once: AtOnce::default() }
    }
}

/// A time in which no drill starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blackout {
    /// What it is called: it is the reason of drills that are skipped for it.
    pub name: String,
    /// When it is.
    pub when: When,
    /// Only for scenarios with one of these labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Name>,
}

/// When a blackout is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// On days of the week, between two times.
    Weekly(Weekly),
    /// From each time that an expression comes, for a length of time.
    Cron(CronWindow),
    /// From a first to a last day.
    Days(Days),
    /// From one instant to another.
    Between(Between),
    /// While an event of an iCalendar file lasts, whatever the event says of being free or busy.
    Calendar(CalendarFile),
}

/// Times on days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weekly {
    /// The days on which it begins; every day, if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// From when.
    #[serde(default = "TimeOfDay::midnight")]
    pub from: TimeOfDay,
    /// Until when. If that isn't later than `from`, it is on the day after.
    #[serde(default = "TimeOfDay::end_of_day")]
    pub until: TimeOfDay,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A length of time from each time that an expression comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CronWindow {
    /// Cron expression of its beginnings, as in a scenario's schedule.
    pub begins: String,
    /// How long it lasts each time.
    pub lasts: Span,
}

/// Days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Days {
    /// The first day.
    #[schemars(with = "String", extend("format" = "date"))]
    pub first: Date,
    /// The last day, which is part of it.
    #[schemars(with = "String", extend("format" = "date"))]
    pub last: Date,
}

/// Two instants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// A file of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarFile {
    /// The iCalendar file (`.ics`), relative to the site file's folder.
    pub file: PathBuf,
}

/// Nothing starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Why.
    pub because: String,
    /// Who says so.
    pub by: String,
    /// Until when. If absent, until it is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How many drills may run at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AtOnce {
    /// On this host. Drills that run beside each other make each other slower, and recovery times with them.
    pub host: NonZeroU32,
    /// On one source.
    pub source: NonZeroU32,
    /// Of the scenarios that have a label, by label.
    #[schemars(schema_with = "by_label")]
    pub labels: BTreeMap<Name, NonZeroU32>,
}

impl Default for AtOnce {
    fn default() -> Self {
        Self { host: NonZeroU32::MIN, source: NonZeroU32::MIN, labels: BTreeMap::new() }
    }
}

fn by_label(generator: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "propertyNames": generator.subschema_for::<Name>(),
        "additionalProperties": generator.subschema_for::<NonZeroU32>(),
    })
}

impl Site {
    /// Its time zone.
    pub fn zone(&self) -> TimeZone {
        zone(&self.timezone).unwrap_or(TimeZone::UTC)
    }

    /// The iCalendar files that it names, each once.
    pub fn calendars(&self) -> Vec<&PathBuf> {
        let mut files = Vec::new();
        for blackout in &self.blackouts {
            if let When::Calendar(calendar) = &blackout.when
                && !files.contains(&&calendar.file)
            {
                files.push(&calendar.file);
            }
        }
        files
    }
}

impl Weekday {
    /// The same day as jiff's type.
    pub(crate) fn civil(self) -> jiff::civil::Weekday {
        use jiff::civil::Weekday as Civil;
        match self {
            Self::Mon => Civil::Monday,
            Self::Tue => Civil::Tuesday,
            Self::Wed => Civil::Wednesday,
            Self::Thu => Civil::Thursday,
            Self::Fri => Civil::Friday,
            Self::Sat => Civil::Saturday,
            Self::Sun => Civil::Sunday,
        }
    }
}
