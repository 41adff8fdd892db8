//! The app's log: a file of bounded length, and its last lines for messages.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Bytes of the log, after which the rest is dropped.
pub(super) const LONGEST: usize = 64 << 20;
/// Lines that are repeated where the app is not ready, and bytes of each.
const TOLD: (usize, usize) = (5, 300);

/// The app's log: a file, and the last lines of it.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    path: PathBuf,
    written: usize,
    last: VecDeque<String>,
}

impl Log {
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let path = folder.join("app.log");
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let file = made.and_then(|()| std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path));
        let file = file.map_err(|cause| Error::io("opening log", path.display(), cause))?;
        Ok(Self { file, path, written: 0, last: VecDeque::new() })
    }

    /// Adds a line. A log that can't be written, or has become too long, must not stop the app.
    pub(super) fn add(&mut self, mut line: String) {
        line.push('\n');
        if self.written + line.len() <= LONGEST {
            self.written += line.len();
            if let Err(error) = self.file.write_all(line.as_bytes()) {
                tracing::warn!(log = %self.path.display(), %error, "the app's log can't be written");
            }
        }
        if self.last.len() == TOLD.0 {
            self.last.pop_front();
        }
        line.truncate(line.floor_char_boundary(TOLD.1));
        self.last.push_back(line.trim_end().to_owned());
    }

    /// The last lines, as a part of a sentence.
    pub(super) fn last_lines(&self) -> String {
        if self.last.is_empty() {
            return "it wrote nothing".into();
        }
        format!("its last lines: {}", self.last.iter().map(String::as_str).collect::<Vec<_>>().join(" | "))
    }
}
