//! Damage to a stored snapshot: each kind is seen, at the level that it denies, in words that name it.

use std::fs;
use std::path::Path;

use crate::support::{World, check};

/// A world with one snapshot of several segments in its vault.
fn stored() -> World {
    let world = World::new();
    let mut state: u64 = 1;
    let noise = |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    world.write("input/noise", (0..40 << 20).map(noise).collect::<Vec<u8>>());
    world.scenario(&[]);
    let (finished, _) = world.drill();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    world
}

/// Damages the snapshot, restores it, and expects this check to fail with these words.
fn expect(damage: impl FnOnce(&World, &Path), id: &str, words: &[&str]) {
    let world = stored();
    damage(&world, &world.newest_snapshot());
    let (finished, record) = world.drill_with(&["--snapshot", "newest"]);
    assert_eq!(finished.code, Some(1), "{}\n{record:#}", finished.stderr);
    assert_eq!(record["verdict"], "failed");
    let failed = check(&record, id);
    assert_eq!(failed["outcome"], "failed");
    let observed = failed["observed"].as_str().expect("text");
    assert!(words.iter().all(|word| observed.contains(word)), "{observed}");
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("a stored file");
    change(&mut bytes);
    fs::write(path, bytes).expect("damaged");
}

#[test]
fn an_undamaged_snapshot_passes_again_without_a_capture() {
    let world = stored();
    let (finished, record) = world.drill_with(&["--snapshot", "newest"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(record["backup"]["selected"], "newest in the vault");
}

#[test]
fn a_flipped_byte_is_seen() {
    expect(
        |_, snapshot| edit(&snapshot.join("000001.age"), |bytes| bytes[4321] ^= 1),
        "sealed-bytes",
        &["segment 000001", "digest"],
    );
}

#[test]
fn a_cut_segment_is_seen() {
    expect(
        |_, snapshot| edit(&snapshot.join("000001.age"), |bytes| bytes.truncate(1000)),
        "sealed-bytes",
        &["segment 000001", "1000 bytes"],
    );
}

#[test]
fn a_missing_segment_is_seen() {
    let drop = |_: &World, snapshot: &Path| fs::remove_file(snapshot.join("000001.age")).expect("removed");
    expect(drop, "sealed-bytes", &["segment 000001", "missing"]);
}

#[test]
fn swapped_segments_are_seen() {
    let swap = |_: &World, snapshot: &Path| {
        let [a, b] = ["000000.age", "000001.age"].map(|name| snapshot.join(name));
        let (first, second) = (fs::read(&a).expect("a"), fs::read(&b).expect("b"));
        fs::write(&a, second).and_then(|()| fs::write(&b, first)).expect("swapped");
    };
    expect(swap, "sealed-bytes", &["segment 000000", "holds the bytes of segment 000001"]);
}

#[test]
fn a_damaged_index_is_seen() {
    expect(
        |_, snapshot| edit(&snapshot.join("index.age"), |bytes| bytes[300] ^= 1),
        "sealed-bytes",
        &["index", "digest"],
    );
}

#[test]
fn a_header_that_was_changed_since_it_was_recorded_is_seen() {
    expect(
        |_, snapshot| edit(&snapshot.join("snapshot.json"), |bytes| bytes.push(b'\n')),
        "sealed-bytes",
        &["header", "not the one that was recorded"],
    );
}

#[test]
fn a_header_that_is_cut_off_is_seen() {
    let world = stored();
    let snapshot = world.newest_snapshot();
    edit(&snapshot.join("snapshot.json"), |bytes| bytes.truncate(100));
    let id = snapshot.file_name().expect("an id").to_str().expect("plain").to_owned();
    let (finished, record) = world.drill_with(&["--snapshot", &id]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(check(&record, "sealed-bytes")["outcome"], "failed");
}

#[test]
fn a_key_that_does_not_open_the_snapshot_is_seen() {
    let lose = |world: &World, _: &Path| {
        fs::remove_file(world.path("identity.txt")).expect("lost");
        assert_eq!(world.run(&["keys", "new", "identity.txt"]).code, Some(0));
    };
    expect(lose, "opens", &["age1"]);
}
