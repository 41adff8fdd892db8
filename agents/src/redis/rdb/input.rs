//! The pieces that an RDB is made of: numbers, lengths and strings.

use std::io::{self, Read};

use super::lzf;

/// What is allocated at once for a string, before its bytes have come.
const AT_ONCE: u64 = 1 << 20;

/// An RDB that is read.
#[derive(Debug)]
pub(super) struct Input<R> {
    from: R,
}

/// What stands where a length is expected.
enum Length {
    Of(u64),
    /// A string in another form: 0, 1 and 2 for whole numbers of 1, 2 and 4 bytes, 3 for one that is compressed.
    Encoded(u8),
}

impl<R: Read> Input<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from }
    }

    pub(super) fn byte(&mut self) -> io::Result<u8> {
        self.bytes().map(|[byte]| byte)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// A number of things.
    pub(super) fn length(&mut self) -> io::Result<u64> {
        match self.any_length()? {
            Length::Of(length) => Ok(length),
            Length::Encoded(_) => Err(malformed("a length is none")),
        }
    }

    /// A string, in whichever form it is stored.
    pub(super) fn string(&mut self) -> io::Result<Vec<u8>> {
        match self.any_length()? {
            Length::Of(length) => self.exactly(length),
            Length::Encoded(0) => Ok(i8::from_le_bytes(self.bytes()?).to_string().into()),
            Length::Encoded(1) => Ok(i16::from_le_bytes(self.bytes()?).to_string().into()),
            Length::Encoded(2) => Ok(i32::from_le_bytes(self.bytes()?).to_string().into()),
            Length::Encoded(3) => {
                let (packed, length) = (self.length()?, self.length()?);
                lzf::unpack(&self.exactly(packed)?, length)
            }
            Length::Encoded(form) => Err(malformed(format!("a string has the unknown form {form}"))),
        }
    }

    /// A floating-point number as text, the way of old sorted sets.
    pub(super) fn text_number(&mut self) -> io::Result<f64> {
        match self.byte()? {
            253 => Ok(f64::NAN),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            length => {
                let text = self.exactly(length.into())?;
                number(&text)
            }
        }
    }

    /// To the end, which must be here.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match io::copy(&mut self.from.by_ref().take(1), &mut io::sink())? {
            0 => Ok(()),
            _ => Err(malformed("something follows its end")),
        }
    }

    fn any_length(&mut self) -> io::Result<Length> {
        let first = self.byte()?;
        Ok(match (first >> 6, first) {
            (0, _) => Length::Of(u64::from(first & 0x3f)),
            (1, _) => Length::Of(u64::from(u16::from_be_bytes([first & 0x3f, self.byte()?]))),
            (3, _) => Length::Encoded(first & 0x3f),
            (_, 0x80) => Length::Of(u64::from(u32::from_be_bytes(self.bytes()?))),
            (_, 0x81) => Length::Of(u64::from_be_bytes(self.bytes()?)),
            _ => return Err(malformed("a length is none")),
        })
    }

    /// A length is believed only as far as bytes come.
    fn exactly(&mut self, length: u64) -> io::Result<Vec<u8>> {
        if length <= AT_ONCE {
            let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
            self.from.read_exact(&mut bytes)?;
            return Ok(bytes);
        }
        let mut bytes = Vec::new();
        match self.from.by_ref().take(length).read_to_end(&mut bytes)? as u64 {
            read if read == length => Ok(bytes),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A floating-point number that stands there as text.
pub(super) fn number(text: &[u8]) -> io::Result<f64> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| malformed("a number is none"))
}

/// What is wrong with an RDB.
pub(super) fn malformed(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(bytes: &[u8]) -> io::Result<String> {
        Input::new(bytes).string().map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    #[test]
    fn a_string_is_read_in_each_of_its_forms() {
        assert_eq!(string(b"\x03abc").expect("6 bits"), "abc");
        assert_eq!(string(&[&b"\x41\x00"[..], &[b'x'; 256]].concat()).expect("14 bits"), "x".repeat(256));
        assert_eq!(string(b"\x80\0\0\0\x02ab").expect("32 bits"), "ab");
        assert_eq!(string(b"\x81\0\0\0\0\0\0\0\x01a").expect("64 bits"), "a");
        assert_eq!(string(b"\xc0\xff").expect("8-bit number"), "-1");
        assert_eq!(string(b"\xc1\x00\x80").expect("16-bit number"), "-32768");
        assert_eq!(string(b"\xc2\x00\x00\x00\x40").expect("32-bit number"), "1073741824");
        assert_eq!(string(b"\xc3\x05\x0a\x00a\xe0\x00\x00").expect("compressed"), "a".repeat(10));
    }

    #[test]
    fn a_length_that_lies_takes_no_memory_and_is_no_string() {
        let error = string(b"\x81\x7f\xff\xff\xff\xff\xff\xff\xffabc").expect_err("too short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        for wrong in [&b"\x82abc"[..], b"\xc4abc", b"\xc3\x02\x0aab"] {
            assert_eq!(string(wrong).expect_err("malformed").kind(), io::ErrorKind::InvalidData, "{wrong:?}");
        }
    }
}
