//! Reading from the front of bytes in memory.

use std::io;

use super::input::malformed;

/// The next `count` bytes.
pub(super) fn take<'a>(rest: &mut &'a [u8], count: usize) -> io::Result<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count).ok_or_else(|| malformed("a packed value is cut off"))?;
    *rest = left;
    Ok(taken)
}

/// The next byte.
pub(super) fn byte(rest: &mut &[u8]) -> io::Result<u8> {
    array(rest).map(|[byte]| byte)
}

/// The next `N` bytes.
pub(super) fn array<const N: usize>(rest: &mut &[u8]) -> io::Result<[u8; N]> {
    let taken = take(rest, N)?;
    taken.try_into().map_err(|_| malformed("a packed value is cut off"))
}

/// The next whole number of 3 bytes, the lowest first.
pub(super) fn int24(rest: &mut &[u8]) -> io::Result<i32> {
    let [low, middle, high] = array(rest)?;
    Ok(i32::from_le_bytes([0, low, middle, high]) >> 8)
}
