//! SHA-256 of what a file holds, as an index keeps it.

use std::fmt;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::{Context, Result};

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// SHA-256 of a file's bytes, or nothing where it was not read. As text it is hexadecimal, and empty for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(Option<[u8; 32]>);

impl Sha256 {
    /// That of a file that was not read.
    pub const UNREAD: Self = Self(None);

    /// That of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut digest = Digest::default();
        digest.update(bytes);
        digest.finish()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |bytes| f.write_str(&hex::encode(bytes)))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Sha256 {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::UNREAD);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(|cause| format!("`{text}` is no SHA-256: {cause}"))?;
        Ok(Self(Some(bytes)))
    }
}

/// A digest that is being taken, part by part.
#[derive(Clone)]
pub(crate) struct Digest(digest::Context);

impl Default for Digest {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Digest {
    /// Takes in what comes next.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Takes in so many zeros: a hole.
    ///
    /// # Errors
    /// [`crate::Kind::Interrupted`]: a hole may be longer than anybody wants to wait.
    pub(crate) fn zeros(&mut self, cx: &Context, mut count: u64) -> Result<()> {
        while count > 0 {
            cx.go_on()?;
            let now = usize::try_from(count).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            self.0.update(&ZEROS[..now]);
            count -= now as u64;
        }
        Ok(())
    }

    /// The digest of all that was taken in.
    pub(crate) fn finish(self) -> Sha256 {
        Sha256(Some(self.bytes()))
    }

    /// The same, as bytes.
    pub(crate) fn bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        bytes
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_and_read_as_hexadecimal_and_nothing_as_nothing() {
        let text = "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"";
        let digest = Sha256::of(b"abc");
        assert_eq!(serde_json::to_string(&digest).expect("text"), text);
        assert_eq!(serde_json::from_str::<Sha256>(text).expect("read"), digest);
        assert_eq!(serde_json::from_str::<Sha256>("\"\"").expect("read"), Sha256::UNREAD);
        serde_json::from_str::<Sha256>("\"0123\"").expect_err("too short");
    }
}
