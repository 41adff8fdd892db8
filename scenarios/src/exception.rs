//! A difference that somebody has accepted until a date.

use globset::{GlobBuilder, GlobMatcher};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Name;

/// A difference that somebody has accepted until a date. It stays in the report, with this person's name; from the day
/// after `until` it counts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Glob over the subjects of differences: a path (`var/cache/**`), a table (`table:public.sessions`), a schema
    /// object (`index:public.*`), a line that a restore tool wrote (`restore:*role "app" does not exist*`), a fall against
    /// earlier runs (`history:table:public.sessions`). In a path `*` stops at a slash and `**` doesn't; after a word with a
    /// colon `*` is any text.
    pub pattern: String,
    /// The system of `also` whose differences these are. Absent: the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Name>,
    /// Why it is acceptable.
    pub because: String,
    /// Who accepted it.
    pub owner: String,
    /// Last day on which it is accepted.
    #[schemars(with = "String", extend("format" = "date"))]
    pub until: Date,
}

impl Exception {
    /// Whether a difference on this subject is accepted on this day.
    pub fn covers(&self, system: Option<&str>, subject: &str, today: Date) -> bool {
        today <= self.until && self.names(system, subject)
    }

    /// Whether a difference on this subject was accepted, and is no more on this day.
    pub fn has_expired(&self, system: Option<&str>, subject: &str, today: Date) -> bool {
        today > self.until && self.names(system, subject)
    }

    fn names(&self, system: Option<&str>, subject: &str) -> bool {
        self.system.as_ref().map(Name::as_str) == system && self.glob().is_ok_and(|glob| glob.is_match(subject))
    }

    /// The pattern, understood.
    pub(crate) fn glob(&self) -> Result<GlobMatcher, globset::Error> {
        let classed = self
            .pattern
            .split_once(':')
            .is_some_and(|(class, _)| !class.is_empty() && class.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        Ok(GlobBuilder::new(&self.pattern).literal_separator(!classed).build()?.compile_matcher())
    }
}

#[cfg(test)]
mod tests {
    use super::Exception;

    fn covers(pattern: &str, subject: &str, today: &str) -> bool {
        let exception = Exception {
            pattern: pattern.into(),
            system: None,
            because: "b".into(),
            owner: "o".into(),
            until: "2027-01-31".parse().expect("a valid one"),
        };
        exception.covers(None, subject, today.parse().expect("a valid one"))
    }

    #[test]
    fn it_covers_its_own_system_only() {
        let uploads: crate::Name = "uploads".to_owned().try_into().expect("a name");
        let exception = |system| Exception {
            pattern: "a".into(),
            system,
            because: "b".into(),
            owner: "o".into(),
            until: "2027-01-31".parse().expect("a valid one"),
        };
        let today = "2027-01-01".parse().expect("a valid one");
        for (system, other) in [(None, Some("uploads")), (Some("uploads"), None)] {
            let exception = exception(system.map(|_| uploads.clone()));
            assert!(exception.covers(system, "a", today) && !exception.covers(other, "a", today));
        }
    }

    #[test]
    fn it_holds_to_the_end_of_its_last_day() {
        assert!(covers("a", "a", "2026-11-23"));
        assert!(covers("a", "a", "2027-01-31"));
        assert!(!covers("a", "a", "2027-02-01"));
    }

    #[test]
    fn it_covers_what_its_pattern_names_and_nothing_beside() {
        for (pattern, subject, covered) in [
            ("var/cache/**", "var/cache/a/b", true),
            ("var/cache/**", "var/cache2/a", false),
            ("var/*.log", "var/x.log", true),
            ("var/*.log", "var/deep/x.log", false),
            ("table:public.sessions", "table:public.sessions", true),
            ("table:public.sessions", "table:public.sessions2", false),
            ("index:public.*", "index:public.orders_pkey", true),
            (
                "restore:*role \"app\" does not exist*",
                "restore:pg_restore: error: a/b: role \"app\" does not exist",
                true,
            ),
        ] {
            assert_eq!(covers(pattern, subject, "2027-01-01"), covered, "{pattern} {subject}");
        }
    }
}
