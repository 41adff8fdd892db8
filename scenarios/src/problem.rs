//! What is wrong with a scenario file, for people and for programs.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::place::{Path, Place};
use crate::secret::{Masks, printable};

/// The most problems of a file that are told; the rest is counted.
const TOLD: usize = 100;
/// The most characters of a line that are shown.
const WIDTH: usize = 100;
/// The most bytes of a line, before and after its mark, that are looked at.
const REACH: usize = 2048;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The value that it is about, as a JSON pointer (`/checks/0/probe`); empty for the whole file.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters of the line it is about, at least 1.
    pub length: usize,
    /// What is wrong: a fragment.
    pub message: String,
    /// What to do: full sentences; a list has a line an item.
    pub hint: String,
    /// The line, with whatever may be a secret replaced.
    pub excerpt: String,
    /// Which characters of `excerpt` are underlined.
    #[serde(skip)]
    mark: Range<usize>,
}

/// Everything that is wrong with one file, in the order of its lines; never empty.
///
/// Its `Display` is what a terminal shows, in plain text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[non_exhaustive]
pub struct Problems {
    /// The file's name, as the caller gave it.
    pub file: String,
    /// Each problem, up to a hundred.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

/// A problem before it is set into the text.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: Path,
    pub(crate) place: Place,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Problems {
    /// Sets the findings into the text. `masks` says what is never shown of it.
    pub(crate) fn new(file: &str, text: &str, findings: Vec<Finding>, masks: &Masks) -> Self {
        let mut findings = findings;
        findings.sort_by_cached_key(|finding| (finding.place, finding.path.to_string()));
        let problems = findings.iter().take(TOLD).map(|finding| Problem::new(text, finding, masks)).collect();
        Self { file: file.into(), problems, more: findings.len().saturating_sub(TOLD) }
    }
}

impl Problem {
    fn new(text: &str, finding: &Finding, masks: &Masks) -> Self {
        let start = floor(text, finding.place.start);
        let before = text.get(..start).unwrap_or_default();
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.get(begin..).unwrap_or_default();
        let end = begin + rest.find('\n').unwrap_or(rest.len());
        let clean = |words: &str| masks.scrub(words).chars().map(printable).collect::<String>();
        let shown_from = floor(text, begin.max(start.saturating_sub(REACH)));
        let shown_to = floor(text, end.min(start + REACH));
        let mark = Place::new(start, finding.place.end.min(shown_to));
        let (excerpt, mark) = masks.line(text, shown_from..shown_to, mark);
        let (excerpt, mark) = crop(excerpt.trim_end(), mark);
        Self {
            path: finding.path.to_string(),
            line: before.matches('\n').count() + 1,
            column: text.get(begin..start).unwrap_or_default().chars().count() + 1,
            length: mark.len(),
            message: clean(&finding.message),
            hint: finding.hint.lines().map(clean).collect::<Vec<_>>().join("\n"),
            excerpt,
            mark,
        }
    }
}

/// The nearest boundary of a character that is not after `byte`.
fn floor(text: &str, byte: usize) -> usize {
    (0..=byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A long line is cut to what stands around the mark.
fn crop(line: &str, mark: Range<usize>) -> (String, Range<usize>) {
    let count = line.chars().count();
    let mark = mark.start.min(count)..mark.end.min(count).max(mark.start.min(count) + 1);
    if count <= WIDTH {
        return (line.into(), mark);
    }
    let skip = mark.start.saturating_sub(WIDTH / 3);
    let shown: String = line.chars().skip(skip).take(WIDTH).collect();
    let (head, tail) = (if skip > 0 { "…" } else { "" }, if skip + WIDTH < count { "…" } else { "" });
    let start = mark.start - skip + head.chars().count();
    let end = (mark.end - skip + head.chars().count()).min(WIDTH + 1);
    (format!("{head}{shown}{tail}"), start..end.max(start + 1))
}

impl Problem {
    fn show(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let underline = format!("{}{}", " ".repeat(self.mark.start), "^".repeat(self.mark.len()));
        writeln!(f, "error: {}", self.message)?;
        writeln!(f, "{margin}--> {file}:{}:{}", self.line, self.column)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.excerpt)?;
        writeln!(f, "{margin} | {underline}")?;
        for (number, line) in self.hint.lines().enumerate() {
            writeln!(f, "{margin} {} {line}", if number == 0 { '=' } else { ' ' })?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            problem.show(&self.file, f)?;
            writeln!(f)?;
        }
        match (self.problems.len(), self.more) {
            (1, _) => write!(f, "1 problem in {}", self.file),
            (count, 0) => write!(f, "{count} problems in {}", self.file),
            (count, more) => write!(f, "{count} problems in {}, and {more} more", self.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Problems};
    use crate::place::{Path, Place};
    use crate::secret::Masks;

    fn problem(text: &str, start: usize, end: usize) -> String {
        let finding =
            Finding { path: Path::default(), place: Place::new(start, end), message: "m".into(), hint: "H.".into() };
        Problems::new("f", text, vec![finding], &Masks::of(text, vec![])).to_string()
    }

    #[test]
    fn the_underline_counts_characters() {
        let shown = problem("ä: ö\nß: x\n", 9, 12);
        assert_eq!(shown, "error: m\n --> f:2:2\n  |\n2 | ß: x\n  |  ^^^\n  = H.\n\n1 problem in f");
    }

    #[test]
    fn a_place_beyond_the_end_or_inside_a_character_is_shown_all_the_same() {
        assert!(problem("", 7, 9).contains("f:1:1"));
        assert!(problem("ä", 1, 2).contains("f:1:1"));
        assert!(problem("a\n", 2, 2).contains("f:2:1"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
        let shown = problem(&text, 500, 504);
        let lines: Vec<&str> = shown.lines().collect();
        let mark = lines[4].find('^').expect("an underline");
        assert_eq!(lines[3].chars().skip(mark).take(4).collect::<String>(), "HERE");
        assert!(lines[3].chars().count() < 120);
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert!(!problem("a: \u{1b}[31m\u{202e}", 3, 4).contains(['\u{1b}', '\u{202e}']));
    }
}
