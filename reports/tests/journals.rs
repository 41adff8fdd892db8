//! Journals of every kind of end, kept for ever: each still reads, folds to the record beside it, and is shown as it was.
//! `UPDATE=1 cargo test -p drill-reports` writes what is expected anew; read the difference before committing it.
#![allow(clippy::unwrap_used)]

use std::{env, fs, path::PathBuf};

use drill_reports::{
    Assurance, Entry, Record, Severity, Stage, Verdict, fold, html, journal, junit, record_schema,
    text::{Paint, text},
    to_json,
};

const JOURNALS: [&str; 10] = [
    "passed-postgres",
    "passed-adopted",
    "failed-content",
    "failed-history",
    "failed-wrong-key",
    "failed-objectives",
    "errored-vault-full",
    "aborted-sigterm",
    "killed-then-swept",
    "leaked",
];

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn entries(name: &str) -> Vec<Entry> {
    let path = here().join(format!("tests/journals/{name}.ndjson"));
    journal::read(&fs::read(path).unwrap()).unwrap().entries
}

fn record(name: &str) -> Record {
    fold(&entries(name)).unwrap()
}

/// Compares with the file, or writes it when asked to.
fn assert_golden(path: &str, now: &str) {
    let path = here().join(path);
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, now).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == now, "{} differs; see it with UPDATE=1 and git diff", path.display());
}

#[test]
fn every_kept_journal_is_in_the_list() {
    let mut found: Vec<_> = fs::read_dir(here().join("tests/journals"))
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    let mut listed = JOURNALS;
    listed.sort_unstable();
    assert_eq!(found, listed);
}

#[test]
fn records_are_as_they_were() {
    for name in JOURNALS {
        assert_golden(&format!("tests/golden/{name}.record.json"), &to_json(&record(name)));
    }
}

#[test]
fn what_the_clock_showed_when_the_run_began_moves_nothing_on_the_timeline() {
    for name in JOURNALS {
        let mut later = entries(name);
        later.iter_mut().for_each(|entry| entry.elapsed_ms = entry.elapsed_ms.map(|elapsed| elapsed + 400));
        assert_eq!(fold(&later).unwrap(), record(name), "{name}");
    }
}

#[test]
fn texts_are_as_they_were() {
    for name in JOURNALS {
        assert_golden(&format!("tests/golden/{name}.txt"), &text(&record(name), Paint::Plain));
    }
}

#[test]
fn junit_files_are_as_they_were() {
    for name in JOURNALS {
        assert_golden(&format!("tests/golden/{name}.xml"), &junit(&record(name)));
    }
}

#[test]
fn the_page_of_a_pass_is_as_it_was() {
    assert_golden("tests/golden/passed-postgres.html", &html(&record("passed-postgres")));
}

#[test]
fn the_schema_is_the_one_of_the_types_and_every_golden_record_satisfies_it() {
    let schema = record_schema();
    assert_golden("record.schema.json", &format!("{schema:#}\n"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in JOURNALS {
        let golden = fs::read(here().join(format!("tests/golden/{name}.record.json"))).unwrap();
        let mut value: serde_json::Value = serde_json::from_slice(&golden).unwrap();
        validator.validate(&value).unwrap_or_else(|error| panic!("{name}: {error}"));
        value["verdict"] = "green".into();
        assert!(!validator.is_valid(&value), "the schema accepts any verdict");
    }
}

#[test]
fn a_record_comes_back_from_its_file_to_the_byte() {
    for name in JOURNALS {
        let json = to_json(&record(name));
        let back: Record = serde_json::from_str(&json).unwrap();
        assert_eq!((&back, to_json(&back)), (&record(name), json), "{name}");
    }
}

#[test]
fn each_end_has_its_verdict_exit_code_and_assurance() {
    let ends = JOURNALS.map(|name| {
        let record = record(name);
        (name, record.verdict, record.exit_code(), record.assurance.map(Assurance::label))
    });
    let expected = [
        ("passed-postgres", Verdict::Passed, 0, Some("L4")),
        ("passed-adopted", Verdict::Passed, 0, Some("L4")),
        ("failed-content", Verdict::Failed, 1, Some("L2")),
        ("failed-history", Verdict::Failed, 1, Some("L2")),
        ("failed-wrong-key", Verdict::Failed, 1, Some("L0")),
        ("failed-objectives", Verdict::Failed, 1, Some("L4")),
        ("errored-vault-full", Verdict::Errored, 3, None),
        ("aborted-sigterm", Verdict::Aborted, 130, None),
        ("killed-then-swept", Verdict::Aborted, 130, None),
        ("leaked", Verdict::Passed, 4, Some("L4")),
    ];
    assert_eq!(ends, expected);
}

#[test]
fn recovery_time_and_point_are_what_the_events_say() {
    let record = record("passed-postgres");
    // service_ok 56,099 ms − failure_declared 19,431 ms − 7.935 s of comparison; 02:00:19.743 − 02:00:11.204.
    assert_eq!(record.measurements.recovery_secs, Some(28.733));
    assert_eq!(record.measurements.recovery_point_secs, Some(8.539));
}

#[test]
fn a_changed_cell_and_a_dropped_index_are_named_in_the_worst_finding() {
    let finding = &record("failed-content").findings[0];
    assert_eq!(finding.severity, Severity::Critical);
    for name in ["table:public.orders", "index:public.orders_placed_at_idx", "and 1 more"] {
        assert!(finding.statement.contains(name), "{name} is not in: {}", finding.statement);
    }
}

#[test]
fn what_a_killed_run_had_open_leaks_until_it_is_swept() {
    let all = entries("killed-then-swept");
    let killed = all.iter().rposition(|entry| entry.elapsed_ms.is_some()).unwrap() + 1;
    let before = fold(&all[..killed]).unwrap();
    assert_eq!((before.release.leaked.len(), before.ended_at, before.release.swept), (2, None, false));
    let after = fold(&all).unwrap();
    assert_eq!(
        (after.release.leaked.len(), after.ended_at, after.release.swept),
        (0, Some(all.last().unwrap().at), true)
    );
}

#[test]
fn stages_that_a_failure_prevented_are_not_invented() {
    let stages: Vec<_> = record("failed-wrong-key").stages.iter().map(|time| time.stage).collect();
    assert_eq!(stages, [Stage::Capture, Stage::Store, Stage::Provision, Stage::Restore, Stage::Release]);
}

#[test]
fn the_digest_on_the_page_is_that_of_the_file() {
    let record = record("leaked");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, to_json(&record).as_bytes());
    assert!(html(&record).contains(&format!("{}  record.json", hex::encode(digest))));
}
