//! Whether the user may see everything. A server hides triggers, events and routines from who may not see them: they would be missing
//! from the dump and from what is compared, and nobody would notice.

use super::session::Session;
use super::text::{identifier, literal};
use crate::{Error, Kind, Result};

/// What shows the rows, views, triggers and events of a database.
const NEEDED: [&str; 4] = ["SELECT", "SHOW VIEW", "TRIGGER", "EVENT"];

/// Refuses a user from whom a part of the database may be hidden.
///
/// # Errors
/// [`Kind::Denied`], with what to grant.
pub(crate) async fn check(session: &mut Session, database: &str) -> Result<()> {
    let doing = "asking what the user may do";
    let grants: Vec<String> = session.rows(doing, "SHOW GRANTS").await?.into_iter().flatten().flatten().collect();
    let missing: Vec<&str> = NEEDED.into_iter().filter(|needed| !allowed(&grants, needed, database)).collect();
    let user = session.text(doing, "SELECT CURRENT_USER()").await?;
    if !missing.is_empty() {
        let names = missing.join(", ");
        return Err(Error::new(
            Kind::Denied,
            format!("user {user} lacks {names} on database {database}, which hides a part of it"),
        )
        .hint(format!("Grant it: `GRANT {names} ON {}.* TO {}`.", identifier(database), quoted(&user))));
    }
    if allowed(&grants, "SHOW CREATE ROUTINE", database) || sees_routines(session).await? {
        return Ok(());
    }
    Err(Error::new(
        Kind::Denied,
        format!("user {user} may not see the routines of others, which hides a part of {database}"),
    )
    .hint(format!(
        "Grant it: `GRANT SELECT ON mysql.proc TO {}`, or from MariaDB 11.3 on `SHOW CREATE ROUTINE`.",
        quoted(&user)
    )))
}

/// MariaDB shows all routines to who may read the table that they are in; MySQL, which has no such table, to who may select
/// everywhere.
async fn sees_routines(session: &mut Session) -> Result<bool> {
    match session.run("looking for routines", "SELECT 1 FROM mysql.proc LIMIT 0").await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == Kind::NotFound => {
            let grants = session.rows("asking what the user may do", "SHOW GRANTS").await?;
            let everywhere =
                |grant: &String| targets(grant).is_some_and(|(what, on)| on == "*.*" && names(what, "SELECT"));
            Ok(grants.into_iter().flatten().flatten().any(|grant| everywhere(&grant)))
        }
        Err(error) if error.kind() == Kind::Denied => Ok(false),
        Err(error) => Err(error),
    }
}

fn allowed(grants: &[String], privilege: &str, database: &str) -> bool {
    grants.iter().filter_map(|grant| targets(grant)).any(|(what, on)| covers(on, database) && names(what, privilege))
}

/// What a line of `SHOW GRANTS` grants, and on what.
fn targets(grant: &str) -> Option<(&str, &str)> {
    let (what, rest) = grant.strip_prefix("GRANT ")?.split_once(" ON ")?;
    Some((what, rest.split_once(" TO ")?.0))
}

fn names(what: &str, privilege: &str) -> bool {
    what.split(", ").any(|one| one == privilege || one == "ALL PRIVILEGES" && privilege != "SHOW CREATE ROUTINE")
}

/// Whether a grant is on this whole database: `*.*`, or its name, in which `%` and `_` stand for others unless they are escaped.
fn covers(on: &str, database: &str) -> bool {
    let Some(pattern) = on.strip_suffix(".*") else { return false };
    let pattern = pattern.trim_matches('`').replace("``", "`");
    pattern == "*" || like(pattern.as_bytes(), database.as_bytes())
}

fn like(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'%', rest @ ..], _) => (0..=text.len()).any(|from| like(rest, &text[from..])),
        ([b'\\', one, rest @ ..], [first, others @ ..]) => one == first && like(rest, others),
        ([one, rest @ ..], [first, others @ ..]) => (*one == b'_' || one == first) && like(rest, others),
        _ => false,
    }
}

/// `'user'@'host'`.
fn quoted(user: &str) -> String {
    let (name, host) = user.rsplit_once('@').unwrap_or((user, "%"));
    format!("{}@{}", literal(name), literal(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_counts_for_the_databases_that_it_is_on() {
        let grants = |line: &str| vec![line.to_owned()];
        let line = "GRANT SELECT, SHOW VIEW ON `my\\_shop`.* TO `b`@`%`";
        assert!(allowed(&grants(line), "SHOW VIEW", "my_shop"));
        assert!(!allowed(&grants(line), "SHOW VIEW", "myXshop") && !allowed(&grants(line), "VIEW", "my_shop"));
        assert!(allowed(&grants("GRANT SELECT ON `shop%`.* TO `b`@`%`"), "SELECT", "shop_2"));
        assert!(allowed(&grants("GRANT ALL PRIVILEGES ON *.* TO `b`@`%` WITH GRANT OPTION"), "TRIGGER", "shop"));
        assert!(!allowed(&grants("GRANT SELECT ON `shop`.`orders` TO `b`@`%`"), "SELECT", "shop"));
        assert!(!allowed(&grants("GRANT `reader` TO `b`@`%`"), "SELECT", "shop"));
    }
}
