//! What opens what is sealed: one private key. Its text never leaves this file but into the list of what is scrubbed.

use std::sync::Arc;

use age::{NoCallbacks, plugin, x25519};
use secrecy::{ExposeSecret, SecretString};

use super::recipient::{Recipient, missing_plugin};
use crate::{Error, Kind, Result};

/// What opens what is sealed.
#[derive(Clone)]
pub(super) struct Identity {
    /// Its public key; words where there is none to tell, as for a plugin's.
    pub(super) public: String,
    pub(super) unwraps: Arc<dyn age::Identity + Send + Sync>,
    /// Whom to seal to so that this one opens it.
    pub(super) recipient: Recipient,
}

impl Identity {
    /// Every identity in a text: the lines of an identity file of age, or one private key of SSH.
    ///
    /// # Errors
    /// [`Kind::Config`] if there is none or something else is in it; the message gives the line's number, never the line.
    pub(super) fn parse_all(from: &str, text: &SecretString) -> Result<Vec<Self>> {
        let exposed = text.expose_secret();
        if exposed.starts_with("age-encryption.org/") || exposed.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") {
            return Err(Error::new(Kind::Config, format!("{from} is sealed with a passphrase"))
                .hint("A drill asks nobody: keep the identity open in a file that only drillctl's account can read."));
        }
        if exposed.contains("PRIVATE KEY-----") {
            return of_ssh(from, exposed).map(|identity| vec![identity]);
        }
        let lines = exposed.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let identities: Vec<_> = lines.map(|(number, line)| of_line(from, number, line)).collect::<Result<_>>()?;
        if identities.is_empty() {
            return Err(Error::new(Kind::Config, format!("{from} holds no identity"))
                .hint("`drillctl keys` makes one; it begins with AGE-SECRET-KEY-1."));
        }
        Ok(identities)
    }

    /// A new one of age's standard kind, and its text.
    pub(super) fn generate() -> (Self, SecretString) {
        let key = x25519::Identity::generate();
        let text = key.to_string();
        (Self::of_x25519(key), text)
    }

    fn of_x25519(key: x25519::Identity) -> Self {
        let public = key.to_public();
        let text = public.to_string();
        Self { recipient: Recipient::new(&text, public), public: text, unwraps: Arc::new(key) }
    }
}

fn of_line(from: &str, number: usize, line: &str) -> Result<Identity> {
    if let Ok(key) = line.parse::<x25519::Identity>() {
        return Ok(Identity::of_x25519(key));
    }
    if let Ok(key) = line.parse::<plugin::Identity>() {
        return of_plugin(&key);
    }
    let what = if line.starts_with("AGE-SECRET-KEY-") { "an identity that can't be read" } else { "no identity" };
    Err(Error::new(Kind::Config, format!("{from} has {what} in line {number}"))
        .hint("A line is an identity (AGE-SECRET-KEY-1…, AGE-PLUGIN-…), a comment (#…) or empty."))
}

fn of_plugin(key: &plugin::Identity) -> Result<Identity> {
    let name = key.plugin();
    let keys = std::slice::from_ref(key);
    let missing = |_| missing_plugin(name);
    let wraps = plugin::RecipientPluginV1::new(name, &[], keys, NoCallbacks).map_err(missing)?;
    let unwraps = plugin::IdentityPluginV1::new(name, keys, NoCallbacks).map_err(missing)?;
    let public = format!("an identity of age-plugin-{name}");
    Ok(Identity { recipient: Recipient::new(&public, wraps), unwraps: Arc::new(unwraps), public })
}

#[cfg(feature = "ssh")]
fn of_ssh(from: &str, text: &str) -> Result<Identity> {
    use age::ssh;
    let wrong = |what: &str| Error::new(Kind::Config, format!("{from} holds an SSH key that {what}"));
    let text = format!("{}\n", text.trim_end());
    let key =
        ssh::Identity::from_buffer(text.as_bytes(), None).map_err(|cause| wrong("can't be read").because(cause))?;
    match key {
        ssh::Identity::Unencrypted(_) => {}
        ssh::Identity::Encrypted(_) => {
            return Err(wrong("is sealed with a passphrase").hint("A drill asks nobody: use a key without passphrase."));
        }
        ssh::Identity::Unsupported(_) => return Err(wrong("is of a kind that can't open anything")),
    }
    let recipient = ssh::Recipient::try_from(key.clone()).map_err(|_| wrong("has no public key"))?;
    let public = recipient.to_string();
    Ok(Identity { recipient: Recipient::new(&public, recipient), unwraps: Arc::new(key), public })
}

#[cfg(not(feature = "ssh"))]
fn of_ssh(from: &str, _: &str) -> Result<Identity> {
    Err(Error::new(Kind::Config, format!("{from} holds an SSH key, which this build leaves out"))
        .hint("Build drillctl with the feature `ssh`, or use an identity of age (`drillctl keys`)."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Identity>> {
        Identity::parse_all("file key.txt", &SecretString::from(text))
    }

    #[test]
    fn a_file_holds_comments_blank_lines_and_several_identities() {
        let ((one, first), (two, second)) = (Identity::generate(), Identity::generate());
        let text = format!("# mine\r\n\n{}\n  {}  \n", first.expose_secret(), second.expose_secret());
        let found: Vec<_> = parse(&text).expect("two").into_iter().map(|identity| identity.public).collect();
        assert_eq!(found, [one.public, two.public]);
    }

    #[test]
    fn what_is_no_identity_file_says_why_without_quoting_it() {
        for (text, words) in [
            ("# nothing\n", "file key.txt holds no identity"),
            ("# a\nhunter2hunter2\n", "file key.txt has no identity in line 2"),
            ("AGE-SECRET-KEY-1HUNTER2\n", "file key.txt has an identity that can't be read in line 1"),
            ("age-encryption.org/v1\n-> scrypt x 18\n", "file key.txt is sealed with a passphrase"),
            ("-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n", "file key.txt is sealed with a passphrase"),
            ("AGE-PLUGIN-NOSUCHPLUGIN-1QQQQQQQQFM93NJ", "age plugin `age-plugin-nosuchplugin` is not on the path"),
        ] {
            let error = parse(text).err().expect("refused");
            assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Config, words));
            assert!(!format!("{error:?}").to_lowercase().contains("hunter2"), "{error:?}");
        }
    }
}
