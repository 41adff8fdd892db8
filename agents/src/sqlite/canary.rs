//! The canary of a SQLite database: a table of its own, named after the run, with one row. Dropping it leaves the database with the content
//! and the schema that it had.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::connect::{self, failed};
use super::quoted::quoted;
use crate::mark::Removal;
use crate::{Canary, CanarySeen, Error, Kind, Result};

/// The name of a run's canary table.
pub(super) fn table(run: &str) -> String {
    format!("drillctl_canary_{run}")
}

/// Plants a canary in the live database at `path`.
///
/// # Errors
/// [`Kind::Refused`] if there is one of this run already; [`Kind::Denied`]; [`Kind::Unavailable`] if it stays locked.
pub(crate) fn plant_canary(path: &Path, canary: &Canary) -> Result<()> {
    let wrong = |cause| failed("planting the canary in", path, cause);
    let mut connection = connect::writable(path)?;
    if has_canary(&connection, &canary.run).map_err(wrong)? {
        let message = format!("there is a canary of run {} in {} already", canary.run, path.display());
        return Err(Error::new(Kind::Refused, message));
    }
    let table = quoted(&table(&canary.run));
    let mut plant = || {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute(&format!("create table {table} (nonce text not null, planted_at text not null)"), [])?;
        let row = [&canary.nonce, &canary.planted_at.to_string()];
        transaction.execute(&format!("insert into {table} values (?, ?)"), row)?;
        transaction.commit()
    };
    plant().map_err(wrong)
}

/// Drops the canary of this run, if it is there.
///
/// # Errors
/// As for planting, [`Kind::Refused`] apart.
pub(crate) fn unplant_canary(path: &Path, run: &str) -> Result<Removal> {
    if !path.exists() {
        return Ok(Removal::Absent);
    }
    let wrong = |cause| failed("removing the canary from", path, cause);
    let connection = connect::writable(path)?;
    if !has_canary(&connection, run).map_err(wrong)? {
        return Ok(Removal::Absent);
    }
    connection.execute_batch(&format!("drop table if exists {}", quoted(&table(run)))).map_err(wrong)?;
    Ok(Removal::Removed)
}

/// The canary of this run in the restored database at `path`, if there is a whole one.
///
/// # Errors
/// [`Kind::Unrestorable`] if it can't be read.
pub(crate) fn seen_canary(path: &Path, run: &str) -> Result<Option<CanarySeen>> {
    let wrong = |cause| failed("looking for the canary in", path, cause);
    let connection = connect::restored(path)?;
    if !has_canary(&connection, run).map_err(wrong)? {
        return Ok(None);
    }
    let select = format!("select nonce, planted_at from {}", quoted(&table(run)));
    let row = connection.query_row(&select, [], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).optional();
    let seen = row.map_err(wrong)?.and_then(|(nonce, planted_at)| {
        let planted_at: Timestamp = planted_at.parse().ok()?;
        Some(CanarySeen { nonce, planted_at })
    });
    Ok(seen)
}

fn has_canary(connection: &rusqlite::Connection, run: &str) -> rusqlite::Result<bool> {
    let select = "select 1 from sqlite_schema where type = 'table' and name = ?";
    Ok(connection.query_row(select, [table(run)], |_| Ok(())).optional()?.is_some())
}
