//! Facts of an environment, and filling them into texts of a scenario.

use std::collections::BTreeMap;

/// One fact of an environment: programs see it as an environment variable, and `${NAME}` in a text stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fact {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub summary: &'static str,
    /// Whether only a `postgres` scratch has it.
    pub postgres: bool,
}

const fn fact(name: &'static str, summary: &'static str) -> Fact {
    Fact { name, summary, postgres: false }
}

const fn postgres(name: &'static str, summary: &'static str) -> Fact {
    Fact { name, summary, postgres: true }
}

/// Every fact there is.
pub const FACTS: [Fact; 7] = [
    fact("DRILL_ROOT", "Folder of the restored data, absolute."),
    fact("DRILL_RUN", "Id of the run."),
    fact("DRILL_PORT", "A free TCP port on loopback that is kept for the app."),
    postgres("PGHOST", "Folder of the throw-away cluster's unix socket."),
    postgres("PGPORT", "Port number that belongs to the socket."),
    postgres("PGUSER", "Role that owns the restored database."),
    postgres("PGDATABASE", "Name of the restored database."),
];

/// Fills facts into a text: `${NAME}` becomes the value of that name, `$$` a single dollar. Any other dollar stays as
/// it is, so a shell's `$HOME` passes untouched.
///
/// # Errors
/// What is wrong with the text: a name that is not in `values`, or a `${` without its `}`.
pub fn fill(text: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        rest = if let Some(after) = from.strip_prefix("$$") {
            filled.push('$');
            after
        } else if let Some(after) = from.strip_prefix("${") {
            let (name, after) = after.split_once('}').ok_or("a `${` is not closed by `}`")?;
            filled.push_str(values.get(name).ok_or_else(|| format!("`${{{name}}}` is not known here"))?);
            after
        } else {
            filled.push('$');
            from.get(1..).unwrap_or_default()
        };
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Values like those that an environment has, to see what a text becomes.
pub(crate) fn samples(with_postgres: bool) -> BTreeMap<String, String> {
    let sample = |name: &str| match name {
        "DRILL_PORT" | "PGPORT" => "54321",
        "DRILL_ROOT" | "PGHOST" => "/drill",
        _ => "drill",
    };
    let here = FACTS.iter().filter(|fact| with_postgres || !fact.postgres);
    here.map(|fact| (fact.name.to_owned(), sample(fact.name).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{fill, samples};

    #[test]
    fn facts_are_filled_in_and_other_dollars_stay() {
        let values = samples(false);
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
            prop_assert_eq!(fill(&text.replace('$', "$$"), &samples(true)), Ok(text));
        }

        #[test]
        fn values_are_never_filled_again(value in ".*") {
            let values = [("A".to_owned(), value.clone())].into();
            prop_assert_eq!(fill("<${A}>", &values), Ok(format!("<{value}>")));
        }
    }
}
