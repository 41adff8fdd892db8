//! A backup held against those that earlier runs passed with: what fell, what is gone, what stands still. Pure: it looks at
//! records and at nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    Record, System, Verdict,
    amount::{bytes, counted, duration, instant, number},
};

/// Earlier backups that one is held against, the newest of them.
const MOST: usize = 30;
/// Earlier values that a statement shows.
const SHOWN: usize = 5;
/// Rows or files of which a fall says little, as it may be chance.
const FEW: u64 = 100;
/// The same of bytes.
const FEW_BYTES: u64 = 64 << 10;
/// A fall by more than this part below the most there ever was is told, even if it is allowed.
const NOTABLE_PERCENT: u8 = 10;
/// How old newest data that doesn't change may be before it is told.
const NOTABLE_STAND: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What may differ from earlier backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// How far a value may fall below the least of earlier ones, in percent of that.
    pub may_fall_percent: u8,
    /// How old newest data may be that hasn't changed since the backup before, in seconds; absent: as old as it is.
    pub newest_may_stand_secs: Option<u64>,
}

/// How a backup stands against earlier ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trend {
    /// How many backups it was held against.
    pub backups: usize,
    /// What fell further than it may: subject (`history:table:public.orders`) and a fragment with the values before.
    pub falls: Vec<(String, String)>,
    /// What is worth a look: subject in words, and a sentence.
    pub notable: Vec<(String, String)>,
}

/// Holds the backup that `now` has of a system against those of `earlier` runs that passed and were taken before it, of one source
/// kind. Tables that `ignored` names are left out.
#[must_use]
pub fn trend(
    (now, system): (&Record, Option<&str>),
    earlier: &[Record],
    tolerance: Tolerance,
    ignored: impl Fn(&str) -> bool,
) -> Trend {
    let Some(now) = now.system(system).map(|its| (now, its)) else { return Trend::default() };
    let Some(now_point) = Point::of(now, &ignored) else { return Trend::default() };
    let past = before(now.1, &now_point, earlier, &ignored);
    let Some(last) = past.first() else { return Trend::default() };
    let mut trend = Trend { backups: past.len(), ..Trend::default() };
    let subjects: BTreeSet<&Subject> = now_point.values.keys().chain(last.values.keys()).collect();
    for subject in subjects {
        let series = Series::of(subject, &now_point, &past);
        match series.judge(tolerance.may_fall_percent) {
            Judged::Holds => {}
            Judged::Notable(fragment) => trend.notable.push((subject.words(), format!("It {fragment}."))),
            Judged::Fallen(fragment) => trend.falls.push((subject.label(), fragment)),
        }
    }
    trend.newest(&now_point, last, tolerance.newest_may_stand_secs);
    trend
}

/// Backups of earlier runs, newest first. Of one that was drilled more than once the newest run counts.
fn before(now: System<'_>, point: &Point, earlier: &[Record], ignored: &impl Fn(&str) -> bool) -> Vec<Point> {
    let mut seen = BTreeSet::new();
    let mut runs: Vec<&Record> = earlier.iter().filter(|record| record.verdict == Verdict::Passed).collect();
    runs.sort_by(|a, b| b.run.cmp(&a.run));
    let systems = runs.into_iter().filter_map(|record| Some((record, record.system(now.name)?)));
    let comparable = systems.filter(|(_, its)| its.kinds.get("source") == now.kinds.get("source"));
    let points = comparable.filter_map(|of| Point::of(of, ignored));
    let mut points: Vec<Point> =
        points.filter(|p| p.taken_at < point.taken_at && seen.insert(p.snapshot.clone())).collect();
    points.sort_by_key(|point| std::cmp::Reverse(point.taken_at));
    points.truncate(MOST);
    points
}

/// What has a number in every backup.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Bytes,
    Files,
    Table(String),
}

impl Subject {
    /// As an exception names it.
    fn label(&self) -> String {
        match self {
            Self::Bytes => "history:bytes".into(),
            Self::Files => "history:files".into(),
            Self::Table(name) => format!("history:table:{name}"),
        }
    }

    /// For people.
    fn words(&self) -> String {
        match self {
            Self::Bytes => "size of the backup".into(),
            Self::Files => "number of files".into(),
            Self::Table(name) => format!("table {name}"),
        }
    }

    fn amount(&self, value: u64) -> String {
        match self {
            Self::Bytes => bytes(value),
            Self::Files => counted(usize::try_from(value).unwrap_or(usize::MAX), "file"),
            Self::Table(_) => counted(usize::try_from(value).unwrap_or(usize::MAX), "row"),
        }
    }

    fn few(&self) -> u64 {
        if *self == Self::Bytes { FEW_BYTES } else { FEW }
    }
}

/// One backup, in numbers.
#[derive(Debug)]
struct Point {
    snapshot: String,
    taken_at: Timestamp,
    newest_at: Option<Timestamp>,
    values: BTreeMap<Subject, u64>,
    /// Every table was counted and written down.
    whole: bool,
}

impl Point {
    fn of((record, system): (&Record, System<'_>), ignored: &impl Fn(&str) -> bool) -> Option<Self> {
        let backup = system.backup?;
        let counts = system.counts;
        let files = counts.and_then(|counts| counts.files);
        // Of a dump the stream tells the size. What another tool took has no stream of ours.
        let stream_bytes = Some(backup.segments.plain_bytes).filter(|bytes| *bytes > 0);
        let bytes = counts.and_then(|counts| counts.bytes).or(stream_bytes);
        let known = [(Subject::Files, files), (Subject::Bytes, bytes)];
        let known = known.into_iter().filter_map(|(subject, value)| Some((subject, value?)));
        let mut values: BTreeMap<Subject, u64> = known.collect();
        let tables = counts.into_iter().flat_map(|counts| &counts.tables).filter(|(name, _)| !ignored(name));
        values.extend(tables.map(|(name, rows)| (Subject::Table(name.clone()), *rows)));
        Some(Self {
            snapshot: backup.snapshot.clone(),
            taken_at: backup.taken_at,
            // Newest data is looked for in the scenario's own system only.
            newest_at: record.measurements.newest_at.filter(|_| system.name.is_none()),
            values,
            whole: counts.is_some_and(|counts| counts.more_tables == 0),
        })
    }
}

/// What one subject had, newest first, and has now.
struct Series<'a> {
    subject: &'a Subject,
    now: Option<u64>,
    past: Vec<(Timestamp, u64)>,
}

/// What is to be said of a series.
enum Judged {
    Holds,
    Notable(String),
    Fallen(String),
}

impl<'a> Series<'a> {
    fn of(subject: &'a Subject, now: &Point, past: &[Point]) -> Self {
        let value = now.values.get(subject).copied();
        // Of a table that isn't among those written down nothing is known.
        let absent = if now.whole { None } else { past.first().and_then(|last| last.values.get(subject).copied()) };
        let past = past.iter().filter_map(|point| Some((point.taken_at, *point.values.get(subject)?))).collect();
        Self { subject, now: value.or(absent), past }
    }

    fn judge(&self, may_fall_percent: u8) -> Judged {
        let values = || self.past.iter().map(|(_, value)| *value);
        let (Some(least), Some(most)) = (values().min(), values().max()) else { return Judged::Holds };
        let amount = |value| self.subject.amount(value);
        let Some(now) = self.now else {
            return Judged::Fallen(format!("is gone; it had {}", self.shown()));
        };
        if now == 0 && least > 0 {
            return Judged::Fallen(format!("is empty; it had {}", self.shown()));
        }
        let fell = format!("fell to {}; it had {}", amount(now), self.shown());
        match () {
            () if is_below(now, least, may_fall_percent) && least >= self.subject.few() => Judged::Fallen(fell),
            () if now < least && is_below(now, most, NOTABLE_PERCENT) => Judged::Notable(fell),
            () => Judged::Holds,
        }
    }

    /// The newest values with their days: `1,204 rows on 2026-11-20, 1,190 on 2026-11-13`.
    fn shown(&self) -> String {
        let value = |(place, (at, value)): (usize, &(Timestamp, u64))| {
            let amount = match self.subject {
                Subject::Table(_) | Subject::Files if place > 0 => number(*value),
                _ => self.subject.amount(*value),
            };
            format!("{amount} on {}", at.strftime("%Y-%m-%d"))
        };
        let shown: Vec<String> = self.past.iter().take(SHOWN).enumerate().map(value).collect();
        shown.join(", ")
    }
}

/// Whether `now` is more than `percent` below `before`.
fn is_below(now: u64, before: u64, percent: u8) -> bool {
    let kept = u128::from(100_u8.saturating_sub(percent));
    u128::from(now) * 100 < u128::from(before) * kept
}

impl Trend {
    /// Newest data that is the very same as in the backup before, or older.
    fn newest(&mut self, now: &Point, last: &Point, may_stand_secs: Option<u64>) {
        let (Some(newest), Some(before)) = (now.newest_at, last.newest_at) else { return };
        let before_on = instant(last.taken_at);
        if newest < before {
            let statement =
                format!("It is of {}; the backup of {before_on} had data of {}.", instant(newest), instant(before));
            return self.notable.push(("newest data".into(), statement));
        }
        let age = now.taken_at.duration_since(newest);
        let may_stand = may_stand_secs
            .map_or(NOTABLE_STAND, |secs| SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX)));
        if newest > before || age <= may_stand {
            return;
        }
        let stands = format!(
            "is of {}, as in the backup of {before_on}, and was {} old when this one was taken",
            instant(newest),
            duration(age.as_secs_f64())
        );
        match may_stand_secs {
            Some(_) => self.falls.push(("history:newest".into(), stands)),
            None => self.notable.push(("newest data".into(), format!("It {stands}."))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counts, fold, journal};

    const STRICT: Tolerance = Tolerance { may_fall_percent: 50, newest_may_stand_secs: None };

    /// A run that passed, of a backup taken on this day of November, with these tables.
    fn run(day: i8, tables: &[(&str, u64)]) -> Record {
        let entries = journal::read(include_bytes!("../tests/journals/passed-postgres.ndjson")).unwrap().entries;
        let mut record = fold(&entries).unwrap();
        let at: Timestamp = format!("2026-11-{day:02}T03:00:00Z").parse().unwrap();
        record.run = format!("202611{day:02}");
        record.measurements.newest_at = Some(at - SignedDuration::from_hours(1));
        let backup = record.backup.as_mut().unwrap();
        (backup.taken_at, backup.snapshot) = (at, format!("s-{day}"));
        let tables = tables.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect();
        record.counts = Some(Counts { tables, ..Counts::default() });
        record
    }

    fn falls(now: &Record, earlier: &[Record]) -> Vec<(String, String)> {
        trend((now, None), earlier, STRICT, |_| false).falls
    }

    fn notable(now: &Record, earlier: &[Record]) -> Vec<String> {
        trend((now, None), earlier, STRICT, |_| false).notable.into_iter().map(|(subject, _)| subject).collect()
    }

    #[test]
    fn a_table_that_is_gone_empty_or_halved_is_named_with_what_it_had() {
        let earlier =
            [run(1, &[("a", 1_190), ("b", 300), ("c", 300)]), run(8, &[("a", 1_204), ("b", 300), ("c", 290)])];
        let found = falls(&run(15, &[("b", 0), ("c", 144)]), &earlier);
        let expected = [
            ("history:table:a", "is gone; it had 1,204 rows on 2026-11-08, 1,190 on 2026-11-01"),
            ("history:table:b", "is empty; it had 300 rows on 2026-11-08, 300 on 2026-11-01"),
            ("history:table:c", "fell to 144 rows; it had 290 rows on 2026-11-08, 300 on 2026-11-01"),
        ];
        assert_eq!(found, expected.map(|(subject, statement)| (subject.to_owned(), statement.to_owned())));
    }

    #[test]
    fn what_was_as_low_before_has_not_fallen() {
        let earlier = [run(1, &[("jobs", 0)]), run(8, &[("jobs", 500)])];
        let now = run(15, &[("jobs", 0)]);
        assert_eq!((falls(&now, &earlier), notable(&now, &earlier)), (vec![], vec![]));
        assert_eq!(falls(&now, &earlier[1..]).len(), 1, "without the first run it has");
    }

    #[test]
    fn a_small_fall_or_one_of_few_rows_is_told_and_no_failure() {
        let earlier = [run(1, &[("few", 60), ("many", 1_000), ("steady", 1_000)])];
        let now = run(8, &[("few", 20), ("many", 890), ("steady", 950)]);
        assert_eq!(
            (falls(&now, &earlier), notable(&now, &earlier)),
            (vec![], vec!["table few".into(), "table many".into()])
        );
    }

    #[test]
    fn a_decline_in_small_steps_is_told_at_every_new_low() {
        let earlier: Vec<Record> =
            (1..9).map(|day| run(day, &[("t", 1_000 - u64::from(day.unsigned_abs()) * 30)])).collect();
        assert_eq!(notable(&run(9, &[("t", 730)]), &earlier), ["table t"]);
        assert_eq!(notable(&run(9, &[("t", 770)]), &earlier), Vec::<String>::new(), "that is no new low");
    }

    #[test]
    fn only_runs_that_passed_of_backups_that_are_older_and_of_the_same_kind_count() {
        let now = run(15, &[("t", 1)]);
        let mut failed = run(8, &[("t", 1_000)]);
        failed.verdict = Verdict::Failed;
        let mut other = run(9, &[("t", 1_000)]);
        other.kinds.insert("source".into(), "directory".into());
        let mut same = run(15, &[("t", 1_000)]);
        same.run = "later".into();
        let earlier = [failed, other, same, run(16, &[("t", 1_000)])];
        assert_eq!(trend((&now, None), &earlier, STRICT, |_| false), Trend::default());
        assert_eq!(falls(&now, &[run(14, &[("t", 1_000)])]).len(), 1);
    }

    #[test]
    fn tables_that_are_ignored_or_were_not_written_down_are_not_called_gone() {
        let earlier = [run(1, &[("t", 1_000), ("u", 1_000)])];
        assert_eq!(trend((&run(8, &[]), None), &earlier, STRICT, |table| table == "t").falls.len(), 1);
        let mut cut = run(8, &[("t", 1_000)]);
        cut.counts.as_mut().unwrap().more_tables = 1;
        assert_eq!(falls(&cut, &earlier), vec![]);
    }

    #[test]
    fn a_backup_that_shrank_is_named_with_its_sizes() {
        let mut now = run(8, &[]);
        now.backup.as_mut().unwrap().segments.plain_bytes = 10 << 10;
        let found = falls(&now, &[run(1, &[])]);
        let statement = "fell to 10.0 KiB; it had 1.2 GiB on 2026-11-01";
        assert_eq!(found, [("history:bytes".to_owned(), statement.to_owned())]);
    }

    #[test]
    fn newest_data_that_stands_still_is_told_and_fails_where_the_scenario_says_how_long_it_may() {
        let marker = "2026-09-20T00:00:00Z".parse().unwrap();
        let at = |day, newest| {
            let mut record = run(day, &[]);
            record.measurements.newest_at = Some(newest);
            record
        };
        let (now, earlier) = (at(15, marker), [at(8, marker)]);
        assert_eq!(notable(&now, &earlier), ["newest data"]);
        let week = Tolerance { newest_may_stand_secs: Some(7 * 86_400), ..STRICT };
        let found = trend((&now, None), &earlier, week, |_| false).falls;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].1.contains("56 d 3 h old") && found[0].1.contains("2026-11-08"), "{found:?}");
        let years = Tolerance { newest_may_stand_secs: Some(800 * 86_400), ..STRICT };
        assert_eq!(trend((&now, None), &earlier, years, |_| false), Trend { backups: 1, ..Trend::default() });
        assert_eq!(notable(&run(9, &[]), &[run(8, &[])]), Vec::<String>::new(), "it moves");
        assert_eq!(notable(&at(15, marker), &[run(8, &[])]), ["newest data"], "it went back");
    }

    #[test]
    fn a_part_of_a_number_is_exact_however_big_it_is() {
        assert!(!is_below(50, 100, 50) && is_below(49, 100, 50));
        assert!(is_below(u64::MAX - 1, u64::MAX, 0) && !is_below(0, u64::MAX, 100));
    }
}
