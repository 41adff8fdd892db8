//! Writes the record and its views into the run's folder.

use drill_reports::Record;
use drill_reports::text::{Paint, text};

use crate::failure::Failure;
use crate::journal::write_whole;
use crate::store::RunFolder;

/// Files of a finished run, beside its journal.
pub(crate) const RECORD: &str = "record.json";
pub(crate) const REPORT: &str = "report.html";

/// Writes every view of the record.
pub(crate) fn publish(folder: &RunFolder, record: &Record) -> Result<(), Failure> {
    let views = [
        (RECORD, drill_reports::to_json(record)),
        (REPORT, drill_reports::html(record)),
        ("report.txt", text(record, Paint::Plain)),
        ("junit.xml", drill_reports::junit(record)),
    ];
    for (name, content) in views {
        let path = folder.path.join(name);
        write_whole(&path, content.as_bytes()).map_err(|cause| Failure::io("writing", path.display(), cause))?;
    }
    Ok(())
}
