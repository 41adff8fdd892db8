//! The facts about a database: every table with its content, every schema object with its definition. Captured in a transaction of the
//! dump's own instant on one side, observed in the restored database on the other, by the same questions.

use std::collections::{BTreeMap, BTreeSet};

use drill_scenarios::Level;

use super::fingerprint::{self, Holder};
use super::programs::{plain, release};
use super::session::Session;
use super::{counters, objects};
use crate::{Database, Note, Result, Table, restless};

/// Setting that says which storage engines the tables need.
pub(crate) const ENGINES: &str = "engines";
/// Setting that says which collations the columns need.
pub(crate) const COLLATIONS: &str = "collations";
/// Setting that says how the server treats the case of tables' names.
pub(crate) const NAMES: &str = "lower_case_table_names";
/// Classes whose texts are put together differently from one release to the next.
const WORDED_BY_VERSION: [&str; 11] = [
    "column",
    "constraint",
    "event",
    "function",
    "package",
    "package body",
    "procedure",
    "sequence",
    "table",
    "trigger",
    "view",
];

/// A database but for its rows, and who holds those.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) database: Database,
    pub(crate) holders: Vec<Holder>,
    /// Tables whose rows are elsewhere, with their engines.
    elsewhere: Vec<(String, String)>,
}

impl Outline {
    /// Reads it.
    pub(crate) async fn read(session: &mut Session) -> Result<Self> {
        let mut database = about(session).await?;
        database.objects = objects::read(session).await?;
        database.roles = definers(session).await?;
        let holders = Holder::all(session).await?;
        let elsewhere = fingerprint::of_elsewhere(session).await?;
        Ok(Self { database, holders, elsewhere })
    }

    /// Those who hold rows that one transaction reads as of one instant, or the others.
    pub(crate) fn of_one_instant(&self, transactional: bool) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(move |holder| holder.transactional == transactional)
    }

    /// What people should know of it.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let note = |holder: &Holder, statement: String| Note { subject: format!("table {}", holder.name), statement };
        let unsteady = self.of_one_instant(false).map(|holder| {
            let engine = if holder.engine.is_empty() { "no engine" } else { &holder.engine };
            note(holder, format!("It is not transactional ({engine}): the dump holds it as it was when its turn came."))
        });
        let rounded = self.holders.iter().filter(|holder| holder.rounded).map(|holder| {
            note(
                holder,
                "It has columns of type FLOAT, of which a dump holds six digits; that many are compared.".into(),
            )
        });
        let versioned = self.holders.iter().filter(|holder| holder.versioned).map(|holder| {
            note(holder, "It is system-versioned: the dump holds its rows of today, not their history.".into())
        });
        let elsewhere = self.elsewhere.iter().map(|(name, engine)| Note {
            subject: format!("table {name}"),
            statement: format!(
                "Its rows are elsewhere ({engine}): the dump holds none of them, and they are not compared."
            ),
        });
        unsteady.chain(rounded).chain(versioned).chain(elsewhere).collect()
    }
}

/// Facts of a source, from what was read before and after its dump.
pub(crate) fn settled(mut before: Database, mut after: Database) -> Database {
    counters::merge(&mut before, &mut after);
    restless::settled(&before, after)
}

/// Facts of a restored database, down to `level`, as far as `captured` can be compared with them.
pub(crate) async fn observe(session: &mut Session, captured: &Database, level: Level) -> Result<Database> {
    let outline = Outline::read(session).await?;
    session.begin().await?;
    let tables: BTreeMap<String, Table> =
        fingerprint::contents(session, outline.holders.iter(), level == Level::Content).await?;
    let mut database = Database { tables, ..outline.database };
    // They say what a server must have, and a table's own definition says the same.
    database.settings.retain(|name, _| ![ENGINES, COLLATIONS].contains(&name.as_str()));
    counters::observe(&mut database, captured);
    restless::observe(&mut database, captured);
    Ok(database)
}

/// Whether the texts of some definitions can't be compared: the two servers are of different releases.
pub(crate) fn worded_differently(captured: &Database, version: &str) -> bool {
    release(&captured.version) != release(version)
}

/// Takes the captured text of what both sides have and only name differently, one being of another release than the other.
pub(crate) fn reword(observed: &mut Database, captured: &Database) {
    observed.reword(captured, &WORDED_BY_VERSION);
}

/// The classes that [`reword`] touches, for a note.
pub(crate) fn worded_by_version() -> String {
    WORDED_BY_VERSION.join(", ")
}

async fn about(session: &mut Session) -> Result<Database> {
    let sql =
        "SELECT DATABASE(), VERSION(), DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, @@lower_case_table_names
               FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()";
    let row = session.row("reading about the database", sql).await?;
    let [name, version, charset, collation, names] =
        std::array::from_fn(|at| row.get(at).cloned().flatten().unwrap_or_default());
    let mut settings = BTreeMap::from([
        ("charset".to_owned(), charset),
        ("collation".to_owned(), collation),
        (NAMES.to_owned(), names),
    ]);
    for (setting, sql) in [
        (
            ENGINES,
            "SELECT DISTINCT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND ENGINE IS NOT NULL",
        ),
        (
            COLLATIONS,
            "SELECT DISTINCT COLLATION_NAME FROM information_schema.COLUMNS
             WHERE TABLE_SCHEMA = DATABASE() AND COLLATION_NAME IS NOT NULL",
        ),
    ] {
        let names: BTreeSet<String> =
            session.rows("reading about the tables", sql).await?.into_iter().flatten().flatten().collect();
        settings.insert(setting.to_owned(), names.into_iter().collect::<Vec<_>>().join(", "));
    }
    let engine = if version.contains("MariaDB") { "mariadb" } else { "mysql" }.to_owned();
    Ok(Database { name, engine, version: plain(&version), settings, ..Database::default() })
}

/// Accounts in whose name views, routines, triggers and events act.
async fn definers(session: &mut Session) -> Result<Vec<String>> {
    let sql = "SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()
               UNION SELECT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
               UNION SELECT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
               UNION SELECT DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()";
    let rows = session.rows("listing definers", sql).await?;
    let names: BTreeSet<String> = rows.into_iter().flatten().flatten().filter(|name| !name.is_empty()).collect();
    Ok(names.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_only_another_release_words_differently_are_no_difference() {
        let database = |version: &str, view: &str, index: &str| {
            let object =
                |class: &str, text: &str| (class.to_owned(), BTreeMap::from([("x".to_owned(), text.to_owned())]));
            let objects = BTreeMap::from([object("view", view), object("index", index)]);
            Database { version: version.into(), objects, ..Database::default() }
        };
        let captured = database("10.11.14-MariaDB", "select `a`", "KEY `x` (`a`)");
        let mut observed = database("11.4.2-MariaDB", "select a", "KEY `x` (`b`)");
        assert!(worded_differently(&captured, &observed.version) && !worded_differently(&captured, "10.11.2-MariaDB"));
        reword(&mut observed, &captured);
        assert_eq!(observed.objects["view"], captured.objects["view"]);
        assert_ne!(observed.objects["index"], captured.objects["index"]);
        observed.objects.remove("view");
        reword(&mut observed, &captured);
        assert!(!observed.objects.contains_key("view"), "what is missing stays missing");
    }
}
