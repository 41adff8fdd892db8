//! Materialised views. A dump holds no rows of theirs: a restore computes them afresh. So the rows of one can be compared
//! only if it was fresh when it was captured, and everything that it reads too.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use super::connection::wrong;
use super::fingerprint::{Holder, is_the_querys_own};
use crate::{Note, Result, Table};

/// Which materialised view reads which, directly or through views.
const READS: &str = "
WITH RECURSIVE reads (reader, read) AS (
    SELECT DISTINCT w.ev_class, d.refobjid FROM pg_rewrite w
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
    WHERE w.rulename = '_RETURN' AND d.refobjid <> w.ev_class
), reached (reader, read) AS (
    SELECT reader, read FROM reads
    UNION SELECT r.reader, next.read FROM reached r JOIN reads next ON next.reader = r.read
)
SELECT format('%I.%I', rn.nspname, rc.relname), format('%I.%I', dn.nspname, dc.relname) FROM reached x
JOIN pg_class rc ON rc.oid = x.reader AND rc.relkind = 'm' JOIN pg_namespace rn ON rn.oid = rc.relnamespace
JOIN pg_class dc ON dc.oid = x.read AND dc.relkind = 'm' JOIN pg_namespace dn ON dn.oid = dc.relnamespace";

/// The materialised views that can be compared, and why others can't.
#[derive(Debug, Default)]
pub(super) struct Captured {
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) notes: Vec<Note>,
}

/// Reads every materialised view, and computes it from its query to see whether it is fresh.
pub(super) async fn capture(client: &Client, holders: &[Holder]) -> Result<Captured> {
    let mut captured = Captured::default();
    let mut stale = BTreeSet::new();
    for view in holders.iter().filter(|holder| holder.materialised) {
        let stored = view.content(client, true).await?;
        let fresh = compute(client, view).await?;
        if fresh.as_ref() == Some(&stored) {
            captured.tables.insert(view.name.clone(), stored);
            continue;
        }
        let now = fresh.map_or("its query fails".into(), |fresh| format!("its query gives {}", fresh.rows));
        let statement = format!("It holds {} rows, {now} rows now or others: they are not compared.", stored.rows);
        captured.notes.push(Note { subject: format!("materialised view {}", view.name), statement });
        stale.insert(view.name.clone());
    }
    leave_out_readers(client, &mut captured, &stale).await?;
    Ok(captured)
}

async fn leave_out_readers(client: &Client, captured: &mut Captured, stale: &BTreeSet<String>) -> Result<()> {
    if stale.is_empty() {
        return Ok(());
    }
    let rows = client.query(READS, &[]).await.map_err(|cause| wrong("asking what materialised views read", cause))?;
    for row in rows {
        let (reader, read): (String, String) = (row.get(0), row.get(1));
        if stale.contains(&read) && captured.tables.remove(&reader).is_some() {
            let statement = format!("It reads {read}, which was not fresh: its rows are not compared.");
            captured.notes.push(Note { subject: format!("materialised view {reader}"), statement });
        }
    }
    Ok(())
}

/// What the view's query gives now; nothing if the query itself fails.
async fn compute(client: &Client, view: &Holder) -> Result<Option<Table>> {
    let failed = |cause| wrong(format!("computing {}", view.name), cause);
    client.batch_execute("SAVEPOINT computing").await.map_err(failed)?;
    let sql = "SELECT rtrim(pg_get_viewdef($1::text::regclass), '; ')";
    let row = client.query_one(sql, &[&view.name]).await.map_err(failed)?;
    let computed = view.content_of(client, &format!("({}) computed", row.get::<_, &str>(0)), true).await;
    match computed {
        Ok(table) => {
            client.batch_execute("RELEASE SAVEPOINT computing").await.map_err(failed)?;
            Ok(Some(table))
        }
        Err(error) if is_the_querys_own(&error) => {
            client.batch_execute("ROLLBACK TO SAVEPOINT computing").await.map_err(failed)?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
