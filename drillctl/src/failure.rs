//! What ends a command without a result: what is wrong, what to do next, and the exit code that says which kind it is.

use std::fmt;

use drill_agents::{Error, Kind};
use drill_reports::shown_lines;

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
}

/// Exit codes that no run decides.
pub(crate) const USAGE: u8 = 2;
pub(crate) const ERRORED: u8 = 3;
pub(crate) const INTERRUPTED: u8 = 130;

impl Failure {
    /// The user's to mend: an argument, a scenario, a setting.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into(), hint: None }
    }

    /// It could not be found out: a system did not answer, a disk is full.
    pub(crate) fn errored(message: impl Into<String>) -> Self {
        Self { code: ERRORED, message: message.into(), hint: None }
    }

    /// Somebody asked to stop before anything was done.
    pub(crate) fn interrupted(by: &str) -> Self {
        Self { code: INTERRUPTED, message: format!("{by}: stopped before anything was done"), hint: None }
    }

    /// An I/O error on `subject`.
    pub(crate) fn io(doing: &str, subject: impl fmt::Display, cause: std::io::Error) -> Self {
        Error::io(doing, subject, cause).into()
    }

    /// With the next thing to do, as a full sentence.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// In a run that has begun, whatever fails leaves it without an answer.
    pub(crate) fn in_a_run(mut self) -> Self {
        self.code = ERRORED;
        self
    }

    /// With every secret that was looked up taken out of its texts.
    pub(crate) fn scrubbed(mut self, secrets: &drill_agents::Secrets) -> Self {
        self.message = secrets.scrub(&self.message);
        self.hint = self.hint.map(|hint| secrets.scrub(&hint));
        self
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        self.code
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            Kind::Config | Kind::Refused | Kind::NotFound | Kind::Denied | Kind::Exhausted | Kind::WrongKey => USAGE,
            Kind::Interrupted => INTERRUPTED,
            Kind::Corrupt | Kind::Unrestorable | Kind::Unavailable | Kind::TimedOut => ERRORED,
        };
        Self { code, message: error.chain(), hint: error.next_step().map(str::to_owned) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown_lines(&self.message))?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n  {}", shown_lines(hint)))
    }
}

impl std::error::Error for Failure {}
