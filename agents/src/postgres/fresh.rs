//! A new, empty database in a throw-away cluster, with the roles and settings that a captured one needs.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::cluster::{Cluster, SUPERUSER};
use super::connection::wrong;
use crate::{Database, Error, Kind, Note, Result};

/// Name of the database if the captured one's name is not known or can't be used.
const NAME: &str = "restored";
/// Where sessions are that make and drop other databases.
const ELSEWHERE: &str = "template1";

/// A new database.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// Its name.
    pub(crate) name: String,
    /// Whether it has another locale than the captured one, which this host lacks.
    pub(crate) other_locale: bool,
    /// What people should know.
    pub(crate) notes: Vec<Note>,
}

/// Makes roles and database. Without facts about the captured one it is an ordinary UTF-8 database.
pub(crate) async fn create(cluster: &Cluster, captured: Option<&Database>) -> Result<Fresh> {
    let client = cluster.target(ELSEWHERE).connect().await?;
    let nothing = Database::default();
    let wanted = captured.unwrap_or(&nothing);
    create_roles(&client, &wanted.roles).await?;
    let name = if ["", "template0", ELSEWHERE].contains(&wanted.name.as_str()) { NAME } else { &wanted.name };
    if name == SUPERUSER {
        run(&client, &format!("DROP DATABASE {}", identifier(name)))
            .await
            .map_err(|cause| wrong("making room", cause))?;
    }
    let mut fresh = Fresh { name: name.into(), other_locale: false, notes: Vec::new() };
    for locale in locales(&wanted.settings) {
        let encoding = wanted.settings.get("encoding").map_or("UTF8", String::as_str);
        let sql =
            format!("CREATE DATABASE {} TEMPLATE template0 ENCODING {}{locale}", identifier(name), literal(encoding));
        match run(&client, &sql).await {
            Ok(()) => return Ok(fresh),
            Err(cause) if is_about_locale(&cause) => fresh.miss(&locale),
            Err(cause) => return Err(wrong(format!("making database {name}"), cause)),
        }
    }
    Err(Error::new(Kind::Config, format!("this host has no locale for database {name}"))
        .hint("Install the locale of the source (`dpkg-reconfigure locales`)."))
}

impl Fresh {
    fn miss(&mut self, locale: &str) {
        self.other_locale = true;
        let remedy = name_of(locale).map_or_else(String::new, |name| format!(" {}", super::lacks::generate(name)));
        let statement = format!(
            "This host does not have{}; text sorts in another way than at the source.{remedy}",
            locale.to_lowercase()
        );
        self.notes.push(Note { subject: format!("database {}", self.name), statement });
    }
}

/// The system's locale in a clause that names one.
fn name_of(clause: &str) -> Option<&str> {
    clause.split_once("LC_COLLATE '")?.1.split('\'').next()
}

async fn run(client: &Client, sql: &str) -> std::result::Result<(), tokio_postgres::Error> {
    client.batch_execute(sql).await
}

/// The captured locale, then what every host has.
fn locales(settings: &BTreeMap<String, String>) -> Vec<String> {
    let libc = |name: &str| format!(" LC_COLLATE {0} LC_CTYPE {0}", literal(name));
    let mut tried = Vec::new();
    if let (Some(collate), Some(ctype)) = (settings.get("collate"), settings.get("ctype")) {
        let libc = format!(" LC_COLLATE {} LC_CTYPE {}", literal(collate), literal(ctype));
        match (settings.get("provider").map(String::as_str), settings.get("locale")) {
            (Some("i"), Some(icu)) => tried.push(format!(" LOCALE_PROVIDER icu ICU_LOCALE {}{libc}", literal(icu))),
            (Some("b"), Some(name)) => {
                tried.push(format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}{libc}", literal(name)))
            }
            _ => {}
        }
        tried.push(libc);
    }
    tried.extend([libc("C.UTF-8"), libc("C")]);
    tried
}

/// Wrong locale, or one that doesn't go with the encoding, or a provider that this version does not know.
fn is_about_locale(cause: &tokio_postgres::Error) -> bool {
    let states = [
        SqlState::WRONG_OBJECT_TYPE,
        SqlState::INVALID_PARAMETER_VALUE,
        SqlState::INVALID_OBJECT_DEFINITION,
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::SYNTAX_ERROR,
    ];
    cause.code().is_some_and(|state| states.contains(state))
}

/// Roles of these names that can do nothing: they are there to own things and to be granted rights.
async fn create_roles(client: &Client, names: &[String]) -> Result<()> {
    let failed = |cause| wrong("making roles", cause);
    let sql = "SELECT n FROM unnest($1::text[]) n WHERE n NOT IN (SELECT rolname::text FROM pg_roles)";
    for row in client.query(sql, &[&names]).await.map_err(failed)? {
        let role = format!("CREATE ROLE {} NOLOGIN", identifier(row.get(0)));
        run(client, &role).await.map_err(failed)?;
    }
    Ok(())
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
