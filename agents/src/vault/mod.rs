//! Vaults: where sealed snapshots rest. Storage is reached through Apache OpenDAL only, so that every service has the same few
//! verbs here; what a service can do beyond them is told as data. Nothing in here knows what is in a snapshot but its header.

mod address;
mod attempt;
mod bucket;
mod cause;
mod files;
mod folder;
mod header;
mod listing;
mod objects;
mod overlap;
mod pages;
mod probe;
mod transport;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use opendal::{HttpTransporter, Operator};
use tokio_util::sync::CancellationToken;
use url::Url;

use self::transport::PacedTransport;
use crate::{Context, Error, Kind, Limits, Result, Secrets, install_tls};

pub(crate) use bucket::{About, Kept, Listed};
pub(crate) use files::Stored;
pub use listing::Listing;
pub(crate) use pages::Pages;

/// Name of a snapshot's header.
pub(crate) const HEADER_NAME: &str = "snapshot.json";

/// Services that have no renaming and need none: what is uploaded appears when all of it is there.
const ATOMIC_STORES: [&str; 10] = ["s3", "gcs", "azblob", "b2", "cos", "obs", "oss", "swift", "tos", "upyun"];

/// Services that are not reached over HTTP.
const NOT_HTTP: [&str; 2] = ["fs", "sftp"];

/// Where sealed snapshots rest. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    operator: Operator,
    prefix: String,
    location: String,
    folder: Option<PathBuf>,
    /// Where its server answers, where that is told.
    endpoint: Option<Url>,
    limits: Limits,
    cancel: CancellationToken,
    /// Whether the store was seen to refuse a write where something is; empty until it was tried.
    conditions: Arc<OnceLock<bool>>,
}

/// What a vault can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// OpenDAL's name of the service.
    pub service: String,
    /// A file appears under its name whole or not at all.
    pub atomic: bool,
    /// Free space can be told ([`Vault::free_bytes`]).
    pub free_space: bool,
    /// What is stored is on stable storage before it counts as stored, as far as this side can see to it.
    pub synced: bool,
    /// A header is never written over another. Stores are known that say so and overwrite: of a store this is true once
    /// [`Vault::probe_write`] has seen it.
    pub conditional_writes: bool,
    /// The service offers to list earlier versions of a file.
    pub versions: bool,
}

impl Vault {
    /// The vault that a scenario names. Nothing is reached yet.
    ///
    /// # Errors
    /// [`Kind::Config`] for an address that can't be, credentials in the address, or a service that this build leaves out.
    pub fn open(vault: &drill_scenarios::Vault, secrets: &Secrets) -> Result<Self> {
        install_tls();
        address::open(vault, secrets)
    }

    fn new(operator: Operator, location: String) -> Self {
        Self {
            operator,
            prefix: String::new(),
            location,
            folder: None,
            endpoint: None,
            limits: Limits::default(),
            cancel: CancellationToken::new(),
            conditions: Arc::default(),
        }
    }

    /// The same for a run: under its limits, and nothing is tried again once it was asked to stop.
    #[must_use]
    pub fn within(mut self, cx: &Context) -> Self {
        (self.limits, self.cancel) = (cx.limits.clone(), cx.cancel.clone());
        if let Some(pace) = self.limits.vault.clone().filter(|_| self.is_http()) {
            let transport = HttpTransporter::new(PacedTransport::new(pace));
            let context = self.operator.context().with_http_transport(transport);
            self.operator = self.operator.with_context(context);
        }
        self
    }

    /// Whether it is reached over HTTP, where uploads keep their pace on the wire.
    fn is_http(&self) -> bool {
        !NOT_HTTP.contains(&self.operator.info().scheme())
    }

    /// Whether a write is refused where something is. In a folder this side sees to it.
    fn honours_conditions(&self) -> bool {
        self.folder.is_some() || self.conditions.get().is_some_and(|honoured| *honoured)
    }

    /// The path for OpenDAL of a path in this vault.
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Where it is, in words; never with credentials.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The folder it is in, where it is one.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// What it can do.
    pub fn capabilities(&self) -> Capabilities {
        let can = self.operator.info().capability();
        let service = self.operator.info().scheme();
        Capabilities {
            service: service.into(),
            atomic: can.rename || ATOMIC_STORES.contains(&service),
            free_space: self.folder.is_some(),
            synced: self.folder.is_some(),
            conditional_writes: self.honours_conditions(),
            versions: can.list_with_versions,
        }
    }

    /// Bytes that can still be stored, where that can be known: in a folder.
    pub fn free_bytes(&self) -> Option<u64> {
        self.folder.as_deref().and_then(folder::free_bytes)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("location", &self.location).finish_non_exhaustive()
    }
}

/// The folder of this snapshot, in the vault.
///
/// # Errors
/// [`Kind::Config`] if it is no snapshot's id: an id is a plain name.
fn snapshot_folder(id: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.is_empty() || id.starts_with('.') || !id.chars().all(plain) {
        return Err(Error::new(Kind::Config, format!("{id:?} is no snapshot id"))
            .hint("Take an id from `drillctl vault list`."));
    }
    Ok(format!("snapshots/{id}/"))
}
