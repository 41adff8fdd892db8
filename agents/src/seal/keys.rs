//! The keys of a scenario: to whom a snapshot is sealed and what opens it again.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use drill_scenarios::{Reference, Seal};
use secrecy::{ExposeSecret, SecretString};

use super::envelope::{self, Fault};
use super::foreign;
use super::identity::Identity;
use super::recipient::Recipient;
use crate::{Error, Kind, Note, Result, Secrets};

/// How a passphrase is written where public keys stand.
const PASSPHRASE: &str = "passphrase";

/// The keys of a scenario. No text of a private key can be had from it.
#[derive(Clone)]
pub struct Keys {
    recipients: Vec<Recipient>,
    identities: Vec<Identity>,
    passphrase: Option<SecretString>,
    warnings: Vec<Note>,
}

/// What the files of one snapshot are sealed with.
pub(super) struct Lock {
    pub(super) recipients: Vec<Recipient>,
    /// The sealed identity of the snapshot, where a passphrase opens it.
    pub(super) key: Option<envelope::Sealed>,
}

impl Keys {
    /// Reads the keys that a scenario names. Absent recipients are those of the identities.
    ///
    /// # Errors
    /// [`Kind::Config`] for a key that can't be read, a missing plugin, no key at all, or a passphrase beside keys.
    pub fn open(seal: &Seal, secrets: &Secrets) -> Result<Self> {
        let mut keys = Self { recipients: Vec::new(), identities: Vec::new(), passphrase: None, warnings: Vec::new() };
        if let Some(reference) = &seal.passphrase {
            if !seal.recipients.is_empty() || !seal.identities.is_empty() {
                return Err(Error::new(Kind::Config, "seal has both a passphrase and keys").hint("Keep one of them."));
            }
            keys.warnings.extend(warning(reference, secrets));
            keys.passphrase = Some(secrets.resolve(reference)?);
            return Ok(keys);
        }
        for reference in &seal.identities {
            keys.warnings.extend(warning(reference, secrets));
            keys.identities.extend(identities(reference, secrets)?);
        }
        keys.recipients = seal.recipients.iter().map(|text| Recipient::parse(text)).collect::<Result<_>>()?;
        if keys.recipients.is_empty() {
            keys.recipients = keys.identities.iter().map(|identity| identity.recipient.clone()).collect();
        }
        if keys.recipients.is_empty() {
            return Err(Error::new(Kind::Config, "seal has neither recipients nor identities")
                .hint("Make an identity with `drillctl keys` and name it under `seal: identities:`."));
        }
        Ok(keys)
    }

    /// Public keys that is sealed to; `passphrase` where there is one.
    pub fn recipients(&self) -> Vec<String> {
        if self.passphrase.is_some() {
            return vec![PASSPHRASE.into()];
        }
        self.recipients.iter().map(|recipient| recipient.public.clone()).collect()
    }

    /// Public keys of the identities, in the order in which they are tried.
    pub fn identities(&self) -> Vec<String> {
        self.identities.iter().map(|identity| identity.public.clone()).collect()
    }

    /// What people should know about where the keys are kept: files that others can read.
    pub fn warnings(&self) -> &[Note] {
        &self.warnings
    }

    /// Seals a random number to the recipients and opens it with the identities. Returns the public key of the first identity
    /// that opens it. A plugin may take its time: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`Kind::Config`] if none opens it: a drill with these keys could only fail.
    pub fn prove(&self) -> Result<String> {
        if self.passphrase.is_some() {
            return Ok(PASSPHRASE.into());
        }
        let nonce: [u8; 32] = rand::random();
        let sealed = envelope::seal(&self.recipients, &nonce, Vec::new())?;
        for identity in &self.identities {
            match envelope::open(identity.unwraps.as_ref(), &sealed.bytes, nonce.len() as u64, Vec::new()) {
                Ok(opened) if opened == nonce => return Ok(identity.public.clone()),
                Ok(_) | Err(Fault::NoMatch) => {}
                Err(fault) => return Err(fault.on("a file that was just sealed")),
            }
        }
        let words = match self.identities.len() {
            0 => "seal has no identity to open the snapshot with".into(),
            _ => format!("none of the identities opens what is sealed to {}", self.recipients().join(", ")),
        };
        Err(Error::new(Kind::Config, words)
            .hint("Add the identity of a recipient to `identities`, or the public key of an identity to `recipients`."))
    }

    /// What to seal one snapshot with.
    pub(super) fn lock(&self) -> Result<Lock> {
        let Some(passphrase) = &self.passphrase else {
            return Ok(Lock { recipients: self.recipients.clone(), key: None });
        };
        let (identity, text) = Identity::generate();
        let key = envelope::seal_key(passphrase, &text)?;
        Ok(Lock { recipients: vec![identity.recipient], key: Some(key) })
    }

    /// What to open a snapshot with whose own identity is sealed with a passphrase.
    pub(super) fn unlock(&self, key: &[u8], plain_bytes: u64) -> std::result::Result<Vec<Identity>, Fault> {
        let passphrase = self.passphrase.clone().ok_or(Fault::NoMatch)?;
        let text = envelope::open_key(passphrase, key, plain_bytes)?;
        let opened = Identity::parse_all("key.age", &text).map_err(|error| Fault::Damaged(error.to_string()))?;
        Ok(opened.into_iter().map(|identity| Identity { public: PASSPHRASE.into(), ..identity }).collect())
    }

    /// What is inside a file of age that something else has sealed, as it is read. Nothing of it may be believed before it was read to its
    /// end: a file that was cut off says so there.
    ///
    /// # Errors
    /// [`Kind::WrongKey`], [`Kind::Corrupt`] for what is no such file, [`Kind::Config`] for a plugin that can't be asked.
    pub(crate) fn read_foreign<'a>(&self, sealed: impl Read + 'a, subject: &str) -> Result<Box<dyn Read + 'a>> {
        foreign::open(&self.identities, sealed).map_err(|fault| fault.on(subject))
    }

    /// The identities themselves.
    pub(super) fn to_identities(&self) -> Vec<Identity> {
        self.identities.clone()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("recipients", &self.recipients()).field("identities", &self.identities()).finish()
    }
}

fn identities(reference: &Reference, secrets: &Secrets) -> Result<Vec<Identity>> {
    let text = secrets.resolve(reference)?;
    // A whole file is not what leaks: a line of it is.
    let lines = text.expose_secret().lines().map(str::trim);
    lines.filter(|line| !line.starts_with(['#', '-'])).for_each(|line| secrets.remember(line));
    let from = match reference {
        Reference::Env(name) => format!("environment variable {name}"),
        Reference::File(path) => format!("file {}", path.display()),
        Reference::Credential(name) => format!("credential {name}"),
    };
    Identity::parse_all(&from, &text)
}

/// What people should know about where a secret is kept.
fn warning(reference: &Reference, secrets: &Secrets) -> Option<Note> {
    let path = match reference {
        Reference::Env(_) => return None,
        Reference::File(path) => secrets.base().join(path),
        Reference::Credential(name) => PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name),
    };
    let statement = exposure(&path)?;
    Some(Note { subject: path.display().to_string(), statement })
}

/// Who else can read or change a file of keys, as a sentence; nothing if nobody can.
pub(super) fn exposure(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.mode() & 0o7777;
    let who = match (mode & 0o007, mode & 0o070) {
        (0, 0) => return None,
        (0, _) => "Its group",
        _ => "Everybody on this host",
    };
    let what = if mode & 0o022 != 0 { "change" } else { "read" };
    Some(format!("{who} can {what} it (mode {mode:04o}); `chmod 600` keeps it to its owner."))
}
