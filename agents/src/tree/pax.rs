//! Reads pax headers: records of `LENGTH KEY=VALUE\n`, whose values may hold any byte.

use super::extent::Extent;

/// The records of pax headers, in order; of several with one key the last one counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Pax(Vec<(Vec<u8>, Vec<u8>)>);

impl Pax {
    /// Adds the records of one header. `None` if they are malformed.
    pub(super) fn add(&mut self, mut text: &[u8]) -> Option<()> {
        while !text.is_empty() {
            let space = text.iter().position(|byte| *byte == b' ')?;
            let length: usize = number(&text[..space])?.try_into().ok()?;
            let (record, rest) = text.split_at_checked(length)?;
            let (key, value) = record
                .get(space + 1..)?
                .strip_suffix(b"\n")?
                .split_at_checked(record[space + 1..].iter().position(|byte| *byte == b'=')?)?;
            self.0.push((key.to_vec(), value.get(1..)?.to_vec()));
            text = rest;
        }
        Some(())
    }

    /// The value of this key. An empty value takes back what an earlier record said.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        let (_, value) = self.0.iter().rev().find(|(name, _)| name == key.as_bytes())?;
        (!value.is_empty()).then_some(value)
    }

    /// The whole number under this key: `Some(None)` if it isn't one.
    pub(super) fn number(&self, key: &str) -> Option<Option<u64>> {
        self.get(key).map(number)
    }

    /// The time under this key in nanoseconds, cut at what 64 bits hold; `Some(None)` if it isn't one.
    pub(super) fn nanos(&self, key: &str) -> Option<Option<i64>> {
        self.get(key).map(nanos)
    }

    /// Extended attributes.
    pub(super) fn xattrs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let keyed = self.0.iter().filter_map(|(key, value)| Some((key.strip_prefix(b"SCHILY.xattr.")?, value)));
        keyed.map(|(name, value)| (attribute_name(name), value.clone())).collect()
    }

    /// Whether there are ACLs as text, as GNU tar writes them when it is asked for ACLs alone.
    pub(super) fn has_acl_text(&self) -> bool {
        self.0.iter().any(|(key, _)| key.starts_with(b"SCHILY.acl."))
    }

    /// The map of a sparse file in the formats 0.0 and 0.1, which keep it here; `Some(None)` if it is malformed.
    pub(super) fn map(&self) -> Option<Option<Vec<Extent>>> {
        let texts: Vec<&[u8]> = match self.get("GNU.sparse.map") {
            Some(map) => map.split(|byte| *byte == b',').collect(),
            None => {
                let parts =
                    self.0.iter().filter(|(key, _)| key == b"GNU.sparse.offset" || key == b"GNU.sparse.numbytes");
                parts.map(|(_, value)| value.as_slice()).collect()
            }
        };
        let numbers = || texts.iter().map(|text| number(text)).collect::<Option<Vec<_>>>();
        (!texts.is_empty()).then(|| extents(&numbers()?))
    }
}

/// Parts from pairs of offset and length.
pub(super) fn extents(numbers: &[u64]) -> Option<Vec<Extent>> {
    let pairs = numbers.chunks(2);
    pairs.map(|pair| Some(Extent { offset: pair[0], length: *pair.get(1)? })).collect()
}

/// A whole number in decimal digits.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

fn nanos(text: &[u8]) -> Option<i64> {
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let secs = i128::from(number(parts.next()?)?);
    let mut fraction = parts.next().unwrap_or_default().to_vec();
    fraction.resize(9, b'0');
    let nanos = secs * 1_000_000_000 + i128::from(number(&fraction)?);
    let nanos = if negative { -nanos } else { nanos };
    Some(i64::try_from(nanos).unwrap_or(if negative { i64::MIN } else { i64::MAX }))
}

/// Takes back `%3D` and `%25`.
fn attribute_name(key: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(key.len());
    let mut rest = key;
    while let [byte, tail @ ..] = rest {
        (name, rest) = match rest {
            [b'%', b'3', b'D', tail @ ..] => (with(name, b'='), tail),
            [b'%', b'2', b'5', tail @ ..] => (with(name, b'%'), tail),
            _ => (with(name, *byte), tail),
        };
    }
    name
}

fn with(mut name: Vec<u8>, byte: u8) -> Vec<u8> {
    name.push(byte);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_newlines_and_any_other_byte() {
        let mut pax = Pax::default();
        pax.add(b"22 SCHILY.xattr.a=\n\xff\0\n11 path=ab\n").expect("well formed");
        assert_eq!(pax.xattrs(), [(b"a".to_vec(), b"\n\xff\0".to_vec())]);
        assert_eq!(pax.get("path"), Some(&b"ab"[..]));
    }

    #[test]
    fn records_whose_length_is_wrong_are_refused() {
        for text in [
            "12 path=ab\n",
            "10 path=ab\n",
            "x path=ab\n",
            "11 path=ab",
            "5 ab\n",
            "0 =",
            "99999999999999999999999 a=b\n",
            "2 ",
        ] {
            assert!(Pax::default().add(text.as_bytes()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn times_are_decimals() {
        for (text, expected) in [
            ("-1.5", Some(-1_500_000_000)),
            ("1", Some(1_000_000_000)),
            ("0.000000001", Some(1)),
            ("1.0000000019", Some(1_000_000_001)),
            ("99999999999999999", Some(i64::MAX)),
            ("", None),
            ("1.x", None),
        ] {
            assert_eq!(nanos(text.as_bytes()), expected, "{text}");
        }
    }
}
