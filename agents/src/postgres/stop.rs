//! The end of a server, known by its data folder alone: whoever made it may have been killed.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{Program, stop_working_in};
use crate::{Context, Result};

/// How long removing a segment may take.
const LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(30);

/// Stops whatever server works in the folder `data`, at once: nothing is written down any more.
///
/// # Errors
/// [`crate::Kind::Denied`] if one doesn't end.
pub(crate) async fn stop(cx: &Context, data: &Path) -> Result<()> {
    let pid_file = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    stop_working_in(data, &["postgres"], Signal::QUIT).await?;
    remove_segment(cx, &pid_file).await;
    Ok(())
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
