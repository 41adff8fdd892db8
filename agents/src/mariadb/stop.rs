//! The end of a server, known by its data folder alone: whoever made it may have been killed. Servers are told by what they work in and
//! what they are, never by a number that was written down and may be another's by now.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::{Error, Kind, Result};

/// How long servers may take to end after a signal.
const LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(30);

/// Stops whatever server works in the folder `data`, at once: nothing is written down any more, and everything that it made lies below
/// its folder.
///
/// # Errors
/// [`Kind::Denied`] if one doesn't end.
pub(crate) async fn stop(data: &Path) -> Result<()> {
    let Ok(data) = data.canonicalize() else { return Ok(()) };
    for _ in 0..LIMIT.as_millis() / POLL.as_millis() {
        let servers = servers_in(&data);
        if servers.is_empty() {
            return Ok(());
        }
        for pid in servers {
            // Its number is pinned before the second look.
            if let Ok(pinned) = rustix::process::pidfd_open(pid, PidfdFlags::empty())
                && is_server_in(pid, &data)
            {
                let _ = rustix::process::pidfd_send_signal(&pinned, Signal::KILL);
            }
        }
        tokio::time::sleep(POLL).await;
    }
    Err(Error::new(Kind::Denied, format!("the server in {} does not end", data.display())))
}

/// Processes of a server that works in this folder.
fn servers_in(data: &Path) -> Vec<Pid> {
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter_map(Pid::from_raw);
    pids.filter(|pid| is_server_in(*pid, data)).collect()
}

fn is_server_in(pid: Pid, data: &Path) -> bool {
    let link = |name: &str| std::fs::read_link(format!("/proc/{}/{name}", pid.as_raw_nonzero()));
    let is_server = |exe: &Path| {
        exe.file_name()
            .is_some_and(|name| ["mariadbd", "mysqld"].iter().any(|server| name.to_string_lossy().starts_with(server)))
    };
    link("cwd").is_ok_and(|cwd| cwd == data) && link("exe").is_ok_and(|exe| is_server(&exe))
}
