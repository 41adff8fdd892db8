//! The joint of sources: what is backed up.

use std::net::SocketAddr;
use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Canary, Context, Identity, Index, Note, Removal, Result, SealWriter, Vault};

/// What is backed up. It is only read, but for a canary that the scenario allows.
///
/// Contract, which the conformance suite holds every kind to:
/// * `identity` and `estimate` change nothing and are cheap;
/// * `capture` writes one whole stream of `index.format` and returns an index of just what went into it; what it could not read
///   is an error, what changed while it was read is a note;
/// * capturing an unchanged source twice gives equal indices, but for files that taking the backup changes;
/// * `plant` adds nothing but the canary; `unplant` removes just that, and calling it again is success.
#[async_trait]
pub trait Source: Send + Sync {
    /// Who the system is, by its own word.
    async fn identity(&self, cx: &Context) -> Result<Identity>;

    /// Refuses a vault, which may not be there yet, if captures would take it along.
    ///
    /// # Errors
    /// [`crate::Kind::Refused`]; I/O errors.
    async fn admit_vault(&self, _vault: &Vault) -> Result<()> {
        Ok(())
    }

    /// Where it is: what programs in a sandbox must be kept from.
    async fn whereabouts(&self) -> Whereabouts {
        Whereabouts::default()
    }

    /// How much there is to take.
    async fn estimate(&self, cx: &Context) -> Result<Estimate>;

    /// Bytes of the largest copy that a capture makes in the run's folder and takes away again.
    async fn copied_bytes(&self, _cx: &Context) -> Result<u64> {
        Ok(0)
    }

    /// Plants the canary. Called only where the scenario allows it.
    async fn plant(&self, cx: &Context, canary: &Canary) -> Result<()>;

    /// Removes the canary of run `run`, if it is there.
    async fn unplant(&self, cx: &Context, run: &str) -> Result<Removal>;

    /// Takes the backup.
    async fn capture(&self, cx: &Context, out: &mut SealWriter) -> Result<Captured>;
}

/// Where a source is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Addresses that it answers at.
    pub addresses: Vec<SocketAddr>,
    /// Its files, folders and sockets on this host.
    pub paths: Vec<PathBuf>,
}

/// How much there is to take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Bytes of the plain stream, roughly.
    pub stream_bytes: u64,
    /// Bytes that the restored data takes, roughly.
    pub restored_bytes: u64,
    /// Files, tables or rows, whichever there are.
    pub items: u64,
}

impl Estimate {
    /// Whether anything is known: there is no backup of nothing.
    pub fn is_known(&self) -> bool {
        self.stream_bytes > 0
    }
}

/// What was taken.
#[derive(Debug, Clone)]
pub struct Captured {
    /// What is in it.
    pub index: Index,
    /// The instant that the content is consistent at; where there is none, the instant at which the capture began.
    pub taken_at: Timestamp,
    /// Newest data in it, as far as the source tells.
    pub newest_at: Option<Timestamp>,
    /// What people should know about it: files that changed while they were read, things that were left out.
    pub notes: Vec<Note>,
}
