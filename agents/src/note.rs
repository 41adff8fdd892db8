//! Things that people should know and that no check covers.

/// Something to know about a capture, a provisioning or a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Which thing.
    pub subject: String,
    /// The fact, as a sentence.
    pub statement: String,
}
