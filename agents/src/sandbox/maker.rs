//! Who makes a sandbox: `bwrap`, or the container engine that has the app's image. What differs between the two is here.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use drill_scenarios::{Container, Sandbox as Rules};
use rustix::net::sockopt::{Timeout, set_socket_passcred, set_socket_timeout};
use rustix::process::Pid;

use super::bubblewrap::View;
use super::cgroup::{Controller, Groups, processor_time};
use super::message::Setup;
use super::pod::{self, Pod};
use super::{ANSWER, Outside, SERVE, WORD, bubblewrap, isolation, line};
use crate::process::Running;
use crate::stream::on_thread;
use crate::{Context, Error, Kind, Result};

/// The first process's own part of the processes that are allowed.
const OURS: u64 = 1;

/// What made a sandbox, and holds its limits.
#[derive(Debug)]
pub(super) enum Maker {
    /// `bwrap`, and control groups of our own.
    Bubblewrap(Mutex<Option<Running>>, Groups),
    /// An engine, which holds them itself.
    Engine(Pod),
}

/// A sandbox that was made.
pub(super) struct Made {
    /// The line to its first process.
    pub(super) control: OwnedFd,
    /// That process, by its number here.
    pub(super) first: Pid,
    pub(super) maker: Maker,
}

/// Has `bwrap` make it.
pub(super) async fn by_bubblewrap(cx: &Context, rules: &Rules, view: &View, outside: &Outside) -> Result<Made> {
    let mut groups = Groups::planned(&cx.run);
    groups.make(&limits(rules));
    let setup = serde_json::to_string(&setup(rules, &groups, outside)).expect("a setup is plain data");
    let wrong = |cause| Error::io("making", "the sandbox", cause);
    let ourselves = std::env::current_exe().map_err(wrong)?;
    let (control, theirs) = line::pair().map_err(wrong)?;
    set_socket_passcred(&control, true).map_err(|error| wrong(error.into()))?;
    let program = view.around_ourselves(&ourselves, cx).args([WORD, SERVE, &setup]);
    let bwrap = program.start_on(cx, theirs)?;
    let (control, first) = match on_thread(move || ready(control)).await {
        Ok(Some(ready)) => ready,
        Ok(None) => {
            let ended = bwrap.wait(ANSWER).await?;
            return Err(bubblewrap::forbidden(&ended.stderr.join("; ")));
        }
        Err(cause) => return Err(wrong(cause)),
    };
    groups.take_in(first).map_err(wrong)?;
    Ok(Made { control, first, maker: Maker::Bubblewrap(Mutex::new(Some(bwrap)), groups) })
}

/// Has the engine make it.
pub(super) async fn by_engine(
    cx: &Context,
    rules: &Rules,
    container: &Container,
    view: &View,
    outside: &Outside,
) -> Result<Made> {
    let without_limits = Setup { memory_bytes: None, processes: None, ..setup(rules, &Groups::default(), outside) };
    let setup = Setup { account: pod::account(), ..without_limits };
    let (pod, control, first) = Pod::make(cx, container, rules, (view, &setup), outside).await?;
    Ok(Made { control, first, maker: Maker::Engine(pod) })
}

impl Maker {
    /// The containers, if that is what it made.
    pub(super) fn pod(&self) -> Result<&Pod> {
        match self {
            Self::Engine(pod) => Ok(pod),
            Self::Bubblewrap(..) => Err(Error::new(Kind::Config, "this sandbox was made for no container")),
        }
    }

    /// The walls and the limits, in sentences.
    pub(super) fn isolation(&self, rules: &Rules, writable: &[PathBuf]) -> (Vec<String>, String) {
        match self {
            Self::Bubblewrap(_, groups) => (isolation::bubblewrap(writable).into(), isolation::limits(rules, groups)),
            Self::Engine(pod) => (pod.isolation(writable).into(), isolation::limits_of_each(rules)),
        }
    }

    /// The limit that was reached, if one was.
    pub(super) async fn reached(&self) -> Result<Option<Controller>> {
        match self {
            Self::Bubblewrap(_, groups) => Ok(groups.first_reached()),
            Self::Engine(pod) => pod.reached().await,
        }
    }

    /// Ends what doesn't end with the first process.
    pub(super) async fn end(&self) {
        if let Self::Engine(pod) = self {
            pod.end().await;
        }
    }

    /// The first process was ended: `bwrap` too. What an engine has is removed by its lease.
    pub(super) fn let_go(&self) {
        if let Self::Bubblewrap(bwrap, _) = self {
            drop(bwrap.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

/// Waits until the sandbox is set up. Its first process, by its number here; nothing if it ended instead.
fn ready(control: OwnedFd) -> io::Result<Option<(OwnedFd, Pid)>> {
    set_socket_timeout(&control, Timeout::Recv, Some(ANSWER))?;
    Ok(line::receive_from(&control)?.map(|pid| (control, pid)))
}

fn limits(rules: &Rules) -> BTreeMap<Controller, u64> {
    let always =
        [(Controller::Memory, rules.memory.bytes()), (Controller::Processes, u64::from(rules.processes.get()) + OURS)];
    let processor = rules.cpus.map(|cpus| (Controller::Processor, processor_time(cpus)));
    always.into_iter().chain(processor).collect()
}

/// What isn't held by control groups is held by limits of each process.
fn setup(rules: &Rules, groups: &Groups, outside: &Outside) -> Setup {
    let elsewhere = outside.addresses.iter().filter(|address| address.ip().is_loopback()).copied().collect();
    let without = |controller, limit| groups.how(controller).is_none().then_some(limit);
    Setup {
        elsewhere,
        account: None,
        file_bytes: rules.disk.bytes(),
        memory_bytes: without(Controller::Memory, rules.memory.bytes()),
        processes: without(Controller::Processes, u64::from(rules.processes.get()) + OURS),
    }
}
