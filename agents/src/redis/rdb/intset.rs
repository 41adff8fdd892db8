//! A set of whole numbers in one packed value.

use std::io;

use super::input::malformed;
use super::slice::array;

/// Its numbers, as the texts that they are to whoever asks.
pub(super) fn elements(mut packed: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let width = u32::from_le_bytes(array(&mut packed)?);
    let count = u32::from_le_bytes(array(&mut packed)?);
    if !matches!(width, 2 | 4 | 8) || packed.len() as u64 != u64::from(width) * u64::from(count) {
        return Err(malformed("a set of numbers is none"));
    }
    let mut elements = Vec::new();
    while !packed.is_empty() {
        let number = match width {
            2 => i16::from_le_bytes(array(&mut packed)?).into(),
            4 => i32::from_le_bytes(array(&mut packed)?).into(),
            _ => i64::from_le_bytes(array(&mut packed)?),
        };
        elements.push(number.to_string().into());
    }
    Ok(elements)
}
