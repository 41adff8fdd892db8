//! Time zones by their IANA names. They are part of the program: the language reads no files.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// It remembers the zones that were asked for.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone by its name.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok()
}

/// The names of all time zones.
pub(crate) fn zones() -> Vec<String> {
    ZONES.available().map(|zone| zone.as_str().to_owned()).collect()
}

/// The zone of those who name none.
pub(crate) fn utc() -> String {
    "UTC".into()
}
