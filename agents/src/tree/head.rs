//! What stands before the content of an archive's member: a ustar header, and a pax header before it for what doesn't fit
//! (`path`, `linkpath`, `size`, `uid`, `gid`, `mtime` with its nanoseconds, `SCHILY.xattr.*`). A file with holes is written as GNU sparse
//! 1.0: the map of its parts is the first of its content.
//!
//! The formats are those of POSIX.1-2017 (pax) and of the GNU tar manual, "Storing Sparse Files". Names that are no UTF-8 are written as they
//! are, like GNU tar does, which warns of the `hdrcharset` that POSIX wants before them.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tar::{EntryType, Header};

use super::archive::BLOCK;
use super::attributes;
use super::extent::Extent;
use crate::{Entry, EntryKind};

/// The biggest numbers that fields of seven and of eleven octal digits hold.
const OCTAL_7: u64 = 0o7_777_777;
const OCTAL_11: u64 = 0o77_777_777_777;
/// Bytes of a ustar header's fields for a name and for a link's target.
const NAME: usize = 100;

/// The map of a sparse file.
pub(super) struct Map {
    /// As it stands in the archive, filled up to a block.
    pub(super) text: Vec<u8>,
    size: u64,
    stored: u64,
}

impl Map {
    /// The map of a file of `size` bytes of which these parts hold data.
    pub(super) fn new(size: u64, extents: &[Extent]) -> Self {
        let end = Extent { offset: size, length: 0 };
        let open_end = extents.last().and_then(|last| last.end()) != Some(size);
        let mut text = format!("{}\n", extents.len() + usize::from(open_end));
        for part in extents.iter().chain(open_end.then_some(&end)) {
            writeln!(text, "{}\n{}", part.offset, part.length).expect("a string takes all");
        }
        let mut text = text.into_bytes();
        text.resize(text.len().next_multiple_of(BLOCK), 0);
        let stored = text.len() as u64 + extents.iter().map(|part| part.length).sum::<u64>();
        Self { text, size, stored }
    }
}

/// The headers of one member.
pub(super) struct Head {
    header: Header,
    name: Vec<u8>,
    pax: Vec<u8>,
}

impl Head {
    /// The headers for this path; `map` for a sparse file.
    pub(super) fn of(entry: &Entry, map: Option<&Map>) -> Self {
        let mut head = Self { header: Header::new_ustar(), name: name(entry), pax: Vec::new() };
        head.numbers(entry);
        head.kind(&entry.kind);
        match map {
            Some(map) => head.sparse(map),
            None => head.whole(&entry.kind),
        }
        for (name, value) in attributes::plain(&entry.xattrs) {
            record(&mut head.pax, &attribute_key(name.as_bytes()), &value);
        }
        head
    }

    /// As they stand in the archive.
    pub(super) fn bytes(mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(3 * BLOCK);
        if !self.pax.is_empty() {
            let mut before = Header::new_ustar();
            put(&mut before, &[b"PaxHeaders/", last_name(&self.name)].concat());
            before.set_entry_type(EntryType::XHeader);
            before.set_mode(0o644);
            before.set_size(self.pax.len() as u64);
            before.set_cksum();
            bytes.extend_from_slice(before.as_bytes());
            bytes.extend_from_slice(&self.pax);
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        }
        put(&mut self.header, &self.name);
        self.header.set_cksum();
        bytes.extend_from_slice(self.header.as_bytes());
        bytes
    }

    fn numbers(&mut self, entry: &Entry) {
        let (secs, nanos) = (entry.mtime_ns.div_euclid(1_000_000_000), entry.mtime_ns.rem_euclid(1_000_000_000));
        let whole = u64::try_from(secs).ok().filter(|secs| *secs <= OCTAL_11);
        self.header.set_mode(entry.mode);
        self.header.set_mtime(whole.unwrap_or(0));
        if nanos != 0 || whole.is_none() {
            record(&mut self.pax, b"mtime", seconds(entry.mtime_ns).as_bytes());
        }
        self.header.set_uid(u64::from(entry.uid).min(OCTAL_7));
        self.header.set_gid(u64::from(entry.gid).min(OCTAL_7));
        for (key, id) in [(b"uid", entry.uid), (b"gid", entry.gid)] {
            if u64::from(id) > OCTAL_7 {
                record(&mut self.pax, key, id.to_string().as_bytes());
            }
        }
    }

    fn kind(&mut self, kind: &EntryKind) {
        self.header.set_size(0);
        self.header.set_entry_type(match kind {
            EntryKind::File { .. } => EntryType::Regular,
            EntryKind::Directory => EntryType::Directory,
            EntryKind::Symlink(_) => EntryType::Symlink,
            EntryKind::Hardlink(_) => EntryType::Link,
            EntryKind::Fifo => EntryType::Fifo,
            EntryKind::Device { block: true, .. } => EntryType::Block,
            EntryKind::Device { block: false, .. } => EntryType::Char,
        });
        match kind {
            EntryKind::Symlink(target) | EntryKind::Hardlink(target) => self.target(target.as_path()),
            EntryKind::Device { major, minor, .. } => {
                let ustar = self.header.as_ustar_mut().expect("it was made as ustar");
                ustar.set_device_major(*major);
                ustar.set_device_minor(*minor);
            }
            _ => {}
        }
    }

    fn target(&mut self, target: &Path) {
        let target = target.as_os_str().as_bytes();
        let field = &mut self.header.as_ustar_mut().expect("it was made as ustar").linkname;
        let kept = target.len().min(NAME);
        field[..kept].copy_from_slice(&target[..kept]);
        if !fits(target) {
            record(&mut self.pax, b"linkpath", target);
        }
    }

    fn size(&mut self, size: u64) {
        self.header.set_size(size.min(OCTAL_11));
        if size > OCTAL_11 {
            record(&mut self.pax, b"size", size.to_string().as_bytes());
        }
    }

    fn whole(&mut self, kind: &EntryKind) {
        if let EntryKind::File { size, .. } = kind {
            self.size(*size);
        }
        if !fits(&self.name) {
            record(&mut self.pax, b"path", &self.name);
        }
    }

    fn sparse(&mut self, map: &Map) {
        record(&mut self.pax, b"GNU.sparse.major", b"1");
        record(&mut self.pax, b"GNU.sparse.minor", b"0");
        record(&mut self.pax, b"GNU.sparse.name", &self.name);
        record(&mut self.pax, b"GNU.sparse.realsize", map.size.to_string().as_bytes());
        self.name = [b"GNUSparseFile.0/", last_name(&self.name)].concat();
        self.size(map.stored);
    }
}

/// The name of a member: that of a folder ends with a slash.
fn name(entry: &Entry) -> Vec<u8> {
    let mut name = entry.path.as_path().as_os_str().as_bytes().to_vec();
    if entry.kind == EntryKind::Directory {
        name.push(b'/');
    }
    name
}

fn last_name(name: &[u8]) -> &[u8] {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    name.rsplit(|byte| *byte == b'/').next().unwrap_or(name)
}

/// Whether a name can stand in a ustar header, whatever charset the reader has.
fn fits(name: &[u8]) -> bool {
    name.len() <= NAME && name.is_ascii()
}

/// Puts as much of a name into the header as goes in.
fn put(header: &mut Header, name: &[u8]) {
    let kept = name.len().min(NAME);
    header.as_ustar_mut().expect("it was made as ustar").name[..kept].copy_from_slice(&name[..kept]);
}

/// `=` ends a key, so GNU tar writes it `%3D` in an attribute's name, and `%` itself `%25`.
fn attribute_key(name: &[u8]) -> Vec<u8> {
    let mut key = b"SCHILY.xattr.".to_vec();
    for byte in name {
        match byte {
            b'%' => key.extend_from_slice(b"%25"),
            b'=' => key.extend_from_slice(b"%3D"),
            other => key.push(*other),
        }
    }
    key
}

/// A pax record: its length, which counts its own digits, the key and the value.
fn record(pax: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    pax.extend_from_slice(format!("{length} ").as_bytes());
    pax.extend_from_slice(key);
    pax.push(b'=');
    pax.extend_from_slice(value);
    pax.push(b'\n');
}

/// Nanoseconds as decimal seconds.
fn seconds(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_record_counts_its_own_digits() {
        for length in 0..2_000 {
            let mut pax = Vec::new();
            record(&mut pax, b"k", &vec![b'v'; length]);
            let told = std::str::from_utf8(&pax).expect("ascii").split(' ').next().expect("a number");
            assert_eq!(told.parse(), Ok(pax.len()));
        }
    }

    #[test]
    fn times_before_1970_are_negative_decimals() {
        assert_eq!(seconds(-1_500_000_000), "-1.500000000");
        assert_eq!(seconds(-1), "-0.000000001");
        assert_eq!(seconds(1_000_000_001), "1.000000001");
    }
}
