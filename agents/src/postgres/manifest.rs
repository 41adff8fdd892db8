//! The manifest of a base backup: the server's own list of the files in it, each with its SHA-256. The format is that of PostgreSQL's
//! documentation, "Backup Manifest Format".

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use aws_lc_rs::digest;
use serde::Deserialize;

use crate::{Entry, EntryKind, Error, Kind, PathText, Result};

/// Its name in the backup.
pub(super) const NAME: &str = "backup_manifest";
/// WAL is in the backup but, all in all, not in its manifest: recovery itself finds out whether it is right and enough.
pub(crate) const WAL: &str = "pg_wal";
/// What the last line begins with, which holds the digest of all the others.
const LAST: &[u8] = b"\n\"Manifest-Checksum\"";

#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(rename = "PostgreSQL-Backup-Manifest-Version")]
    version: u32,
    #[serde(rename = "Files")]
    files: Vec<File>,
    #[serde(rename = "Manifest-Checksum")]
    checksum: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    path: Option<String>,
    /// Hexadecimal, for a path that is no UTF-8.
    #[serde(rename = "Encoded-Path")]
    encoded_path: Option<String>,
    size: u64,
    #[serde(rename = "Checksum-Algorithm")]
    algorithm: Option<String>,
    checksum: Option<String>,
}

/// The files that the manifest lists, ordered by the bytes of their paths. It says nothing of owners, modes and times.
///
/// # Errors
/// [`Kind::Unavailable`] for one that is damaged, of another version, or without SHA-256.
pub(super) fn entries(manifest: &[u8]) -> Result<Vec<Entry>> {
    let parsed: Manifest =
        serde_json::from_slice(manifest).map_err(|cause| unusable("can't be read").because(cause))?;
    if !(1..=2).contains(&parsed.version) {
        return Err(unusable(&format!("is of version {}, which this drillctl does not know", parsed.version)));
    }
    let told = manifest.windows(LAST.len()).rposition(|window| window == LAST).map(|at| &manifest[..=at]);
    let sha256 = told.map(|told| hex::encode(digest::digest(&digest::SHA256, told)));
    if sha256.as_ref() != Some(&parsed.checksum) {
        return Err(unusable("does not have the digest that its last line tells"));
    }
    let mut entries = parsed.files.into_iter().map(entry).collect::<Result<Vec<_>>>()?;
    entries.retain(|entry| !entry.path.as_path().starts_with(WAL));
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn entry(file: File) -> Result<Entry> {
    let encoded = || hex::decode(file.encoded_path.as_deref()?).ok().map(OsString::from_vec).map(PathBuf::from);
    let path = file.path.as_deref().map(PathBuf::from).or_else(encoded);
    let path = PathText::new(path.ok_or_else(|| unusable("names a file without its path"))?);
    match (file.algorithm.as_deref(), file.checksum) {
        (Some("SHA256"), Some(sha256)) => {
            let sha256 = sha256.try_into().map_err(|cause: String| unusable("tells no digest").because(cause))?;
            let kind = EntryKind::File { size: file.size, sha256 };
            Ok(Entry { path, kind, mode: 0o600, uid: 0, gid: 0, mtime_ns: 0, xattrs: BTreeMap::new() })
        }
        _ => Err(unusable(&format!("tells no SHA-256 of {path}"))),
    }
}

fn unusable(how: &str) -> Error {
    Error::new(Kind::Unavailable, format!("the manifest of the base backup {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manifest with these files and the right digest.
    fn manifest(files: &str) -> Vec<u8> {
        let told =
            format!("{{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n{files}],\n\"WAL-Ranges\": [\n],\n");
        let sha256 = hex::encode(digest::digest(&digest::SHA256, told.as_bytes()));
        format!("{told}\"Manifest-Checksum\": \"{sha256}\"}}\n").into_bytes()
    }

    const FILES: &str = r#"{ "Path": "base/1/2", "Size": 3, "Last-Modified": "x", "Checksum-Algorithm": "SHA256", "Checksum": "abababababababababababababababababababababababababababababababab" },
{ "Encoded-Path": "61ff", "Size": 0, "Last-Modified": "x", "Checksum-Algorithm": "SHA256", "Checksum": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd" },
{ "Path": "pg_wal/archive_status/1.done", "Size": 0, "Last-Modified": "x", "Checksum-Algorithm": "SHA256", "Checksum": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef" }
"#;

    #[test]
    fn files_are_told_in_the_order_of_their_paths_and_wal_is_left_out() {
        let entries = entries(&manifest(FILES)).expect("a manifest");
        let told: Vec<(String, &EntryKind)> =
            entries.iter().map(|entry| (entry.path.to_string(), &entry.kind)).collect();
        let [odd, file] = [("cd", 0), ("ab", 3)].map(|(byte, size)| {
            let sha256 = byte.repeat(32).try_into().expect("a digest");
            EntryKind::File { size, sha256 }
        });
        assert_eq!(told, [("a%FF".to_owned(), &odd), ("base/1/2".to_owned(), &file)]);
    }

    #[test]
    fn a_manifest_that_is_changed_cut_or_tells_no_digests_is_not_believed() {
        let whole = String::from_utf8(manifest(FILES)).expect("text");
        let changed = whole.replace("\"Size\": 3", "\"Size\": 4");
        let crc = String::from_utf8(manifest(&FILES.replace("SHA256", "CRC32C"))).expect("text");
        let later = whole.replace("Version\": 1", "Version\": 9");
        for (text, said) in
            [(&changed, "digest"), (&crc, "no SHA-256"), (&later, "version 9"), (&whole[..90].to_owned(), "read")]
        {
            let error = entries(text.as_bytes()).expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
