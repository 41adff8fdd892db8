//! The kinds of source, one file each; their options are the scenario language's.

mod base_backup;
mod command;
mod directory;
mod etcd;
mod mariadb;
mod objects;
mod postgres;
mod redis;
mod sqlite;

use std::sync::Arc;

use drill_scenarios::{Content, PostgresMethod};

pub(crate) use self::base_backup::BaseBackupSource;
use self::command::CommandSource;
pub(crate) use self::command::content::Survey;
pub(crate) use self::directory::DirectorySource;
pub(crate) use self::etcd::EtcdSource;
pub(crate) use self::mariadb::MariadbSource;
pub(crate) use self::objects::ObjectsSource;
pub(crate) use self::postgres::PostgresSource;
pub(crate) use self::redis::RedisSource;
pub(crate) use self::sqlite::SqliteSource;
use crate::{Error, Format, Kind, Result, Secrets, Source};

/// The source that a scenario names: one row a kind. Nothing is reached yet.
///
/// # Errors
/// Those of settings that can't work.
pub fn open(source: &drill_scenarios::Source, secrets: &Arc<Secrets>) -> Result<Box<dyn Source>> {
    use drill_scenarios::Source as Named;
    Ok(match source {
        Named::Directory(source) => Box::new(DirectorySource::open(source, secrets.base())?),
        Named::Sqlite(source) => Box::new(SqliteSource::open(source, secrets.base())?),
        Named::Postgres(source) if source.method == PostgresMethod::Physical => {
            Box::new(BaseBackupSource::open(source, secrets)?)
        }
        Named::Postgres(source) => Box::new(PostgresSource::open(source, secrets)?),
        Named::Mariadb(source) => Box::new(MariadbSource::open(source, secrets)?),
        Named::Redis(source) => Box::new(RedisSource::open(source, secrets)?),
        Named::Objects(source) => Box::new(ObjectsSource::open(source, secrets)?),
        Named::Etcd(source) => Box::new(EtcdSource::open(source, secrets)?),
        Named::Command(source) => Box::new(CommandSource::open(source, secrets)?),
        Named::Restic(_)
        | Named::Borg(_)
        | Named::Files(_)
        | Named::Pgbackrest(_)
        | Named::Barman(_)
        | Named::Tool(_) => {
            return Err(Error::new(Kind::Config, format!("a backup of {} is adopted, not captured", source.kind())));
        }
    })
}

/// Format of the stream that this source writes.
pub fn format(source: &drill_scenarios::Source) -> Format {
    use drill_scenarios::Source as Named;
    match source {
        Named::Directory(_) | Named::Sqlite(_) | Named::Objects(_) | Named::Restic(_) | Named::Borg(_) => Format::Tar,
        Named::Pgbackrest(_) | Named::Barman(_) => Format::PgBase,
        Named::Postgres(source) if source.method == PostgresMethod::Physical => Format::PgBase,
        Named::Postgres(source) if source.jobs > 1 => Format::PgDumps,
        Named::Postgres(_) => Format::PgDump,
        Named::Mariadb(_) => Format::MariadbDump,
        Named::Redis(_) => Format::Rdb,
        Named::Etcd(_) => Format::EtcdSnapshot,
        Named::Command(source) => of_content(&source.content),
        Named::Files(source) => of_content(&source.content),
        Named::Tool(source) => of_content(&source.content),
    }
}

/// Format of what a program writes, or of what is in a file.
pub(crate) fn of_content(content: &Content) -> Format {
    match content {
        Content::Tar => Format::Tar,
        Content::File(name) => Format::File(name.clone()),
        Content::PgDump => Format::PgDump,
        Content::MariadbDump => Format::MariadbDump,
    }
}
