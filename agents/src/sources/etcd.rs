//! An etcd cluster, taken as the snapshot that one of its members sends. What is in it is read from the member at the revision that the
//! snapshot is of.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::runtime::Handle;

use crate::etcd::address::Address;
use crate::etcd::canary;
use crate::etcd::connection::Connection;
use crate::etcd::facts::{self, ALARM, CLUSTER, REVISION, REVISION_AFTER};
use crate::etcd::snapshot::Snapshot;
use crate::mark::Removal;
use crate::{
    Canary, Captured, Context, Database, Error, Estimate, Format, Identity, Index, Kind, Note, Result, SealWriter,
    Secrets, Source, Whereabouts, restless,
};

/// Bytes of the log that a new member makes room for at once.
const LOG_BYTES: u64 = 128 << 20;

/// An etcd cluster.
#[derive(Debug)]
pub(crate) struct EtcdSource {
    address: Address,
}

impl EtcdSource {
    /// The cluster that the scenario names. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Kind::Config`] for an address that is none, or a secret that isn't there.
    pub(crate) fn open(source: &drill_scenarios::EtcdSource, secrets: &Arc<Secrets>) -> Result<Self> {
        Ok(Self { address: Address::of(source, secrets)? })
    }

    async fn connect(&self) -> Result<Connection> {
        Connection::open(&self.address).await
    }
}

#[async_trait]
impl Source for EtcdSource {
    async fn identity(&self, _: &Context) -> Result<Identity> {
        self.connect().await.map(|connection| connection.identity())
    }

    async fn whereabouts(&self) -> Whereabouts {
        self.address.whereabouts().await
    }

    /// While it is restored, the snapshot lies beside what becomes of it.
    async fn estimate(&self, _: &Context) -> Result<Estimate> {
        let mut connection = self.connect().await?;
        let (stream_bytes, items) = (connection.db_bytes(), facts::count(&mut connection).await?);
        Ok(Estimate { stream_bytes, restored_bytes: 2 * stream_bytes + LOG_BYTES, items })
    }

    async fn plant(&self, _: &Context, canary: &Canary) -> Result<()> {
        canary::plant(&mut self.connect().await?, canary).await
    }

    async fn unplant(&self, _: &Context, run: &str) -> Result<Removal> {
        canary::unplant(&mut self.connect().await?, run).await
    }

    async fn capture(&self, cx: &Context, out: &mut SealWriter) -> Result<Captured> {
        let (address, cx) = (self.address.clone(), cx.clone());
        out.on_thread(&cx.limits.clone(), move |out| Handle::current().block_on(capture(&cx, &address, out))).await
    }
}

async fn capture(cx: &Context, address: &Address, out: &mut SealWriter) -> Result<Captured> {
    let mut connection = Connection::open(address).await?;
    let before = facts::surroundings(cx, &mut connection).await?;
    let mut notes = notes(&connection, &before)?;
    let taken_at = cx.clock.now();
    let mut snapshot = Snapshot::begin(cx, &mut connection).await?;
    while let Some(piece) = snapshot.next(&connection).await? {
        cx.go_on()?;
        out.write(&piece).await?;
        cx.progress.add(piece.len() as u64);
    }
    let (revision, last) = snapshot.revisions;
    notes.extend(written_meanwhile(revision, last));
    let mut database = restless::settled(&before, facts::surroundings(cx, &mut connection).await?);
    notes.extend(restless::note(&database));
    database.keyspaces = facts::keyspaces(facts::keys(cx, &mut connection, revision).await?);
    let settings =
        [(REVISION, revision.to_string()), (REVISION_AFTER, last.to_string()), (CLUSTER, connection.cluster())];
    database.settings.extend(settings.map(|(name, value)| (name.to_owned(), value)));
    let index = Index { databases: vec![database], ..Index::new(Format::EtcdSnapshot) };
    Ok(Captured { index, taken_at, newest_at: None, notes })
}

/// What people should know before anything is taken.
///
/// # Errors
/// [`Kind::Unavailable`] for a cluster that says itself that its members don't agree: a backup of one of them saves nobody.
fn notes(connection: &Connection, cluster: &Database) -> Result<Vec<Note>> {
    let raised = |alarm: &str| cluster.objects.get(ALARM).is_some_and(|alarms| alarms.contains_key(alarm));
    if raised("CORRUPT") {
        return Err(Error::new(
            Kind::Unavailable,
            "the etcd cluster has raised the alarm CORRUPT: its members do not agree",
        )
        .hint(
            "Find out which member is right (`etcdctl endpoint hashkv`), replace the others, and disarm the alarm.",
        ));
    }
    let note = |subject: &str, statement: String| Note { subject: subject.into(), statement };
    let full = raised("NOSPACE").then(|| {
        let statement = "The cluster takes no writes, and neither will what is restored from this backup, until it is given room and \
                         the alarm is disarmed (`etcdctl alarm disarm`).";
        note("alarm NOSPACE", statement.into())
    });
    let passed_over = connection.passed_over.iter().map(|why| {
        note(
            "members of etcd",
            format!("A member that is named before the one that was read could not be used: {why}."),
        )
    });
    Ok(passed_over.chain(full).collect())
}

/// What can't be compared where the cluster never came to rest.
fn written_meanwhile(before: i64, after: i64) -> Option<Note> {
    let statement = || {
        format!(
            "Somebody wrote each time that the snapshot began. It is compared at revision {before}; what was written from there to \
             revision {after} may be in it or not."
        )
    };
    (before != after).then(|| Note { subject: "etcd".into(), statement: statement() })
}
