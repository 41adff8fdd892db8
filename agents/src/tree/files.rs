//! Reads small files of an archive without unpacking it.

use std::io::Read;
use std::path::Path;

use super::restore::inside;
use super::unpack::{Member, MemberKind, Unpack};
use crate::{Error, Kind, Result};

/// Gives every file of the archive to `each`, with its path and its content, of `most` bytes at most.
///
/// # Errors
/// [`Kind::Unrestorable`] for what is no archive, is cut off, or holds anything else; what `each` says.
pub(crate) fn read_files(from: impl Read, most: u64, mut each: impl FnMut(&Path, Vec<u8>) -> Result<()>) -> Result<()> {
    let mut archive = Unpack::new(from);
    while let Some(member) = archive.next()? {
        let path = inside(&member.path)?;
        each(&path, content(&mut archive, &member, &path, most)?)?;
    }
    Ok(())
}

/// The content of one file of the archive, of `most` bytes at most; nothing if it isn't there. All of the archive is read.
///
/// # Errors
/// [`Kind::Unrestorable`] for what is no archive or is cut off.
pub(crate) fn find_file(from: impl Read, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
    let mut archive = Unpack::new(from);
    let mut found = None;
    while let Some(member) = archive.next()? {
        let path = inside(&member.path)?;
        if path != Path::new(name) {
            continue;
        }
        found = Some(content(&mut archive, &member, &path, most)?);
    }
    Ok(found)
}

fn content(archive: &mut Unpack<impl Read>, member: &Member, path: &Path, most: u64) -> Result<Vec<u8>> {
    let unexpected = || Error::new(Kind::Unrestorable, format!("{} does not belong in the archive", path.display()));
    let size = match &member.kind {
        MemberKind::File { size, extents } if *size <= most && extents.len() == 1 => *size,
        _ => return Err(unexpected()),
    };
    let mut content = vec![0; usize::try_from(size).map_err(|_| unexpected())?];
    archive.read(&mut content)?;
    Ok(content)
}
