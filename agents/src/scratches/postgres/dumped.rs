//! A throw-away cluster with one new database that a dump is loaded into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use drill_scenarios::{Level, Newest};
use jiff::Timestamp;

use super::UNSAFE;
use super::server::{Server, isolation, network};
use crate::cancel::unless_stopped;
use crate::postgres::connection::wrong;
use crate::postgres::fresh::Fresh;
use crate::postgres::loads::{self, Restoring};
use crate::postgres::{benign, facts, lacks, load, skew};
use crate::process::Program;
use crate::{
    Answer, CanarySeen, Context, Database, Environment, Format, Identity, Index, Lack, Note, OpenReader, Restored,
    Result,
};

/// A throw-away cluster with one database to load into.
#[derive(Debug)]
pub(super) struct DumpedEnvironment {
    pub(super) root: PathBuf,
    pub(super) server: Server,
    pub(super) system: String,
    pub(super) fresh: Fresh,
}

impl DumpedEnvironment {
    /// Loads a dump, or several.
    async fn load(&self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Vec<String>> {
        let program = self.restoring(!index.databases.is_empty());
        if index.format == Format::PgDump {
            return load::load(cx, program, stream).await;
        }
        let account = self.server.cluster.account();
        let restoring = Restoring { program, account, folder: &self.root, jobs: self.server.jobs };
        loads::load(cx, &restoring, stream).await
    }

    fn restoring(&self, whole: bool) -> Program {
        let (cluster, database) = (&self.server.cluster, &self.server.database);
        let program = cluster.programs().program("pg_restore").args(["--format=custom", "--no-password"]);
        let program = program.args(["--dbname", database]).account(cluster.account()).folder(&self.root);
        let program = if whole { program } else { program.args(["--no-owner", "--no-privileges"]) };
        cluster.target(database).env().into_iter().fold(program, |program, (name, value)| program.env(name, value))
    }

    fn notes(&self, captured: Option<&Database>) -> Vec<Note> {
        let subject = format!("database {}", self.fresh.name);
        let mut notes = self.fresh.notes.clone();
        if captured.is_none() {
            let statement = "The snapshot doesn't say what is in the dump: owners and grants are not restored.".into();
            notes.push(Note { subject, statement });
        }
        notes.push(Note { subject: "scratch server".into(), statement: UNSAFE.into() });
        notes
    }
}

#[async_trait]
impl Environment for DumpedEnvironment {
    fn identity(&self) -> Identity {
        let version = self.server.cluster.programs().version.clone();
        Identity::new("postgres", [("system_identifier", self.system.clone()), ("version", version)])
    }

    fn isolation(&self) -> Vec<String> {
        let mut sentences = isolation(self.server.cluster.sockets(), &self.server.cluster.account().name);
        sentences.push("Roles of the source exist by name only: none can log in with a password.".into());
        sentences.push(format!("Subscriptions are not restored. {}", network(self.server.cluster.is_walled())));
        sentences
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn folders(&self) -> Vec<PathBuf> {
        vec![self.root.clone(), self.server.cluster.sockets().to_owned()]
    }

    fn facts(&self) -> BTreeMap<String, String> {
        self.server.facts()
    }

    async fn lacks(&self, _: &Context, index: &Index) -> Result<Vec<Lack>> {
        let Some(captured) = index.databases.first() else { return Ok(Vec::new()) };
        lacks::of_host(&self.server.session().await?, captured, self.server.cluster.programs().major).await
    }

    fn remedy(&self, complaint: &str) -> Option<String> {
        lacks::remedy(complaint, self.server.cluster.programs().major)
    }

    async fn restore(&mut self, cx: &Context, index: &Index, stream: OpenReader) -> Result<Restored> {
        let captured = index.databases.first();
        let loaded = unless_stopped(cx, self.load(cx, index, stream)).await;
        self.server.cluster.must_run()?;
        let complaints = loaded.map_err(|lost| self.server.cluster.explain(lost))?;
        let began = cx.clock.elapsed();
        let client = self.server.session().await?;
        let analysing = async {
            client.batch_execute("ANALYZE").await.map_err(|cause| wrong("analysing what was restored", cause))
        };
        unless_stopped(cx, analysing).await?;
        cx.timings.loaded(cx.clock.elapsed().saturating_sub(began));
        let (benign, complaints): (Vec<_>, Vec<_>) =
            complaints.into_iter().partition(|complaint| benign::reason(complaint).is_some());
        let notes = benign.iter().filter_map(passed_over).chain(self.notes(captured)).collect();
        Ok(Restored { complaints, notes })
    }

    async fn observe(&self, cx: &Context, index: &Index, level: Level) -> Result<Index> {
        let nothing = Database::default();
        let captured = index.databases.first().unwrap_or(&nothing);
        let sessions = self.server.facts_sessions(&self.server.database).await?;
        let mut database = unless_stopped(cx, facts::observe(&sessions, captured, level)).await?;
        if self.fresh.other_locale {
            let of_locale = ["collate", "ctype", "provider", "locale", facts::COLLATION_VERSION];
            database.settings.retain(|name, _| !of_locale.contains(&name.as_str()));
        }
        if !captured.name.is_empty() {
            database.name.clone_from(&captured.name);
        }
        let mut observed = Index::new(index.format.clone());
        observed.databases.push(database);
        Ok(observed)
    }

    async fn reconcile(&self, cx: &Context, captured: &Index, observed: &mut Index) -> Result<Vec<Note>> {
        let (Some(captured), Some(observed)) = (captured.databases.first(), observed.databases.first_mut()) else {
            return Ok(Vec::new());
        };
        let session = self.server.facts_session(&self.server.database).await?;
        unless_stopped(cx, skew::reconcile(&session, captured, observed)).await
    }

    async fn newest(
        &self,
        cx: &Context,
        how: Option<&Newest>,
        _: Option<&Index>,
    ) -> Result<Option<(Timestamp, String)>> {
        self.server.newest(cx, how).await
    }

    async fn canary(&self, cx: &Context) -> Result<Option<CanarySeen>> {
        self.server.canary(cx).await
    }

    async fn ask(&self, _: &Context, sql: &str, _: Option<&Path>, answer: Answer) -> Result<()> {
        self.server.ask(sql, &answer).await
    }
}

/// A message that says nothing about the backup, and why.
fn passed_over(message: &String) -> Option<Note> {
    let reason = benign::reason(message)?;
    Some(Note { subject: "pg_restore".into(), statement: format!("It said `{message}`. {reason}") })
}
