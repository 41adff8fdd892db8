use std::fs;

use super::*;

const PASSED: &str = include_str!("../../../reports/tests/journals/passed-postgres.ndjson");
const FAILED: &str = include_str!("../../../reports/tests/journals/failed-content.ndjson");

/// A state folder with these journals, a second apart.
fn store(home: &Path, journals: &[&str]) -> (Store, Vec<RunFolder>) {
    let store = Store::open(home).expect("a store");
    let folders = journals.iter().enumerate().map(|(at, journal)| {
        let now = Timestamp::from_second(1_795_440_469 + at as i64).expect("a time");
        let (folder, _) = store.begin(&drill_agents::Clock::told_by(move || now)).expect("a run");
        fs::write(folder.journal(), of(&folder, journal)).expect("a journal");
        folder
    });
    let folders = folders.collect();
    (store, folders)
}

/// The same journal, as that of this run.
fn of(folder: &RunFolder, journal: &str) -> String {
    ["01jd8k2m5t-7f3a91c2", "01jd8k2m5t-7f3a91c3"]
        .iter()
        .fold(journal.to_owned(), |text, id| text.replace(id, &folder.run))
}

fn verdicts(store: &Store) -> Vec<Verdict> {
    let catalogue = Catalogue::of(store).expect("a catalogue");
    catalogue.newest(None, 100).expect("rows").into_iter().map(|row| row.verdict).collect()
}

#[test]
fn it_tells_what_the_journals_hold_newest_first() {
    let home = tempfile::tempdir().expect("tempdir");
    let (store, folders) = store(home.path(), &[PASSED, FAILED, PASSED, "no journal\n"]);
    let catalogue = Catalogue::of(&store).expect("a catalogue");
    let rows = catalogue.newest(None, 100).expect("rows");
    let expected: Vec<Summary> =
        folders[..3].iter().rev().map(|folder| Summary::of(folder.record().expect("a record"))).collect();
    assert_eq!(rows, expected);
    assert_eq!(catalogue.newest(Some(&rows[0].scenario), 1).expect("rows"), rows[..1]);
    assert_eq!(catalogue.newest(Some("nobody's"), 9).expect("rows"), []);
    let passed = catalogue.passed(&rows[0].scenario, 9).expect("runs");
    assert_eq!(passed, [rows[0].run.clone(), rows[2].run.clone()]);
    let unreadable = catalogue.unreadable().expect("runs");
    assert_eq!((unreadable.len(), &unreadable[0].0), (1, &folders[3].run));
}

#[test]
fn a_journal_that_is_new_grew_changed_or_is_gone_is_noticed() {
    use Verdict::{Aborted, Failed, Passed};
    let home = tempfile::tempdir().expect("tempdir");
    let half: String = PASSED.lines().take(20).map(|line| format!("{line}\n")).collect();
    let (store, folders) = store(home.path(), &[&half, FAILED]);
    assert_eq!(verdicts(&store), [Failed, Aborted]);
    fs::write(folders[0].journal(), of(&folders[0], PASSED)).expect("it went on");
    assert_eq!(verdicts(&store), [Failed, Passed]);
    let whole = of(&folders[1], FAILED);
    let same_length = whole.replace("\"failed\"", "\"passed\"");
    assert!(same_length != whole && same_length.len() == whole.len());
    fs::write(folders[1].journal(), same_length).expect("changed");
    assert_ne!(verdicts(&store)[0], Failed);
    fs::remove_dir_all(&folders[0].path).expect("removed");
    assert_eq!(verdicts(&store).len(), 1);
}

#[test]
fn a_journal_in_another_runs_folder_counts_for_neither() {
    let home = tempfile::tempdir().expect("tempdir");
    let (store, folders) = store(home.path(), &[PASSED, FAILED]);
    fs::copy(folders[0].journal(), folders[1].journal()).expect("copied");
    assert_eq!(verdicts(&store).len(), 1);
    let (run, why) = Catalogue::of(&store).and_then(|catalogue| catalogue.unreadable()).expect("runs").remove(0);
    assert!(run == folders[1].run && why.contains(&folders[0].run), "{why}");
}

#[test]
fn one_that_is_lost_damaged_foreign_or_can_not_be_written_is_no_loss() {
    let home = tempfile::tempdir().expect("tempdir");
    let (store, _) = store(home.path(), &[PASSED, FAILED]);
    let told = verdicts(&store);
    let path = store.catalogue();
    fs::remove_file(&path).expect("removed");
    assert_eq!(verdicts(&store), told);
    fs::write(&path, "this is no database, and longer than its header would be. ".repeat(100)).expect("damaged");
    assert_eq!(verdicts(&store), told);
    let db = Connection::open(&path).expect("opens");
    db.execute_batch("PRAGMA user_version = 99; DROP TABLE runs; CREATE TABLE runs (other)").expect("of another make");
    drop(db);
    assert_eq!(verdicts(&store), told);
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("in its way");
    assert_eq!(verdicts(&store), told);
}

#[test]
fn several_at_once_make_one_catalogue() {
    let home = tempfile::tempdir().expect("tempdir");
    let (store, _) = store(home.path(), &[PASSED, FAILED, PASSED]);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || verdicts(&store).len())
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().expect("no panic") == 3));
    let rows: i64 = Connection::open(store.catalogue())
        .and_then(|db| db.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)))
        .expect("counted");
    assert_eq!(rows, 3);
}
