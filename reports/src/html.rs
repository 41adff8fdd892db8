//! The record as one page that stands alone: no script, no outside asset, light and dark, for screens and paper.

mod plot;
mod view;

use askama::Template;

use crate::{Backup, Record, Rung, Standing, amount, json::record_sha256, shown::shown_record};
use view::{Acceptance, Gauge, PhaseRow, Timeline, Tone};

/// The record as HTML.
#[must_use]
pub fn html(record: &Record) -> String {
    // The digest is that of the file, so it is taken before anything is made safe to show.
    let sha256 = record_sha256(record);
    let record = shown_record(record);
    let page = Page {
        sha256,
        tone: record.verdict.tone(),
        gauges: view::gauges(&record),
        timeline: view::timeline(&record),
        phases: view::phases(&record),
        ladder: record.ladder(),
        acceptances: view::acceptances(&record),
        record,
    };
    page.render().expect("a page written to memory has no failing writer")
}

/// Everything that the templates name.
#[derive(Template)]
#[template(path = "record.html")]
struct Page {
    record: Record,
    sha256: String,
    tone: Tone,
    gauges: Vec<Gauge>,
    timeline: Timeline,
    phases: Vec<PhaseRow>,
    ladder: Vec<Rung>,
    acceptances: Vec<Acceptance>,
}

impl Page {
    /// Levels that this run has no check for.
    fn unchecked(&self) -> impl Iterator<Item = &Rung> {
        self.ladder.iter().filter(|rung| rung.standing == Standing::Unchecked)
    }

    /// How old a backup was at the moment of the failure.
    fn age(&self, backup: &Backup) -> Option<String> {
        Some(amount::duration(self.record.measurements.failed_at?.duration_since(backup.taken_at).as_secs_f64()))
    }
}
