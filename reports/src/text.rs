//! The record for a terminal: at most [`WIDTH`] columns, plain or in colour.

mod layout;
mod sections;

use crate::{Record, Verdict, shown::shown_record};

/// Columns that nothing exceeds.
pub const WIDTH: usize = 100;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Text alone.
    Plain,
    /// With ANSI escape sequences.
    Ansi,
}

/// What a piece of text is to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Strong,
    Dim,
    Good,
    Bad,
    Doubtful,
    Badge(Verdict),
}

impl Paint {
    fn paint(self, style: Style, text: &str) -> String {
        match self {
            Self::Ansi if !text.is_empty() => format!("\x1b[{}m{text}\x1b[0m", style.code()),
            Self::Plain | Self::Ansi => text.to_owned(),
        }
    }
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Doubtful => "33",
            // Black on green or yellow, white on red or blue: the pairs that are legible with any palette.
            Self::Badge(Verdict::Passed) => "1;30;42",
            Self::Badge(Verdict::Failed) => "1;97;41",
            Self::Badge(Verdict::Errored) => "1;30;43",
            Self::Badge(Verdict::Aborted) => "1;97;44",
        }
    }
}

/// The record as text, ended by a newline.
#[must_use]
pub fn text(record: &Record, paint: Paint) -> String {
    let record = shown_record(record);
    let mut page = layout::Page::new(paint);
    sections::headline(&mut page, &record);
    sections::facts(&mut page, &record);
    sections::objectives(&mut page, &record);
    sections::ladder(&mut page, &record);
    sections::checks(&mut page, &record);
    sections::findings(&mut page, &record);
    sections::uncovered(&mut page, &record);
    sections::stages(&mut page, &record);
    sections::release(&mut page, &record);
    page.into_text()
}
