//! Servers that are known by the folder they work in: whoever started one may have been killed, and it may have written over its own
//! environment. They are told by what they work in and what they are, never by a number that was written down and may be another's by now.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{Error, Kind, Result};

/// How long servers may take to end after a signal.
const LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(30);

/// Stops whatever works in `folder` and is one of these servers, by what the name of its program begins with: with `first`, and what
/// is left after a while by force.
///
/// # Errors
/// [`Kind::Denied`] if one doesn't end.
pub(crate) async fn stop_working_in(folder: &Path, servers: &[&str], first: Signal) -> Result<()> {
    let Ok(folder) = folder.canonicalize() else { return Ok(()) };
    for signal in [first, Signal::KILL] {
        for pid in working_in(&folder, servers) {
            // Its number is pinned before the second look.
            if let Ok(pinned) = pidfd_open(pid, PidfdFlags::empty())
                && works_in(pid, &folder, servers)
            {
                let _ = pidfd_send_signal(&pinned, signal);
            }
        }
        if ended_within_limit(&folder, servers).await {
            return Ok(());
        }
    }
    Err(Error::new(Kind::Denied, format!("the server in {} does not end", folder.display())))
}

async fn ended_within_limit(folder: &Path, servers: &[&str]) -> bool {
    for _ in 0..LIMIT.as_millis() / POLL.as_millis() {
        if working_in(folder, servers).is_empty() {
            return true;
        }
        tokio::time::sleep(POLL).await;
    }
    false
}

fn working_in(folder: &Path, servers: &[&str]) -> Vec<Pid> {
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter_map(Pid::from_raw);
    pids.filter(|pid| works_in(*pid, folder, servers)).collect()
}

fn works_in(pid: Pid, folder: &Path, servers: &[&str]) -> bool {
    let link = |name: &str| std::fs::read_link(format!("/proc/{}/{name}", pid.as_raw_nonzero()));
    let is_server = |exe: &Path| {
        let name = exe.file_name().unwrap_or_default().to_string_lossy();
        servers.iter().any(|server| name.starts_with(server))
    };
    link("cwd").is_ok_and(|cwd| cwd == folder) && link("exe").is_ok_and(|exe| is_server(&exe))
}
