//! What a backup program tells about its backup, beside the backup itself.

use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use tempfile::NamedTempFile;

use crate::{Error, Kind, Result};

/// The longest that is read.
const LONGEST: u64 = 1 << 20;

/// The file, named by `DRILL_FACTS`, into which a program may write one JSON object; it is empty until then and goes away again.
#[derive(Debug)]
pub(super) struct Told(NamedTempFile);

/// That object. Every key may be left out.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Facts {
    /// The instant that the backup is consistent at (RFC 3339). Absent: when the program was started.
    pub(super) taken_at: Option<Timestamp>,
    /// Newest data in the backup (RFC 3339).
    pub(super) newest_at: Option<Timestamp>,
    /// Sentences that people should read.
    pub(super) notes: Vec<String>,
}

impl Told {
    /// A file of its own in this folder, for nobody else.
    pub(super) fn in_folder(folder: &Path) -> Result<Self> {
        let file = tempfile::Builder::new().prefix("facts-").suffix(".json").tempfile_in(folder);
        file.map(Self).map_err(|cause| Error::io("making a file in", folder.display(), cause))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// What stands in it now. It is opened anew: a program may have put another file in its place.
    ///
    /// # Errors
    /// [`Kind::Config`] for anything but that object.
    pub(super) fn read(&self) -> Result<Facts> {
        let wrong = || Error::new(Kind::Config, "what the program wrote to DRILL_FACTS");
        let mut text = Vec::new();
        let file = std::fs::File::open(self.path()).map_err(|cause| wrong().because(cause))?;
        file.take(LONGEST).read_to_end(&mut text).map_err(|cause| wrong().because(cause))?;
        if text.trim_ascii().is_empty() {
            return Ok(Facts::default());
        }
        let object = serde_json::from_slice::<serde_json::Map<_, _>>(&text);
        object.and_then(|object| Facts::deserialize(serde_json::Value::Object(object))).map_err(|cause| {
            wrong().because(cause).hint("It is one JSON object with `taken_at`, `newest_at` and `notes`, all optional.")
        })
    }
}
