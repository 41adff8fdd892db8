//! The first process of a sandbox, and the only one in it that knows drillctl. It sets the network up, gives every right away, starts
//! programs and opens connections as it is told, and sees what is tried to reach the outside. With its end the kernel ends everything in
//! the sandbox.
//!
//! What it is told comes on a line that nothing else in the sandbox can reach: its standard input under `bwrap`; in a container, which no
//! open file can be handed down to, one that it makes itself.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, kill_process_group, pidfd_open,
    set_dumpable_behavior, setrlimit,
};

use super::line::{receive, send};
use super::message::{Order, Reply, Request, Setup, Start};
use super::network;
use super::pod;
use super::watch::Watch;

/// How often orphans are collected, if nothing else happens.
const IDLE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// How long a connection on loopback may take.
const CONNECTING: Duration = Duration::from_secs(2);

/// A program that was started, and the line on which it was asked for, until that is closed.
struct Program {
    pid: Pid,
    handle: OwnedFd,
    line: Option<OwnedFd>,
}

/// The state of the sandbox.
struct Inside {
    control: OwnedFd,
    watch: Watch,
    programs: Vec<Program>,
}

/// Runs on the line that was handed down, until drillctl closes it.
pub(super) fn serve(setup: &str) -> io::Result<()> {
    serve_on(io::stdin().as_fd().try_clone_to_owned()?, setup)
}

/// The same on a line that is made from inside.
pub(super) fn join(setup: &str) -> io::Result<()> {
    serve_on(pod::call()?, setup)
}

fn serve_on(control: OwnedFd, setup: &str) -> io::Result<()> {
    let setup: Setup = serde_json::from_str(setup)?;
    network::lead_back()?;
    let watch = Watch::begin(setup.elsewhere.clone())?;
    network::give_rights_away(setup.account)?;
    limit(&setup)?;
    // Else the programs it starts, which are of the same account, could look into it and take the line.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    send(&control, &Reply::Ready, &[])?;
    let mut inside = Inside { control, watch, programs: Vec::new() };
    while inside.turn()? {}
    Ok(())
}

/// What holds for this process holds for all that it starts.
fn limit(setup: &Setup) -> io::Result<()> {
    let limits = [
        (Resource::Core, Some(0)),
        (Resource::Fsize, Some(setup.file_bytes)),
        (Resource::Data, setup.memory_bytes),
        (Resource::Nproc, setup.processes),
    ];
    for (resource, most) in limits {
        if most.is_some() {
            setrlimit(resource, Rlimit { current: most, maximum: most })?;
        }
    }
    Ok(())
}

impl Inside {
    /// Waits until something happens, and deals with it. False once drillctl is gone.
    fn turn(&mut self) -> io::Result<bool> {
        self.wait()?;
        self.watch.look(None);
        self.collect();
        for program in &mut self.programs {
            program.obey();
        }
        match receive::<()>(&self.control, RecvFlags::DONTWAIT) {
            Ok(None) => return Ok(false),
            Ok(Some((_, lines))) => lines.into_iter().for_each(|line| self.answer(line)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn wait(&self) -> io::Result<()> {
        let own = [self.control.as_fd()].into_iter().chain(self.watch.sockets());
        let lines = self.programs.iter().filter_map(|program| program.line.as_ref()).map(AsFd::as_fd);
        let all: Vec<BorrowedFd<'_>> =
            own.chain(lines).chain(self.programs.iter().map(|program| program.handle.as_fd())).collect();
        let mut polled: Vec<_> = all.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        match rustix::event::poll(&mut polled, Some(&IDLE)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Collects what has ended: programs, whose end is told, and what their children left behind.
    fn collect(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if let Some(place) = self.programs.iter().position(|program| program.pid == pid) {
                let program = self.programs.swap_remove(place);
                let _ = kill_process_group(pid, Signal::KILL);
                if let Some(line) = program.line {
                    let _ = send(line, &Reply::Ended(status.as_raw()), &[]);
                }
            }
        }
    }

    /// Deals with the request that waits on a new line. One that can't be told of its answer is gone, which its closed line says.
    fn answer(&mut self, line: OwnedFd) {
        let answered = match receive::<Request>(&line, RecvFlags::empty()) {
            Ok(Some((Request::Start(order), files))) => start(order, files).and_then(|(pid, handle)| {
                let told = send(&line, &Reply::Started, &[]);
                self.programs.push(Program { pid, handle, line: line.try_clone().ok() });
                told
            }),
            Ok(Some((Request::Connect(address), _))) => {
                connect(address).and_then(|stream| send(&line, &Reply::Connected, &[stream.as_fd()]))
            }
            Ok(Some((Request::Attempts, _))) => {
                self.watch.take().and_then(|seen| send(&line, &Reply::Attempts(seen), &[]))
            }
            Ok(None) | Err(_) => return,
        };
        if let Err(error) = answered {
            let number = error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
            let _ = send(&line, &Reply::Refused(number), &[]);
        }
    }
}

impl Program {
    /// Does what was asked of it. A line that is closed, or broken, asks for its end.
    fn obey(&mut self) {
        let Some(line) = &self.line else { return };
        let signal = match receive::<Order>(line, RecvFlags::DONTWAIT) {
            Ok(Some((order, _))) => Signal::from_named_raw(order.signal),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(None) | Err(_) => {
                self.line = None;
                Some(Signal::KILL)
            }
        };
        if let Some(signal) = signal {
            let _ = kill_process_group(self.pid, signal);
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the other side of the door that programs are started through")]
fn start(order: Start, files: Vec<OwnedFd>) -> io::Result<(Pid, OwnedFd)> {
    let [stdout, stderr] = <[OwnedFd; 2]>::try_from(files).map_err(|_| io::ErrorKind::InvalidInput)?;
    let (name, arguments) = order.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(name);
    command.args(arguments).env_clear().envs(order.env).process_group(0);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    if let Some(folder) = &order.folder {
        command.current_dir(folder);
    }
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    Ok((pid, pidfd_open(pid, PidfdFlags::empty())?))
}

/// A connection to the sandbox's own loopback. It lives on in the hands of whoever it is passed to.
fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    if !address.ip().is_loopback() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    TcpStream::connect_timeout(&address, CONNECTING)
}
