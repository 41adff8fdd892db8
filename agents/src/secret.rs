//! Secrets are looked up where a reference says they are, and scrubbed from every text that leaves.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use drill_scenarios::Reference;
use secrecy::{ExposeSecret, SecretString};

use crate::{Error, Kind, Result};

/// Secrets shorter than this are not scrubbed: they would blank out half of every text.
const SHORTEST_SCRUBBED: usize = 4;

/// Looks secrets up and remembers them, so that they can be scrubbed.
#[derive(Debug)]
pub struct Secrets {
    base: PathBuf,
    seen: Mutex<Vec<SecretString>>,
}

impl Secrets {
    /// Files are relative to `base`, the scenario's folder.
    pub fn relative_to(base: &Path) -> Self {
        Self { base: base.into(), seen: Mutex::default() }
    }

    /// The folder that relative paths of the scenario start from.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The secret that `reference` points to.
    ///
    /// # Errors
    /// [`Kind::Config`] if it isn't there or is empty, naming the reference, never a value.
    pub fn resolve(&self, reference: &Reference) -> Result<SecretString> {
        let text = match reference {
            Reference::Env(name) => std::env::var(name).map_err(|_| missing(format!("environment variable {name}")))?,
            Reference::File(path) => read(&self.base.join(path))?,
            Reference::Credential(name) => read(&credentials_folder()?.join(name))?,
        };
        let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if text.is_empty() {
            return Err(missing(format!("{reference:?}")));
        }
        let secret = SecretString::from(text);
        self.remember(text);
        Ok(secret)
    }

    /// Remembers a secret that came from elsewhere (a password inside a URL), so that it is scrubbed too.
    pub fn remember(&self, secret: &str) {
        if secret.len() >= SHORTEST_SCRUBBED {
            self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(SecretString::from(secret));
        }
    }

    /// The text with every secret that was looked up replaced by `[secret]`.
    pub fn scrub(&self, text: &str) -> String {
        let seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), "[secret]"))
    }
}

fn missing(what: String) -> Error {
    Error::new(Kind::Config, format!("{what} is not set")).hint("Set it, or correct the reference in the scenario.")
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|cause| {
        Error::new(Kind::Config, format!("reading secret file {}", path.display()))
            .because(cause)
            .hint("Paths are relative to the scenario's folder.")
    })
}

fn credentials_folder() -> Result<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).ok_or_else(|| missing("CREDENTIALS_DIRECTORY".into()))
}
