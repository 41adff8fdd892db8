//! What the scenario leaves out, and how many objects each of its patterns did.

use std::path::Path;

use crate::tree::{Exclusions, Notes};

/// Patterns, and how many objects each of them left out.
#[derive(Debug)]
pub(super) struct Excluded<'a> {
    exclusions: &'a Exclusions,
    counts: Vec<u64>,
}

impl<'a> Excluded<'a> {
    /// Patterns that have left out nothing yet.
    pub(super) fn new(exclusions: &'a Exclusions) -> Self {
        Self { exclusions, counts: vec![0; exclusions.patterns().len()] }
    }

    /// Whether an object is left out. If it is, it counts.
    pub(super) fn leaves_out(&mut self, key: &str) -> bool {
        let Some(pattern) = self.exclusions.of(Path::new(key)) else { return false };
        self.counts[pattern] += 1;
        true
    }

    /// Says it.
    pub(super) fn tell(self, notes: &mut Notes) {
        for (pattern, count) in self.exclusions.patterns().iter().zip(self.counts) {
            let told = match count {
                0 => format!("Nothing matched the exclusion `{pattern}`."),
                1 => format!("1 object was left out by the exclusion `{pattern}`."),
                _ => format!("{count} objects were left out by the exclusion `{pattern}`."),
            };
            notes.say(pattern, told);
        }
    }
}
