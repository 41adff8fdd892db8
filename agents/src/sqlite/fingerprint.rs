//! The fingerprint of a table's content, which doesn't depend on the order of its rows.
//!
//! It is the sum modulo 2^256 of the SHA-256 of every row, read as a number with its highest byte first, in 64 hexadecimal digits. A
//! row is its values one after the other: 0 for NULL; 1 and eight bytes for an integer; 2 and the eight bytes of IEEE 754 for a real;
//! 3 or 4, the length in eight bytes, and the bytes of a text (in UTF-8) or blob. All numbers have their highest byte first.
//!
//! A sum, unlike an exclusive or, tells a row that is there twice from one that isn't there at all. It finds every accident;
//! against somebody who searches for other rows of the same sum it is no proof.

use aws_lc_rs::digest::{Context, SHA256};
use rusqlite::types::ValueRef;

/// A fingerprint that is being made.
#[derive(Debug, Default)]
pub(super) struct Fingerprint([u64; 4]);

impl Fingerprint {
    /// Adds a row.
    pub(super) fn add(&mut self, row: &rusqlite::Row<'_>, columns: usize) -> rusqlite::Result<()> {
        let mut digest = Context::new(&SHA256);
        for column in 0..columns {
            match row.get_ref(column)? {
                ValueRef::Null => digest.update(&[0]),
                ValueRef::Integer(number) => {
                    digest.update(&[1]);
                    digest.update(&number.to_be_bytes());
                }
                ValueRef::Real(number) => {
                    digest.update(&[2]);
                    digest.update(&number.to_bits().to_be_bytes());
                }
                ValueRef::Text(bytes) => long(&mut digest, 3, bytes),
                ValueRef::Blob(bytes) => long(&mut digest, 4, bytes),
            }
        }
        self.sum(digest.finish().as_ref());
        Ok(())
    }

    /// As hexadecimal digits.
    pub(super) fn finish(self) -> String {
        self.0.iter().map(|lane| format!("{lane:016x}")).collect()
    }

    fn sum(&mut self, digest: &[u8]) {
        let mut carry = false;
        for (lane, bytes) in self.0.iter_mut().zip(digest.as_chunks::<8>().0).rev() {
            let (sum, first) = lane.overflowing_add(u64::from_be_bytes(*bytes));
            let (sum, second) = sum.overflowing_add(carry.into());
            (*lane, carry) = (sum, first | second);
        }
    }
}

fn long(digest: &mut Context, tag: u8, bytes: &[u8]) {
    digest.update(&[tag]);
    digest.update(&(bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_summed_with_carry_and_beyond_the_end_from_zero() {
        let mut sum = Fingerprint::default();
        sum.sum(&[0xff; 32]);
        assert_eq!(Fingerprint(sum.0).finish(), "f".repeat(64));
        sum.sum(&{
            let mut two = [0; 32];
            two[31] = 2;
            two
        });
        assert_eq!(sum.finish(), format!("{}1", "0".repeat(63)));
    }
}
