//! What can go wrong when a system is touched.

use std::fmt;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of thing went wrong. It decides what the engine makes of it: the kinds that say something about the backup
/// fail the drill, the others leave it without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Stored bytes are not those that were stored, or are missing. Says something about the backup.
    Corrupt,
    /// No identity at hand opens it. Says something about the backup.
    WrongKey,
    /// It opens, but what is inside can't be restored. Says something about the backup.
    Unrestorable,
    /// A setting can't work: a missing program, a wrong path, an unset variable.
    Config,
    /// A thing that is asked for is not there.
    NotFound,
    /// Refused on purpose, since it could harm something.
    Refused,
    /// No permission.
    Denied,
    /// No space, no file descriptors, no memory.
    Exhausted,
    /// A system can't be reached or answers with an error.
    Unavailable,
    /// It took longer than it may.
    TimedOut,
    /// The run was asked to stop.
    Interrupted,
}

/// An act on a system that failed. `Display` says what was done to what and what happened, in one fragment; the cause is in
/// `source`; what to do next is in [`Error::hint`].
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    retry: bool,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind. The message is a lower-case fragment that names the subject.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, retry: false, message: message.into(), hint: None, source: None }
    }

    /// An I/O error on `subject`, its kind drawn from the cause.
    pub fn io(doing: &str, subject: impl fmt::Display, cause: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match cause.kind() {
            Io::NotFound => Kind::NotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => Kind::Denied,
            Io::StorageFull | Io::QuotaExceeded | Io::OutOfMemory | Io::FileTooLarge => Kind::Exhausted,
            Io::TimedOut => Kind::TimedOut,
            _ => Kind::Unavailable,
        };
        Self::new(kind, format!("{doing} {subject}")).because(cause)
    }

    /// With its cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// With the next thing to do, as a full sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Marked as one that may go away by itself.
    #[must_use]
    pub fn temporary(mut self) -> Self {
        self.retry = true;
        self
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether trying again may help.
    pub fn is_temporary(&self) -> bool {
        self.retry
    }

    /// The next thing to do.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The message and every cause, in one line.
    pub fn chain(&self) -> String {
        let mut line = self.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            if !line.ends_with(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            cause = error.source();
        }
        line.replace(['\n', '\r'], " ")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|cause| cause as _)
    }
}
