//! Unpacking LZF, the compression of strings in an RDB: runs of plain bytes, and references to what came up to 8 KiB before.

use std::io;

use super::input::malformed;
use super::slice::{byte, take};

/// The plain bytes of `packed`, which must be as many as `length`.
pub(super) fn unpack(mut packed: &[u8], length: u64) -> io::Result<Vec<u8>> {
    let wrong = || malformed("a compressed string can't be unpacked");
    let mut plain = Vec::new();
    while !packed.is_empty() {
        let control = usize::from(byte(&mut packed)?);
        if control < 32 {
            plain.extend_from_slice(take(&mut packed, control + 1)?);
        } else {
            let more = if control >> 5 == 7 { byte(&mut packed)? } else { 0 };
            let count = (control >> 5) + usize::from(more) + 2;
            let back = ((control & 0x1f) << 8) + usize::from(byte(&mut packed)?) + 1;
            let from = plain.len().checked_sub(back).ok_or_else(wrong)?;
            // What is referred to may reach into what it makes.
            (from..from + count).for_each(|at| plain.push(plain[at]));
        }
        if plain.len() as u64 > length {
            return Err(wrong());
        }
    }
    if plain.len() as u64 == length { Ok(plain) } else { Err(wrong()) }
}
