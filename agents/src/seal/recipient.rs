//! Whom something is sealed to: one public key, in each of the ways that age knows.

use std::sync::Arc;

use age::{NoCallbacks, plugin, tag, tagpq, x25519};

use crate::{Error, Kind, Result};

/// Whom something is sealed to.
#[derive(Clone)]
pub(super) struct Recipient {
    /// The public key, or words where there is none to tell.
    pub(super) public: String,
    pub(super) wraps: Arc<dyn age::Recipient + Send + Sync>,
}

impl Recipient {
    /// The recipient that a public key is written for.
    ///
    /// # Errors
    /// [`Kind::Config`] if it is none, if its plugin isn't installed, or if this build leaves its kind out.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.starts_with("AGE-SECRET-KEY-") || text.starts_with("AGE-PLUGIN-") {
            return Err(Error::new(Kind::Config, "an identity stands where a recipient belongs")
                .hint("Replace it by its public key, and replace the key: it has been written down in the open."));
        }
        if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-") {
            return of_ssh(text);
        }
        if let Ok(key) = text.parse::<x25519::Recipient>() {
            return Ok(Self::new(text, key));
        }
        if let Ok(key) = text.parse::<tag::Recipient>() {
            return Ok(Self::new(text, key));
        }
        if let Ok(key) = text.parse::<tagpq::Recipient>() {
            return Ok(Self::new(text, key));
        }
        match text.parse::<plugin::Recipient>() {
            Ok(key) => of_plugin(text, key),
            Err(_) => Err(Error::new(Kind::Config, format!("{text:?} is no public key of age"))
                .hint("A recipient looks like `age1…` or `ssh-ed25519 …`; `drillctl keys` makes one.")),
        }
    }

    pub(super) fn new(public: &str, key: impl age::Recipient + Send + Sync + 'static) -> Self {
        Self { public: public.to_owned(), wraps: Arc::new(key) }
    }
}

fn of_plugin(text: &str, key: plugin::Recipient) -> Result<Recipient> {
    let name = key.plugin().to_owned();
    let wraps = plugin::RecipientPluginV1::new(&name, &[key], &[], NoCallbacks).map_err(|_| missing_plugin(&name))?;
    Ok(Recipient::new(text, wraps))
}

/// The program of a plugin is not there.
pub(super) fn missing_plugin(name: &str) -> Error {
    Error::new(Kind::Config, format!("age plugin `age-plugin-{name}` is not on the path"))
        .hint(format!("Install `age-plugin-{name}`, or use keys that need no plugin."))
}

#[cfg(feature = "ssh")]
fn of_ssh(text: &str) -> Result<Recipient> {
    let key = text.parse::<age::ssh::Recipient>().map_err(|cause| {
        Error::new(Kind::Config, format!("{:?} is no SSH key that can be sealed to", start_of(text)))
            .because(format!("{cause:?}"))
            .hint("Use a key of type `ssh-ed25519`, or `ssh-rsa` with at least 2048 bits.")
    })?;
    Ok(Recipient::new(&key.to_string(), key))
}

#[cfg(not(feature = "ssh"))]
fn of_ssh(text: &str) -> Result<Recipient> {
    Err(Error::new(Kind::Config, format!("recipient {:?} is an SSH key, which this build leaves out", start_of(text)))
        .hint("Build drillctl with the feature `ssh`, or seal to a key of age (`drillctl keys`)."))
}

/// Enough of a long key to know it by.
fn start_of(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_recipient_says_so_and_never_shows_a_secret() {
        let secret = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
        for (text, words) in [
            ("age1nonsense", "\"age1nonsense\" is no public key of age"),
            (secret, "an identity stands where a recipient belongs"),
        ] {
            let error = Recipient::parse(text).err().expect("refused");
            assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Config, words));
        }
    }

    #[test]
    fn a_hybrid_post_quantum_key_of_hardware_is_taken_natively() {
        let text = include_str!("testdata/tagpq.txt").trim();
        assert_eq!(Recipient::parse(text).expect("a recipient").public, text);
    }
}
