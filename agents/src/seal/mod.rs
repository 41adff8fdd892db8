//! The seal: what is stored is encrypted before it leaves this process, in files that stock `age` and `zstd` open. It is a
//! concrete writer that a source is handed, so that it can't be forgotten.
//!
//! ```text
//! source → SealWriter → [16 MiB segments] → zstd → age → SHA-256 → vault        (Sealing)
//! vault → length, SHA-256 → age → zstd → [segments in order] → OpenReader       (Located)
//! ```
//!
//! A passphrase seals no segment itself: that would cost a second of scrypt and, with stock `age`, a prompt for each. It seals
//! an identity that is made for the snapshot (`key.age`), and the segments are sealed to that.

mod envelope;
mod foreign;
mod generate;
mod identity;
mod keys;
mod lanes;
mod located;
mod payload;
mod recipient;
mod restore_md;
mod sealing;
mod verify;

pub use generate::{Found, KeyKind, generate, inspect};
pub use keys::Keys;
pub use located::{Located, header, locate};
pub use sealing::{About, Sealing, Stored};
pub use verify::{Verified, verify};
