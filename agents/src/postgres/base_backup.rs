//! Running `pg_basebackup`, its output straight into the seal: one tar archive of the cluster's files, with the WAL that makes them
//! consistent and the server's own manifest of them.

use bytes::Bytes;
use futures::future::join;
use tokio::sync::mpsc;
use tokio_postgres::Client;

use super::connection::{Target, wrong};
use super::manifest;
use super::piped::Piped;
use super::programs::Programs;
use crate::stream::on_thread;
use crate::{Context, Entry, Error, Kind, Note, OpenReader, Result, SealWriter, tree};

/// Oldest major whose base backups have a manifest.
pub(crate) const HAS_MANIFEST: u32 = 13;
const PIECE: usize = 256 << 10;
/// Pieces that wait to be looked into.
const WAITING: usize = 4;
/// The longest manifest that is believed: that of some two million files.
const LONGEST_MANIFEST: u64 = 512 << 20;

const ARGUMENTS: [&str; 7] = [
    "--pgdata=-",
    "--format=tar",
    "--wal-method=fetch",
    "--checkpoint=fast",
    "--manifest-checksums=SHA256",
    "--no-password",
    "--label=drillctl",
];

/// Refuses a server that gives no base backup, or none that one stream can carry.
///
/// # Errors
/// [`Kind::Denied`] without the right, [`Kind::Config`] for what the server is not set up for.
pub(crate) async fn admit(client: &Client) -> Result<()> {
    let sql =
        "SELECT (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), current_user::text,
                      current_setting('max_wal_senders')::int > 0 AND current_setting('wal_level') <> 'minimal'";
    let row = client.query_one(sql, &[]).await.map_err(|cause| wrong("asking who may take a base backup", cause))?;
    if !row.get::<_, bool>(0) {
        let user: &str = row.get(1);
        return Err(Error::new(Kind::Denied, format!("user {user} may not take a physical backup of the server"))
            .hint(format!("Run `ALTER ROLE {user} REPLICATION` on the server, or write `method: dump`.")));
    }
    if !row.get::<_, bool>(2) {
        return Err(Error::new(Kind::Config, "the server is not set up for base backups").hint(
            "Set `wal_level = replica` and `max_wal_senders` to 2 or more and restart it, or write `method: dump`.",
        ));
    }
    no_tablespaces(client).await
}

/// A tablespace is a folder elsewhere: it doesn't go into the stream, and restoring it where it was could be the source's own.
pub(crate) async fn no_tablespaces(client: &Client) -> Result<()> {
    let sql = "SELECT string_agg(quote_ident(spcname), ', ' ORDER BY spcname) FROM pg_tablespace
               WHERE spcname NOT IN ('pg_default', 'pg_global')";
    let row = client.query_one(sql, &[]).await.map_err(|cause| wrong("asking for tablespaces", cause))?;
    match row.get::<_, Option<&str>>(0) {
        None => Ok(()),
        Some(names) => Err(Error::new(
            Kind::Config,
            format!(
                "the server has tablespaces of its own ({names}), which one stream of a physical backup can't carry"
            ),
        )
        .hint("Write `method: dump`, or move what is in them to pg_default and drop them.")),
    }
}

/// Takes a base backup into `out`. Returns the files that the server says are in it, and what `pg_basebackup` remarked.
///
/// # Errors
/// [`Kind::Unavailable`] or [`Kind::Denied`] with `pg_basebackup`'s words; what the seal says.
pub(crate) async fn take(
    cx: &Context,
    programs: &Programs,
    target: &Target,
    out: &mut SealWriter,
) -> Result<(Vec<Entry>, Vec<Note>)> {
    let program = programs.program("pg_basebackup").args(ARGUMENTS);
    let program = target.env().into_iter().fold(program, |program, (name, value)| program.env(name, value));
    let (mut reader, pieces) = OpenReader::new(WAITING);
    let finding = on_thread(move || tree::find_file(reader.blocking(), manifest::NAME, LONGEST_MANIFEST));
    let (remarks, found) = join(hand_on(cx, Piped::start(cx, program)?, pieces, out), finding).await;
    // Whatever a backup lacks that broke off, why it did is the cause.
    let (remarks, found) = (remarks.map_err(explained)?, found?);
    let found = found.ok_or_else(|| {
        Error::new(Kind::Unavailable, format!("the base backup holds no {}", manifest::NAME))
            .hint(format!("Use PostgreSQL {HAS_MANIFEST} or newer, or write `method: dump`."))
    })?;
    Ok((manifest::entries(&found)?, remarks))
}

async fn hand_on(
    cx: &Context,
    mut piped: Piped,
    pieces: mpsc::Sender<Result<Bytes>>,
    out: &mut SealWriter,
) -> Result<Vec<Note>> {
    loop {
        let bytes = Bytes::from(piped.next(PIECE).await?);
        if bytes.is_empty() {
            return piped.finish().await;
        }
        out.write(&bytes).await?;
        cx.progress.add(bytes.len() as u64);
        // Whoever looks into it says itself why it doesn't any more.
        let _ = pieces.send(Ok(bytes)).await;
    }
}

fn explained(error: Error) -> Error {
    let said = error.to_string();
    if said.contains("no pg_hba.conf entry") {
        return error.hint("Add a line for the database `replication` and this user to pg_hba.conf of the server.");
    }
    if said.contains("has already been removed") {
        return error.hint("Raise `wal_keep_size` on the server, so that it keeps its WAL while the backup is taken.");
    }
    error
}
