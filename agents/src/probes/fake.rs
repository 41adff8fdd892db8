//! An environment that is nothing but a folder and one answer to every query.

use std::time::Duration;

use async_trait::async_trait;
use drill_scenarios::{Level, Newest};

use super::*;
use crate::{
    Answer, CanarySeen, Clock, Error, Format, Identity, Index, Kind, OpenReader, Restored, Row, Secrets, Told,
};

/// What a query is answered with.
pub(crate) enum Reply {
    /// Names of columns, and rows.
    Rows(Vec<String>, Vec<Row>),
    Error(Kind),
    Unreachable,
    Never,
}

/// The folder, the context of a run in it, and facts.
pub(crate) struct Fake {
    pub(crate) home: tempfile::TempDir,
    pub(crate) root: std::path::PathBuf,
    pub(crate) cx: Context,
    pub(crate) facts: BTreeMap<String, String>,
    pub(crate) reply: Reply,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().expect("tempdir");
        let root = home.path().join("root");
        std::fs::create_dir(&root).expect("root");
        let secrets = std::sync::Arc::new(Secrets::relative_to(home.path()));
        let run = format!("test-{}", rand::random::<u64>());
        let facts = [("DRILL_ROOT", root.display().to_string()), ("DRILL_RUN", run.clone())];
        let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let cx = Context::new(run, home.path(), Clock::system(), secrets);
        Self { home, root, cx, facts, reply: Reply::Never }
    }

    pub(crate) fn fact(mut self, name: &str, value: impl ToString) -> Self {
        self.facts.insert(name.into(), value.to_string());
        self
    }

    /// Where its probes look.
    pub(crate) fn within(&self) -> Within<'_> {
        Within { cx: &self.cx, env: self, files: self, facts: &self.facts }
    }

    /// Looks with a probe that is written as in a scenario.
    pub(crate) async fn see(&self, probe: serde_json::Value) -> Result<Seen> {
        let probe: Probe = serde_json::from_value(probe).expect("a probe");
        let seen = observe(&probe, self.within()).await;
        if let Ok(Seen::Values(values)) = &seen {
            for name in values.keys() {
                let known = probe.observes().iter().map(|one| one.name);
                assert!(known.into_iter().any(|k| k == name || (k.ends_with('.') && name.starts_with(k))), "{name}");
            }
        }
        seen
    }

    /// The same, where it must see values.
    pub(crate) async fn values(&self, probe: serde_json::Value) -> Observation {
        match self.see(probe).await.expect("could look") {
            Seen::Values(values) => values,
            Seen::Nothing(why) => panic!("saw nothing: {why}"),
        }
    }

    /// The same, where nothing must answer.
    pub(crate) async fn nothing(&self, probe: serde_json::Value) -> String {
        match self.see(probe).await.expect("could look") {
            Seen::Nothing(why) => why,
            Seen::Values(values) => panic!("saw {values:?}"),
        }
    }
}

#[async_trait]
impl Environment for Fake {
    fn identity(&self) -> Identity {
        Identity::default()
    }

    fn isolation(&self) -> Vec<String> {
        Vec::new()
    }

    fn root(&self) -> &std::path::Path {
        &self.root
    }

    fn facts(&self) -> BTreeMap<String, String> {
        self.facts.clone()
    }

    async fn restore(&mut self, _: &Context, _: &Index, _: OpenReader) -> Result<Restored> {
        Ok(Restored::default())
    }

    async fn observe(&self, _: &Context, _: &Index, _: Level) -> Result<Index> {
        Ok(Index::new(Format::Tar))
    }

    async fn newest(
        &self,
        _: &Context,
        _: Option<&Newest>,
        _: Option<&Index>,
    ) -> Result<Option<(jiff::Timestamp, String)>> {
        Ok(None)
    }

    async fn canary(&self, _: &Context) -> Result<Option<CanarySeen>> {
        Ok(None)
    }

    async fn ask(&self, _: &Context, sql: &str, _: Option<&std::path::Path>, answer: Answer) -> Result<()> {
        match &self.reply {
            Reply::Rows(columns, rows) => {
                answer.tell(Told::Columns(columns.clone())).await?;
                for row in rows {
                    answer.tell(Told::Row(row.clone())).await?;
                }
                Ok(())
            }
            Reply::Error(kind) => Err(Error::new(*kind, format!("running `{sql}`"))),
            Reply::Unreachable => Err(Error::new(Kind::Unavailable, "connecting").temporary()),
            Reply::Never => {
                tokio::time::sleep(Duration::from_secs(600)).await;
                Ok(())
            }
        }
    }
}
