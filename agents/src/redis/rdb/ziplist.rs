//! A ziplist: what listpacks replaced in Redis 7, so RDBs of older servers hold them.

use std::borrow::Cow;
use std::io;

use super::input::malformed;
use super::slice::{array, byte, int24, take};

/// Length of the header: bytes in all, where the last element is, and how many there are.
const HEADER: usize = 10;
const END: u8 = 0xff;
/// The length of the element before takes four bytes more.
const LONG: u8 = 0xfe;

/// Its elements; numbers as the texts that they are to whoever asks.
pub(super) fn elements(packed: &[u8]) -> io::Result<Vec<Cow<'_, [u8]>>> {
    let mut rest = packed;
    take(&mut rest, HEADER)?;
    let mut elements = Vec::new();
    loop {
        match byte(&mut rest)? {
            END if rest.is_empty() => return Ok(elements),
            END => return Err(malformed("a ziplist has something after its end")),
            LONG => take(&mut rest, 4).map(|_| ())?,
            _ => {}
        }
        elements.push(element(&mut rest)?);
    }
}

fn element<'a>(rest: &mut &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
    let first = byte(rest)?;
    let low = usize::from(first & 0x3f);
    let number: i64 = match first {
        0x00..=0x3f => return take(rest, low).map(Cow::Borrowed),
        0x40..=0x7f => {
            let length = (low << 8) | usize::from(byte(rest)?);
            return take(rest, length).map(Cow::Borrowed);
        }
        0x80 => {
            let length = u32::from_be_bytes(array(rest)?);
            return take(rest, usize::try_from(length).unwrap_or(usize::MAX)).map(Cow::Borrowed);
        }
        0xc0 => i16::from_le_bytes(array(rest)?).into(),
        0xd0 => i32::from_le_bytes(array(rest)?).into(),
        0xe0 => i64::from_le_bytes(array(rest)?),
        0xf0 => int24(rest)?.into(),
        0xfe => i8::from_le_bytes(array(rest)?).into(),
        0xf1..=0xfd => i64::from(first & 0x0f) - 1,
        _ => return Err(malformed("a ziplist has an element of no known form")),
    };
    Ok(Cow::Owned(number.to_string().into()))
}
