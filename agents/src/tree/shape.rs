//! Brings what was observed into the shape of what was captured, where the two can't be alike without either being wrong.

use std::os::unix::ffi::OsStrExt;

use crate::{Account, Entry, EntryKind, Format, Index};

/// Attributes that only root may give.
const PRIVILEGED: [&str; 2] = ["security.", "trusted."];

/// Leaves out folders that the snapshot only implies: they had to be made, but the snapshot doesn't describe them. Takes over from the
/// snapshot what this account could not restore (owners and privileged attributes, unless it is root), and what the snapshot of a
/// single file or of a cluster doesn't tell (all but the content). Restoring has noted the former.
pub(crate) fn in_shape_of(expected: &Index, observed: &mut Vec<Entry>) {
    observed.retain(|entry| find(expected, entry).is_some() || !is_implied(expected, entry));
    let bare = matches!(expected.format, Format::File(_) | Format::PgBase);
    let root = Account::current().is_root();
    for entry in observed {
        let Some(known) = find(expected, entry) else { continue };
        if bare {
            let kind = entry.kind.clone();
            *entry = Entry { kind, ..known.clone() };
        } else if !root {
            (entry.uid, entry.gid) = (known.uid, known.gid);
            entry.xattrs.retain(|name, _| !is_privileged(name));
            let theirs = known.xattrs.iter().filter(|(name, _)| is_privileged(name));
            entry.xattrs.extend(theirs.map(|(name, value)| (name.clone(), value.clone())));
        }
    }
}

fn is_privileged(name: &str) -> bool {
    PRIVILEGED.iter().any(|prefix| name.starts_with(prefix))
}

fn find<'a>(index: &'a Index, entry: &Entry) -> Option<&'a Entry> {
    let at = index.entries.binary_search_by(|known| known.path.cmp(&entry.path)).ok()?;
    Some(&index.entries[at])
}

/// Whether it is a folder that the snapshot doesn't tell of, though of something in it.
fn is_implied(index: &Index, entry: &Entry) -> bool {
    let path = entry.path.as_path();
    if entry.kind != EntryKind::Directory || path.as_os_str() == "." {
        return entry.kind == EntryKind::Directory;
    }
    let inside = [path.as_os_str().as_bytes(), b"/"].concat();
    let bytes = |entry: &Entry| entry.path.as_path().as_os_str().as_bytes().to_vec();
    let at = index.entries.partition_point(|known| bytes(known) < inside);
    index.entries.get(at).is_some_and(|known| bytes(known).starts_with(&inside))
}
