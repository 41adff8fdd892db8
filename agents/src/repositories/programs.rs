//! Backups of a tool that drillctl doesn't know: programs of the user's list them, and hand one out.
//!
//! An exit code says who is at fault, in the words of sysexits.h: 69, 75, 77 and 78 (unavailable, try again, not permitted,
//! misconfigured) say nothing about the backups, and 65 (the data is wrong) condemns them. Any other condemns the backup that is
//! fetched, and says nothing where backups are only listed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use drill_scenarios::{BACKUP, ToolSource, fill};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::surveyed::{surveyed, uncompared};
use super::tool::hindered;
use crate::cancel::unless_stopped;
use crate::process::{Ended, Pieces, Program, Running, find};
use crate::sources::of_content;
use crate::{
    Adopted, Context, Described, Error, Format, Identity, Kind, OpenReader, Repository, Result, Secrets, Supply,
    Verification, Vouched,
};

/// How long listing may take.
const LISTING: Duration = Duration::from_secs(900);
/// Bytes of a list that are read: some hundred thousand backups.
const LIST_BYTES: usize = 64 << 20;
/// The tool may read all of its repository; the stage's own deadline is shorter.
const CHECKING: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a program may take to end after it has closed its output.
const AFTERWARDS: Duration = Duration::from_secs(300);
/// Pieces that wait to be taken.
const WAITING: usize = 8;
/// Exit codes that say nothing about the backups.
const BLAMELESS: [i32; 4] = [69, 75, 77, 78];
/// The exit code of wrong data.
const WRONG_DATA: i32 = 65;

/// Backups of a tool, through programs.
pub(super) struct ProgramsRepository {
    spec: ToolSource,
    secrets: Arc<Secrets>,
    location: String,
}

/// A line of the list.
#[derive(Debug, Deserialize)]
struct Line {
    id: String,
    taken_at: Timestamp,
    #[serde(flatten)]
    about: BTreeMap<String, Value>,
}

impl ProgramsRepository {
    /// The programs that the scenario names. Nothing is started yet.
    ///
    /// # Errors
    /// [`Kind::Config`] if one of them isn't there.
    pub(super) fn open(spec: &ToolSource, secrets: &Arc<Secrets>) -> Result<Self> {
        let programs = [&spec.list, &spec.fetch, &spec.check].into_iter().filter_map(|argv| argv.first());
        for name in programs {
            program(name, secrets)?;
        }
        let location = format!("what {} keeps", spec.name);
        Ok(Self { spec: spec.clone(), secrets: secrets.clone(), location })
    }

    /// One of the programs, about to be started.
    fn program(&self, cx: &Context, argv: &[String], facts: &BTreeMap<String, String>) -> Result<Program> {
        let (name, arguments) = argv.split_first().ok_or_else(|| Error::new(Kind::Config, "an empty argv"))?;
        let mut program = Program::new(program(name, &self.secrets)?).folder(self.secrets.base()).lowered(&cx.limits);
        for argument in arguments {
            program = program.arg(fill(argument, facts).map_err(|wrong| Error::new(Kind::Config, wrong))?);
        }
        program = program.env("DRILL_RUN", &cx.run);
        if let Some(home) = std::env::var_os("HOME") {
            program = program.env("HOME", home);
        }
        for (name, value) in facts.iter().chain(&self.spec.env) {
            program = program.env(name, value);
        }
        for (name, reference) in &self.spec.secrets {
            program = program.env(name, self.secrets.resolve(reference)?.expose_secret());
        }
        Ok(program)
    }

    fn adopted(&self, line: &str) -> Result<Adopted> {
        let wrong = || {
            let hint = "On each line it prints one JSON object, such as `{\"id\": \"2026-11-01\", \"taken_at\": \
                        \"2026-11-01T03:00:00Z\"}`.";
            Error::new(Kind::Config, format!("what lists the backups of {} says `{line}`", self.spec.name)).hint(hint)
        };
        let Line { id, taken_at, about } = serde_json::from_str(line).map_err(|cause| wrong().because(cause))?;
        if id.is_empty() || id.starts_with('-') || id.contains(char::is_control) {
            return Err(wrong()
                .because("an id is not empty and begins with no hyphen, so that no program takes it for an option"));
        }
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let about = about.into_iter().map(|(name, value)| (name, text(value))).collect();
        Ok(Adopted { id, taken_at, tool: self.spec.name.clone(), about })
    }

    /// The stream of a backup. Its end comes only once the program has ended well.
    fn stream(&self, cx: &Context, backup: &Adopted) -> Result<OpenReader> {
        let facts = BTreeMap::from([(BACKUP.to_owned(), backup.id.clone())]);
        let running = self.program(cx, &self.spec.fetch, &facts)?.start(cx)?;
        let (reader, queue) = OpenReader::new(WAITING);
        let cx = cx.clone();
        tokio::spawn(async move {
            if let Err(error) = hand_on(&cx, running, &queue).await {
                let _ = queue.send(Err(error)).await;
            }
        });
        Ok(reader)
    }
}

/// Hands on all that the program writes, and judges its end.
async fn hand_on(cx: &Context, mut running: Running, queue: &Sender<Result<Bytes>>) -> Result<()> {
    let mut pieces = Pieces::of(&mut running);
    while let Some(piece) = pieces.next(cx, &mut running).await? {
        if queue.send(Ok(piece)).await.is_err() {
            // Nobody wants it any more, and dropping the program ends it.
            return Ok(());
        }
    }
    blamed(&running.wait(AFTERWARDS).await?, Kind::Unrestorable)
}

/// An error if the program failed: of the kind that its exit code tells, or else of this one.
fn blamed(ended: &Ended, otherwise: Kind) -> Result<()> {
    let kind = match ended.status.code() {
        Some(WRONG_DATA) => Kind::Corrupt,
        Some(code) if BLAMELESS.contains(&code) => Kind::Unavailable,
        _ => hindered(ended).unwrap_or(otherwise),
    };
    ended.success(kind)
}

fn program(name: &str, secrets: &Secrets) -> Result<PathBuf> {
    find(name, secrets.base()).ok_or_else(|| {
        Error::new(Kind::Config, format!("program {name} is not there, or may not be executed"))
            .hint("A path starts from the scenario's folder; a bare name is looked for on the system's path.")
    })
}

#[async_trait]
impl Repository for ProgramsRepository {
    async fn identity(&self, _: &Context) -> Result<Identity> {
        let list = self.spec.list.join(" ");
        Ok(Identity::new("tool", [("name", self.spec.name.clone()), ("list", list)]))
    }

    fn location(&self) -> &str {
        &self.location
    }

    fn format(&self) -> Format {
        of_content(&self.spec.content)
    }

    async fn backups(&self, cx: &Context) -> Result<Vec<Adopted>> {
        let program = self.program(cx, &self.spec.list, &BTreeMap::new())?;
        let ended = unless_stopped(cx, program.run(cx, LISTING, LIST_BYTES)).await?;
        blamed(&ended, Kind::Unavailable)?;
        if ended.stdout.len() >= LIST_BYTES {
            return Err(Error::new(Kind::Exhausted, format!("{} lists more than 64 MiB", ended.program)));
        }
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut backups = lines.map(|line| self.adopted(line)).collect::<Result<Vec<_>>>()?;
        backups.sort_by(|a, b| (a.taken_at, &a.id).cmp(&(b.taken_at, &b.id)));
        Ok(backups)
    }

    async fn restored_bytes(&self, _: &Context, _: &Adopted) -> Result<u64> {
        Ok(self.spec.expected_bytes)
    }

    async fn describe(&self, cx: &Context, backup: &Adopted) -> Result<Described> {
        let stream = self.stream(cx, backup)?;
        let index = surveyed(cx, &self.spec.content, &backup.id, stream).await?;
        let opened = format!("{} handed it out", self.spec.name);
        let vouched = Vouched { intact: None, opened: Some(opened) };
        Ok(Described { index, vouched, notes: uncompared(&self.spec.content, &backup.id).into_iter().collect() })
    }

    async fn supply(&self, cx: &Context, backup: &Adopted) -> Result<Supply> {
        Ok(Supply::Stream(self.stream(cx, backup)?))
    }

    async fn check(&self, cx: &Context) -> Result<Option<Verification>> {
        if self.spec.check.is_empty() {
            return Ok(None);
        }
        let program = self.program(cx, &self.spec.check, &BTreeMap::new())?;
        let ended = unless_stopped(cx, program.run(cx, CHECKING, 0)).await?;
        let complaints = match blamed(&ended, Kind::Corrupt) {
            Ok(()) => Vec::new(),
            Err(error) if error.kind() == Kind::Corrupt => complaints(&ended),
            Err(error) => return Err(error),
        };
        Ok(Some(Verification { command: self.spec.check.join(" "), complaints }))
    }
}

/// What the tool wrote about what is wrong, or else how it ended.
fn complaints(ended: &Ended) -> Vec<String> {
    let lines: Vec<String> = ended.stderr.iter().filter(|line| !line.trim().is_empty()).cloned().collect();
    if lines.is_empty() { vec![format!("{} ended with {}", ended.program, ended.status)] } else { lines }
}
