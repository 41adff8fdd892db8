//! Notes about paths, so many of a kind at most: a tree of a million files may have as many to tell of.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Note, PathText};

/// Paths that are named for one statement.
const NAMED: u64 = 100;

/// Notes about paths.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    notes: Vec<Note>,
    told: BTreeMap<&'static str, u64>,
}

impl Notes {
    /// Says `statement` of this path.
    pub(crate) fn add(&mut self, path: &Path, statement: &'static str) {
        let told = self.told.entry(statement).or_default();
        *told += 1;
        if *told <= NAMED {
            self.notes.push(Note { subject: PathText::new(path).to_string(), statement: statement.into() });
        }
    }

    /// Says something that isn't about a path.
    pub(crate) fn say(&mut self, subject: &str, statement: String) {
        self.notes.push(Note { subject: subject.into(), statement });
    }

    /// All of them; for statements of which only some paths were named, how many more there are.
    pub(crate) fn finish(mut self) -> Vec<Note> {
        for (statement, told) in self.told {
            if let Some(more @ 1..) = told.checked_sub(NAMED) {
                self.notes.push(Note { subject: format!("{more} further paths"), statement: statement.into() });
            }
        }
        self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_first_hundred_paths_only_their_number_is_told() {
        let mut notes = Notes::default();
        (0..250).for_each(|n| notes.add(Path::new(&format!("f{n}")), "It is odd."));
        notes.add(Path::new("g"), "It is even.");
        let notes = notes.finish();
        assert_eq!(notes.len(), 102);
        assert!(notes.contains(&Note { subject: "150 further paths".into(), statement: "It is odd.".into() }));
    }
}
