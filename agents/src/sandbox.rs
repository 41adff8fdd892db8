//! The sandbox that apps and the programs of probes run in: one a run, from before the restore until the release.
//!
//! Its first process is drillctl itself, started by `bwrap` ([`inside`]). Programs and connections are asked of it over a line that
//! nothing else in the sandbox can reach, so that a probe reaches the app without any way leading out.

mod attempt;
mod bubblewrap;
mod cgroup;
mod inside;
mod isolation;
mod kernel;
mod line;
mod maker;
mod message;
mod network;
mod pod;
mod proof;
mod room;
mod trials;
mod watch;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use drill_scenarios::{App, Container, Sandbox as Rules};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::RecvFlags;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::net::TcpStream;

use self::attempt::Attempt;
use self::bubblewrap::View;
use self::cgroup::{Controller, Groups};
use self::line::{receive, send};
use self::maker::{Made, Maker};
pub(crate) use self::message::Start;
use self::message::{Order, Reply, Request};
pub use self::proof::Outside;
use crate::container::{self, Engine};
use crate::probes::{Outfit, Within};
use crate::process::{Program, Running};
use crate::stream::on_thread;
use crate::{Context, Error, Kind, Note, Removal, Result};

/// The word that starts drillctl inside, and what it is to do there.
const WORD: &str = "inside-sandbox";
const SERVE: &str = "serve";
const JOIN: &str = "join";
const PROVE: &str = "prove";
/// How long an answer from inside may take.
const ANSWER: Duration = Duration::from_secs(15);

/// A sandbox. It ends with its last clone.
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Walls>);

#[derive(Debug)]
struct Walls {
    rules: Rules,
    writable: Vec<PathBuf>,
    elsewhere: Vec<SocketAddr>,
    control: OwnedFd,
    /// The first process inside.
    first: OwnedFd,
    /// More than allowed was written to the disk.
    overfull: AtomicBool,
    /// A line was closed from inside: the first process is on its way out.
    lost: AtomicBool,
    maker: Maker,
}

/// Does what this process was started for, if it was started as a part of a sandbox. To be called before anything else.
pub fn inside_sandbox() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).take(3).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [WORD, SERVE, setup] => inside::serve(setup),
        [WORD, JOIN, setup] => inside::join(setup),
        [WORD, PROVE, trials] => trials::make(trials),
        _ => return None,
    };
    if let Err(error) = &done {
        let _ = writeln!(io::stderr(), "{error}");
    }
    Some(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Sandbox {
    /// Refuses where none can be made on this host, for an app in this container if it is in one.
    ///
    /// # Errors
    /// [`Kind::Config`] with what to install or to allow; those of the container engine.
    pub async fn admit(cx: &Context, container: Option<&Container>) -> Result<()> {
        match container {
            None => bubblewrap::admit(cx).await,
            Some(container) => pod::admit(container).await,
        }
    }

    /// The socket of the engine that [`Sandbox::start`] will have a container of this kind made by.
    ///
    /// # Errors
    /// [`Kind::Config`] for an address that is none.
    pub fn engine(container: &Container) -> Result<PathBuf> {
        Ok(Engine::named(container.engine.as_deref())?.socket().to_owned())
    }

    /// What [`Sandbox::start`] will make outside of the run's folder: the folders of control groups.
    pub fn groups(run: &str) -> Vec<PathBuf> {
        Groups::planned(run).folders()
    }

    /// Ends what is in these control groups of this run, and removes them.
    ///
    /// # Errors
    /// [`Kind::Refused`] for what is not this run's; [`Kind::Denied`] if a process does not end; I/O errors.
    pub async fn release(run: &str, groups: &[PathBuf]) -> Result<Removal> {
        cgroup::remove(run, groups).await
    }

    /// Ends and removes what the engine behind this socket has of this run.
    ///
    /// # Errors
    /// Those of the engine, such as that it can't be reached.
    pub async fn release_containers(cx: &Context, socket: &Path) -> Result<Removal> {
        let _ = std::fs::remove_file(cx.folder.join(pod::SOCKET));
        container::release(&cx.run, socket).await
    }

    /// Makes a sandbox in which these folders can be written to, for an app in this container if it is in one.
    ///
    /// # Errors
    /// [`Kind::Config`] where none can be made; those of the container engine.
    pub async fn start(
        cx: &Context,
        rules: &Rules,
        container: Option<&Container>,
        writable: Vec<PathBuf>,
        outside: &Outside,
    ) -> Result<Self> {
        let memory_bytes = rules.memory.bytes().min(rules.disk.bytes());
        let view = View { readable: rules.readable.clone(), writable: writable.clone(), memory_bytes };
        let Made { control, first, maker } = match container {
            None => maker::by_bubblewrap(cx, rules, &view, outside).await?,
            Some(container) => maker::by_engine(cx, rules, container, &view, outside).await?,
        };
        let first =
            pidfd_open(first, PidfdFlags::empty()).map_err(|error| Error::io("making", "the sandbox", error.into()))?;
        let (rules, overfull, lost) = (rules.clone(), AtomicBool::default(), AtomicBool::default());
        let elsewhere = outside.addresses.clone();
        Ok(Self(Arc::new(Walls { rules, writable, elsewhere, control, first, overfull, lost, maker })))
    }

    /// Starts the app in a container of this sandbox.
    pub(crate) async fn start_contained(&self, app: &App, within: Within<'_>) -> Result<Running> {
        self.0.maker.pod()?.start_app(app, &self.0.rules, within).await
    }

    /// Starts a program of the app's image in its container.
    pub(crate) async fn start_beside(&self, outfit: Outfit<'_>, within: Within<'_>) -> Result<Running> {
        self.0.maker.pod()?.start_beside(outfit, within).await
    }

    /// Proves from inside that it keeps its programs from all this, and tells in sentences what was tried.
    ///
    /// # Errors
    /// [`Kind::Refused`] if it doesn't.
    pub async fn prove(&self, cx: &Context, outside: &Outside) -> Result<Vec<String>> {
        proof::prove(cx, self, outside).await
    }

    /// From now on what is written beside what is there counts, and ends the sandbox when it is too much.
    pub async fn watch_room(&self, cx: &Context) {
        room::watch(cx, &self.0).await;
    }

    fn writable(&self) -> &[PathBuf] {
        &self.0.writable
    }

    /// How it keeps things apart, in sentences.
    pub fn isolation(&self) -> Vec<String> {
        let Walls { rules, writable, maker, .. } = &*self.0;
        let (walls, limits) = maker.isolation(rules, writable);
        walls.into_iter().chain([isolation::NETWORK.into(), limits]).collect()
    }

    /// Fails if what its programs did may have been the sandbox's doing: it has ended, or a limit was reached.
    ///
    /// # Errors
    /// [`Kind::Exhausted`] with the limit to raise; [`Kind::Unavailable`] if it is gone.
    pub async fn must_be_well(&self) -> Result<()> {
        let Walls { rules, overfull, maker, .. } = &*self.0;
        let reached = |what: String, field: &str| {
            Err(Error::new(Kind::Exhausted, format!("programs in the sandbox reached a limit of it: {what}"))
                .hint(format!("Give them more with `sandbox: {{{field}: …}}`, or find out why they take so much.")))
        };
        if overfull.load(Ordering::Relaxed) {
            return reached(format!("more than {} were written, so it was ended", rules.disk), "disk");
        }
        match maker.reached().await? {
            Some(Controller::Memory) => {
                return reached(format!("of {} of memory, and some were killed", rules.memory), "memory");
            }
            Some(Controller::Processes) => {
                return reached(format!("of {} processes, and no more could be started", rules.processes), "processes");
            }
            Some(Controller::Processor) | None => {}
        }
        if self.has_ended() {
            return Err(Error::new(Kind::Unavailable, "the sandbox has ended before its time")
                .hint("Look at this host's log for what killed it, such as a lack of memory."));
        }
        Ok(())
    }

    fn has_ended(&self) -> bool {
        let mut polled = [PollFd::new(&self.0.first, PollFlags::IN)];
        let ended = rustix::event::poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        self.0.lost.load(Ordering::Relaxed) || ended.is_ok_and(|count| count > 0)
    }

    /// What was tried to reach the outside since this was asked last, as notes.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the sandbox does not answer.
    pub async fn tried(&self) -> Result<Vec<Note>> {
        let attempts = self.attempts().await?;
        Ok(attempts.iter().map(|(attempt, times)| self.note(attempt, *times)).collect())
    }

    fn note(&self, attempt: &Attempt, times: u64) -> Note {
        let times = if times == 1 { "once".into() } else { format!("{times} times") };
        let is_source = attempt.address().is_some_and(|address| self.0.elsewhere.contains(&address));
        let source = if is_source { ", which is the source" } else { "" };
        let what = attempt.words();
        Note {
            subject: "sandbox".into(),
            statement: format!("A program in the sandbox tried to {what}{source}, {times}. Nothing left the sandbox."),
        }
    }

    async fn attempts(&self) -> Result<Vec<(Attempt, u64)>> {
        let sandbox = self.clone();
        let answer = on_thread(move || sandbox.asked(&Request::Attempts));
        match answer.await.map_err(|cause| Error::io("asking", "the sandbox for attempts to leave it", cause))? {
            (Reply::Attempts(attempts), _) => Ok(attempts),
            _ => Err(Error::new(Kind::Unavailable, "the sandbox did not tell of attempts to leave it")),
        }
    }

    /// A connection to this address on the loopback inside.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let sandbox = self.clone();
        let answered = on_thread(move || sandbox.asked(&Request::Connect(address)));
        let (_, files) = answered.await?;
        let file = files.into_iter().next().ok_or(io::ErrorKind::UnexpectedEof)?;
        let stream = std::net::TcpStream::from(file);
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream)
    }

    /// Starts a program inside with these outputs. The line that it is told of on.
    pub(crate) fn start_program(&self, start: Start, outputs: [BorrowedFd<'_>; 2]) -> io::Result<OwnedFd> {
        let line = self.ask(&Request::Start(start), &outputs)?;
        self.answer(&line)?;
        Ok(line)
    }

    /// How a program that was started ended, as the kernel writes it. One whose line is closed was killed with the sandbox.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if it has not ended.
    pub(crate) fn ended(&self, line: impl AsFd) -> io::Result<i32> {
        match receive::<Reply>(line, RecvFlags::DONTWAIT)? {
            Some((Reply::Ended(status), _)) => Ok(status),
            Some(_) => Err(io::ErrorKind::InvalidData.into()),
            None => {
                self.0.lost.store(true, Ordering::Relaxed);
                Ok(Signal::KILL.as_raw())
            }
        }
    }

    /// The next answer on a line. One that is closed before tells that the sandbox is gone, sooner than its first process is.
    fn answer(&self, line: impl AsFd) -> io::Result<(Reply, Vec<OwnedFd>)> {
        match receive::<Reply>(line, RecvFlags::empty())? {
            Some((Reply::Refused(number), _)) => Err(io::Error::from_raw_os_error(number)),
            Some(answer) => Ok(answer),
            None => {
                self.0.lost.store(true, Ordering::Relaxed);
                Err(io::Error::other("the sandbox has ended"))
            }
        }
    }

    /// The answer to this request.
    fn asked(&self, request: &Request) -> io::Result<(Reply, Vec<OwnedFd>)> {
        self.ask(request, &[]).and_then(|line| self.answer(&line))
    }

    /// A new line with this request on it.
    fn ask(&self, request: &Request, files: &[BorrowedFd<'_>]) -> io::Result<OwnedFd> {
        let (ours, theirs) = line::pair()?;
        set_socket_timeout(&ours, Timeout::Recv, Some(ANSWER))?;
        send(&ours, request, files)?;
        send(&self.0.control, &(), &[theirs.as_fd()])?;
        Ok(ours)
    }
}

/// The program of a server that keeps restored data, walled in where the run has a sandbox: it reaches nobody, and can write in these
/// folders only. Those who may enter them reach it through its socket.
pub(crate) fn walled(cx: &Context, server: Program, folders: &[&Path], programs: &Path) -> Program {
    let Some(rules) = &cx.walls else { return server };
    let mut readable = rules.readable.clone();
    readable.extend(programs.parent().filter(|parent| !parent.starts_with("/usr")).map(Path::to_owned));
    let writable = folders.iter().map(|folder| folder.to_path_buf()).collect();
    let view = View { readable, writable, memory_bytes: rules.memory.bytes() };
    server.behind(view.around_a_server())
}

/// Whether this process is the server that was started, or the one that its walls were put around.
pub(crate) fn is_behind(started: &Running, server: i32, walled: bool) -> bool {
    let status = || std::fs::read_to_string(format!("/proc/{server}/status")).unwrap_or_default();
    let parent = || status().lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok());
    started.pid().is_some_and(|pid| pid == server || walled && parent() == Some(pid))
}

impl Drop for Walls {
    /// The kernel ends all that is inside with the first process.
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.first, Signal::KILL);
        self.maker.let_go();
    }
}

impl Walls {
    /// Ends all that is inside.
    async fn end(&self) {
        let _ = pidfd_send_signal(&self.first, Signal::KILL);
        self.maker.end().await;
    }
}

/// Sends this signal to a program that was started, and its group.
pub(crate) fn signal(line: impl AsFd, signal: Signal) {
    let _ = send(line, &Order { signal: signal.as_raw() }, &[]);
}
