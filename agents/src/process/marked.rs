//! Processes that carry a mark in their environment: those that a killed drillctl, or a daemon's double fork, has left.
//!
//! Only the variable itself counts, read from the process as it is signalled: nothing that merely looks like ours, or that
//! has taken the number of one that is gone, is ever touched. A program that writes over its own environment is not found.

use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::GRACE;
use crate::{Error, Kind, Result};

/// Name of the variable that marks a process as a run's own.
pub(super) const RUN: &str = "DRILLCTL_RUN";

/// Ends every process that carries this run's mark, whoever started it: politely, then not. Returns how many there were at
/// first. This process is never one of them, even if a drill started it.
///
/// # Errors
/// [`Kind::Denied`] if one of them could not be ended.
pub async fn stop_marked(run: &str) -> Result<usize> {
    stop_carrying(RUN, run).await
}

/// Whether any process carries this run's mark.
pub fn any_marked(run: &str) -> bool {
    carrying(format!("{RUN}={run}").as_bytes()).next().is_some()
}

/// Ends every process whose environment has `variable` with this very value.
///
/// # Errors
/// As for [`stop_marked`].
pub(crate) async fn stop_carrying(variable: &str, value: &str) -> Result<usize> {
    const LOOKS: u32 = 100;
    let mark = format!("{variable}={value}").into_bytes();
    let first = carrying(&mark).count();
    for look in 0..LOOKS {
        let signal = if look < LOOKS / 2 { Signal::TERM } else { Signal::KILL };
        let mut left = 0;
        for pid in carrying(&mark) {
            left += 1;
            if look == 0 || signal == Signal::KILL {
                send(pid, signal, &mark);
            }
        }
        if left == 0 {
            return Ok(first);
        }
        tokio::time::sleep(pause()).await;
    }
    let left: Vec<_> = carrying(&mark).map(|pid| pid.as_raw_nonzero().to_string()).collect();
    if left.is_empty() {
        return Ok(first);
    }
    Err(Error::new(Kind::Denied, format!("processes {} of run {value} do not end", left.join(", ")))
        .hint("Look at what they wait for, end them by hand, then run `drillctl sweep`."))
}

/// Between two looks: the grace is over after half of them.
fn pause() -> Duration {
    GRACE / 50
}

/// Signals the process only if it is still the one that carries the mark: its number is pinned before the second look.
fn send(pid: Pid, signal: Signal, mark: &[u8]) {
    if let Ok(pinned) = rustix::process::pidfd_open(pid, PidfdFlags::empty())
        && carries(pid, mark)
    {
        let _ = rustix::process::pidfd_send_signal(&pinned, signal);
    }
}

/// Processes that carry the mark. One that is dead and only waits to be collected counts no more: its environment is empty.
fn carrying(mark: &[u8]) -> impl Iterator<Item = Pid> {
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter_map(Pid::from_raw);
    pids.filter(move |pid| *pid != rustix::process::getpid() && carries(*pid, mark))
}

fn carries(pid: Pid, mark: &[u8]) -> bool {
    let environ = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
    environ.split(|byte| *byte == 0).any(|variable| variable == mark)
}
