//! A tool that keeps backups, as a program: how it is started, and what the end of it means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drill_scenarios::Reference;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::cancel::unless_stopped;
use crate::process::{Ended, Program, find};
use crate::{Context, Error, Kind, Result, Secrets};

/// How long a question to the tool may take.
const ANSWER: Duration = Duration::from_secs(900);
/// Reading a whole repository may take long; the stage's own deadline is shorter.
const WHOLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Bytes of an answer that is read at once.
const ANSWER_BYTES: usize = 64 << 20;
/// How a program says that it could not reach something.
const UNREACHED: [&str; 10] = [
    "connection refused",
    "connection reset",
    "connection closed by remote host",
    "no such host",
    "could not resolve",
    "no route to host",
    "network is unreachable",
    "i/o timeout",
    "timed out",
    "dial tcp",
];

/// A tool that keeps backups.
pub(super) struct Tool {
    program: PathBuf,
    env: BTreeMap<String, String>,
    secret_env: BTreeMap<String, Reference>,
    secrets: Arc<Secrets>,
}

/// The variables that a scenario gives a tool.
pub(super) struct Variables<'a> {
    pub(super) plain: &'a BTreeMap<String, String>,
    pub(super) secret: &'a BTreeMap<String, Reference>,
}

impl Tool {
    /// The tool at this path, or of this name on the system's path.
    ///
    /// # Errors
    /// [`Kind::Config`] with the Debian `package` that brings it, if it isn't there.
    pub(super) fn new(
        given: Option<&Path>,
        (name, package): (&str, &str),
        variables: Variables<'_>,
        secrets: &Arc<Secrets>,
    ) -> Result<Self> {
        let wanted = given.map_or(name.into(), |path| path.to_string_lossy());
        let program = find(&wanted, secrets.base()).ok_or_else(|| {
            Error::new(Kind::Config, format!("program {wanted} is not there, or may not be executed"))
                .hint(format!("Install it (Debian: `apt-get install {package}`), or say where it is with `program`."))
        })?;
        let (env, secret_env) = (variables.plain.clone(), variables.secret.clone());
        Ok(Self { program, env, secret_env, secrets: secrets.clone() })
    }

    /// With a variable of its own.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// With a secret of its own.
    pub(super) fn with_secret(mut self, name: &str, reference: &Reference) -> Self {
        self.secret_env.insert(name.into(), reference.clone());
        self
    }

    /// The program with its variables, about to be started in the scenario's folder and behind others who want the disk.
    pub(super) fn program(&self, cx: &Context) -> Result<Program> {
        let mut program = Program::new(&self.program).folder(self.secrets.base()).lowered(&cx.limits);
        if let Some(home) = std::env::var_os("HOME") {
            program = program.env("HOME", home);
        }
        for (name, value) in self.variables()? {
            program = program.env(name, value.expose_secret());
        }
        Ok(program)
    }

    /// Where the program is.
    pub(super) fn path(&self) -> &Path {
        &self.program
    }

    /// Its variables.
    pub(super) fn variables(&self) -> Result<BTreeMap<String, SecretString>> {
        let plain = self.env.iter().map(|(name, value)| Ok((name.clone(), SecretString::from(value.clone()))));
        let secret = self.secret_env.iter().map(|(name, place)| Ok((name.clone(), self.secrets.resolve(place)?)));
        plain.chain(secret).collect()
    }

    /// What the program answers at once.
    pub(super) async fn answer(&self, cx: &Context, program: Program) -> Result<Ended> {
        unless_stopped(cx, program.run(cx, ANSWER, ANSWER_BYTES)).await
    }

    /// Has the program work on the whole of a backup or repository.
    pub(super) async fn work(&self, cx: &Context, program: Program) -> Result<Ended> {
        unless_stopped(cx, program.run(cx, WHOLE, 0)).await
    }

    /// Hands each line of a long answer on as it comes.
    pub(super) async fn lines(
        &self,
        cx: &Context,
        program: Program,
        mut each: impl FnMut(&str) -> Result<()>,
    ) -> Result<Ended> {
        let mut running = program.start(cx)?;
        let name = running.name().to_owned();
        if let Some(stdout) = running.stdout.take() {
            let (mut from, mut line) = (BufReader::new(stdout), Vec::new());
            let wrong = |cause| Error::io("reading what is written by", &name, cause);
            while unless_stopped(cx, async { from.read_until(b'\n', &mut line).await.map_err(wrong) }).await? > 0 {
                each(String::from_utf8_lossy(&line).trim_end())?;
                line.clear();
            }
        }
        running.wait(ANSWER).await
    }
}

/// The error of a tool that did not do what it was asked: of this kind, unless that says nothing about its repository.
pub(super) fn failed(ended: &Ended, otherwise: Kind) -> Error {
    ended.success(hindered(ended).unwrap_or(otherwise)).expect_err("who calls has seen that it failed")
}

/// What kept a tool from its work, where that says nothing about its repository: it could not be reached, or there is no room here.
pub(super) fn hindered(ended: &Ended) -> Option<Kind> {
    let told = ended.stderr.join("\n").to_lowercase();
    if UNREACHED.iter().any(|sign| told.contains(sign)) {
        Some(Kind::Unavailable)
    } else {
        told.contains("no space left on device").then_some(Kind::Exhausted)
    }
}

/// An answer that is not what the tool gave to those who wrote this down.
pub(super) fn unreadable(tool: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Unavailable, format!("what {tool} answers can't be read")).because(cause)
}

/// Where a repository is: an address as it was given, or a folder that starts from the scenario's.
pub(super) fn located(repository: &str, base: &Path) -> String {
    let before_slash = repository.split('/').next().unwrap_or_default();
    if before_slash.contains(':') { repository.into() } else { base.join(repository).display().to_string() }
}
