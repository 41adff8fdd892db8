//! Reads an archive of small files without unpacking it.

use std::io::Read;
use std::path::Path;

use super::restore::inside;
use super::unpack::{MemberKind, Unpack};
use crate::{Error, Kind, Result};

/// Gives every file of the archive to `each`, with its path and its content, of `most` bytes at most.
///
/// # Errors
/// [`Kind::Unrestorable`] for what is no archive, is cut off, or holds anything else; what `each` says.
pub(crate) fn read_files(from: impl Read, most: u64, mut each: impl FnMut(&Path, Vec<u8>) -> Result<()>) -> Result<()> {
    let mut archive = Unpack::new(from);
    while let Some(member) = archive.next()? {
        let path = inside(&member.path)?;
        let size = match member.kind {
            MemberKind::File { size, ref extents } if size <= most && extents.len() == 1 => size,
            _ => return Err(unexpected(&path)),
        };
        let mut content = vec![0; usize::try_from(size).map_err(|_| unexpected(&path))?];
        archive.read(&mut content)?;
        each(&path, content)?;
    }
    Ok(())
}

fn unexpected(path: &Path) -> Error {
    Error::new(Kind::Unrestorable, format!("{} does not belong in the archive", path.display()))
}
