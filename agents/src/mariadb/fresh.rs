//! A new, empty database in a throw-away server, with what a captured one needs: its character set, and the accounts in whose name things
//! in it act.

use super::facts::{COLLATIONS, ENGINES};
use super::server::{SUPERUSER, Server};
use super::session::Session;
use super::text::{identifier, literal};
use crate::{Database, Error, Kind, Result};

/// Name of the database if the captured one's name is not known.
const NAME: &str = "restored";

/// Makes accounts and database. Without facts about the captured one it is an ordinary database. Returns its name.
///
/// # Errors
/// [`Kind::Config`] if the server lacks what the captured one needs.
pub(crate) async fn create(server: &Server, captured: Option<&Database>) -> Result<String> {
    let mut session = server.target("").connect().await?;
    let nothing = Database::default();
    let wanted = captured.unwrap_or(&nothing);
    require(&mut session, wanted).await?;
    let name = if wanted.name.is_empty() { NAME } else { &wanted.name };
    let words = [("charset", "CHARACTER SET"), ("collation", "COLLATE")];
    let options =
        words.into_iter().filter_map(|(setting, words)| Some(format!(" {words} {}", wanted.settings.get(setting)?)));
    let sql = format!("CREATE DATABASE {}{}", identifier(name), options.collect::<String>());
    session.run(&format!("making database {name}"), &sql).await?;
    for definer in &wanted.roles {
        create_account(&mut session, definer, name).await?;
    }
    Ok(name.into())
}

/// An account that nobody can log in with, and that may do everything in this database and nothing elsewhere.
async fn create_account(session: &mut Session, definer: &str, database: &str) -> Result<()> {
    let (name, host) = definer.rsplit_once('@').unwrap_or((definer, ""));
    if name == SUPERUSER && host == "localhost" {
        return Ok(());
    }
    let (account, make) = match host {
        "" => (literal(name), format!("CREATE ROLE IF NOT EXISTS {}", literal(name))),
        _ => {
            let account = format!("{}@{}", literal(name), literal(host));
            (account.clone(), format!("CREATE USER IF NOT EXISTS {account} ACCOUNT LOCK"))
        }
    };
    let pattern = database.replace('\\', r"\\").replace('_', r"\_").replace('%', r"\%");
    let grant = format!("GRANT ALL PRIVILEGES ON {}.* TO {account}", identifier(&pattern));
    for sql in [make, grant] {
        session.run(&format!("making account {definer}"), &sql).await?;
    }
    Ok(())
}

/// Fails where the server lacks a storage engine or a collation that tables of the captured database have. That says nothing about
/// the backup.
async fn require(session: &mut Session, wanted: &Database) -> Result<()> {
    for (setting, what, sql) in [
        (
            ENGINES,
            "storage engine",
            "SELECT ENGINE FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')",
        ),
        (COLLATIONS, "collation", "SHOW COLLATION"),
    ] {
        let Some(needed) = wanted.settings.get(setting) else { continue };
        let there = session.rows("asking what the scratch server can do", sql).await?;
        let there: Vec<&str> = there.iter().filter_map(|row| row.first()?.as_deref()).collect();
        let is_there = |name: &str| there.iter().any(|one| one.eq_ignore_ascii_case(name));
        if let Some(missing) = needed.split(", ").filter(|name| !name.is_empty()).find(|name| !is_there(name)) {
            let error = Error::new(
                Kind::Config,
                format!("the scratch server has no {what} {missing}, which the database needs"),
            );
            return Err(error.hint(match setting {
                ENGINES => {
                    format!("Install its plugin (`apt-get install mariadb-plugin-{0}`), and load it if it isn't by itself (`settings: {{plugin_load_add: \
                     ha_{0}}}` of the scratch).", missing.to_ascii_lowercase())
                }
                _ => "Install a MariaDB as new as the source, or name its folder as `bin`.".to_owned(),
            }));
        }
    }
    Ok(())
}
