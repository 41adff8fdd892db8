//! The end of a server, known by its data folder alone: whoever made it may have been killed. Servers are told by what they
//! work in and what they are, never by a number that was written down and may be another's by now.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::process::Program;
use crate::{Context, Error, Kind, Result};

/// How long servers may take to end after a signal.
const LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(30);

/// Stops whatever server works in the folder `data`, at once: nothing is written down any more.
///
/// # Errors
/// [`Kind::Denied`] if one doesn't end.
pub(crate) async fn stop(cx: &Context, data: &Path) -> Result<()> {
    let Ok(data) = data.canonicalize() else { return Ok(()) };
    let pid_file = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    for signal in [Signal::QUIT, Signal::KILL] {
        for pid in servers_in(&data) {
            let _ = rustix::process::kill_process(pid, signal);
        }
        if ended_within_limit(&data).await {
            remove_segment(cx, &pid_file).await;
            return Ok(());
        }
    }
    Err(Error::new(Kind::Denied, format!("the server in {} does not end", data.display())))
}

async fn ended_within_limit(data: &Path) -> bool {
    for _ in 0..LIMIT.as_millis() / POLL.as_millis() {
        if servers_in(data).is_empty() {
            return true;
        }
        tokio::time::sleep(POLL).await;
    }
    false
}

/// Processes of a server that works in this folder.
fn servers_in(data: &Path) -> Vec<Pid> {
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter_map(Pid::from_raw);
    pids.filter(|pid| {
        let link = |name: &str| std::fs::read_link(format!("/proc/{}/{name}", pid.as_raw_nonzero()));
        let is_server = |exe: &Path| exe.file_name().is_some_and(|name| name.to_string_lossy().starts_with("postgres"));
        link("cwd").is_ok_and(|cwd| cwd == data) && link("exe").is_ok_and(|exe| is_server(&exe))
    })
    .collect()
}

/// A server that is killed leaves a few bytes of System V shared memory, which the kernel keeps until somebody removes
/// them. They are told by key and number, and are removed once nobody is attached any more.
async fn remove_segment(cx: &Context, pid_file: &str) {
    let words: Vec<&str> = pid_file.lines().nth(6).into_iter().flat_map(str::split_whitespace).collect();
    let [key, id] = words[..] else { return };
    for _ in 0..LIMIT.as_millis() / POLL.as_millis() {
        match attached(key, id) {
            None => return,
            Some(0) => {
                if let Err(error) = Program::new("ipcrm").args(["-m", id]).run(cx, LIMIT, 4096).await {
                    tracing::warn!(error = error.chain(), id, "a segment of shared memory is left");
                }
                return;
            }
            Some(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// How many processes are attached to this segment; nothing if it isn't there.
fn attached(key: &str, id: &str) -> Option<u32> {
    let table = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.len() > 6 && row[0] == key && row[1] == id)?;
    row[6].parse().ok()
}
