//! What a restored database needs of its host and this host lacks: extensions, locales, roles and tablespaces. It says nothing about the
//! backup. Some of it is known before the restore; the rest `pg_restore` says.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio_postgres::Client;

use super::connection::wrong;
use crate::{Database, Lack, Result};

/// Debian's packages of extensions that are not called after them; `{}` is the server's major version.
const PACKAGES: [(&str, &str); 12] = [
    ("pg_cron", "postgresql-{}-cron"),
    ("pg_partman", "postgresql-{}-partman"),
    ("pg_repack", "postgresql-{}-repack"),
    ("pgrouting", "postgresql-{}-pgrouting"),
    ("plperl", "postgresql-plperl-{}"),
    ("plpython3u", "postgresql-plpython3-{}"),
    ("pltcl", "postgresql-pltcl-{}"),
    ("postgis", "postgresql-{}-postgis-3"),
    ("postgis_raster", "postgresql-{}-postgis-3"),
    ("postgis_tiger_geocoder", "postgresql-{}-postgis-3"),
    ("postgis_topology", "postgresql-{}-postgis-3"),
    ("vector", "postgresql-{}-pgvector"),
];

/// Extensions that PostgreSQL brought itself, and the major that has them no more.
const REMOVED: [(&str, u32); 4] = [("adminpack", 17), ("old_snapshot", 17), ("plpython2u", 15), ("plpythonu", 15)];
/// How a server refuses that was built without ICU.
const NO_ICU: &str = "ICU is not supported in this build";
/// What to do about that.
const BUILT_WITH_ICU: &str = "Name a PostgreSQL that was built with ICU as `bin` or `version` of the scratch.";

/// What of the captured database can't be restored by this server, which is of major version `major`.
pub(crate) async fn of_host(client: &Client, captured: &Database, major: u32) -> Result<Vec<Lack>> {
    let mut lacks = Vec::new();
    let nothing = BTreeMap::new();
    let objects = |class: &str| captured.objects.get(class).unwrap_or(&nothing);
    for name in objects("extension").keys() {
        if !is_available(client, &unquoted(name)).await? {
            lacks.push(Lack {
                subject: format!("extension:{name}"),
                statement: format!("the extension {name} is not installed"),
                remedy: had(&unquoted(name), major),
            });
        }
    }
    for (name, definition) in objects("collation") {
        let Some((provider, locale)) = locale(definition) else { continue };
        let refusal = refusal(client, &provider, &locale).await?;
        let of_system = refusal.contains("could not create locale").then(|| {
            let statement = format!("the locale {locale} of collation {name} is not there");
            (statement, generate(&locale))
        });
        let of_icu = || {
            let statement = format!("the server was built without ICU, which collation {name} takes");
            refusal.contains(NO_ICU).then(|| (statement, BUILT_WITH_ICU.to_owned()))
        };
        if let Some((statement, remedy)) = of_system.or_else(of_icu) {
            lacks.push(Lack { subject: format!("collation:{name}"), statement, remedy });
        }
    }
    Ok(lacks)
}

/// What to do about a message that says no more than that this host lacks something.
pub(crate) fn remedy(message: &str, major: u32) -> Option<String> {
    let quoted = |before: &str, after: &str| {
        let (_, rest) = message.split_once(before)?;
        let (name, rest) = rest.split_once('"')?;
        rest.trim_start().starts_with(after).then(|| name.to_owned())
    };
    let extension = quoted("extension \"", "is not available").or_else(|| quoted("language \"", "does not exist"));
    let file = || quoted("could not open extension control file \"", ": No such file");
    let extension = extension.or_else(|| Some(file()?.rsplit('/').next()?.trim_end_matches(".control").to_owned()));
    if let Some(name) = extension {
        return Some(had(&name, major));
    }
    if let Some(locale) = quoted("could not create locale \"", ": No such file") {
        return Some(generate(&locale));
    }
    if message.contains(NO_ICU) {
        return Some(BUILT_WITH_ICU.into());
    }
    if let Some(role) = quoted("role \"", "does not exist") {
        return Some(format!(
            "A dump holds no roles: back them up with `pg_dumpall --roles-only`, and accept that {role} is missing here with an \
             exception for `restore:*role \"{role}\" does not exist*`."
        ));
    }
    let tablespace = quoted("tablespace \"", "does not exist")?;
    Some(format!(
        "Dump with `--no-tablespaces`, or accept that {tablespace} is missing here with an exception for \
         `restore:*tablespace \"{tablespace}\" does not exist*`."
    ))
}

/// What to do about an extension that isn't there.
fn had(extension: &str, major: u32) -> String {
    match REMOVED.iter().find(|(name, since)| *name == extension && *since <= major) {
        Some((_, since)) => format!(
            "PostgreSQL {since} and newer have {extension} no more: drop it at the source before you move there, and accept that it is \
             missing here with exceptions for `extension:{extension}` and `restore:*{extension}*`."
        ),
        None => install(extension, major),
    }
}

/// What installs an extension.
fn install(extension: &str, major: u32) -> String {
    let known = PACKAGES.iter().find(|(name, _)| *name == extension).map(|(_, package)| *package);
    let package = known.map_or_else(|| format!("postgresql-{{}}-{}", extension.replace('_', "-")), str::to_owned);
    let package = package.replace("{}", &major.to_string());
    match known {
        Some(_) => format!("Install it with `apt-get install {package}`."),
        None => format!(
            "Install it, such as with `apt-get install {package}` if that is its package; `apt-cache search postgresql-{major}` lists them."
        ),
    }
}

/// What makes a locale.
pub(crate) fn generate(locale: &str) -> String {
    let named = locale.replace(".utf8", ".UTF-8");
    let charset = named.split_once('.').map_or("UTF-8", |(_, charset)| charset);
    format!("Make it with `echo '{named} {charset}' >> /etc/locale.gen && locale-gen`.")
}

async fn is_available(client: &Client, extension: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1)";
    let row = client.query_one(sql, &[&extension]).await.map_err(|cause| wrong("asking for extensions", cause))?;
    Ok(row.get(0))
}

/// How the server refuses a collation of this locale; empty if it does not.
async fn refusal(client: &Client, provider: &str, locale: &str) -> Result<String> {
    let literal = locale.replace('\'', "''");
    let sql = format!("CREATE COLLATION pg_temp.drillctl_probe (provider = {provider}, locale = '{literal}')");
    match client.batch_execute(&sql).await {
        Ok(()) => {
            let dropped = client.batch_execute("DROP COLLATION pg_temp.drillctl_probe").await;
            dropped.map_err(|cause| wrong("taking a collation back", cause)).map(|()| String::new())
        }
        Err(cause) => Ok(cause.as_db_error().map(|error| error.message().to_owned()).unwrap_or_default()),
    }
}

/// The provider of a collation and the locale that it takes, by its row of the catalog.
fn locale(definition: &str) -> Option<(String, String)> {
    let row: Value = serde_json::from_str(definition).ok()?;
    let (provider, columns): (_, &[&str]) = match row["collprovider"].as_str()? {
        "c" => ("libc", &["collcollate"]),
        "i" => ("icu", &["colllocale", "colliculocale", "collcollate"]),
        _ => return None,
    };
    let locale = columns.iter().find_map(|column| row[*column].as_str())?;
    Some((provider.into(), locale.into()))
}

/// The name that `quote_ident` has put in quotes where it had to.
fn unquoted(name: &str) -> String {
    name.strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
        .map_or_else(|| name.into(), |n| n.replace("\"\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_about_something_missing_on_the_host_has_its_remedy() {
        for (message, part) in [
            (
                "EXTENSION postgis: could not execute query: ERROR:  extension \"postgis\" is not available DETAIL:  Could not open",
                "`apt-get install postgresql-15-postgis-3`",
            ),
            (
                "ERROR:  could not open extension control file \"/usr/share/postgresql/15/extension/pg_cron.control\": No such file or directory",
                "`apt-get install postgresql-15-cron`",
            ),
            (
                "ERROR:  extension \"ip4r\" is not available",
                "`apt-get install postgresql-15-ip4r` if that is its package",
            ),
            (
                "ERROR:  could not create locale \"de_DE.utf8\": No such file or directory",
                "'de_DE.UTF-8 UTF-8' >> /etc/locale.gen",
            ),
            ("ERROR:  extension \"adminpack\" is not available", "`apt-get install postgresql-15-adminpack`"),
            ("could not execute query: ERROR:  ICU is not supported in this build", "built with ICU"),
            ("ERROR:  role \"app\" does not exist", "pg_dumpall --roles-only"),
            ("ERROR:  tablespace \"fast\" does not exist", "--no-tablespaces"),
        ] {
            let remedy = remedy(message, 15).unwrap_or_else(|| panic!("{message}"));
            assert!(remedy.contains(part), "{remedy}");
        }
    }

    #[test]
    fn an_extension_that_a_major_has_no_more_is_not_to_be_installed() {
        let remedy = remedy("ERROR:  extension \"adminpack\" is not available", 17).expect("a remedy");
        assert!(remedy.contains("no more") && !remedy.contains("apt-get"), "{remedy}");
    }

    #[test]
    fn what_the_backup_is_at_fault_for_is_no_lack_of_the_host() {
        for message in [
            "ERROR:  type \"x\" does not exist",
            "ERROR:  relation \"orders\" does not exist",
            "ERROR:  extension \"postgis\" already exists",
            "ERROR:  duplicate key value violates unique constraint \"role\"",
            "COPY failed for table \"t\": ERROR:  invalid input syntax for type integer: \"role \"",
        ] {
            assert_eq!(remedy(message, 15), None, "{message}");
        }
    }

    #[test]
    fn a_locale_is_told_from_its_row_and_names_lose_their_quotes() {
        let both = |provider: &str, locale: &str| Some((provider.to_owned(), locale.to_owned()));
        assert_eq!(locale(r#"{"collprovider": "c", "collcollate": "de_DE.utf8"}"#), both("libc", "de_DE.utf8"));
        assert_eq!(locale(r#"{"collprovider": "i", "collcollate": null, "colliculocale": "de"}"#), both("icu", "de"));
        assert_eq!(locale(r#"{"collprovider": "b", "colllocale": "C.UTF-8"}"#), None);
        assert_eq!([unquoted("\"uuid-ossp\""), unquoted("postgis")], ["uuid-ossp", "postgis"]);
    }
}
