//! The one door through which programs are started: an argv, an environment of its own, a process group that is killed as a
//! whole, a deadline, and a bounded tail of what it writes to standard error.
//!
//! Every process carries the run's mark in its environment, so that what a killed drillctl left running is found and
//! stopped ([`stop_marked`]).

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

use crate::{Account, Context, Error, Kind, Result};

/// Name of the variable that marks a process as a run's own.
const MARK: &str = "DRILLCTL_RUN";
/// Lines of standard error that are kept, and bytes of each.
const TAIL: (usize, usize) = (200, 2_000);
/// How long a process group may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// A program that is about to be started.
#[derive(Debug, Clone)]
pub struct Program {
    argv: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    folder: Option<PathBuf>,
    account: Option<Account>,
    output: Option<PathBuf>,
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
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())),
            ("LANG".into(), "C.UTF-8".into()),
            ("LC_ALL".into(), "C.UTF-8".into()),
        ]);
        Self { argv: vec![program.as_ref().into()], env, folder: None, account: None, output: None }
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

    /// Its standard output and error go into this file, which is created or appended to, instead of to drillctl.
    #[must_use]
    pub fn log_to(mut self, file: &Path) -> Self {
        self.output = Some(file.into());
        self
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
        self.spawn(cx, Stdio::null())
    }

    /// Starts it with a pipe to its standard input.
    ///
    /// # Errors
    /// As for [`Program::start`].
    pub fn start_with_input(self, cx: &Context) -> Result<Running> {
        self.spawn(cx, Stdio::piped())
    }

    /// Runs it to its end, collecting at most `most` bytes of its output; what goes beyond is dropped.
    ///
    /// # Errors
    /// As for [`Program::start`]; [`Kind::TimedOut`] after `deadline`. How it exited is data, not an error.
    pub async fn run(self, cx: &Context, deadline: Duration, most: usize) -> Result<Ended> {
        let mut running = self.start(cx)?;
        let stdout = running.stdout.take();
        let read = tokio::spawn(async move {
            match stdout {
                Some(stdout) => bounded(stdout, most).await,
                None => Vec::new(),
            }
        });
        let mut ended = running.wait(deadline).await?;
        ended.stdout = read.await.unwrap_or_default();
        Ok(ended)
    }

    fn spawn(self, cx: &Context, stdin: Stdio) -> Result<Running> {
        let name = self.name();
        let mut command = tokio::process::Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).env_clear().envs(&self.env).env(MARK, &cx.run);
        command.process_group(0).kill_on_drop(true).stdin(stdin);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
        match &self.output {
            Some(file) => {
                let open = || std::fs::OpenOptions::new().create(true).append(true).open(file);
                let wrong = |cause| Error::io("opening log", file.display(), cause);
                command.stdout(open().map_err(wrong)?).stderr(open().map_err(wrong)?);
            }
            None => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
        }
        tracing::debug!(program = name, folder = ?self.folder, "starting");
        let mut child = command.spawn().map_err(|cause| {
            Error::new(Kind::Config, format!("starting {}", Path::new(&self.argv[0]).display()))
                .because(cause)
                .hint("Install the program or correct its path; `drillctl doctor` lists what is missing.")
        })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let stderr = child.stderr.take().map(|stderr| tokio::spawn(tail(stderr)));
        Ok(Running { name, group, stdin: child.stdin.take(), stdout: child.stdout.take(), stderr, child })
    }
}

/// A program that runs. Dropping it kills its process group.
#[derive(Debug)]
pub struct Running {
    name: String,
    group: Option<Pid>,
    child: Child,
    /// Its standard input, if it was asked for.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, unless it goes to a log.
    pub stdout: Option<ChildStdout>,
    stderr: Option<JoinHandle<Vec<String>>>,
}

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// [`Kind::TimedOut`] after `deadline`; the whole group is killed then.
    pub async fn wait(mut self, deadline: Duration) -> Result<Ended> {
        self.stdin = None;
        let Ok(waited) = tokio::time::timeout(deadline, self.child.wait()).await else {
            return Err(Error::new(Kind::TimedOut, format!("{} ran longer than {}s", self.name, deadline.as_secs())));
        };
        let status = waited.map_err(|cause| Error::io("waiting for", &self.name, cause))?;
        let stderr = match self.stderr.take() {
            Some(tail) => {
                tokio::time::timeout(GRACE, tail).await.ok().and_then(std::result::Result::ok).unwrap_or_default()
            }
            None => Vec::new(),
        };
        Ok(Ended { program: self.name.clone(), status, stdout: Vec::new(), stderr })
    }

    /// How it ended, if it did.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Process id of the group's leader.
    pub fn pid(&self) -> Option<i32> {
        self.group.map(|group| group.as_raw_nonzero().get())
    }

    /// Asks the whole group to end, and kills it if it doesn't.
    pub async fn stop(mut self) {
        self.signal(Signal::TERM);
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
        self.signal(Signal::KILL);
        let _ = self.child.wait().await;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
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
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exited with {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => "ended".into(),
        };
        let last = self.stderr.iter().rev().find(|line| !line.trim().is_empty());
        Err(Error::new(kind, format!("{} {how}{}", self.program, last.map_or_else(String::new, |l| format!(": {l}")))))
    }
}

/// Ends every process that carries this run's mark, whoever started it: politely, then not. Returns how many there were.
///
/// # Errors
/// [`Kind::Denied`] if one of them could not be ended.
pub async fn stop_marked(run: &str) -> Result<usize> {
    let first = marked(run);
    for signal in [Signal::TERM, Signal::KILL] {
        for pid in marked(run) {
            let _ = rustix::process::kill_process(pid, signal);
        }
        for _ in 0..50 {
            if marked(run).is_empty() {
                return Ok(first.len());
            }
            tokio::time::sleep(GRACE / 50).await;
        }
    }
    let left: Vec<_> = marked(run).iter().map(|pid| pid.as_raw_nonzero().to_string()).collect();
    Err(Error::new(Kind::Denied, format!("processes {} of run {run} do not end", left.join(", "))))
}

/// Processes whose environment carries the mark. One that is dead and only waits to be collected counts no more: its
/// environment is empty.
fn marked(run: &str) -> Vec<Pid> {
    let mark = format!("{MARK}={run}");
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter_map(Pid::from_raw);
    pids.filter(|pid| {
        let environ = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    })
    .collect()
}

/// Reads to the end, keeping the first `most` bytes.
async fn bounded(mut from: impl AsyncRead + Unpin, most: usize) -> Vec<u8> {
    let (mut kept, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..count.min(most - kept.len())]);
    }
    kept
}

/// Reads to the end, keeping the last lines.
async fn tail(from: ChildStderr) -> Vec<String> {
    let mut lines = BufReader::new(from);
    let mut kept = VecDeque::with_capacity(TAIL.0);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut lines).take(1 << 20).read_until(b'\n', &mut line).await {
        if kept.len() == TAIL.0 {
            kept.pop_front();
        }
        line.truncate(TAIL.1);
        kept.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
    kept.into()
}
