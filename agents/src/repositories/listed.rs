//! What is in a backup by the word of the tool that took it.

use std::path::{Component, Path, PathBuf};

use crate::{Entry, EntryKind, Format, Index, PathText};

/// What is in a backup, collected path by path in any order.
#[derive(Debug, Default)]
pub(super) struct Listed {
    entries: Vec<Entry>,
}

impl Listed {
    /// Adds a path.
    pub(super) fn add(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The index of a tree that the tool restores itself. Each name of a file that has several counts as a file.
    pub(super) fn index(mut self) -> Index {
        self.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.entries.dedup_by(|a, b| a.path == b.path);
        let known = std::mem::take(&mut self.entries);
        let file = |path: &PathText| {
            let at = known.binary_search_by(|entry| entry.path.cmp(path)).ok()?;
            matches!(known[at].kind, EntryKind::File { .. }).then(|| known[at].kind.clone())
        };
        let entries = known.iter().map(|entry| match &entry.kind {
            EntryKind::Hardlink(first) => {
                Entry { kind: file(first).unwrap_or_else(|| entry.kind.clone()), ..entry.clone() }
            }
            _ => entry.clone(),
        });
        Index { entries: entries.collect(), listed: true, ..Index::new(Format::Tar) }
    }
}

/// A path as it is below the folder that the backup is restored into: without the slash that it may begin with.
pub(super) fn below(path: &str) -> PathText {
    let plain = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_)));
    let plain: PathBuf = plain.collect();
    PathText::new(if plain.as_os_str().is_empty() { Path::new(".") } else { &plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_the_slash_they_begin_with() {
        for (told, path) in [("/srv/www", "srv/www"), ("srv/www/", "srv/www"), ("/", "."), ("./a", "a")] {
            assert_eq!(below(told), PathText::new(path), "{told}");
        }
    }
}
