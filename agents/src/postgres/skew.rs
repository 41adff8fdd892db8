//! What a dump looks like in a server of another major than it comes from: what only differs because of that is told apart from
//! what was lost or changed. Each thing is named; the rest stays a difference.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tokio_postgres::Client;

use super::connection::wrong;
use super::facts::{COLLATION_VERSION, CONFIGURED};
use super::programs::major;
use super::reprint::Reprint;
use crate::{Database, Note, Result};

/// Rights that came with a major. Whoever was given all rights before has them from there on.
const RIGHTS: [(&str, u32); 1] = [("MAINTAIN", 17)];
/// The major from which on not everybody may make things in the schema `public`.
const PUBLIC_IS_CLOSED: u32 = 15;
/// Columns of catalogs that were renamed: the old name and the new one.
const RENAMED: [(&str, &str); 1] = [("colliculocale", "colllocale")];

/// The two servers.
struct Skew<'a> {
    was: u32,
    is: u32,
    captured: &'a Database,
}

/// Settles what of `observed` differs from `captured` only by the version of its server, which this session is of. Returns
/// what the version changes.
pub(crate) async fn reconcile(client: &Client, captured: &Database, observed: &mut Database) -> Result<Vec<Note>> {
    let mut notes: Vec<Note> = collation(captured, observed).into_iter().collect();
    let (Some(was), Some(is)) = (major(&captured.version), major(&observed.version)) else { return Ok(notes) };
    // A dump never goes into an older server.
    if was >= is {
        return Ok(notes);
    }
    let skew = Skew { was, is, captured };
    notes.push(skew.servers(&observed.version));
    notes.extend(skew.extensions(observed));
    notes.extend(skew.public(observed));
    notes.extend(skew.rights(observed));
    notes.extend(skew.wording(client, observed).await?);
    notes.extend(skew.settings(client).await?);
    Ok(notes)
}

impl Skew<'_> {
    fn servers(&self, version: &str) -> Note {
        let statement = format!(
            "The dump is of PostgreSQL {}, and was restored into {version}. What differs only because of that is named here and \
             does not count.",
            self.captured.version
        );
        note("version", statement)
    }

    /// Extensions of other versions: a dump says which there are, and the server which version it has.
    fn extensions(&self, observed: &mut Database) -> Vec<Note> {
        let mut notes = Vec::new();
        self.each(observed, &["extension"], |_, name, was, is| {
            let (Some((old, place)), Some((new, here))) = (version(was), version(is)) else { return false };
            if place == here {
                let statement =
                    format!("It is version {new} here, which PostgreSQL {} brings, and {old} at the source.", self.is);
                notes.push(note(format!("extension {name}"), statement));
            }
            place == here
        });
        notes
    }

    /// From a certain major on the schema `public` is born with fewer rights, which a dump does not mention.
    fn public(&self, observed: &mut Database) -> Option<Note> {
        if !(self.was..self.is).contains(&(PUBLIC_IS_CLOSED - 1)) {
            return None;
        }
        let (mut here, mut there) = (String::new(), String::new());
        self.each(observed, &["grant"], |_, name, was, is| {
            if name == "schema public" {
                (there, here) = (was.to_owned(), is.to_owned());
            }
            name == "schema public"
        });
        let statement = format!(
            "It is born with other rights from PostgreSQL {PUBLIC_IS_CLOSED} on, where not everybody may make things in it: {here} \
             here, {there} at the source."
        );
        (!here.is_empty()).then(|| note("schema public", statement))
    }

    /// Rights that only the newer server knows.
    fn rights(&self, observed: &mut Database) -> Vec<Note> {
        let mut notes = Vec::new();
        for (right, since) in RIGHTS.into_iter().filter(|(_, since)| self.was < *since && *since <= self.is) {
            let mut things = 0;
            self.each(observed, &["grant"], |_, _, was, is| {
                let same = without(was, right) == without(is, right);
                things += usize::from(same);
                same
            });
            if things > 0 {
                let statement = format!(
                    "PostgreSQL {} does not know it. From {since} on, whoever has every other right on a thing has it too: here on \
                     {things} of them.",
                    self.was
                );
                notes.push(note(format!("right {right}"), statement));
            }
        }
        notes
    }

    /// What is the same in other words.
    async fn wording(&self, client: &Client, observed: &mut Database) -> Result<Option<Note>> {
        let mut reworded = BTreeMap::<String, usize>::new();
        self.each(observed, &["collation", "publication"], |class, _, was, is| {
            let same = is_one_row(was, is);
            *reworded.entry(class.to_owned()).or_default() += usize::from(same);
            same
        });
        let reprint = Reprint::begin(client).await?;
        for (class, here) in &mut observed.objects {
            for (name, is) in here {
                let Some(was) = self.captured.objects.get(class).and_then(|there| there.get(name)) else { continue };
                if is != was && reprint.is_same(class, name, was, is).await? {
                    is.clone_from(was);
                    *reworded.entry(class.clone()).or_default() += 1;
                }
            }
        }
        reprint.end().await?;
        let counted: Vec<String> = reworded.iter().filter(|(_, n)| **n > 0).map(|(c, n)| format!("{c} {n}")).collect();
        let statement = format!(
            "Some are worded differently by PostgreSQL {}, which was made to read those of the source and says that they mean the \
             same: {}.",
            self.is,
            counted.join(", ")
        );
        Ok((!counted.is_empty()).then(|| note("definitions", statement)))
    }

    /// Settings of the source's server that the one at hand has not.
    async fn settings(&self, client: &Client) -> Result<Vec<Note>> {
        let configured = self.captured.settings.get(CONFIGURED).map_or("", String::as_str);
        // What has a dot in its name belongs to a library.
        let names: Vec<&str> = configured.split(',').filter(|name| !name.is_empty() && !name.contains('.')).collect();
        let sql = "SELECT n FROM unnest($1::text[]) n WHERE n NOT IN (SELECT name FROM pg_settings)";
        let rows =
            client.query(sql, &[&names]).await.map_err(|cause| wrong("asking for the names of settings", cause))?;
        let gone = |row: &tokio_postgres::Row| {
            let statement = format!(
                "The source's server is given it, and PostgreSQL {} does not know it: a server with that configuration does not \
                 start. Take it out before you move there.",
                self.is
            );
            note(format!("setting {}", row.get::<_, &str>(0)), statement)
        };
        Ok(rows.iter().map(gone).collect())
    }

    /// Takes the captured text of what differs in these classes and `is_same` says is the same.
    fn each(&self, observed: &mut Database, classes: &[&str], mut is_same: impl FnMut(&str, &str, &str, &str) -> bool) {
        for class in classes {
            let (Some(here), Some(there)) = (observed.objects.get_mut(*class), self.captured.objects.get(*class))
            else {
                continue;
            };
            for (name, is) in here {
                let Some(was) = there.get(name).filter(|was| *was != is) else { continue };
                if is_same(class, name, was, is) {
                    is.clone_from(was);
                }
            }
        }
    }
}

/// Text sorts by the rules of the host's libraries. A dump builds its indexes by them; copied files do not.
fn collation(captured: &Database, observed: &mut Database) -> Option<Note> {
    let was = captured.settings.get(COLLATION_VERSION)?;
    let is = observed.settings.remove(COLLATION_VERSION).filter(|is| is != was)?;
    let statement = format!(
        "It sorts by version {is} of its locale's rules here and by {was} at the source. The indexes of this restore were built by \
         the rules here; one that is taken over as a file must be built anew (`REINDEX`)."
    );
    Some(note(format!("database {}", captured.name), statement))
}

fn note(subject: impl Into<String>, statement: String) -> Note {
    Note { subject: subject.into(), statement }
}

/// The version of an extension, and the rest of its definition.
fn version(definition: &str) -> Option<(&str, &str)> {
    definition.strip_prefix("version ")?.split_once(' ')
}

/// Grants without those of a right.
fn without(grants: &str, right: &str) -> String {
    let is_of = |grant: &str| grant.strip_suffix(" with grant option").unwrap_or(grant).ends_with(&format!(" {right}"));
    grants.split(", ").filter(|grant| !is_of(grant)).collect::<Vec<_>>().join(", ")
}

/// Whether two definitions are one row of a catalog, as far as both majors have its columns.
fn is_one_row(was: &str, is: &str) -> bool {
    let (Some((was, after_was)), Some((is, after_is))) = (row(was), row(is)) else { return false };
    after_was == after_is && was.iter().all(|(column, value)| is.get(column).is_none_or(|is| is == value))
}

/// The columns of a row that a definition begins with, by the names of today, and what follows.
fn row(definition: &str) -> Option<(Map<String, Value>, &str)> {
    let mut rows = serde_json::Deserializer::from_str(definition).into_iter::<Map<String, Value>>();
    let mut row = rows.next()?.ok()?;
    for (old, new) in RENAMED {
        if let Some(value) = row.remove(old) {
            row.insert(new.into(), value);
        }
    }
    Some((row, &definition[rows.byte_offset()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(version: &str, objects: &[(&str, &str, &str)]) -> Database {
        let mut database = Database { version: version.into(), ..Database::default() };
        for (class, name, text) in objects {
            let class = database.objects.entry((*class).into()).or_default();
            class.insert((*name).into(), (*text).into());
        }
        database
    }

    fn skew(captured: &Database, is: u32) -> Skew<'_> {
        Skew { was: major(&captured.version).expect("a major"), is, captured }
    }

    #[test]
    fn only_the_rights_that_the_newer_major_brings_are_passed_over() {
        let captured =
            database("16.4", &[("grant", "table t", "a SELECT, b SELECT"), ("grant", "table u", "a SELECT")]);
        let restored =
            [("grant", "table t", "a MAINTAIN, a SELECT, b SELECT"), ("grant", "table u", "a SELECT, c SELECT")];
        let mut observed = database("17.2", &restored);
        let notes = skew(&captured, 17).rights(&mut observed);
        assert_eq!(observed.objects["grant"]["table t"], captured.objects["grant"]["table t"]);
        assert_eq!(observed.objects["grant"]["table u"], "a SELECT, c SELECT");
        assert!(notes.len() == 1 && notes[0].subject == "right MAINTAIN", "{notes:?}");
        let captured = Database { version: "17.0".into(), ..captured };
        assert_eq!(skew(&captured, 18).rights(&mut database("18.1", &restored)), []);
    }

    #[test]
    fn rights_that_the_schema_public_is_born_with_change_with_one_major_only() {
        let open = database("14.9", &[("grant", "schema public", "public CREATE, public USAGE")]);
        let shut = [("grant", "schema public", "public USAGE")];
        let mut observed = database("16.4", &shut);
        let note = skew(&open, 16).public(&mut observed).expect("a note");
        assert!(note.statement.contains("public CREATE"), "{note:?}");
        assert_eq!(observed.objects, open.objects);
        let open = Database { version: "15.1".into(), ..open };
        assert_eq!(skew(&open, 16).public(&mut database("16.4", &shut)), None);
    }

    #[test]
    fn an_extension_of_another_version_is_told_and_one_elsewhere_is_a_difference() {
        let captured = [("extension", "a", "version 1.0 in schema s"), ("extension", "b", "version 1.0 in schema s")];
        let restored = [("extension", "a", "version 1.1 in schema s"), ("extension", "b", "version 1.1 in schema t")];
        let (captured, mut observed) = (database("15.1", &captured), database("16.1", &restored));
        let notes = skew(&captured, 16).extensions(&mut observed);
        assert!(
            notes.len() == 1 && notes[0].statement.contains("1.1") && notes[0].statement.contains("1.0"),
            "{notes:?}"
        );
        assert_eq!(observed.objects["extension"]["b"], "version 1.1 in schema t");
    }

    #[test]
    fn rows_of_a_catalog_are_one_if_the_columns_that_both_majors_have_are() {
        let was = r#"{"puballtables": false, "colliculocale": "de"} public.t"#;
        assert!(is_one_row(was, r#"{"colllocale": "de", "pubgencols": "n", "puballtables": false} public.t"#));
        assert!(!is_one_row(was, r#"{"colllocale": "de", "puballtables": true} public.t"#));
        assert!(!is_one_row(was, r#"{"colllocale": "fr", "puballtables": false} public.t"#));
        assert!(!is_one_row(was, r#"{"colllocale": "de", "puballtables": false} public.u"#));
        assert!(!is_one_row(was, "no row"));
    }

    #[test]
    fn another_version_of_the_rules_that_text_sorts_by_is_told() {
        let sorting = |version: &str| {
            let settings = BTreeMap::from([(COLLATION_VERSION.to_owned(), version.to_owned())]);
            Database { name: "shop".into(), settings, ..Database::default() }
        };
        let note = collation(&sorting("2.36"), &mut sorting("2.41")).expect("a note");
        assert!(note.statement.contains("2.36") && note.statement.contains("2.41"), "{note:?}");
        assert_eq!(collation(&sorting("2.36"), &mut sorting("2.36")), None);
        assert_eq!(collation(&sorting("2.36"), &mut Database::default()), None);
    }
}
