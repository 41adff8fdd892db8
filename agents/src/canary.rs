//! A nonce that is planted in the source before the capture and looked for in what was restored: it proves that *this*
//! backup was read, not an older one under its name.

use jiff::Timestamp;

/// What is planted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Run id: it names the planted thing, so that two runs on one source don't collide.
    pub run: String,
    /// The random number that must come back.
    pub nonce: String,
    /// When it was planted; it is stored beside the nonce.
    pub planted_at: Timestamp,
}

/// What was found in the restored data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanarySeen {
    /// The nonce that came back.
    pub nonce: String,
    /// The time that came back with it.
    pub planted_at: Timestamp,
}
