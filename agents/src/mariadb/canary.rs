//! The canary in a MariaDB database: a table of its own with one row. Facts leave it out on both sides.

use super::connection::Target;
use super::session::Session;
use super::text::{identifier, literal};
use crate::mark::Removal;
use crate::{Canary, CanarySeen, Error, Kind, Result};

/// What the names of all canaries' tables match, as a pattern for LIKE.
pub(super) const PATTERN: &str = r"drillctl\_canary\_%";
const PREFIX: &str = "drillctl_canary_";
/// Room that an identifier of 64 characters leaves after the prefix.
const ROOM: usize = 64 - PREFIX.len();

/// Name of the table of this run's canary. Run ids differ at their end at least, so that is kept.
pub(crate) fn table(run: &str) -> String {
    let plain: String =
        run.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    format!("{PREFIX}{}", &plain[plain.len().saturating_sub(ROOM)..])
}

/// Plants it. A table that is there already is somebody else's.
pub(crate) async fn plant(target: &Target, canary: &Canary) -> Result<()> {
    let (mut session, table, doing) = (target.connect().await?, table(&canary.run), "planting the canary");
    let make = format!(
        "CREATE TABLE {table} (nonce VARCHAR(255) NOT NULL, planted_at VARCHAR(64) NOT NULL)
         ENGINE = InnoDB CHARACTER SET utf8mb4 COMMENT = {}",
        literal(&owned_by(&canary.run))
    );
    let row =
        format!("INSERT INTO {table} VALUES ({}, {})", literal(&canary.nonce), literal(&canary.planted_at.to_string()));
    for sql in ["SET SESSION sql_mode = ''", &make, &row] {
        session.run(doing, sql).await.map_err(|error| match error.kind() {
            Kind::Denied => {
                error.hint("Grant the user CREATE, INSERT and DROP on the database, or set `canary: false`.")
            }
            _ => error,
        })?;
    }
    Ok(())
}

/// Removes it, if it is there and is this run's.
pub(crate) async fn unplant(target: &Target, run: &str) -> Result<Removal> {
    let (mut session, table) = (target.connect().await?, table(run));
    let doing = format!("removing the canary table {table}");
    let sql = format!(
        "SELECT TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{table}'"
    );
    let found = session.rows(&doing, &sql).await?.into_iter().flatten().next();
    let Some(mark) = found else { return Ok(Removal::Absent) };
    if mark != Some(owned_by(run)) {
        return Err(Error::new(Kind::Refused, format!("table {table} does not carry the mark of run {run}"))
            .hint("Look at what is in it; drillctl removes only what it made itself."));
    }
    session.run(&doing, &format!("DROP TABLE {table}")).await?;
    Ok(Removal::Removed)
}

/// The canary of this run, if it is in this database.
pub(crate) async fn find(session: &mut Session, run: &str) -> Result<Option<CanarySeen>> {
    let table = table(run);
    if !planted(session).await?.contains(&table) {
        return Ok(None);
    }
    let sql = format!("SELECT nonce, planted_at FROM {}", identifier(&table));
    let rows = session.rows("looking for the canary", &sql).await?;
    let seen = |row: &Vec<Option<String>>| {
        let [Some(nonce), Some(planted_at)] = &row[..] else { return None };
        Some(CanarySeen { nonce: nonce.clone(), planted_at: planted_at.parse().ok()? })
    };
    Ok(rows.first().and_then(seen))
}

/// Tables of canaries that are there.
pub(crate) async fn planted(session: &mut Session) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE {} ORDER BY 1",
        literal(PATTERN)
    );
    Ok(session.rows("looking for canaries", &sql).await?.into_iter().flatten().flatten().collect())
}

fn owned_by(run: &str) -> String {
    format!("drillctl run {run}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_tables_name_needs_no_quotes_and_fits_an_identifier() {
        assert_eq!(super::table("01J-Ab"), "drillctl_canary_01j_ab");
        assert_eq!(super::table(&"x".repeat(100)).len(), 64);
    }
}
