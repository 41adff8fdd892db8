//! The damage matrix: what is done to a snapshot × what it is done to, and the kind and words that it must give.

use std::fs;
use std::path::Path;

use drill_agents::seal::{Keys, Verified, locate, verify};
use drill_agents::{Kind, SEGMENT_BYTES};

use super::{Home, noise, sealed_to, words, write_identity};

/// Something done to a file of snapshot `s-1`, the folder of which it gets, beside that of `s-2`.
type Harm = fn(&Path, &Path, &str);

const FLIP: Harm = |mine, _, name| {
    let mut bytes = fs::read(mine.join(name)).expect("file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(mine.join(name), bytes).expect("flipped");
};
const CUT: Harm = |mine, _, name| {
    let bytes = fs::read(mine.join(name)).expect("file");
    fs::write(mine.join(name), &bytes[..bytes.len() - 3]).expect("cut");
};
const DROP: Harm = |mine, _, name| fs::remove_file(mine.join(name)).expect("dropped");
const SWAP: Harm = |mine, _, name| {
    fs::copy(mine.join("000000.age"), mine.join(name)).expect("swapped");
};
const FOREIGN: Harm = |mine, other, name| {
    fs::copy(other.join(name), mine.join(name)).expect("replaced");
};

/// A home with two snapshots of the same lengths.
async fn two_snapshots() -> (Home, String) {
    let home = Home::new();
    let plain = noise(2 * SEGMENT_BYTES + 100);
    let stored = home.store("s-1", &plain).await;
    home.store("s-2", &plain).await;
    (home, stored.header_sha256)
}

/// What reading the whole snapshot says, with the header's digest as it was recorded.
async fn said(home: &Home, recorded: &str) -> String {
    let read = async {
        let located = locate(&home.cx, &home.vault, &home.keys, "s-1", Some(recorded)).await?;
        super::read_all(located.stream(&home.cx)).await
    };
    match read.await {
        Ok(_) => "whole".into(),
        Err(error) => words(&error),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damage_to_every_file_is_called_by_its_name() {
    let (home, recorded) = two_snapshots().await;
    let segment = "segment 000001 (2 of 3) of snapshot s-1";
    let (flipped, not_recorded) = ("does not have the digest that was stored", "is not the one that was recorded");
    let cases: [(&str, Harm, &str, String); 14] = [
        ("flip", FLIP, "000001.age", format!("Corrupt: {segment} {flipped}")),
        ("cut", CUT, "000001.age", format!("Corrupt: {segment} has ")),
        ("drop", DROP, "000001.age", format!("Corrupt: {segment} is missing")),
        ("swap", SWAP, "000001.age", format!("Corrupt: {segment} holds the bytes of segment 000000 (1 of 3)")),
        // Its length may differ or not: age fills its headers up at random.
        ("foreign", FOREIGN, "000001.age", format!("Corrupt: {segment} ")),
        ("flip", FLIP, "index.age", format!("Corrupt: index of snapshot s-1 {flipped}")),
        ("cut", CUT, "index.age", "Corrupt: index of snapshot s-1 has ".into()),
        ("drop", DROP, "index.age", "Corrupt: index of snapshot s-1 is missing".into()),
        ("foreign", FOREIGN, "index.age", "Corrupt: index of snapshot s-1 ".into()),
        ("cut", CUT, "snapshot.json", "Corrupt: header of snapshot s-1 is cut off".into()),
        ("drop", DROP, "snapshot.json", "Corrupt: header of snapshot s-1 is missing".into()),
        ("foreign", FOREIGN, "snapshot.json", "Corrupt: header of snapshot s-1 is that of snapshot s-2".into()),
        ("drop", DROP, "SHA256SUMS", "whole".into()),
        ("drop", DROP, "RESTORE.md", "whole".into()),
    ];
    for (what, harm, name, words) in cases {
        let kept = fs::read(home.snapshot("s-1").join(name)).expect("file");
        harm(&home.snapshot("s-1"), &home.snapshot("s-2"), name);
        let said = said(&home, &recorded).await;
        assert!(said.starts_with(&words), "{what} {name}: {said}");
        fs::write(home.snapshot("s-1").join(name), kept).expect("healed");
    }
    assert_eq!(said(&home, &recorded).await, "whole");
    // A header that still reads but isn't the one of the record.
    let header = fs::read_to_string(home.snapshot("s-1").join("snapshot.json")).expect("header");
    fs::write(home.snapshot("s-1").join("snapshot.json"), header.replace("books", "boots")).expect("changed");
    assert_eq!(said(&home, &recorded).await, format!("Corrupt: header of snapshot s-1 {not_recorded}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_that_change_places_together_with_their_digests_are_found_by_the_record() {
    let (home, recorded) = two_snapshots().await;
    let folder = home.snapshot("s-1");
    for name in fs::read_dir(home.snapshot("s-2")).expect("folder").map(|file| file.expect("entry").file_name()) {
        fs::copy(home.snapshot("s-2").join(&name), folder.join(&name)).expect("copied");
    }
    let header = fs::read_to_string(folder.join("snapshot.json")).expect("header").replace("s-2", "s-1");
    fs::write(folder.join("snapshot.json"), header).expect("forged");
    assert!(home.read("s-1").await.is_ok(), "without the record the forgery can't be told");
    assert_eq!(said(&home, &recorded).await, "Corrupt: header of snapshot s-1 is not the one that was recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_key_is_told_from_damage_and_names_whose_it_is() {
    let (home, recorded) = two_snapshots().await;
    let mine = home.keys.identities().remove(0);
    let other = write_identity(&home.path("other.txt"));
    let keys = Keys::open(&sealed_to("other.txt"), &home.cx.secrets).expect("keys");
    let error = locate(&home.cx, &home.vault, &keys, "s-1", Some(&recorded)).await.expect_err("wrong key");
    let expected = format!("WrongKey: {other} does not open snapshot s-1, which is sealed to {mine}");
    assert_eq!(words(&error), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_finds_all_damage_at_once_with_and_without_a_key() {
    let (home, _) = two_snapshots().await;
    let folder = home.snapshot("s-1");
    assert_eq!(facts(&verify(&home.cx, &home.vault, None, "s-1").await.expect("verified")), (false, vec![], vec![]));
    assert_eq!(
        facts(&verify(&home.cx, &home.vault, Some(&home.keys), "s-1").await.expect("verified")),
        (true, vec![], vec![])
    );
    FLIP(&folder, &folder, "000000.age");
    DROP(&folder, &folder, "000002.age");
    fs::write(folder.join("000003.age"), "a stranger").expect("added");
    let damage = vec![
        "Corrupt: segment 000000 (1 of 3) of snapshot s-1 does not have the digest that was stored".to_owned(),
        "Corrupt: segment 000002 (3 of 3) of snapshot s-1 is missing".to_owned(),
    ];
    for (keys, opened) in [(None, false), (Some(&home.keys), true)] {
        let verified = verify(&home.cx, &home.vault, keys, "s-1").await.expect("verified");
        assert_eq!(facts(&verified), (opened, damage.clone(), vec!["000003.age".to_owned()]));
    }
    write_identity(&home.path("other.txt"));
    let other = Keys::open(&sealed_to("other.txt"), &home.cx.secrets).expect("keys");
    let verified = verify(&home.cx, &home.vault, Some(&other), "s-1").await.expect("verified");
    let kinds: Vec<_> = verified.damage.iter().map(drill_agents::Error::kind).collect();
    assert_eq!(kinds, [Kind::WrongKey, Kind::Corrupt, Kind::Corrupt], "damage is found whatever the key");
}

fn facts(verified: &Verified) -> (bool, Vec<String>, Vec<String>) {
    let damage = verified.damage.iter().map(words).collect();
    (verified.opened_with.is_some(), damage, verified.strangers.clone())
}
