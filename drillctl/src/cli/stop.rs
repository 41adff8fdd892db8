//! Signals: the first asks the run to stop and to clean up, the second leaves at once.

use drill_agents::Context;
use drill_reports::Event;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::tell;
use crate::failure::{Failure, INTERRUPTED};
use crate::journal::Journal;

/// The signals that ask a run to stop. From when this is made, they no longer end the process by themselves.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn catch() -> Result<Self, Failure> {
        let catch = |kind| signal(kind).map_err(|cause| Failure::io("catching", "signals", cause));
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hang_up: catch(SignalKind::hangup())?,
        })
    }

    /// Waits for one; returns its name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }

    /// Waits for one that no terminal sends to a program that asks for it: interrupts are left to the program in front.
    pub(super) async fn next_but_interrupts(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }

    /// Waits for signals while a run is at work.
    pub(super) async fn watch(mut self, cx: Context, journal: Journal) {
        let by = self.next().await;
        let _ = journal.append(Event::Interrupted { by: by.into() });
        cx.cancel.cancel();
        tell(format_args!("{by}: stopping and cleaning up; once more to leave at once"));
        self.next().await;
        tell("left at once; `drillctl sweep` removes what the run has made");
        std::process::exit(i32::from(INTERRUPTED));
    }
}
