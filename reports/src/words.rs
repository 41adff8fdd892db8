//! The words that every view uses for verdicts, levels, stages, phases and severities, so that they all say the same.

use std::fmt;

use crate::{Assurance, Objective, Outcome, Phase, Severity, Stage, TriggerKind, Verdict};

impl Verdict {
    /// What it means, in one sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "Everything that was promised holds.",
            Self::Failed => "The backup did not do what was promised.",
            Self::Errored => "It could not be found out whether the backup does what was promised.",
            Self::Aborted => "The run was stopped or died; it claims nothing.",
        }
    }
}

impl Assurance {
    /// All levels, from the lowest.
    pub const ALL: [Self; 6] = [
        Self::BytesIntact,
        Self::Decrypts,
        Self::Restores,
        Self::ContentEqual,
        Self::ApplicationHealthy,
        Self::SystemsAgree,
    ];

    /// `L0` to `L5`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::BytesIntact => "L0",
            Self::Decrypts => "L1",
            Self::Restores => "L2",
            Self::ContentEqual => "L3",
            Self::ApplicationHealthy => "L4",
            Self::SystemsAgree => "L5",
        }
    }

    /// Its name: `bytes intact`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BytesIntact => "bytes intact",
            Self::Decrypts => "decrypts",
            Self::Restores => "restores",
            Self::ContentEqual => "content equal",
            Self::ApplicationHealthy => "application healthy",
            Self::SystemsAgree => "systems agree",
        }
    }

    /// What is known once it is proved, in one sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::BytesIntact => "The sealed bytes in the vault are those that were stored.",
            Self::Decrypts => "An identity opens them.",
            Self::Restores => "They restore.",
            Self::ContentEqual => "What came back is what went in.",
            Self::ApplicationHealthy => "The application lives on it.",
            Self::SystemsAgree => "Several systems agree with each other.",
        }
    }
}

impl Stage {
    /// The straight line that every run takes.
    pub const LINE: [Self; 7] =
        [Self::Capture, Self::Store, Self::Provision, Self::Restore, Self::Verify, Self::Probe, Self::Release];

    /// What is done in it, as a fragment.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Capture => "take the backup, or choose one",
            Self::Store => "complete the snapshot in the vault",
            Self::Provision => "make the environment",
            Self::Restore => "fetch, open and restore",
            Self::Verify => "compare with what was captured",
            Self::Probe => "start the app and look",
            Self::Release => "remove everything the run made",
        }
    }
}

impl Phase {
    /// What is done in it, as a fragment.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Provision => "make the environment",
            Self::Locate => "find the snapshot, read header and index",
            Self::Fetch => "fetch segments from the vault",
            Self::Open => "check, decrypt and decompress",
            Self::Load => "write files or load the database",
            Self::Ready => "start the app until it is ready",
        }
    }
}

impl Objective {
    /// What it limits: `recovery time`, `recovery point`, `backup age of uploads`.
    #[must_use]
    pub fn title(&self) -> String {
        let what = match self.name.as_str() {
            "rto" => "recovery time",
            "rpo" => "recovery point",
            "max_age" => "backup age",
            other => other,
        };
        match &self.system {
            None => what.to_owned(),
            Some(system) => format!("{what} of {system}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Aborted => "aborted",
        })
    }
}

/// `L3 content equal`.
impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.label(), self.name())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Capture => "capture",
            Self::Store => "store",
            Self::Provision => "provision",
            Self::Restore => "restore",
            Self::Verify => "verify",
            Self::Probe => "probe",
            Self::Release => "release",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Provision => "provision",
            Self::Locate => "locate",
            Self::Fetch => "fetch",
            Self::Open => "open",
            Self::Load => "load",
            Self::Ready => "ready",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Major => "major",
            Self::Critical => "critical",
        })
    }
}

impl fmt::Display for TriggerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Challenge => "challenge",
        })
    }
}
