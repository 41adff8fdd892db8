//! The header of a sealed snapshot, `snapshot.json`: what is stored, in which pieces, and for whom. It is plain text beside
//! sealed files, so no name of a file and no digest of plain bytes stands in it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keyspace::Keyspace;
use crate::{EntryKind, Error, Format, Index, Kind, Result, SEGMENT_BYTES};

/// Version of the snapshot format that is written; every version ever written stays readable.
pub const SNAPSHOT_VERSION: u32 = 1;
/// Plain bytes of a segment at most, whoever wrote it.
const LARGEST_SEGMENT: u64 = 64 << 20;
/// Plain bytes of an index at most: that of some ten million files.
const LARGEST_INDEX: u64 = 8 << 30;
/// What compressing and sealing may add to bytes that don't compress: under 1 %, and a header for each recipient.
const SEALING_ADDS: u64 = 1 << 20;

/// What one snapshot holds. It is written last: a snapshot without it does not exist.
///
/// Fields that a later drillctl adds within version 1 are ignored by an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of this format: 1.
    pub version: u32,
    /// Id of the snapshot; the name of its folder.
    pub id: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Id of the run that took it.
    pub run: String,
    /// Kind of the source: `directory`, `sqlite`, `postgres`, `mariadb`, `redis`, `etcd`, `command`.
    pub source: String,
    /// What the stream is.
    pub format: StreamFormat,
    /// The instant that the content is consistent at.
    pub taken_at: Timestamp,
    /// Newest data in it, as far as the source tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<Timestamp>,
    /// When the last byte before this header was stored.
    pub stored_at: Timestamp,
    /// Public keys that it is sealed to; `passphrase` where a passphrase opens it.
    pub recipients: Vec<String>,
    /// The pieces of the stream, in order.
    pub segments: Vec<Part>,
    /// The sealed index.
    pub index: Part,
    /// The snapshot's own identity, sealed with the passphrase; only where a passphrase opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Part>,
    /// How much is in it.
    pub contents: Contents,
    /// Name and version of the program that wrote it.
    pub tool: String,
}

/// What the stream of a snapshot is; what a single file is called stands in the sealed index only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamFormat {
    /// A POSIX tar archive (pax).
    Tar,
    /// One file's bytes.
    File,
    /// An archive in pg_dump's custom format.
    PgDump,
    /// A POSIX tar archive of several such archives, cut into pieces.
    PgDumps,
    /// A POSIX tar archive of a PostgreSQL cluster's files.
    PgBase,
    /// A dump of one MariaDB or MySQL database in SQL.
    MariadbDump,
    /// An RDB of a Redis server.
    Rdb,
    /// A snapshot of an etcd cluster.
    EtcdSnapshot,
}

/// One sealed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name in the snapshot's folder.
    pub name: String,
    /// Bytes as stored.
    pub size: u64,
    /// SHA-256 of the bytes as stored, hexadecimal.
    pub sha256: String,
    /// Bytes when opened and unpacked.
    pub plain_bytes: u64,
}

/// How much is in a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Regular files, further names of one file not counted.
    pub files: u64,
    /// Bytes in them; for a dump, bytes of the dump.
    pub bytes: u64,
    /// Tables of all databases.
    pub tables: u64,
    /// Rows in them.
    pub rows: u64,
    /// Keys of all databases of a key-value store.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub keys: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Header {
    /// Reads a header. The version comes first: what a newer drillctl wrote is named as such, not called damaged.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] if it is cut off, not a header, or names parts that can't be; [`Kind::Config`] for another version.
    pub fn parse(id: &str, bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let found: Versioned = serde_json::from_slice(bytes).map_err(|cause| unreadable(id, cause))?;
        if found.version != SNAPSHOT_VERSION {
            return Err(Error::new(Kind::Config, format!("snapshot {id} has format version {}", found.version))
                .hint(format!("This drillctl reads version {SNAPSHOT_VERSION}; read it with a newer one.")));
        }
        let header: Self = serde_json::from_slice(bytes).map_err(|cause| unreadable(id, cause))?;
        header.check(id)?;
        Ok(header)
    }

    /// The header as it is stored: JSON that people can read, with a newline at its end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a header is plain JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Length of the plain stream.
    pub fn stream_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.plain_bytes).sum()
    }

    /// Length of everything sealed.
    pub fn sealed_bytes(&self) -> u64 {
        self.parts().map(|part| part.size).sum()
    }

    /// Every sealed file: the segments in order, the index, the key.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.segments.iter().chain([&self.index]).chain(&self.key)
    }

    /// What this part is, in words for people: `segment 000003 (4 of 5)`.
    pub fn words_for(&self, part: &Part) -> String {
        match self.segments.iter().position(|segment| segment == part) {
            Some(at) => format!("segment {at:06} ({} of {})", at + 1, self.segments.len()),
            None => part.name.trim_end_matches(".age").into(),
        }
    }

    /// Names and sizes decide what is read and how much memory it may take, so they are not believed unseen.
    fn check(&self, id: &str) -> Result<()> {
        let wrong = |what: String| Err(Error::new(Kind::Corrupt, format!("header of snapshot {id} {what}")));
        if self.id != id {
            return wrong(format!("is that of snapshot {}", self.id));
        }
        for (at, segment) in self.segments.iter().enumerate() {
            if segment.name != segment_name(at) {
                return wrong(format!("names {:?} where {} belongs", segment.name, segment_name(at)));
            }
            if segment.plain_bytes > LARGEST_SEGMENT {
                return wrong(format!("gives {} {} bytes", segment.name, segment.plain_bytes));
            }
        }
        if self.index.name != INDEX_NAME || self.key.as_ref().is_some_and(|key| key.name != KEY_NAME) {
            return wrong("misnames the index or the key".into());
        }
        if let Some(part) = [&self.index].into_iter().chain(&self.key).find(|part| part.plain_bytes > LARGEST_INDEX) {
            return wrong(format!("gives {} {} bytes", part.name, part.plain_bytes));
        }
        match self.parts().find(|part| part.size > part.plain_bytes + part.plain_bytes / 64 + SEALING_ADDS) {
            Some(part) => wrong(format!("gives {} more bytes than sealing can add", part.name)),
            None => Ok(()),
        }
    }
}

/// Name of the file that the sealed index is in.
pub(crate) const INDEX_NAME: &str = "index.age";
/// Name of the file that the snapshot's own identity is in, where a passphrase opens it.
pub(crate) const KEY_NAME: &str = "key.age";

/// Name of the segment at this place. The shell must sort the names as they follow, hence the fixed width.
pub(crate) fn segment_name(at: usize) -> String {
    format!("{at:06}.age")
}

/// Segments that six digits can number: 15 TiB.
pub(crate) const MOST_SEGMENTS: usize = 1_000_000;
const _: () = assert!(SEGMENT_BYTES as u64 <= LARGEST_SEGMENT);

fn unreadable(id: &str, cause: serde_json::Error) -> Error {
    let what = if cause.is_eof() { "is cut off" } else { "can't be read" };
    Error::new(Kind::Corrupt, format!("header of snapshot {id} {what}")).because(cause)
}

impl From<&Format> for StreamFormat {
    fn from(format: &Format) -> Self {
        match format {
            Format::Tar => Self::Tar,
            Format::File(_) => Self::File,
            Format::PgDump => Self::PgDump,
            Format::PgDumps => Self::PgDumps,
            Format::PgBase => Self::PgBase,
            Format::MariadbDump => Self::MariadbDump,
            Format::Rdb => Self::Rdb,
            Format::EtcdSnapshot => Self::EtcdSnapshot,
        }
    }
}

impl Contents {
    /// What is in a stream of `stream_bytes` with this index.
    pub fn of(index: &Index, stream_bytes: u64) -> Self {
        let sizes = index.entries.iter().filter_map(|entry| match entry.kind {
            EntryKind::File { size, .. } => Some(size),
            _ => None,
        });
        let (mut files, mut bytes) = sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size));
        if !matches!(index.format, Format::Tar | Format::PgBase) {
            (files, bytes) = (u64::from(matches!(index.format, Format::File(_))), stream_bytes);
        }
        let tables = index.databases.iter().flat_map(|database| database.tables.values());
        let (tables, rows) = tables.fold((0, 0), |(tables, rows), table| (tables + 1, rows + table.rows));
        let keyspaces = index.databases.iter().flat_map(|database| database.keyspaces.values());
        Self { files, bytes, tables, rows, keys: keyspaces.map(Keyspace::keys).sum() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, size: u64, plain_bytes: u64) -> Part {
        Part { name: name.into(), size, sha256: "00".repeat(32), plain_bytes }
    }

    fn header() -> Header {
        Header {
            version: 1,
            id: "s-1".into(),
            scenario: "books".into(),
            run: "run-1".into(),
            source: "directory".into(),
            format: StreamFormat::Tar,
            taken_at: Timestamp::UNIX_EPOCH,
            newest_at: None,
            stored_at: Timestamp::UNIX_EPOCH,
            recipients: vec!["age1x".into()],
            segments: vec![part("000000.age", 300, 100)],
            index: part("index.age", 300, 100),
            key: None,
            contents: Contents::default(),
            tool: "drillctl 0.1.0".into(),
        }
    }

    fn refused(change: impl FnOnce(&mut Header)) -> (Kind, String) {
        let mut changed = header();
        change(&mut changed);
        let error = Header::parse("s-1", &changed.to_bytes()).expect_err("refused");
        (error.kind(), error.to_string())
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Header::parse("s-1", &header().to_bytes()).expect("a header"), header());
    }

    #[test]
    fn an_unknown_field_is_passed_over_and_an_unknown_version_named() {
        let text = String::from_utf8(header().to_bytes()).expect("text");
        let later = text.replacen('{', "{\"weather\": \"fair\",", 1);
        assert_eq!(Header::parse("s-1", later.as_bytes()).expect("still version 1"), header());
        let (kind, words) = refused(|header| header.version = 2);
        assert_eq!((kind, words.as_str()), (Kind::Config, "snapshot s-1 has format version 2"));
    }

    #[test]
    fn a_header_that_would_lead_astray_is_refused() {
        for (kind, words) in [
            refused(|header| header.id = "s-2".into()),
            refused(|header| header.segments[0].name = "../../etc/passwd".into()),
            refused(|header| header.segments[0].plain_bytes = 1 << 40),
            refused(|header| header.segments[0].size = 1 << 40),
            refused(|header| header.index.name = "other.age".into()),
            refused(|header| header.index.plain_bytes = u64::MAX),
            refused(|header| header.key = Some(part("key.age", 1, 1 << 40))),
            refused(|header| header.key = Some(part("identity.age", 1, 1))),
        ] {
            assert_eq!(kind, Kind::Corrupt, "{words}");
        }
    }

    #[test]
    fn a_header_cut_anywhere_is_cut_off() {
        let bytes = header().to_bytes();
        for length in 0..bytes.len() - 2 {
            let error = Header::parse("s-1", &bytes[..length]).expect_err("cut");
            assert_eq!(error.to_string(), "header of snapshot s-1 is cut off", "at {length}");
        }
    }
}
