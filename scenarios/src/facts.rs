//! Facts of an environment, and filling them into texts of a scenario.

use std::collections::BTreeMap;
use std::fmt;

use crate::fact_name;

/// One fact of an environment: programs see it as an environment variable, and `${NAME}` in a text stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fact {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub summary: &'static str,
    /// The one kind of scratch that has it; nothing if every kind does.
    pub scratch: Option<&'static str>,
}

const fn fact(name: &'static str, summary: &'static str) -> Fact {
    Fact { name, summary, scratch: None }
}

const fn postgres(name: &'static str, summary: &'static str) -> Fact {
    Fact { name, summary, scratch: Some("postgres") }
}

const fn mariadb(name: &'static str, summary: &'static str) -> Fact {
    Fact { name, summary, scratch: Some("mariadb") }
}

/// The fact that only a cluster has which was recovered to an instant.
pub(crate) const TARGET_TIME: &str = "DRILL_TARGET_TIME";

const fn redis(name: &'static str, summary: &'static str) -> Fact {
    Fact { name, summary, scratch: Some("redis") }
}

const fn etcd(name: &'static str, summary: &'static str) -> Fact {
    Fact { name, summary, scratch: Some("etcd") }
}

impl Fact {
    /// Whether an environment in this kind of scratch has it.
    pub(crate) fn is_in(&self, scratch: &str) -> bool {
        self.scratch.is_none_or(|only| only == scratch)
    }
}

/// Every fact there is.
pub const FACTS: [Fact; 16] = [
    fact("DRILL_ROOT", "Folder of the restored data, absolute."),
    fact("DRILL_RUN", "Id of the run."),
    fact("DRILL_PORT", "A free TCP port on loopback that is kept for the app."),
    postgres("PGHOST", "Folder of the throw-away cluster's unix socket."),
    postgres("PGPORT", "Port number that belongs to the socket."),
    postgres("PGUSER", "Role that owns the restored database."),
    postgres("PGDATABASE", "Name of the restored database."),
    postgres(
        TARGET_TIME,
        "The instant that was recovered to (`2026-11-01T12:00:00.123456Z`), with `recover_to: random` or `{at: …}`.",
    ),
    mariadb("MYSQL_UNIX_PORT", "Path of the throw-away server's unix socket."),
    mariadb("MYSQL_HOST", "Always `localhost`, which stands for the socket."),
    mariadb("MYSQL_USER", "User who may do everything and needs no password."),
    mariadb("MYSQL_DATABASE", "Name of the restored database."),
    redis("REDIS_SOCKET", "The throw-away server's unix socket."),
    redis("REDIS_URL", "The same as a URL: `unix://` and the socket."),
    etcd("ETCD_SOCKET", "The throw-away cluster's unix socket."),
    etcd("ETCDCTL_ENDPOINTS", "The same as `etcdctl` wants it: `unix://` and the socket."),
];

/// Why a text can't be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfilled {
    /// A name that is not known.
    Unknown(String),
    /// A `${` without its `}`.
    Open,
}

impl fmt::Display for Unfilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "`${{{name}}}` is not known here"),
            Self::Open => f.write_str("a `${` is not closed by `}`"),
        }
    }
}

/// Fills facts into a text: `${NAME}` becomes the value of that name, `$$` a single dollar. Any other dollar stays as
/// it is, so a shell's `$HOME` passes untouched.
///
/// # Errors
/// What is wrong with the text: a name that is not in `values`, or a `${` without its `}`.
pub fn fill(text: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    filled(text, values).map_err(|unfilled| unfilled.to_string())
}

pub(crate) fn filled(text: &str, values: &BTreeMap<String, String>) -> Result<String, Unfilled> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            filled.push('$');
            after
        } else if let Some(named) = after.strip_prefix('{') {
            let (name, after) = named.split_once('}').ok_or(Unfilled::Open)?;
            filled.push_str(values.get(name).ok_or_else(|| Unfilled::Unknown(name.into()))?);
            after
        } else {
            filled.push('$');
            after
        };
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The facts that a run has once, whatever it restores.
const OF_THE_RUN: [&str; 2] = ["DRILL_RUN", "DRILL_PORT"];

/// Values like those that an environment of a further system has.
pub(crate) fn samples_of(system: &str, scratch: &str) -> BTreeMap<String, String> {
    let own = samples(scratch).into_iter().filter(|(name, _)| !OF_THE_RUN.contains(&name.as_str()));
    own.map(|(name, value)| (fact_name(Some(system), &name), value)).collect()
}

/// Values like those that an environment has, to see what a text becomes.
pub(crate) fn samples(scratch: &str) -> BTreeMap<String, String> {
    let sample = |name: &str| match name {
        "DRILL_PORT" | "PGPORT" => "54321",
        "DRILL_ROOT" | "PGHOST" | "MYSQL_UNIX_PORT" | "REDIS_SOCKET" | "ETCD_SOCKET" => "/drill",
        "REDIS_URL" | "ETCDCTL_ENDPOINTS" => "unix:///drill",
        "MYSQL_HOST" => "localhost",
        TARGET_TIME => "2026-11-01T12:00:00Z",
        _ => "drill",
    };
    let here = FACTS.iter().filter(|fact| fact.is_in(scratch));
    here.map(|fact| (fact.name.to_owned(), sample(fact.name).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{fill, samples};

    #[test]
    fn facts_are_filled_in_and_other_dollars_stay() {
        let values = samples("directory");
        let filled = |text| fill(text, &values);
        assert_eq!(filled("http://127.0.0.1:${DRILL_PORT}/"), Ok("http://127.0.0.1:54321/".into()));
        assert_eq!(filled("$HOME $$ $${DRILL_RUN} $"), Ok("$HOME $ ${DRILL_RUN} $".into()));
        assert_eq!(filled("${NOPE}"), Err("`${NOPE}` is not known here".into()));
        assert_eq!(filled("${PGHOST}"), Err("`${PGHOST}` is not known here".into()));
        assert!(filled("${DRILL_RUN").is_err());
    }

    proptest! {
        #[test]
        fn a_text_whose_dollars_are_doubled_comes_back_as_it_was(text in ".*") {
            prop_assert_eq!(fill(&text.replace('$', "$$"), &samples("postgres")), Ok(text));
        }

        #[test]
        fn values_are_never_filled_again(value in ".*") {
            let values = [("A".to_owned(), value.clone())].into();
            prop_assert_eq!(fill("<${A}>", &values), Ok(format!("<{value}>")));
        }
    }
}
