//! Reading a journal: one [`Entry`] a line. A line that a crash cut short is told and left out; every other
//! irregularity is an error, because a record must not be folded from a journal that somebody has edited.

use thiserror::Error;

use crate::Entry;

/// What a journal holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// The entries, in their order.
    pub entries: Vec<Entry>,
    /// Whether its last line was cut short by a crash and is left out.
    pub torn: bool,
    /// Bytes up to the end of the last whole line: who appends to a torn journal truncates it to here first.
    pub whole_bytes: usize,
}

/// Why a journal can't be read. Lines count from 1.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The line is no JSON.
    #[error("journal line {line} is not JSON")]
    Syntax {
        /// Which.
        line: usize,
        /// Where in it.
        source: serde_json::Error,
    },
    /// The line is JSON and no entry that this version knows.
    #[error("journal line {line} holds an event of type `{event}` that this version does not understand")]
    Unknown {
        /// Which.
        line: usize,
        /// The type it names, `none` if it names none.
        event: String,
        /// What is not understood.
        source: serde_json::Error,
    },
    /// A line is missing, repeated or out of order.
    #[error("journal line {line} has seq {found}, expected {expected}")]
    Seq {
        /// Which.
        line: usize,
        /// What it says.
        found: u64,
        /// What it ought to say.
        expected: u64,
    },
}

impl JournalError {
    /// What to do next, as a sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "Restore the file from a copy: a line before the last one is damaged.",
            Self::Unknown { .. } => "Read it with the version of drillctl that wrote it, or a newer one.",
            Self::Seq { .. } => "Restore the file from a copy: lines were removed, repeated or put in another order.",
        }
    }
}

/// Reads a journal from the bytes of its file.
///
/// # Errors
/// When a line other than a torn last one is no entry, or the numbers of the entries are not 0, 1, 2, ….
pub fn read(bytes: &[u8]) -> Result<Journal, JournalError> {
    let mut journal = Journal { entries: Vec::new(), torn: false, whole_bytes: 0 };
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let end = journal.whole_bytes + line.len();
        let last = end == bytes.len();
        match entry(line, index + 1) {
            // Without its newline a line may be the beginning of a longer one, even if it can be read.
            _ if !line.ends_with(b"\n") => journal.torn = true,
            Err(JournalError::Syntax { .. }) if last => journal.torn = true,
            Err(error) => return Err(error),
            Ok(entry) => {
                journal.entries.push(in_place(entry, index)?);
                journal.whole_bytes = end;
            }
        }
    }
    Ok(journal)
}

fn entry(bytes: &[u8], line: usize) -> Result<Entry, JournalError> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|source| JournalError::Syntax { line, source })?;
    // The type is looked up in the raw value: the error of an unknown one does not always name it.
    let event = value["event"]["type"].as_str().unwrap_or("none").to_owned();
    serde_json::from_value(value).map_err(|source| JournalError::Unknown { line, event, source })
}

fn in_place(entry: Entry, index: usize) -> Result<Entry, JournalError> {
    let expected = index as u64;
    if entry.seq == expected {
        Ok(entry)
    } else {
        Err(JournalError::Seq { line: index + 1, found: entry.seq, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = concat!(
        r#"{"seq":0,"at":"2026-11-23T13:45:10Z","elapsed_ms":0,"event":{"type":"failure_declared"}}"#,
        "\n",
        r#"{"seq":1,"at":"2026-11-23T13:45:11Z","event":{"type":"run_ended"}}"#,
        "\n",
    );

    #[test]
    fn a_whole_journal_is_read_to_its_end() {
        let journal = read(WHOLE.as_bytes()).unwrap();
        assert_eq!((journal.entries.len(), journal.torn, journal.whole_bytes), (2, false, WHOLE.len()));
    }

    #[test]
    fn an_empty_journal_has_no_entries() {
        assert_eq!(read(b"").unwrap(), Journal { entries: Vec::new(), torn: false, whole_bytes: 0 });
    }

    #[test]
    fn wherever_the_last_line_is_cut_it_is_left_out_and_told() {
        let first = WHOLE.find('\n').unwrap() + 1;
        for end in first + 1..WHOLE.len() {
            let journal = read(&WHOLE.as_bytes()[..end]).unwrap();
            assert_eq!((journal.entries.len(), journal.torn, journal.whole_bytes), (1, true, first), "cut at {end}");
        }
    }

    #[test]
    fn a_last_line_of_zeros_is_torn() {
        let journal = read(&[WHOLE.as_bytes(), b"\0\0\0\n"].concat()).unwrap();
        assert_eq!((journal.entries.len(), journal.torn), (2, true));
    }

    #[test]
    fn a_bad_line_before_the_last_is_an_error_that_names_it() {
        let bad = WHOLE.replacen("{\"seq\":0", "{\"seq\":0,,", 1);
        assert_eq!(read(bad.as_bytes()).unwrap_err().to_string(), "journal line 1 is not JSON");
    }

    #[test]
    fn a_line_taken_away_is_noticed() {
        let second = WHOLE.split_inclusive('\n').nth(1).unwrap();
        assert_eq!(read(second.as_bytes()).unwrap_err().to_string(), "journal line 1 has seq 1, expected 0");
    }

    #[test]
    fn an_event_of_a_newer_version_is_named_even_in_the_last_line() {
        let newer = WHOLE.replace("run_ended", "sun_rose");
        let error = read(newer.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "journal line 2 holds an event of type `sun_rose` that this version does not understand"
        );
        assert!(error.hint().contains("newer"));
    }
}
