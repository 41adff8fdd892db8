//! Reads a tar archive member by member: pax, ustar, GNU and old ones, with all that GNU tar has written for sparse files. What it
//! reads may come from anywhere: nothing is believed before it is checked.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use tar::{EntryType, GnuExtSparseHeader, Header};

use super::archive::BLOCK;
use super::extent::Extent;
use super::pax::{self, Pax};
use crate::{Error, Kind, PathText, Result};

/// The longest pax header, long name or sparse map that is believed.
const LONGEST: u64 = 16 << 20;

/// One member of an archive.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name, just as it stands there.
    pub(super) path: PathBuf,
    /// What it is.
    pub(super) kind: MemberKind,
    /// Permission bits, with set-uid, set-gid and sticky.
    pub(super) mode: u32,
    /// Owner's user and group id.
    pub(super) owner: [u32; 2],
    /// Modification time in nanoseconds since 1970.
    pub(super) mtime_ns: i64,
    /// Extended attributes.
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// There are ACLs as text, which aren't restored.
    pub(super) acl_text: bool,
}

/// What a member is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MemberKind {
    /// A regular file: its size, and which parts of it are in the archive, in order.
    File {
        size: u64,
        extents: Vec<Extent>,
    },
    Directory,
    Symlink(OsString),
    /// A further name of this path.
    Hardlink(PathBuf),
    Fifo,
    Device {
        block: bool,
        major: u32,
        minor: u32,
    },
}

/// An archive that is being read.
#[derive(Debug)]
pub(super) struct Unpack<R> {
    from: R,
    global: Pax,
    /// Bytes of the member at hand that weren't read yet, and those that fill its last block.
    left: u64,
    fill: u64,
    /// Something other than zeros stood after the end.
    pub(super) goes_on: bool,
}

/// What stands before a member's own header.
#[derive(Debug, Default)]
struct Before {
    pax: Pax,
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

impl<R: Read> Unpack<R> {
    /// Begins to read.
    pub(super) fn new(from: R) -> Self {
        Self { from, global: Pax::default(), left: 0, fill: 0, goes_on: false }
    }

    /// The next member; what was not read of the one before is skipped. `None` at the end, up to which the whole stream is read.
    ///
    /// # Errors
    /// [`Kind::Unrestorable`] for what is no archive, or one that is cut off.
    pub(super) fn next(&mut self) -> Result<Option<Member>> {
        self.skip()?;
        let mut before = Before { pax: self.global.clone(), ..Before::default() };
        loop {
            let Some(header) = self.header()? else { return self.end() };
            let size = header.entry_size().map_err(|_| malformed("a size"))?;
            match header.entry_type() {
                EntryType::XHeader => before.pax.add(&self.text(size)?).ok_or_else(|| malformed("a pax header"))?,
                EntryType::XGlobalHeader => {
                    let text = self.text(size)?;
                    for pax in [&mut self.global, &mut before.pax] {
                        pax.add(&text).ok_or_else(|| malformed("a pax header"))?;
                    }
                }
                EntryType::GNULongName => before.path = Some(without_end(self.text(size)?)),
                EntryType::GNULongLink => before.target = Some(without_end(self.text(size)?)),
                other if other.as_byte() == b'V' => drop(self.text(size)?),
                _ => return self.member(&header, before, size).map(Some),
            }
        }
    }

    /// Reads the content of the member at hand, to fill `buffer`.
    ///
    /// # Errors
    /// [`Kind::Unrestorable`] if the archive is cut off.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.left = self.left.checked_sub(buffer.len() as u64).ok_or_else(|| malformed("the map of a sparse file"))?;
        self.exactly(buffer)
    }

    fn member(&mut self, header: &Header, before: Before, size: u64) -> Result<Member> {
        let size = checked(before.pax.number("size"), "a size")?.unwrap_or(size);
        let raw = before.pax.get("GNU.sparse.name").or(before.pax.get("path")).map(<[u8]>::to_vec);
        let raw = raw.or(before.path).unwrap_or_else(|| header.path_bytes().into_owned());
        let target = before.pax.get("linkpath").map(<[u8]>::to_vec).or(before.target);
        let target = target.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        let target = || target.map(OsString::from_vec).ok_or_else(|| malformed("a link"));
        let is_folder = raw.ends_with(b"/");
        let kind = match header.entry_type() {
            EntryType::Regular if is_folder => MemberKind::Directory,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(header, &before.pax, size)?
            }
            EntryType::Directory => MemberKind::Directory,
            other if other.as_byte() == b'D' => MemberKind::Directory,
            EntryType::Symlink => MemberKind::Symlink(target()?),
            EntryType::Link => MemberKind::Hardlink(target()?.into()),
            EntryType::Fifo => MemberKind::Fifo,
            kind @ (EntryType::Block | EntryType::Char) => device(header, kind == EntryType::Block)?,
            other => return Err(unknown(&raw, other)),
        };
        let has_content = !matches!(kind, MemberKind::File { .. })
            && (header.entry_type().as_byte() == b'D'
                || header.entry_type() == EntryType::Link && before.pax.get("size").is_some());
        if has_content {
            self.expect(size);
        }
        let number = |key, own: io::Result<u64>| -> Result<u32> {
            let own = own.map_err(|_| malformed("an owner"))?;
            let id = checked(before.pax.number(key), "an owner")?.unwrap_or(own);
            u32::try_from(id).map_err(|_| malformed("an owner"))
        };
        let mtime = header.mtime().map_err(|_| malformed("a time"))?.cast_signed().saturating_mul(1_000_000_000);
        Ok(Member {
            path: OsString::from_vec(raw).into(),
            kind,
            mode: header.mode().map_err(|_| malformed("a mode"))? & 0o7777,
            owner: [number("uid", header.uid())?, number("gid", header.gid())?],
            mtime_ns: checked(before.pax.nanos("mtime"), "a time")?.unwrap_or(mtime),
            xattrs: before.pax.xattrs(),
            acl_text: before.pax.has_acl_text(),
        })
    }

    /// A regular file, with its map if it is a sparse one.
    fn file(&mut self, header: &Header, pax: &Pax, stored: u64) -> Result<MemberKind> {
        let wrong = || malformed("the map of a sparse file");
        let (size, extents) = if header.entry_type() == EntryType::GNUSparse {
            let extents = self.old_map(header)?;
            self.expect(stored);
            (header.as_gnu().and_then(|gnu| gnu.real_size().ok()).ok_or_else(wrong)?, extents)
        } else {
            self.expect(stored);
            let size = pax.number("GNU.sparse.realsize").or(pax.number("GNU.sparse.size"));
            match checked(size, "the size of a sparse file")? {
                None => (stored, vec![Extent { offset: 0, length: stored }]),
                Some(size) if pax.get("GNU.sparse.major") == Some(b"1") => (size, self.map()?),
                Some(size) => (size, pax.map().flatten().ok_or_else(wrong)?),
            }
        };
        if fits(&extents, size, self.left) { Ok(MemberKind::File { size, extents }) } else { Err(wrong()) }
    }

    /// The map of format 1.0, which stands before the data: how many parts there are, and their numbers, a line each.
    fn map(&mut self) -> Result<Vec<Extent>> {
        let wrong = || malformed("the map of a sparse file");
        let (mut numbers, mut line) = (Vec::new(), Vec::new());
        while (numbers.len() as u64) < LONGEST / 8 {
            let mut block = [0; BLOCK];
            self.read(&mut block)?;
            for byte in block {
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                numbers.push(pax::number(&line).ok_or_else(wrong)?);
                line.clear();
                if numbers[0].checked_mul(2) == Some(numbers.len() as u64 - 1) {
                    return pax::extents(&numbers[1..]).ok_or_else(wrong);
                }
            }
            if line.len() > BLOCK {
                return Err(wrong());
            }
        }
        Err(wrong())
    }

    /// The map of GNU's old format: four parts in the header, and more in blocks of their own.
    fn old_map(&mut self, header: &Header) -> Result<Vec<Extent>> {
        let wrong = |_| malformed("the map of a sparse file");
        let gnu = header.as_gnu().ok_or_else(|| malformed("the map of a sparse file"))?;
        let mut parts = gnu.sparse.iter().map(old_part).collect::<io::Result<Vec<_>>>().map_err(wrong)?;
        let mut goes_on = gnu.is_extended();
        while goes_on && (parts.len() * BLOCK) as u64 <= LONGEST {
            let mut more = GnuExtSparseHeader::new();
            self.exactly(more.as_mut_bytes())?;
            parts.extend(more.sparse().iter().map(old_part).collect::<io::Result<Vec<_>>>().map_err(wrong)?);
            goes_on = more.is_extended();
        }
        Ok(parts.into_iter().flatten().collect())
    }

    /// The next header; `None` for the block of zeros at the end.
    fn header(&mut self) -> Result<Option<Header>> {
        let mut header = Header::new_old();
        self.exactly(header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum = |at: usize, byte: u8| u32::from(if (148..156).contains(&at) { b' ' } else { byte });
        let found: u32 = header.as_bytes().iter().enumerate().map(|(at, byte)| sum(at, *byte)).sum();
        match header.cksum() {
            Ok(told) if told == found => Ok(Some(header)),
            _ => Err(malformed("the checksum of a header")),
        }
    }

    fn end<T>(&mut self) -> Result<Option<T>> {
        let mut rest = vec![0; 64 << 10];
        loop {
            match self.from.read(&mut rest) {
                Ok(0) => return Ok(None),
                Ok(count) => self.goes_on |= rest[..count].iter().any(|byte| *byte != 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("reading", "the archive", error)),
            }
        }
    }

    /// The content of a header that is text.
    fn text(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > LONGEST {
            return Err(malformed("a header longer than 16 MiB"));
        }
        self.expect(size);
        let mut text = vec![0; usize::try_from(size).map_err(|_| malformed("a size"))?];
        self.read(&mut text)?;
        self.skip()?;
        Ok(text)
    }

    fn expect(&mut self, size: u64) {
        self.left = size;
        self.fill = size.wrapping_neg() % BLOCK as u64;
    }

    fn skip(&mut self) -> Result<()> {
        let mut left = self.left.checked_add(self.fill).ok_or_else(|| malformed("a size"))?;
        (self.left, self.fill) = (0, 0);
        let mut buffer = [0; 16 << 10];
        while left > 0 {
            let now = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            self.exactly(&mut buffer[..now])?;
            left -= now as u64;
        }
        Ok(())
    }

    fn exactly(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.from.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::new(Kind::Unrestorable, "the archive is cut off before its end"),
            _ => Error::io("reading", "the archive", error),
        })
    }
}

/// Whether the parts are in order, lie in the file, and are just what is stored.
fn fits(extents: &[Extent], size: u64, stored: u64) -> bool {
    let (mut at, mut sum) = (0, 0_u64);
    for part in extents {
        match part.end() {
            Some(end) if part.offset >= at && end <= size => at = end,
            _ => return false,
        }
        sum += part.length;
    }
    sum == stored
}

fn old_part(part: &tar::GnuSparseHeader) -> io::Result<Option<Extent>> {
    if part.is_empty() {
        return Ok(None);
    }
    Ok(Some(Extent { offset: part.offset()?, length: part.length()? }))
}

fn device(header: &Header, block: bool) -> Result<MemberKind> {
    match (header.device_major(), header.device_minor()) {
        (Ok(Some(major)), Ok(Some(minor))) => Ok(MemberKind::Device { block, major, minor }),
        _ => Err(malformed("a device")),
    }
}

fn without_end(mut name: Vec<u8>) -> Vec<u8> {
    if let Some(end) = name.iter().position(|byte| *byte == 0) {
        name.truncate(end);
    }
    name
}

fn checked<T>(told: Option<Option<T>>, what: &str) -> Result<Option<T>> {
    told.map(|value| value.ok_or_else(|| malformed(what))).transpose()
}

fn malformed(what: &str) -> Error {
    Error::new(Kind::Unrestorable, format!("the archive is malformed: {what} can't be read"))
}

fn unknown(path: &[u8], kind: EntryType) -> Error {
    let (path, kind) = (PathText::new(OsString::from_vec(path.to_vec())), char::from(kind.as_byte()));
    Error::new(Kind::Unrestorable, format!("{path} in the archive is of the unknown type `{kind}`"))
}
