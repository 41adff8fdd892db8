//! A snapshot restored outside a drill, into a folder that somebody named.

use std::path::{Component, Path};

use crate::mark::require_empty;
use crate::{Context, Error, Format, Index, Kind, Note, OpenReader, Result, tree};

/// Names of the files that dumps of databases are fetched into.
const PG_DUMP: &str = "database.pgdump";
const SQL_DUMP: &str = "database.sql";
/// Name of the file that a Redis server's data is fetched into: the one that a server loads when it starts.
const RDB: &str = "dump.rdb";
/// Name of the file that a snapshot of etcd is fetched into.
const ETCD_SNAPSHOT: &str = "snapshot.db";

/// Restores a snapshot's stream into `to`, which is made if it is absent: a tree as it was, a file under its name, a dump as a
/// file that `pg_restore` or `mariadb` reads, an RDB as one that a Redis server loads,
/// a snapshot of etcd as one that `etcdutl` restores, several as the folders of pieces that
/// `RESTORE.md` tells of, a base backup as the cluster's files.
///
/// # Errors
/// [`Kind::Refused`] if something is in the folder; [`Kind::Unrestorable`] where the content is at fault; the stream's own errors.
pub async fn fetch(cx: &Context, index: &Index, stream: OpenReader, to: &Path) -> Result<Vec<Note>> {
    require_empty(to)?;
    std::fs::create_dir_all(to).map_err(|cause| Error::io("making", to.display(), cause))?;
    let restored = match &index.format {
        Format::Tar | Format::PgDumps | Format::PgBase => tree::restore(cx, to, stream, None).await?,
        Format::File(name) => tree::restore_file(cx, &to.join(plain(name)?), stream).await?,
        Format::PgDump => tree::restore_file(cx, &to.join(PG_DUMP), stream).await?,
        Format::MariadbDump => tree::restore_file(cx, &to.join(SQL_DUMP), stream).await?,
        Format::Rdb => tree::restore_file(cx, &to.join(RDB), stream).await?,
        Format::EtcdSnapshot => tree::restore_file(cx, &to.join(ETCD_SNAPSHOT), stream).await?,
    };
    let complaints = restored
        .complaints
        .into_iter()
        .map(|subject| Note { subject, statement: "Was reported while restoring.".into() });
    Ok(restored.notes.into_iter().chain(complaints).collect())
}

/// A name that leads nowhere else.
fn plain(name: &str) -> Result<&str> {
    match Path::new(name).components().collect::<Vec<_>>()[..] {
        [Component::Normal(_)] => Ok(name),
        _ => Err(Error::new(Kind::Unrestorable, format!("{name:?} is no plain file name"))),
    }
}
