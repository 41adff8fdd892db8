//! The facts about a database: every table with its content, every schema object with its definition. Captured in the
//! dump's own snapshot on one side, observed in the restored database on the other, by the same questions.

use std::collections::BTreeMap;

use drill_scenarios::Level;
use tokio_postgres::Client;

use super::connection::wrong;
use super::fingerprint::{self, Holder};
use super::scope::Scope;
use super::{catalog, materialised, sequences};
use crate::{Database, Error, Kind, Note, Result};

/// Name under which the large objects count as one table.
pub(crate) const LARGE_OBJECTS: &str = "large objects";
/// Setting that says which version of `pg_dump` wrote the dump.
pub(crate) const DUMPED_BY: &str = "pg_dump";
/// Setting that says which cluster the database was in.
pub(crate) const SYSTEM: &str = "system_identifier";
/// Setting that says how many prepared transactions the cluster may hold.
pub(crate) const PREPARED: &str = "max_prepared_transactions";
/// Setting that names a superuser of the cluster who may log in.
pub(crate) const SUPERUSER: &str = "superuser";
/// Oldest major whose text of floating-point numbers is that of today.
const OLDEST: u32 = 12;
/// Setting that names the settings that the source's server was given.
pub(crate) const CONFIGURED: &str = "configured";
/// Setting that says by which version of its locale's rules the database sorts.
pub(crate) const COLLATION_VERSION: &str = "collation_version";

/// Settings that the texts of values and definitions depend on, and those that keep a long session gentle and alive.
const SESSION: &str = "
    SET search_path = ''; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
    SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = 'content';
    SET quote_all_identifiers = off; SET row_security = off; SET jit = off; SET client_min_messages = 'warning';
    SET statement_timeout = 0; SET lock_timeout = '60s'; SET idle_in_transaction_session_timeout = 0;
    SELECT set_config('client_connection_check_interval', '5s', false)
    WHERE current_setting('server_version_num')::int >= 140000";

/// Facts, and what is to be known about them.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) database: Database,
    pub(crate) notes: Vec<Note>,
}

/// Makes a session fit for reading facts.
///
/// # Errors
/// [`Kind::Config`] for a server that is too old.
pub(crate) async fn prepare(client: &Client) -> Result<()> {
    let version = client.query_one("SELECT current_setting('server_version_num')::int / 10000", &[]).await;
    let major: i32 = version.map_err(|cause| wrong("asking for the server's version", cause))?.get(0);
    if u32::try_from(major).unwrap_or_default() < OLDEST {
        return Err(Error::new(Kind::Config, format!("the server is PostgreSQL {major}, older than {OLDEST}"))
            .hint("Use a `command` source with your own pg_dump."));
    }
    client.batch_execute(SESSION).await.map_err(|cause| wrong("setting the session up", cause))
}

/// Locks every table against changes of its shape, as a dump does: what is read from now on is what the dump holds.
pub(crate) async fn lock(client: &Client, scope: &Scope) -> Result<()> {
    let rows = scope.ask(client, "listing tables", catalog::LOCKABLE).await?;
    let names: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    for some in names.chunks(500) {
        let sql = format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", some.join(", ONLY "));
        client.batch_execute(&sql).await.map_err(|cause| {
            wrong("locking the tables for reading", cause)
                .hint("Somebody holds a stronger lock for long, or the user may not read every table; pg_dump needs the same.")
        })?;
    }
    Ok(())
}

/// Facts of a source, all in the snapshot that the sessions share, but for the positions of sequences.
pub(crate) async fn capture(sessions: &[Client], scope: &Scope) -> Result<Facts> {
    let client = &sessions[0];
    let mut database = definitions(client, scope).await?;
    database.settings.insert(CONFIGURED.into(), configured(client).await?);
    let holders = Holder::all(client, scope).await?;
    let tables = holders.iter().filter(|holder| !holder.materialised);
    database.tables = fingerprint::contents(sessions, tables.map(Holder::whole), true).await?;
    let views = materialised::capture(client, &holders).await?;
    database.tables.extend(views.tables);
    let mut notes = views.notes;
    if let Some(objects) = fingerprint::large_objects(client, scope.is_whole()).await? {
        if scope.is_whole() {
            database.tables.insert(LARGE_OBJECTS.into(), objects);
        } else {
            let statement = format!("{} of them are left out, since only some schemas are taken.", objects.rows);
            notes.push(Note { subject: LARGE_OBJECTS.into(), statement });
        }
    }
    for row in scope.ask(client, "asking what a dump leaves out", catalog::LEFT_OUT).await? {
        notes.push(Note { subject: row.get(0), statement: row.get(1) });
    }
    notes.extend(lost_settings(client).await?);
    Ok(Facts { database, notes })
}

/// Facts of a restored database, down to `level`, as far as `captured` can be compared with them.
pub(crate) async fn observe(sessions: &[Client], captured: &Database, level: Level) -> Result<Database> {
    let client = &sessions[0];
    let scope = Scope::of(captured);
    let content = level == Level::Content;
    let mut database = definitions(client, &scope).await?;
    let holders = Holder::all(client, &scope).await?;
    let compared = holders.iter().filter(|holder| !holder.materialised || captured.tables.contains_key(&holder.name));
    database.tables = fingerprint::contents(sessions, compared.flat_map(Holder::pieces), content).await?;
    if scope.is_whole() {
        let objects = fingerprint::large_objects(client, content).await?;
        database.tables.extend(objects.map(|objects| (LARGE_OBJECTS.to_owned(), objects)));
    }
    let positions = sequences::read(client, &database).await?;
    sequences::observe(&mut database, &positions, captured);
    Ok(database)
}

/// Facts of a database whose very files are copied: rows of materialised views and where sequences stand are in them. Rows of unlogged
/// tables are not. With `split`, big tables are read in pieces.
pub(crate) async fn of_files(sessions: &[Client], level: Level, split: bool) -> Result<Database> {
    let (client, scope, content) = (&sessions[0], Scope::default(), level == Level::Content);
    let mut database = definitions(client, &scope).await?;
    let holders = Holder::all(client, &scope).await?;
    database.tables = match split {
        true => fingerprint::contents(sessions, holders.iter().flat_map(Holder::pieces), content).await?,
        false => fingerprint::contents(sessions, holders.iter().map(Holder::whole), content).await?,
    };
    let objects = fingerprint::large_objects(client, content).await?;
    database.tables.extend(objects.map(|objects| (LARGE_OBJECTS.to_owned(), objects)));
    let positions = sequences::read(client, &database).await?;
    sequences::capture(&mut database, &positions, &positions);
    Ok(database)
}

async fn definitions(client: &Client, scope: &Scope) -> Result<Database> {
    let mut database = about(client, scope).await?;
    for (class, _) in catalog::CLASSES {
        let found = scope.objects(client, class).await?;
        if !found.is_empty() {
            database.objects.insert(class.into(), found);
        }
    }
    let roles = scope.ask(client, "listing roles", catalog::ROLES).await?;
    database.roles = roles.iter().map(|row| row.get(0)).collect();
    Ok(database)
}

async fn about(client: &Client, scope: &Scope) -> Result<Database> {
    let row =
        client.query_one(catalog::DATABASE, &[]).await.map_err(|cause| wrong("reading about the database", cause))?;
    let setting = |name: &str, column: usize| Some((name.to_owned(), row.get::<_, Option<String>>(column)?));
    let mut settings: BTreeMap<String, String> = [
        setting("encoding", 2),
        setting("collate", 3),
        setting("ctype", 4),
        setting("provider", 5),
        setting("locale", 6),
        setting(COLLATION_VERSION, 7),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !scope.is_whole() {
        settings.insert("schemas".into(), serde_json::to_string(&scope.schemas).expect("names are plain JSON"));
    }
    let version: &str = row.get(1);
    let version = version.split_whitespace().next().unwrap_or(version).to_owned();
    Ok(Database { name: row.get(0), engine: "postgres".into(), version, settings, ..Database::default() })
}

/// Names of the settings that the server was given, with commas between. Values may be secrets.
async fn configured(client: &Client) -> Result<String> {
    let row = client.query_one(catalog::CONFIGURED, &[]).await;
    Ok(row.map_err(|cause| wrong("asking for the names of settings", cause))?.get(0))
}

async fn lost_settings(client: &Client) -> Result<Option<Note>> {
    let failed = |cause| wrong("reading the settings of the database", cause);
    let rows = client.query(catalog::SESSION_SETTINGS, &[]).await.map_err(failed)?;
    let names: Vec<String> =
        rows.iter().filter_map(|row| Some(row.get::<_, &str>(0).split_once('=')?.0.into())).collect();
    let statement = format!("The database sets {} for its sessions; a dump does not hold that.", names.join(", "));
    Ok((!names.is_empty()).then(|| Note { subject: "ALTER DATABASE … SET".into(), statement }))
}
