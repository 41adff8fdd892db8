//! What stands in an RDB one after the other: what the server tells of itself, its libraries of functions, and every key.

use std::io::{self, Read};

use super::input::{Input, malformed};
use super::value::{Value, module};

/// The newest version of the format that is understood: that of Redis 7.2.
const NEWEST: u32 = 11;
/// From this version on a checksum follows the end.
const WITH_CHECKSUM: u32 = 5;

/// What may stand where a key would.
const LIBRARY: u8 = 245;
const MODULE: u8 = 247;
const IDLE: u8 = 248;
const FREQUENCY: u8 = 249;
const ABOUT: u8 = 250;
const SIZES: u8 = 251;
const EXPIRES_MS: u8 = 252;
const EXPIRES_SECS: u8 = 253;
const DATABASE: u8 = 254;
const END: u8 = 255;

/// An RDB that is read.
#[derive(Debug)]
pub(crate) struct Rdb<R> {
    input: Input<R>,
    version: u32,
    database: u64,
    expires_ms: Option<i64>,
}

/// One thing in an RDB.
#[derive(Debug)]
pub(crate) enum Record {
    /// What the server tells of itself: `redis-ver`, `ctime`, `used-mem`, ….
    About(String, String),
    /// The code of a library of functions.
    Library(String),
    /// A key.
    Key(Key),
}

/// A key, and what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) database: u64,
    pub(crate) name: Vec<u8>,
    /// When it expires, in milliseconds since 1970.
    pub(crate) expires_ms: Option<i64>,
    pub(crate) value: Value,
}

impl<R: Read> Rdb<R> {
    /// Reads the first bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for what is no RDB, [`io::ErrorKind::Unsupported`] for one that is too new.
    pub(crate) fn open(from: R) -> io::Result<Self> {
        let mut input = Input::new(from);
        let (magic, version): ([u8; 5], [u8; 4]) = (input.bytes()?, input.bytes()?);
        let version = std::str::from_utf8(&version).ok().and_then(|text| text.parse().ok());
        match version.filter(|_| &magic == b"REDIS") {
            Some(version @ 1..=NEWEST) => Ok(Self { input, version, database: 0, expires_ms: None }),
            Some(version) => {
                let what =
                    format!("it has version {version} of the format, and {NEWEST} is the newest that is known here");
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
            None => Err(malformed("it is no RDB")),
        }
    }

    /// The next thing; nothing at the end, after which nothing may stand.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] where it is malformed, [`io::ErrorKind::UnexpectedEof`] where it is cut off,
    /// [`io::ErrorKind::Unsupported`] for what only a module understands; those of reading.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            let kind = self.input.byte()?;
            match kind {
                END => return self.end().map(|()| None),
                ABOUT => return Ok(Some(Record::About(self.text()?, self.text()?))),
                LIBRARY => return Ok(Some(Record::Library(self.text()?))),
                MODULE => return Err(module(self.input.length()?)),
                DATABASE => self.database = self.input.length()?,
                SIZES => {
                    self.input.length()?;
                    self.input.length()?;
                }
                EXPIRES_MS => self.expires_ms = Some(i64::from_le_bytes(self.input.bytes()?)),
                EXPIRES_SECS => self.expires_ms = Some(i64::from(i32::from_le_bytes(self.input.bytes()?)) * 1000),
                IDLE => {
                    self.input.length()?;
                }
                FREQUENCY => {
                    self.input.byte()?;
                }
                _ => return self.key(kind).map(|key| Some(Record::Key(key))),
            }
        }
    }

    fn key(&mut self, kind: u8) -> io::Result<Key> {
        let name = self.input.string()?;
        let value = Value::read(&mut self.input, kind)?;
        Ok(Key { database: self.database, name, expires_ms: self.expires_ms.take(), value })
    }

    fn text(&mut self) -> io::Result<String> {
        self.input.string().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.version >= WITH_CHECKSUM {
            let _checked_by_whoever_loads_it: [u8; 8] = self.input.bytes()?;
        }
        self.input.end()
    }
}
