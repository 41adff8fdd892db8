//! Making identities, and looking into files of them, for the command line.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::identity::Identity;
use super::keys::exposure;
use crate::{Clock, Error, Result};

/// Kinds of identity that can be made here. Hybrid post-quantum ones come from a plugin: the age library has none of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// Age's standard kind.
    #[default]
    X25519,
}

/// One identity that was found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its public key; words where there is none to tell, as for a plugin's.
    pub public: String,
    /// Who else can read or change the file, as a sentence.
    pub exposed: Option<String>,
}

/// Makes an identity. Returns the text of an identity file, as `age-keygen` writes it, and the public key.
pub fn generate(kind: KeyKind, clock: &Clock) -> (SecretString, String) {
    let KeyKind::X25519 = kind;
    let (identity, secret) = Identity::generate();
    let (public, made) = (identity.public, clock.now());
    let text = format!("# created: {made}\n# public key: {public}\n{}\n", secret.expose_secret());
    (text.into(), public)
}

/// The identities in a file, by their public keys.
///
/// # Errors
/// I/O errors; [`crate::Kind::Config`] if it is no identity file.
pub fn inspect(path: &Path) -> Result<Vec<Found>> {
    let text =
        std::fs::read_to_string(path).map_err(|cause| Error::io("reading identity file", path.display(), cause))?;
    let identities = Identity::parse_all(&format!("file {}", path.display()), &SecretString::from(text))?;
    let exposed = exposure(path);
    Ok(identities.into_iter().map(|identity| Found { public: identity.public, exposed: exposed.clone() }).collect())
}
