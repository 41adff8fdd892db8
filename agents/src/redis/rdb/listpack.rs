//! A listpack: short texts and whole numbers in one packed value.

use std::borrow::Cow;
use std::io;

use super::input::malformed;
use super::slice::{array, byte, int24, take};

/// Length of the header: bytes in all, and elements.
const HEADER: usize = 6;
const END: u8 = 0xff;

/// Its elements; numbers as the texts that they are to whoever asks.
pub(super) fn elements(packed: &[u8]) -> io::Result<Vec<Cow<'_, [u8]>>> {
    let mut rest = packed;
    take(&mut rest, HEADER)?;
    let mut elements = Vec::new();
    loop {
        let before = rest.len();
        let first = byte(&mut rest)?;
        if first == END {
            return if rest.is_empty() {
                Ok(elements)
            } else {
                Err(malformed("a listpack has something after its end"))
            };
        }
        elements.push(element(first, &mut rest)?);
        let length = before - rest.len();
        take(&mut rest, width_of_length(length))?;
    }
}

fn element<'a>(first: u8, rest: &mut &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
    let low = usize::from(first & 0x0f);
    let number: i64 = match first {
        0x00..=0x7f => first.into(),
        0x80..=0xbf => return take(rest, usize::from(first & 0x3f)).map(Cow::Borrowed),
        // 13 bits with their sign.
        0xc0..=0xdf => i64::from(i16::from_be_bytes([first << 3, 0]) | (i16::from(byte(rest)?) << 3)) >> 3,
        0xe0..=0xef => {
            let length = (low << 8) | usize::from(byte(rest)?);
            return take(rest, length).map(Cow::Borrowed);
        }
        0xf0 => {
            let length = u32::from_le_bytes(array(rest)?);
            return take(rest, usize::try_from(length).unwrap_or(usize::MAX)).map(Cow::Borrowed);
        }
        0xf1 => i16::from_le_bytes(array(rest)?).into(),
        0xf2 => int24(rest)?.into(),
        0xf3 => i32::from_le_bytes(array(rest)?).into(),
        0xf4 => i64::from_le_bytes(array(rest)?),
        _ => return Err(malformed("a listpack has an element of no known form")),
    };
    Ok(Cow::Owned(number.to_string().into()))
}

/// After each element stands its length, so that it can be read backwards: seven bits a byte.
fn width_of_length(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}
