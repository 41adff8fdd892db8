//! The one door through which programs are started: an argv, an environment of its own, a process group that is killed as a
//! whole, a deadline, and a bounded tail of what it writes to standard error.
//!
//! Every process carries the run's mark in its environment, so that what a killed drillctl left running is found and
//! stopped ([`stop_marked`]).

mod leader;
mod marked;
mod output;
mod pieces;
mod priority;
#[cfg(test)]
mod tests;
mod working;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::PipeReader;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use self::leader::Leader;
pub use self::marked::{any_marked, stop_marked};
use self::output::{Tail, beside, collect};
pub(crate) use self::priority::{ionice_this_thread, lowered};
pub(crate) use self::{marked::stop_carrying, output::each_line, pieces::Pieces, working::stop_working_in};
use crate::container::Contained;
use crate::limits::Priority;
use crate::sandbox::{Sandbox, Start};
use crate::{Account, Context, Error, Kind, Limits, Result};

/// Where programs are looked for if the environment doesn't say.
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// How long a process may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// A program that is about to be started.
#[derive(Clone)]
pub struct Program {
    argv: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    folder: Option<PathBuf>,
    account: Option<Account>,
    output: Option<PathBuf>,
    priority: Option<Priority>,
}

/// What a program that ended has left.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The program, for messages.
    pub program: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, as far as it was collected.
    pub stdout: Vec<u8>,
    /// The last lines of its standard error.
    pub stderr: Vec<String>,
}

impl Program {
    /// The program at this path, or of this name on the system's path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let env = BTreeMap::from([
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_else(|| SYSTEM_PATH.into())),
            ("LANG".into(), "C.UTF-8".into()),
            ("LC_ALL".into(), "C.UTF-8".into()),
        ]);
        Self { argv: vec![program.as_ref().into()], env, folder: None, account: None, output: None, priority: None }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.argv.push(arg.as_ref().into());
        self
    }

    /// With further arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.argv.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// With a variable in its environment, which otherwise holds `PATH`, the locale and the run's mark only.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.as_ref().into(), value.as_ref().into());
        self
    }

    /// Started in this folder.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Run as this account, if it isn't the current one.
    #[must_use]
    pub fn account(mut self, account: &Account) -> Self {
        self.account = (account.uid != Account::current().uid).then(|| account.clone());
        self
    }

    /// Run behind others who want the processor and the disk, as the limits say: for what reads a source.
    #[must_use]
    pub(crate) fn lowered(mut self, limits: &Limits) -> Self {
        self.priority = limits.priority;
        self
    }

    /// Its standard output and error go into this file, which is created or appended to, instead of to drillctl.
    #[must_use]
    pub fn log_to(mut self, file: &Path) -> Self {
        self.output = Some(file.into());
        self
    }

    /// Started by that program, which is given this one as its last arguments.
    #[must_use]
    pub(crate) fn behind(self, that: Self) -> Self {
        Self { argv: that.argv.into_iter().chain(self.argv).collect(), ..self }
    }

    /// The program's name, for messages.
    pub fn name(&self) -> String {
        Path::new(&self.argv[0]).file_name().unwrap_or(&self.argv[0]).to_string_lossy().into_owned()
    }

    /// Starts it with nothing on its standard input.
    ///
    /// # Errors
    /// [`Kind::Config`] if there is no such program.
    pub fn start(self, cx: &Context) -> Result<Running> {
        self.spawn(cx, Stdio::null()).map(|running| running.keeping_tail(cx))
    }

    /// Starts it with a pipe to its standard input.
    ///
    /// # Errors
    /// As for [`Program::start`].
    pub fn start_with_input(self, cx: &Context) -> Result<Running> {
        self.spawn(cx, Stdio::piped()).map(|running| running.keeping_tail(cx))
    }

    /// Starts it with this as its standard input.
    ///
    /// # Errors
    /// As for [`Program::start`].
    pub(crate) fn start_on(self, cx: &Context, input: OwnedFd) -> Result<Running> {
        self.spawn(cx, input.into()).map(|running| running.keeping_tail(cx))
    }

    /// Starts it and leaves both its outputs to the caller, who must read them ([`Running::outputs`]).
    ///
    /// # Errors
    /// As for [`Program::start`].
    pub(crate) fn start_with_outputs(self, cx: &Context) -> Result<Running> {
        self.spawn(cx, Stdio::null())
    }

    /// Runs it to its end, collecting at most `most` bytes of its output; what goes beyond is dropped. What it leaves running
    /// in its process group is killed then.
    ///
    /// # Errors
    /// As for [`Program::start`]; [`Kind::TimedOut`] after `deadline`. How it exited is data, not an error.
    pub async fn run(self, cx: &Context, deadline: Duration, most: usize) -> Result<Ended> {
        self.start(cx)?.wait_collecting(deadline, most).await
    }

    /// Runs it to its end in front: on drillctl's own input and output and in its process group, so that a terminal's signals reach it.
    ///
    /// # Errors
    /// As for [`Program::start`].
    pub async fn run_in_front(self, cx: &Context) -> Result<ExitStatus> {
        let mut child = self.command(cx).spawn().map_err(|cause| self.not_started(cause))?;
        child.wait().await.map_err(|cause| Error::io("waiting for", self.name(), cause))
    }

    #[allow(clippy::disallowed_methods, reason = "this is the door that everything else must use")]
    fn command(&self, cx: &Context) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).env_clear().envs(&self.env).env(marked::RUN, &cx.run).kill_on_drop(true);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if let Some(account) = &self.account {
            // As root this also drops every supplementary group: the standard library sees to it.
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    fn spawn(self, cx: &Context, stdin: Stdio) -> Result<Running> {
        if let Some(sandbox) = &cx.sandbox {
            return self.spawn_inside(sandbox, cx);
        }
        let name = self.name();
        let mut command = self.command(cx);
        command.process_group(0).stdin(stdin);
        match &self.output {
            Some(file) => command.stdout(log(file)?).stderr(log(file)?),
            None => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
        };
        tracing::debug!(program = name, folder = ?self.folder, "starting");
        let started = match self.priority {
            None => command.spawn(),
            Some(priority) => lowered(priority, || command.spawn())?,
        };
        let mut child = started.map_err(|cause| self.not_started(cause))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Ok(Running { name, stdin, stdout, stderr, tail: None, leader: Leader::here(child) })
    }

    /// In the sandbox there is nothing on its standard input, and it is of the account that the sandbox is of.
    fn spawn_inside(self, sandbox: &Sandbox, cx: &Context) -> Result<Running> {
        let name = self.name();
        let mut env: Vec<_> = self.env.clone().into_iter().collect();
        env.push((marked::RUN.into(), cx.run.clone().into()));
        let start = Start { argv: self.argv.clone(), env, folder: self.folder.clone() };
        tracing::debug!(program = name, folder = ?self.folder, "starting in the sandbox");
        let started = || {
            let ((stdout, out), (stderr, err)) = (std::io::pipe()?, std::io::pipe()?);
            let leader = Leader::inside(sandbox.clone(), sandbox.start_program(start, [out.as_fd(), err.as_fd()])?)?;
            let stdout = ChildStdout::from_std(OwnedFd::from(stdout).into())?;
            let stderr = ChildStderr::from_std(OwnedFd::from(stderr).into())?;
            Ok(Running { name, stdin: None, stdout: Some(stdout), stderr: Some(stderr), tail: None, leader })
        };
        started().map_err(|cause| match self.not_started(cause) {
            error if error.kind() == Kind::Config => error.hint(
                "The sandbox shows the system and what was restored: name the program's folder in `sandbox: {readable: […]}`.",
            ),
            error => error,
        })
    }

    fn not_started(&self, cause: std::io::Error) -> Error {
        use std::io::ErrorKind as Io;
        let program = Path::new(&self.argv[0]).display();
        match (&self.folder, cause.kind()) {
            (Some(folder), Io::NotFound | Io::NotADirectory) if !folder.is_dir() => {
                Error::io("starting a program in", folder.display(), cause)
            }
            (_, Io::NotFound | Io::PermissionDenied) => {
                Error::new(Kind::Config, format!("starting {program}")).because(cause).hint(
                    "Install the program, or correct its path or permissions; `drillctl doctor` lists what is missing.",
                )
            }
            _ => Error::io("starting", program, cause),
        }
    }
}

/// Without the values of its variables: there are secrets among them.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables: Vec<_> = self.env.keys().collect();
        f.debug_struct("Program")
            .field("argv", &self.argv)
            .field("variables", &variables)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

fn log(file: &Path) -> Result<std::fs::File> {
    let opened = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file);
    opened.map_err(|cause| Error::io("opening log", file.display(), cause))
}

/// The file that this program name stands for: a path is relative to `folder`, a bare name is looked for on the system's path.
pub(crate) fn find(program: &str, folder: &Path) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if program.contains('/') {
        return Some(folder.join(program)).filter(is_program);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| SYSTEM_PATH.into());
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(is_program)
}

/// How a program ended, in words: `exited with 3`, `was killed by signal 9`.
pub(crate) fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".into(),
    }
}

/// A program that runs. Dropping it kills its process group.
#[derive(Debug)]
pub struct Running {
    name: String,
    leader: Leader,
    /// Its standard input, if it was asked for.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, unless it goes to a log.
    pub stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    tail: Option<Tail>,
}

impl Running {
    /// What a container runs, with its outputs.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) fn contained(name: &str, container: Contained, stdout: PipeReader, stderr: PipeReader) -> Result<Self> {
        let wrong = |cause| Error::io("reading", "what a container writes", cause);
        let stdout = ChildStdout::from_std(OwnedFd::from(stdout).into()).map_err(wrong)?;
        let stderr = ChildStderr::from_std(OwnedFd::from(stderr).into()).map_err(wrong)?;
        let (name, leader) = (name.to_owned(), Leader::Contained(container));
        Ok(Self { name, stdin: None, stdout: Some(stdout), stderr: Some(stderr), tail: None, leader })
    }

    /// Its outputs, which the caller must read.
    pub(crate) fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.stdout.take(), self.stderr.take())
    }

    /// With the last lines of its standard error kept.
    pub(crate) fn keeping_tail(mut self, cx: &Context) -> Self {
        self.tail = self.stderr.take().map(|stderr| Tail::of(stderr, cx.secrets.clone()));
        self
    }

    /// Waits for its end; output that nobody has taken is dropped. What it leaves running in its process group is killed then.
    ///
    /// # Errors
    /// [`Kind::TimedOut`] after `deadline`; the whole group is killed then.
    pub async fn wait(self, deadline: Duration) -> Result<Ended> {
        self.wait_collecting(deadline, 0).await
    }

    /// The same, and keeps at most `most` bytes of its output.
    ///
    /// # Errors
    /// As for [`Running::wait`].
    pub(crate) async fn wait_collecting(mut self, deadline: Duration, most: usize) -> Result<Ended> {
        self.stdin = None;
        let (pipe, mut stdout) = (self.stdout.take(), Vec::new());
        let reading = async {
            if let Some(pipe) = pipe {
                collect(pipe, most, &mut stdout).await;
            }
        };
        let status = beside(self.end(deadline), reading).await?;
        let stderr = match self.tail.take() {
            Some(tail) => tail.lines().await,
            None => Vec::new(),
        };
        Ok(Ended { program: self.name.clone(), status, stdout, stderr })
    }

    async fn end(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let Ok(waited) = tokio::time::timeout(deadline, self.leader.wait()).await else {
            self.kill_group();
            return Err(Error::new(Kind::TimedOut, format!("{} ran longer than {deadline:?}", self.name)));
        };
        self.kill_group();
        waited.map_err(|cause| Error::io("waiting for", &self.name, cause))
    }

    /// How it ended, if it did; what it left in its process group is killed then.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        let status = self.leader.try_wait().ok().flatten();
        if status.is_some() {
            self.kill_group();
        }
        status
    }

    /// Process id of the group's leader, while it runs on this host.
    pub fn pid(&self) -> Option<i32> {
        self.leader.pid().map(|pid| pid.as_raw_nonzero().get())
    }

    /// The program's name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the whole group to end, and kills what of it is left after the leader has ended or the grace is over.
    pub async fn stop(mut self) {
        self.leader.signal(Signal::TERM);
        let _ = tokio::time::timeout(GRACE, self.leader.wait()).await;
        self.kill_group();
        let _ = tokio::time::timeout(GRACE, self.leader.wait()).await;
    }

    fn kill_group(&mut self) {
        self.leader.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_group();
    }
}

impl Ended {
    /// Nothing if it exited with 0.
    ///
    /// # Errors
    /// An error of `kind` that names the program, how it ended and the last line it wrote to standard error.
    pub fn success(&self, kind: Kind) -> Result<()> {
        if self.status.success() {
            return Ok(());
        }
        let last = self.stderr.iter().rev().find(|line| !line.trim().is_empty());
        let last = last.map_or_else(String::new, |line| format!(": {line}"));
        Err(Error::new(kind, format!("{} {}{last}", self.program, how(self.status))))
    }
}
