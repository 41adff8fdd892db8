//! What is known about the content of a snapshot: every path of a tree, every table and schema object of a database. The
//! same shape is captured from the source and observed in the environment, so that the two can be compared.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Sha256;
use crate::keyspace::Keyspace;

/// Format of the stream that a snapshot's segments hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A POSIX tar archive (pax).
    Tar,
    /// One file's bytes, restored under this name.
    File(String),
    /// An archive in pg_dump's custom format.
    PgDump,
    /// A POSIX tar archive of several such archives, each cut into pieces: what comes before the rows, the rows, what comes after.
    PgDumps,
    /// A POSIX tar archive of the files of a PostgreSQL cluster, as `pg_basebackup` writes it.
    PgBase,
    /// A dump of one database in SQL, as `mariadb-dump` and `mysqldump` write it.
    MariadbDump,
    /// An RDB, as a Redis server sends it to a replica.
    Rdb,
    /// A snapshot of an etcd cluster: the database of a member, with its SHA-256 behind it.
    EtcdSnapshot,
}

/// What is known about the content of a snapshot, or about what is in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Version of this format: 1.
    pub version: u32,
    /// What the stream is.
    pub format: Format,
    /// Every path of the tree, ordered by its bytes; empty for a dump.
    pub entries: Vec<Entry>,
    /// Every database.
    pub databases: Vec<Database>,
    /// The entries are what another tool tells of a backup that it took: times may be rounded to microseconds, and digests, targets of links,
    /// numbers of devices and extended attributes may be left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub listed: bool,
}

impl Index {
    /// An index of nothing yet.
    pub fn new(format: Format) -> Self {
        Self { version: 1, format, entries: Vec::new(), databases: Vec::new(), listed: false }
    }

    /// Rows of every table, by what it is called among all databases; and the keys of every database of a key-value store.
    pub fn rows(&self) -> BTreeMap<String, u64> {
        let of = |database: &Database| {
            let rows = |(name, table): (&String, &Table)| (self.called(database, name), table.rows);
            let keys =
                |(number, keyspace): (&u64, &Keyspace)| (format!("keys:{number}"), keyspace.types.values().sum());
            database.tables.iter().map(rows).chain(database.keyspaces.iter().map(keys)).collect::<Vec<_>>()
        };
        self.databases.iter().flat_map(of).collect()
    }

    /// What a thing in a database is called: its name, after that of the database where there may be several.
    pub(crate) fn called(&self, database: &Database, name: &str) -> String {
        match database.engine == "sqlite" || self.format == Format::PgBase {
            true => format!("{}:{name}", database.name),
            false => name.to_owned(),
        }
    }
}

/// One path of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The path, relative to the tree's root; the root itself is `.`.
    pub path: PathText,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits, with set-uid, set-gid and sticky.
    pub mode: u32,
    /// Owner's user id.
    pub uid: u32,
    /// Owner's group id.
    pub gid: u32,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Extended attributes, ACLs among them (`system.posix_acl_access`), as hexadecimal bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub xattrs: BTreeMap<String, String>,
}

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Length in bytes.
        size: u64,
        /// SHA-256 of its bytes.
        sha256: Sha256,
    },
    /// A folder.
    Directory,
    /// A symbolic link to this target.
    Symlink(PathText),
    /// A further name of the file at this path, which stands before it in the order of the archive.
    Hardlink(PathText),
    /// A named pipe.
    Fifo,
    /// A device: block or character, major and minor number.
    Device {
        /// Block device, not character.
        block: bool,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// A path as text without loss: bytes that are no printable UTF-8, and `%`, are written `%XX`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathText(OsString);

impl PathText {
    /// This path.
    pub fn new(path: impl AsRef<OsStr>) -> Self {
        Self(path.as_ref().to_owned())
    }

    /// The path itself.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// The path itself, owned.
    pub fn to_path_buf(&self) -> PathBuf {
        PathBuf::from(&self.0)
    }
}

impl fmt::Display for PathText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                if c == '%' || c.is_control() {
                    let mut buffer = [0; 4];
                    c.encode_utf8(&mut buffer).bytes().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
                } else {
                    write!(f, "{c}")?;
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for PathText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<PathText> for String {
    fn from(path: PathText) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for PathText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            if byte == b'%' {
                let code = rest.get(..2).and_then(|code| std::str::from_utf8(code).ok());
                let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
                bytes.push(byte.ok_or_else(|| format!("`{text}` has a `%` without two hexadecimal digits"))?);
                rest = &rest[2..];
            } else {
                bytes.push(byte);
            }
        }
        Ok(Self(OsString::from_vec(bytes)))
    }
}

/// What is known about one database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name; for SQLite the path of its file in the tree.
    pub name: String,
    /// `postgres`, `mariadb`, `mysql`, `sqlite`, `redis` or `etcd`.
    pub engine: String,
    /// The server's or library's version.
    pub version: String,
    /// Settings that a restore needs: `encoding`, `collate`, `ctype`, …. They are compared where both sides have them.
    pub settings: BTreeMap<String, String>,
    /// Every table (and materialised view, and the large objects as one), by qualified name.
    pub tables: BTreeMap<String, Table>,
    /// Every schema object: by class (`index`, `constraint`, `trigger`, `function`, `sequence`, `extension`, `view`, …), then by
    /// qualified name, its definition in one line of normal form (with a sequence's position).
    pub objects: BTreeMap<String, BTreeMap<String, String>>,
    /// Roles that own or may use something in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// What changed while it was captured and may have come back in another state (`table:public.orders`, `sequence:public.orders_id`):
    /// of what of this is on both sides, only that it is there can be compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restless: Vec<String>,
    /// The keys of each database of a Redis server, by its number; those of etcd are those of number 0.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keyspaces: BTreeMap<u64, Keyspace>,
    /// Memory that its server took, where all of its data is in memory. It says how much restoring takes, and is not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

impl Database {
    /// What a key is called: by the number of its database and its name, where the server numbers databases.
    pub(crate) fn key(&self, number: u64, name: &str) -> String {
        if self.engine == "etcd" { name.to_owned() } else { format!("{number}:{name}") }
    }

    /// Takes over the captured definitions of what both have in these classes: servers of other versions word them differently.
    pub(crate) fn reword(&mut self, captured: &Self, classes: &[&str]) {
        for class in classes {
            let (Some(here), Some(there)) = (self.objects.get_mut(*class), captured.objects.get(*class)) else {
                continue;
            };
            for (name, definition) in here {
                if let Some(captured) = there.get(name) {
                    definition.clone_from(captured);
                }
            }
        }
    }
}

/// A definition in one line, and nothing of it lost.
pub(crate) fn one_line(text: &str) -> String {
    if !text.contains(['\n', '\r', '\t']) {
        return text.into();
    }
    text.replace('\\', r"\\").replace('\n', r"\n").replace('\r', r"\r").replace('\t', r"\t")
}

/// The texts that [`one_line`] writes as this line: mostly one, and two of a text that looks like another's line.
pub(crate) fn readings(line: &str) -> Vec<String> {
    let mut readings = vec![line.to_owned(), many_lines(line)];
    readings.dedup();
    readings.retain(|text| one_line(text) == line);
    readings
}

fn many_lines(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        let meant = if c == '\\' { rest.next().unwrap_or(c) } else { c };
        text.push(match (c, meant) {
            ('\\', 'n') => '\n',
            ('\\', 'r') => '\r',
            ('\\', 't') => '\t',
            (_, meant) => meant,
        });
    }
    text
}

/// What is known about one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Number of rows.
    pub rows: u64,
    /// Fingerprint of the content that doesn't depend on the order of rows; absent where only rows were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_definition_of_several_lines_is_told_from_one_with_the_same_words() {
        assert_ne!(one_line("a\nb"), one_line("a\\nb\r"));
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_the_text_that_it_was_written_of(text in r"[a\\\\nt\n\t]{0,12}") {
            let readings = readings(&one_line(&text));
            prop_assert!(readings.contains(&text) && readings.len() <= 2, "{:?}", readings);
        }

        #[test]
        fn any_path_survives_being_written_as_text(bytes in proptest::collection::vec(1u8..=255, 0..40)) {
            let path = PathText(OsString::from_vec(bytes));
            prop_assert_eq!(PathText::try_from(path.to_string()), Ok(path));
        }
    }
}
