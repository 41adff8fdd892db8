//! Whatever a program writes to its standard output: how drillctl takes backups of what it doesn't know.
//!
//! The program is started in the scenario's folder with `HOME`, `DRILL_RUN` and the scenario's own variables. It must exit with 0 and
//! must write something: an empty backup saves nobody. In the file that `DRILL_FACTS` names it may tell more, as one JSON object:
//! `taken_at` and `newest_at` (RFC 3339) and `notes` (sentences), each of which may be left out.

pub(crate) mod content;
#[cfg(test)]
mod tests;
mod told;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drill_scenarios::Content;
use secrecy::ExposeSecret;

use self::content::Survey;
use self::told::Told;
use crate::mark::Removal;
use crate::process::{Ended, Pieces, Program, find};
use crate::{Canary, Captured, Context, Error, Estimate, Identity, Kind, Note, Result, SealWriter, Secrets, Source};

/// How long the program may take to end after it has closed its output.
const AFTERWARDS: Duration = Duration::from_secs(300);

/// A program that writes the backup to its standard output.
#[derive(Debug)]
pub(crate) struct CommandSource {
    spec: drill_scenarios::CommandSource,
    program: PathBuf,
    secrets: Arc<Secrets>,
}

impl CommandSource {
    /// The source that the scenario describes. Nothing is started yet.
    ///
    /// # Errors
    /// [`Kind::Config`] if there is no such program.
    pub(crate) fn open(spec: &drill_scenarios::CommandSource, secrets: &Arc<Secrets>) -> Result<Self> {
        let name = spec.argv.first().ok_or_else(|| Error::new(Kind::Config, "an empty argv"))?;
        let program = find(name, secrets.base()).ok_or_else(|| {
            Error::new(Kind::Config, format!("program {name} is not there, or may not be executed"))
                .hint("A path starts from the scenario's folder; a bare name is looked for on the system's path.")
        })?;
        Ok(Self { spec: spec.clone(), program, secrets: secrets.clone() })
    }

    fn program(&self, cx: &Context, told: &Told) -> Result<Program> {
        let mut program = Program::new(&self.program).args(&self.spec.argv[1..]).folder(self.secrets.base());
        program = program.lowered(&cx.limits);
        if let Some(home) = std::env::var_os("HOME") {
            program = program.env("HOME", home);
        }
        program = program.env("DRILL_RUN", &cx.run).env("DRILL_FACTS", told.path());
        for (name, value) in &self.spec.env {
            program = program.env(name, value);
        }
        for (name, reference) in &self.spec.secrets {
            program = program.env(name, self.secrets.resolve(reference)?.expose_secret());
        }
        Ok(program)
    }

    fn notes(&self, ended: &Ended) -> Vec<Note> {
        let subject = &ended.program;
        let mut notes = Vec::new();
        if let Some(last) = ended.stderr.iter().rev().find(|line| !line.trim().is_empty()) {
            let statement = format!("It exited with 0 but wrote to standard error; the last line: {last}");
            notes.push(Note { subject: subject.clone(), statement });
        }
        if matches!(self.spec.content, Content::PgDump | Content::MariadbDump) {
            let statement = "What its dump holds was not compared with the database it was made from.".into();
            notes.push(Note { subject: subject.clone(), statement });
        }
        notes
    }
}

#[async_trait]
impl Source for CommandSource {
    async fn identity(&self, _: &Context) -> Result<Identity> {
        let identity = Identity::of_path("command", &self.program);
        let mut identity = identity.map_err(|cause| Error::io("looking at", self.program.display(), cause))?;
        identity.values.insert("program".into(), self.program.display().to_string());
        Ok(identity)
    }

    async fn estimate(&self, _: &Context) -> Result<Estimate> {
        let bytes = self.spec.expected_bytes;
        Ok(Estimate { stream_bytes: bytes, restored_bytes: bytes, items: 0 })
    }

    async fn plant(&self, _: &Context, _: &Canary) -> Result<()> {
        Err(Error::new(Kind::Config, "a canary can't be planted in a command's source"))
    }

    async fn unplant(&self, _: &Context, _: &str) -> Result<Removal> {
        Ok(Removal::Absent)
    }

    async fn capture(&self, cx: &Context, out: &mut SealWriter) -> Result<Captured> {
        let began = cx.clock.now();
        let told = Told::in_folder(&cx.folder)?;
        let mut running = self.program(cx, &told)?.start(cx)?;
        let mut survey = Survey::of(&self.spec.content, cx);
        let (mut pieces, before) = (Pieces::of(&mut running), out.written());
        while let Some(piece) = pieces.next(cx, &mut running).await? {
            cx.progress.add(piece.len() as u64);
            out.write(&piece).await?;
            survey.add(piece).await?;
        }
        let surveyed = survey.finish().await;
        let ended = running.wait(AFTERWARDS).await?;
        // Before what was found in its output: a program that fails leaves half an archive, and that it failed is the cause.
        ended.success(Kind::Unavailable)?;
        if out.written() == before {
            return Err(Error::new(Kind::Unavailable, format!("{} exited with 0 but wrote nothing", ended.program))
                .hint("An empty backup saves nobody: look at what the program does."));
        }
        let (surveyed, facts) = (surveyed?, told.read()?);
        let mut notes = self.notes(&ended);
        notes.extend(facts.notes.into_iter().map(|statement| Note { subject: ended.program.clone(), statement }));
        Ok(Captured {
            index: surveyed.index,
            taken_at: facts.taken_at.unwrap_or(began),
            newest_at: facts.newest_at.or(surveyed.newest_at),
            notes,
        })
    }
}
