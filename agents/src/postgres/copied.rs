//! The files of a copied cluster: what came back, and what must not come along from the source.

use std::path::Path;
use std::sync::Arc;

use drill_scenarios::Level;

use super::{collations, manifest};
use crate::stream::on_thread;
use crate::tree::Written;
use crate::{Account, Context, Entry, EntryKind, Error, Kind, Result, tree};

/// What ties a cluster to where it is from, or would have its server do as it was told there.
const LEFT_BEHIND: [&str; 10] = [
    "postgresql.conf",
    "postgresql.auto.conf",
    "pg_hba.conf",
    "pg_ident.conf",
    "standby.signal",
    "recovery.signal",
    "postmaster.pid",
    "postmaster.opts",
    "tablespace_map",
    manifest::NAME,
];
/// Where a recovering server learns of folders elsewhere that it then makes links to.
const ELSEWHERE: &str = "tablespace_map";

/// What a server says of trouble that lies in this host or in its settings, not in the files.
const OURS: [&str; 14] = [
    "Address already in use",
    "Cannot allocate memory",
    "No space left on device",
    "Permission denied",
    "Too many open files",
    "configuration file",
    "could not access file",
    "could not bind",
    "could not create lock file",
    "could not create shared memory",
    "could not load library",
    "incompatible with server",
    "invalid value for parameter",
    "unrecognized configuration parameter",
];

/// What the files are, with the digests of what was written, without what the manifest doesn't list.
///
/// # Errors
/// [`Kind::Unrestorable`] if anything leads out of the folder; I/O errors.
pub(crate) async fn entries(cx: &Context, data: &Path, written: Arc<Written>) -> Result<Vec<Entry>> {
    let (cx, data) = (cx.clone(), data.to_owned());
    on_thread(move || {
        let opened = tree::open_root(&data).map_err(|cause| Error::io("opening", data.display(), cause))?;
        let mut entries = tree::observe(&cx, opened, Level::Content, Some(&written))?.entries;
        entries.iter().try_for_each(within)?;
        entries.retain(|entry| matches!(entry.kind, EntryKind::File { .. }) && is_listed(entry.path.as_path()));
        Ok(entries)
    })
    .await
}

fn is_listed(path: &Path) -> bool {
    !path.starts_with(manifest::WAL) && path != Path::new(manifest::NAME)
}

/// Files and folders only, and no word of a tablespace: its server would write where the source's do.
fn within(entry: &Entry) -> Result<()> {
    let leads_out = match entry.kind {
        EntryKind::File { size, .. } => size > 0 && entry.path.as_path() == Path::new(ELSEWHERE),
        EntryKind::Directory => false,
        _ => true,
    };
    if leads_out {
        return Err(Error::new(Kind::Unrestorable, format!("{} in the backup leads out of the cluster", entry.path))
            .hint("A cluster with tablespaces, or with its WAL elsewhere, is not restored; use `method: dump`."));
    }
    Ok(())
}

/// Refuses a link that leads anywhere but below `inside`: the server would write there.
///
/// # Errors
/// [`Kind::Refused`]; I/O errors.
pub(crate) fn stays_within(path: &Path, inside: &Path) -> Result<()> {
    let wrong = |cause| Error::io("looking at", path.display(), cause);
    let kind = path.symlink_metadata().map_err(wrong)?.file_type();
    if kind.is_dir() {
        for entry in std::fs::read_dir(path).map_err(wrong)? {
            stays_within(&entry.map_err(wrong)?.path(), inside)?;
        }
    }
    if kind.is_symlink() && !std::fs::canonicalize(path).map_err(wrong)?.starts_with(inside) {
        return Err(Error::new(Kind::Refused, format!("the restored {} leads out of the scratch", path.display())));
    }
    Ok(())
}

/// Leaves behind what belongs to the source only, and gives all the rest to the account that the server runs as.
pub(crate) fn cut_loose(data: &Path, account: &Account) -> Result<()> {
    for name in LEFT_BEHIND {
        let file = data.join(name);
        match std::fs::remove_file(&file) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("removing", file.display(), cause));
            }
            _ => {}
        }
    }
    give(data, account)
}

/// There are no links in it: that was looked at.
fn give(path: &Path, account: &Account) -> Result<()> {
    let wrong = |cause| Error::io("giving to the server's account", path.display(), cause);
    std::os::unix::fs::lchown(path, Some(account.uid), Some(account.gid)).map_err(wrong)?;
    if path.symlink_metadata().map_err(wrong)?.is_dir() {
        for entry in std::fs::read_dir(path).map_err(wrong)? {
            give(&entry.map_err(wrong)?.path(), account)?;
        }
    }
    Ok(())
}

/// What the server says of the files, if it is that for which it ended.
pub(crate) fn fault(log: &str) -> Option<String> {
    let last = log.lines().rev().filter_map(|line| said(line, &["FATAL", "PANIC"])).find(|said| !is_waiting(said))?;
    (!OURS.iter().any(|words| last.contains(words))).then_some(last)
}

/// What the server complains of while it recovers.
pub(crate) fn complaints(log: &str) -> Vec<String> {
    let all = log.lines().filter_map(|line| said(line, &["WARNING", "ERROR", "FATAL", "PANIC"]));
    all.filter(|said| !is_waiting(said) && !collations::is_told(said)).collect()
}

/// Somebody asked too early: that is drillctl itself.
fn is_waiting(said: &str) -> bool {
    ["is starting up", "not yet accepting connections", "not accepting connections", "in recovery mode"]
        .iter()
        .any(|words| said.contains(words))
}

/// A line of the log without what stands before its level, if that is one of these.
fn said(line: &str, levels: &[&str]) -> Option<String> {
    let at = levels.iter().filter_map(|level| line.find(&format!("{level}:  "))).min()?;
    Some(line[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-11-25 10:00:00 UTC [7] LOG:  database system was interrupted
2026-11-25 10:00:00 UTC [9] FATAL:  the database system is starting up
2026-11-25 10:00:00 UTC [8] WARNING:  page verification failed
2026-11-25 10:00:00 UTC [8] FATAL:  WAL ends before end of online backup
2026-11-25 10:00:00 UTC [9] FATAL:  the database system is starting up
2026-11-25 10:00:00 UTC [7] LOG:  startup process (PID 8) exited with exit code 1";

    #[test]
    fn what_a_server_says_of_its_files_is_told_from_what_it_says_of_the_host() {
        assert_eq!(fault(LOG).as_deref(), Some("FATAL:  WAL ends before end of online backup"));
        assert_eq!(
            complaints(LOG),
            ["WARNING:  page verification failed", "FATAL:  WAL ends before end of online backup"]
        );
        let ours = "x FATAL:  could not map anonymous shared memory: Cannot allocate memory";
        assert_eq!((fault(ours), fault("x LOG:  ready")), (None, None));
    }

    #[test]
    fn what_leads_out_of_the_cluster_is_not_taken_for_a_part_of_it() {
        let entry = |path: &str, kind| Entry {
            path: crate::PathText::new(path),
            kind,
            mode: 0o600,
            uid: 0,
            gid: 0,
            mtime_ns: 0,
            xattrs: std::collections::BTreeMap::new(),
        };
        let file = |size| EntryKind::File { size, sha256: crate::Sha256::UNREAD };
        within(&entry("base/1", file(7))).expect("a file");
        within(&entry("tablespace_map", file(0))).expect("an empty map");
        let link = EntryKind::Symlink(crate::PathText::new("/srv/fast"));
        for out in [entry("tablespace_map", file(9)), entry("pg_tblspc/16385", link.clone()), entry("pg_wal", link)] {
            assert_eq!(within(&out).expect_err("out").kind(), Kind::Unrestorable);
        }
    }
}
