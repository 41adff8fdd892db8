//! What the runs in the state folder say about scenarios: how they ended, what that rests on, how long they took.

use std::collections::BTreeMap;

use drill_reports::{Record, Verdict};
use drill_scenarios::{End, PastRun};

use crate::failure::Failure;
use crate::scenario_file::ScenarioFile;
use crate::store::Store;

/// Passed runs that lengths and sizes are taken from, the newest of them.
const MEASURED: usize = 30;

/// The past of one scenario.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Its runs, the newest first.
    pub(crate) runs: Vec<PastRun>,
    secs: Vec<f64>,
    bytes: Vec<u64>,
}

/// The past of every scenario, by name, and the runs whose journals can't be read.
pub(crate) fn pasts(store: Option<&Store>) -> Result<(BTreeMap<String, Past>, Vec<String>), Failure> {
    let (mut pasts, mut unreadable) = (BTreeMap::<String, Past>::new(), Vec::new());
    let folders = store.map(Store::runs).transpose()?.unwrap_or_default();
    for folder in folders.into_iter().filter(|folder| folder.journal().exists()) {
        if folder.is_at_work()? {
            continue;
        }
        match folder.record() {
            Ok(record) => pasts.entry(record.scenario.name.clone()).or_default().add(&record),
            Err(_) => unreadable.push(folder.run),
        }
    }
    Ok((pasts, unreadable))
}

impl Past {
    fn add(&mut self, record: &Record) {
        let end = match record.verdict {
            Verdict::Passed => End::Passed,
            Verdict::Failed => End::Failed,
            Verdict::Errored | Verdict::Aborted => End::Errored,
        };
        self.runs.push(PastRun { run: record.run.clone(), at: record.started_at, end, basis: basis(record) });
        if end == End::Passed && self.secs.len() < MEASURED {
            self.secs.extend(record.run_secs());
            self.bytes.extend(bytes(record));
        }
    }

    /// How long a run takes: the median of those that passed.
    pub(crate) fn secs(&self) -> Option<f64> {
        median(&self.secs)
    }

    /// How much it restores: the same.
    pub(crate) fn bytes(&self) -> Option<u64> {
        median(&self.bytes)
    }
}

/// What a run now would rest on, as far as that is known without one.
pub(crate) fn basis_now(file: &ScenarioFile) -> BTreeMap<&'static str, String> {
    BTreeMap::from([("scenario", file.sha256()), ("drillctl", env!("CARGO_PKG_VERSION").to_owned())])
}

/// What the proof of a run rests on.
fn basis(record: &Record) -> BTreeMap<&'static str, String> {
    let server = record.environment.as_ref().and_then(|it| it.identity.values.get("version").cloned());
    let known = [
        ("scenario", Some(record.scenario.sha256.clone())),
        ("drillctl", Some(record.tool.version.clone())),
        ("key", record.opened_with.clone()),
        ("throw-away server", server),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn bytes(record: &Record) -> Option<u64> {
    let plain = record.backup.as_ref().map(|backup| backup.segments.plain_bytes);
    let counted = record.counts.as_ref().and_then(|counts| counts.bytes);
    plain.max(counted).filter(|bytes| *bytes > 0)
}

fn median<T: Copy + PartialOrd>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_one_of_the_values_and_no_outlier() {
        assert_eq!(median::<u64>(&[]), None);
        assert_eq!(median(&[7]), Some(7));
        assert_eq!(median(&[9.0, 1.0, 500.0]), Some(9.0));
        assert_eq!(median(&[4, 1, 2, 3]), Some(2));
    }
}
