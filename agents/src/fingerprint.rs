//! What something holds, in one number that can be added up.

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// What something holds, in 128 bits that can be added up: the sum over things doesn't depend on their order, and a thing that is there
/// twice counts twice.
///
/// It is made of SHA-256. Sums don't withstand somebody who constructs collisions and needn't: the bytes of a backup are bound by the
/// digests of its sealed segments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// That of these parts in this order.
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut sequence = Sequence::default();
        parts.into_iter().for_each(|part| sequence.push(part));
        sequence.finish()
    }

    /// Adds that of one more thing, in any order.
    pub(crate) fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// As a part of another.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        format!("{:032x}", fingerprint.0)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}

/// A fingerprint of parts that come one after the other. The length of each goes in before it, so that no two sequences look the same.
#[derive(Debug)]
pub(crate) struct Sequence(Inside);

/// Most sequences are short, and digesting them at once takes a third of the time.
#[derive(Debug)]
enum Inside {
    Short(Vec<u8>),
    Long(Box<Digest>),
}

/// Bytes that are kept to be digested at once.
const SHORT: usize = 4096;

impl Default for Sequence {
    fn default() -> Self {
        Self(Inside::Short(Vec::new()))
    }
}

impl Sequence {
    /// Takes in the next part.
    pub(crate) fn push(&mut self, part: &[u8]) {
        let length = (part.len() as u64).to_be_bytes();
        if let Inside::Short(bytes) = &self.0
            && bytes.len() + length.len() + part.len() > SHORT
        {
            let mut digest = Digest::default();
            digest.update(bytes);
            self.0 = Inside::Long(Box::new(digest));
        }
        for bytes in [&length[..], part] {
            match &mut self.0 {
                Inside::Short(kept) => kept.extend_from_slice(bytes),
                Inside::Long(digest) => digest.update(bytes),
            }
        }
    }

    /// The fingerprint of all that was taken in.
    pub(crate) fn finish(self) -> Fingerprint {
        let mut first = [0; 16];
        match self.0 {
            Inside::Short(bytes) => first.copy_from_slice(&digest::digest(&digest::SHA256, &bytes).as_ref()[..16]),
            Inside::Long(digest) => first.copy_from_slice(&digest.bytes()[..16]),
        }
        Fingerprint(u128::from_be_bytes(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_by_their_lengths_and_however_long_they_are() {
        let of = |parts: &[&[u8]]| Fingerprint::of(parts.iter().copied());
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
        assert_ne!(of(&[b"", b"a"]), of(&[b"a"]));
        let long = vec![7; SHORT];
        let mut digest = Digest::default();
        let parts = [&5_u64.to_be_bytes()[..], b"short", &(SHORT as u64).to_be_bytes(), &long];
        parts.iter().for_each(|bytes| digest.update(bytes));
        let expected = u128::from_be_bytes(digest.bytes()[..16].try_into().expect("16 bytes"));
        assert_eq!(of(&[b"short", &long]), Fingerprint(expected));
    }
}
