//! Programs and threads that stand behind others who want the processor and the disk.

use std::process::Stdio;

use drill_scenarios::IoClass;
use tokio::runtime::Handle;

use super::how;
use crate::limits::Priority;
use crate::{Error, Kind, Result};

/// Runs `start` on a thread of its own that stands behind others: what is started there inherits that.
pub(crate) fn lowered<T: Send>(priority: Priority, start: impl FnOnce() -> T + Send) -> Result<T> {
    let runtime = Handle::current();
    let work = || {
        let _here = runtime.enter();
        priority.lower_this_thread().map(|()| start())
    };
    match std::thread::scope(|scope| scope.spawn(work).join()) {
        Ok(done) => done,
        Err(died) => std::panic::resume_unwind(died),
    }
}

/// Puts this thread into a class of I/O scheduling. There is no safe way to ask the kernel, but its own program does: to Linux a
/// thread's number is as good as a process'.
///
/// # Errors
/// [`Kind::Config`] if there is no `ionice`; [`Kind::Denied`] if it fails.
#[allow(clippy::disallowed_methods, reason = "this is the door that everything else must use")]
pub(crate) fn ionice_this_thread(class: IoClass) -> Result<()> {
    let class: &[&str] = match class {
        // The lowest of its eight levels.
        IoClass::BestEffort => &["--class", "best-effort", "--classdata", "7"],
        IoClass::Idle => &["--class", "idle"],
    };
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let mut ionice = std::process::Command::new("ionice");
    let ended = ionice.args(class).args(["--pid", &thread]).stdin(Stdio::null()).output().map_err(|cause| {
        Error::new(Kind::Config, "starting ionice").because(cause).hint("Install util-linux, or take `ionice` away.")
    })?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    Err(Error::new(Kind::Denied, format!("ionice {}", how(ended.status))).because(said).hint("Take `ionice` away."))
}
