//! Brings what was observed into the shape of what was captured, where the two can't be alike without either being wrong.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;

use crate::{Account, Entry, EntryKind, Format, Index, PathText};

const MICROSECOND: u64 = 1_000;

/// Attributes that only root may give.
const PRIVILEGED: [&str; 2] = ["security.", "trusted."];

/// Leaves out folders that the snapshot only implies: they had to be made, but the snapshot doesn't describe them. Takes over from the
/// snapshot what this account could not restore (owners and privileged attributes, unless it is root), and what the snapshot of a
/// single file or of a cluster doesn't tell (all but the content), or a list that another tool made. Restoring has noted the former.
pub(crate) fn in_shape_of(expected: &Index, observed: &mut Vec<Entry>) {
    observed.retain(|entry| find(expected, entry).is_some() || !is_implied(expected, entry));
    if expected.listed {
        as_listed(expected, observed);
    }
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

/// Leaves out what lists of other tools leave out: that a name is another one of a file which has several, what a link leads to,
/// numbers of devices, attributes, nanoseconds.
fn as_listed(expected: &Index, observed: &mut [Entry]) {
    let files: HashMap<PathText, EntryKind> = linked(observed);
    for entry in observed {
        let Some(known) = find(expected, entry) else { continue };
        match (&entry.kind, &known.kind) {
            (EntryKind::Hardlink(first), EntryKind::File { .. }) => {
                entry.kind = files.get(first).unwrap_or(&entry.kind).clone();
            }
            (EntryKind::Symlink(_), EntryKind::Symlink(target)) if target.as_path().as_os_str().is_empty() => {
                entry.kind = known.kind.clone();
            }
            (EntryKind::Device { .. }, EntryKind::Device { .. }) => entry.kind = known.kind.clone(),
            _ => {}
        }
        entry.xattrs.clone_from(&known.xattrs);
        if known.mtime_ns.unsigned_abs().is_multiple_of(MICROSECOND)
            && entry.mtime_ns.abs_diff(known.mtime_ns) <= MICROSECOND
        {
            entry.mtime_ns = known.mtime_ns;
        }
    }
}

/// The files that have further names.
fn linked(entries: &[Entry]) -> HashMap<PathText, EntryKind> {
    let first = |entry: &Entry| match &entry.kind {
        EntryKind::Hardlink(first) => Some(first.clone()),
        _ => None,
    };
    let first: HashSet<PathText> = entries.iter().filter_map(first).collect();
    entries
        .iter()
        .filter(|entry| first.contains(&entry.path))
        .map(|entry| (entry.path.clone(), entry.kind.clone()))
        .collect()
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
