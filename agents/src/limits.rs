//! The limits of a run at work: paces, the number of requests, and the priority of what reads the source.

use std::sync::Arc;

use drill_scenarios::IoClass;
use tokio::sync::Semaphore;

use crate::pace::Pace;
use crate::{Clock, Error, Kind, Note, Result, process};

/// What a run may take of the systems that it touches. The default limits nothing. Cheap to clone; clones share the limits.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// At which the source is read.
    pub(crate) source: Option<Pace>,
    /// At which bytes are exchanged with the vault.
    pub(crate) vault: Option<Pace>,
    /// One permit a request to the vault.
    pub(crate) requests: Option<Arc<Semaphore>>,
    /// Of those who read the source, where it is not that of all others.
    pub(crate) priority: Option<Priority>,
    recovery: Vec<String>,
}

impl Limits {
    /// The limits that a scenario writes down.
    pub fn new(written: &drill_scenarios::Limits, clock: &Clock) -> Self {
        let drill_scenarios::Limits { bandwidth, concurrency, nice, ionice } = *written;
        let pace = || bandwidth.map(|rate| Pace::new(rate, clock));
        let requests = concurrency.map(|most| most.get());
        let recovery =
            [bandwidth.map(|rate| format!("bandwidth {rate}")), requests.map(|most| format!("concurrency {most}"))];
        Self {
            source: pace(),
            vault: pace(),
            requests: requests.map(|most| Arc::new(Semaphore::new(most.into()))),
            priority: (nice > 0 || ionice.is_some()).then_some(Priority { nice, ionice }),
            recovery: recovery.into_iter().flatten().collect(),
        }
    }

    /// What people must know who read how long the recovery took.
    pub fn note(&self) -> Option<Note> {
        let statement = || {
            "The backup was fetched under these limits of the scenario. A recovery without them may be faster."
                .to_owned()
        };
        (!self.recovery.is_empty()).then(|| Note { subject: self.recovery.join(", "), statement: statement() })
    }

    /// Puts this thread, and every thread and program that it starts from now on, behind others who want the processor and the
    /// disk. That can't be taken back, so it is for threads that do nothing but read and seal a source, and then end.
    ///
    /// # Errors
    /// [`Kind::Config`] if `ionice` is asked for and not installed; [`Kind::Denied`] where the system forbids it.
    pub fn lower_this_thread(&self) -> Result<()> {
        self.priority.map_or(Ok(()), Priority::lower_this_thread)
    }

    /// Tries on a thread that ends at once whether threads can be lowered so. It needs a runtime about it.
    ///
    /// # Errors
    /// As for [`Limits::lower_this_thread`].
    pub fn prove(&self) -> Result<()> {
        self.priority.map_or(Ok(()), |priority| process::lowered(priority, || ()))
    }
}

/// Behind whom those stand who read the source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Priority {
    nice: u8,
    ionice: Option<IoClass>,
}

impl Priority {
    /// As [`Limits::lower_this_thread`].
    pub(crate) fn lower_this_thread(self) -> Result<()> {
        let Self { nice, ionice } = self;
        let denied = |error: rustix::io::Errno| {
            Error::new(Kind::Denied, format!("setting a thread's nice value to {nice}"))
                .because(std::io::Error::from(error))
        };
        // To Linux this is the calling thread, not the whole process. One that is nicer already stays so.
        if rustix::process::getpriority_process(None).map_err(denied)? < nice.into() {
            rustix::process::setpriority_process(None, nice.into()).map_err(denied)?;
        }
        ionice.map_or(Ok(()), process::ionice_this_thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(nice: u8, ionice: Option<IoClass>) -> Limits {
        let written = drill_scenarios::Limits { nice, ionice, ..Default::default() };
        Limits::new(&written, &Clock::system())
    }

    fn nice() -> i32 {
        rustix::process::getpriority_process(None).expect("nice value")
    }

    /// How `ionice` calls the class of this thread.
    fn ionice() -> String {
        let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
        let told = std::process::Command::new("ionice").args(["-p", &thread]).output().expect("util-linux");
        String::from_utf8_lossy(&told.stdout).trim().to_owned()
    }

    #[test]
    fn a_thread_is_lowered_with_those_that_it_starts_and_no_other() {
        let (before, class) = (nice(), ionice());
        let lowered = std::thread::spawn(|| {
            limits(19, Some(IoClass::Idle)).lower_this_thread().expect("lowered");
            let below = std::thread::spawn(|| (nice(), ionice())).join().expect("thread");
            [(nice(), ionice()), below]
        });
        assert_eq!(lowered.join().expect("thread"), [(19, "idle".to_owned()), (19, "idle".to_owned())]);
        assert_eq!((nice(), ionice()), (before, class));
    }

    #[test]
    fn best_effort_is_the_last_of_its_class_and_who_is_nicer_already_stays_so() {
        let lowered = std::thread::spawn(|| {
            limits(19, None).lower_this_thread().expect("lowered");
            limits(1, Some(IoClass::BestEffort)).lower_this_thread().expect("lowered");
            (nice(), ionice())
        });
        assert_eq!(lowered.join().expect("thread"), (19, "best-effort: prio 7".to_owned()));
    }

    #[test]
    fn only_what_slows_the_recovery_is_told_with_its_time() {
        assert_eq!(limits(19, Some(IoClass::Idle)).note(), None);
        let written = drill_scenarios::Limits {
            bandwidth: Some("50MiB/s".parse().expect("rate")),
            concurrency: std::num::NonZero::new(2),
            ..Default::default()
        };
        let note = Limits::new(&written, &Clock::system()).note().expect("a note");
        assert_eq!(note.subject, "bandwidth 50MiB/s, concurrency 2");
    }
}
