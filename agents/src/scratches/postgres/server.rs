//! A throw-away server and the restored database on it: what is asked of it, whichever way the data came in.

use std::collections::BTreeMap;

use drill_scenarios::Newest;
use jiff::Timestamp;
use tokio_postgres::Client;

use super::answer::tell;
use crate::postgres::cluster::{self, Cluster};
use crate::postgres::connection::wrong;
use crate::postgres::{canary, facts, snapshot};
use crate::scratches::timestamp::timestamp_of;
use crate::{Answer, CanarySeen, Context, Error, Kind, Result, Rows};

/// A server that runs, and the restored database.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) cluster: Cluster,
    /// Name of the database.
    pub(super) database: String,
    /// Sessions that read at a time.
    pub(super) jobs: usize,
}

impl Server {
    pub(super) async fn session(&self) -> Result<Client> {
        self.cluster.target(&self.database).connect().await
    }

    /// A session that reads, with the settings that texts of values depend on.
    pub(super) async fn facts_session(&self, database: &str) -> Result<Client> {
        let client = self.cluster.target(database).connect().await?;
        facts::prepare(&client).await?;
        Ok(client)
    }

    /// Sessions that read in this database, all of one state.
    pub(super) async fn facts_sessions(&self, database: &str) -> Result<Vec<Client>> {
        let mut sessions = vec![self.facts_session(database).await?];
        let snapshot = snapshot::export(&sessions[0]).await?;
        while sessions.len() < self.jobs {
            let session = self.facts_session(database).await?;
            snapshot::import(&session, &snapshot).await?;
            sessions.push(session);
        }
        Ok(sessions)
    }

    /// Where programs find the database.
    pub(super) fn facts(&self) -> BTreeMap<String, String> {
        let facts = [
            ("PGHOST", self.cluster.sockets().display().to_string()),
            ("PGPORT", cluster::PORT.to_string()),
            ("PGUSER", self.cluster.superuser().into()),
            ("PGDATABASE", self.database.clone()),
        ];
        facts.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The newest data there is, and how it was found.
    pub(super) async fn newest(&self, cx: &Context, how: Option<&Newest>) -> Result<Option<(Timestamp, String)>> {
        match how {
            Some(Newest::Sql(sql)) => {
                let client = self.facts_session(&self.database).await?;
                client
                    .batch_execute("RESET search_path")
                    .await
                    .map_err(|cause| wrong("setting the session up", cause))?;
                let rows = Rows::of(async |answer| tell(&client, sql, &answer).await).await?;
                Ok(timestamp_of(&rows, sql)?.map(|time| (time, sql.clone())))
            }
            Some(Newest::Files(_)) => {
                Err(Error::new(Kind::Config, "a PostgreSQL scratch has no files to find the newest of")
                    .hint("Use `newest: {sql: …}`."))
            }
            None => Ok(self.canary(cx).await?.map(|seen| (seen.planted_at, "the canary's own time".into()))),
        }
    }

    /// The canary of this run, if it came back.
    pub(super) async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>> {
        canary::find(&self.session().await?, &cx.run).await
    }

    /// Runs a query, tells its answer, and takes back whatever it changed.
    pub(super) async fn ask(&self, sql: &str, answer: &Answer) -> Result<()> {
        let client = self.session().await?;
        let watch = "SELECT set_config('client_connection_check_interval', '1s', false)
                     WHERE current_setting('server_version_num')::int >= 140000; BEGIN";
        client.batch_execute(watch).await.map_err(|cause| wrong("setting the session up", cause))?;
        tell(&client, sql, answer).await?;
        client.batch_execute("ROLLBACK").await.map_err(|cause| wrong("rolling back", cause))
    }
}

/// How the cluster is kept apart, in sentences.
pub(super) fn isolation(sockets: &std::path::Path, account: &str) -> Vec<String> {
    vec![
        "The PostgreSQL cluster was made for this run; no other run or service has used it.".into(),
        "It listens on no network address.".into(),
        format!("Its only socket is in {}, which none but root and account {account} may enter.", sockets.display()),
        format!("Its server runs as account {account}, never as root."),
    ]
}

/// Whom the restored data can reach, in a sentence.
pub(super) fn network(walled: bool) -> &'static str {
    if walled {
        "The server is walled in by bubblewrap, apart from the app: it has no network at all and can write in its own folders only."
    } else {
        "The restored data is not cut off from the network: foreign tables and functions in it could reach other hosts if somebody \
         uses them."
    }
}
