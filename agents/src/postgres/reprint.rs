//! Whether a definition that another major has written means what the server at hand has: the server reads it and writes it
//! anew. Of two texts that one server writes alike, neither says more than the other.
//!
//! What is read is made in a transaction that is never committed, and triggers on that stay silent.

use tokio_postgres::Client;

use super::connection::wrong;
use crate::Result;
use crate::index::readings;

/// A class whose definitions are statements, or hold one, that a server writes from what it has parsed.
struct Class {
    name: &'static str,
    /// What the server writes of the object of this name.
    written: &'static str,
    /// The statement that has it read another.
    read: fn(&str) -> String,
    /// What it then writes.
    anew: &'static str,
}

const VIEW: &str = "SELECT pg_get_viewdef($1::text::regclass)";
const PROBE: &str = "SELECT pg_get_viewdef('pg_temp.drillctl_probe'::regclass) WHERE $1::text <> ''";
const RULE: &str =
    "SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE format('%I on %s', rulename, ev_class::regclass) = $1";
const FUNCTION: &str = "SELECT pg_get_functiondef($1::text::regprocedure)";

const CLASSES: [Class; 4] = [
    Class { name: "view", written: VIEW, read: view, anew: PROBE },
    Class { name: "materialised view", written: VIEW, read: view, anew: PROBE },
    Class { name: "rule", written: RULE, read: rule, anew: RULE },
    Class { name: "function", written: FUNCTION, read: str::to_owned, anew: FUNCTION },
];

fn view(query: &str) -> String {
    format!("CREATE TEMPORARY VIEW drillctl_probe AS {query}")
}

fn rule(definition: &str) -> String {
    definition.replacen("CREATE RULE", "CREATE OR REPLACE RULE", 1)
}

/// A session in which definitions are read.
pub(super) struct Reprint<'a>(&'a Client);

impl<'a> Reprint<'a> {
    /// Begins the transaction that takes everything back.
    pub(super) async fn begin(client: &'a Client) -> Result<Self> {
        let sql = "BEGIN; SET LOCAL session_replication_role = replica";
        client.batch_execute(sql).await.map_err(|cause| wrong("beginning to read definitions", cause))?;
        Ok(Self(client))
    }

    /// Takes back all that was made.
    pub(super) async fn end(self) -> Result<()> {
        self.0.batch_execute("ROLLBACK").await.map_err(|cause| wrong("taking read definitions back", cause))
    }

    /// Whether the definition `was` means what the object of this class and name is, whose definition here is `is`.
    pub(super) async fn is_same(&self, class: &str, name: &str, was: &str, is: &str) -> Result<bool> {
        let Some(class) = CLASSES.iter().find(|known| known.name == class) else { return Ok(false) };
        let Some(written) = self.within(None, class.written, name).await? else { return Ok(false) };
        for statement in held(was, is, &written) {
            if self.within(Some(&(class.read)(&statement)), class.anew, name).await?.as_ref() == Some(&written) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the server writes of an object once this statement is done; nothing if the server refuses that.
    async fn within(&self, statement: Option<&str>, written: &str, name: &str) -> Result<Option<String>> {
        let failed = |cause| wrong("reading a definition", cause);
        self.0.batch_execute("SAVEPOINT reading").await.map_err(failed)?;
        let answered = async {
            if let Some(statement) = statement {
                // One statement and no more, by the protocol.
                self.0.execute(statement, &[]).await?;
            }
            self.0.query_opt(written, &[&name]).await
        };
        let answered = answered.await;
        self.0.batch_execute("ROLLBACK TO SAVEPOINT reading; RELEASE SAVEPOINT reading").await.map_err(failed)?;
        match answered {
            Ok(row) => Ok(row.and_then(|row| row.get::<_, Option<String>>(0)).map(|text| text.trim_end().to_owned())),
            Err(cause) if cause.as_db_error().is_some() => Ok(None),
            Err(cause) => Err(failed(cause)),
        }
    }
}

/// What `was` holds where `is` holds what the server wrote, if all around it is equal.
fn held(was: &str, is: &str, written: &str) -> Vec<String> {
    let around = |text: String| text.split_once(written).map(|(before, after)| (before.to_owned(), after.to_owned()));
    let Some((before, after)) = readings(is).into_iter().find_map(around) else { return Vec::new() };
    let inside = |text: String| Some(text.strip_prefix(&before)?.strip_suffix(&after)?.to_owned());
    readings(was).into_iter().filter_map(inside).collect()
}

#[cfg(test)]
mod tests {
    use super::held;

    #[test]
    fn only_what_is_equal_around_what_the_server_wrote_is_read() {
        let is = r"(id integer) as SELECT id\n   FROM public.t;";
        let written = "SELECT id\n   FROM public.t;";
        let was = r"(id integer) as SELECT t.id\n   FROM public.t;";
        assert!(held(was, is, written).contains(&"SELECT t.id\n   FROM public.t;".to_owned()));
        for other in [r"(no integer) as SELECT t.id\n   FROM public.t;", "(id integer) with check_option"] {
            assert_eq!(held(other, is, written), [""; 0], "{other}");
        }
        assert_eq!(held(was, "nothing of it", written), [""; 0]);
    }
}
