//! Vaults in folders: half-written snapshots, full disks, places that can't be written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use drill_agents::seal::Sealing;
use drill_agents::{Format, Index, Kind, Limits, Removal, SEGMENT_BYTES, Vault};
use drill_scenarios::FsVault;

use super::{Home, complete, noise, read_all, run_well, store, words};

#[tokio::test(flavor = "multi_thread")]
async fn a_half_written_snapshot_is_not_there_until_its_run_removes_it() {
    let home = Home::new();
    home.store("s-whole-run-1", b"content").await;
    let (sealing, mut writer) = Sealing::begin(&home.cx, &home.vault, &home.keys, "s-half-run-1").await.expect("begun");
    writer.write(&noise(2 * SEGMENT_BYTES)).await.expect("written");
    let error = sealing.abandon(writer, drill_agents::Error::new(Kind::Unavailable, "the source broke")).await;
    assert_eq!(error.to_string(), "the source broke");

    let listing = home.vault.list().await.expect("listed");
    assert_eq!(listing.snapshots.iter().map(|header| header.id.as_str()).collect::<Vec<_>>(), ["s-whole-run-1"]);
    assert_eq!(listing.incomplete, ["s-half-run-1"]);
    assert_eq!(words(&home.locate("s-half-run-1").await.expect_err("half")).split(':').next(), Some("NotFound"));
    let again = Sealing::begin(&home.cx, &home.vault, &home.keys, "s-half-run-1").await.expect_err("taken");
    assert_eq!(again.kind(), Kind::Refused);

    let mut stranger = home.cx.clone();
    stranger.run = "run-2".into();
    for (id, cx) in [("s-half-run-1", &stranger), ("s-whole-run-1", &home.cx)] {
        let error = home.vault.remove_incomplete(id, cx).await.expect_err("kept");
        assert_eq!(error.kind(), Kind::Refused);
    }
    let removed = home.vault.remove_incomplete("s-half-run-1", &home.cx).await.expect("removed");
    assert_eq!((removed, home.snapshot("s-half-run-1").exists()), (Removal::Removed, false));
    let removed = home.vault.remove_incomplete("s-half-run-1", &home.cx).await.expect("again");
    assert_eq!(removed, Removal::Absent);
    assert!(home.vault.exists("s-whole-run-1").await.expect("asked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_was_being_written_does_not_make_a_snapshot() {
    let home = Home::new();
    home.store("s-run-1", b"content").await;
    let folder = home.snapshot("s-run-1");
    fs::rename(folder.join("snapshot.json"), folder.join("snapshot.json.partial")).expect("as before the last step");
    assert_eq!(home.vault.incomplete().await.expect("listed"), ["s-run-1"]);
    home.vault.remove_incomplete("s-run-1", &home.cx).await.expect("removed");
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_header_hides_no_other_snapshot() {
    let home = Home::new();
    home.store("s-1", b"content").await;
    home.store("s-2", b"content").await;
    fs::write(home.snapshot("s-1").join("snapshot.json"), "{").expect("damaged");
    let listing = home.vault.list().await.expect("listed");
    assert_eq!((listing.snapshots.len(), listing.damaged[0].0.as_str()), (1, "s-1"));
    assert_eq!(listing.damaged[0].1.kind(), Kind::Corrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn trying_a_vault_leaves_nothing_and_a_vault_that_can_not_be_written_is_refused() {
    let home = Home::new();
    home.vault.probe_write(&home.cx).await.expect("writable");
    assert!(!home.path("vault").exists(), "it was absent before");
    home.store("s-1", b"content").await;
    home.vault.probe_write(&home.cx).await.expect("writable");
    assert_eq!(fs::read_dir(home.path("vault")).expect("vault").count(), 1, "only the snapshots");

    fs::write(home.path("file"), "in the way").expect("file");
    let vault = vault_in(&home, "file/vault");
    let error = vault.probe_write(&home.cx).await.expect_err("no folder");
    assert_eq!(error.kind(), Kind::Config);
    assert!(words(&error).contains("folder "), "{}", words(&error));
    let mount = Tmpfs::on(home.path("read-only"), "size=1m,ro");
    let error = vault_in(&home, "read-only").probe_write(&home.cx).await.expect_err("read-only");
    assert_eq!(error.kind(), Kind::Denied, "{}", words(&error));
    drop(mount);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_vault_says_so_while_the_source_still_writes_and_at_the_end() {
    let home = Home::new();
    let _mount = Tmpfs::on(home.path("small"), "size=24m");
    let vault = vault_in(&home, "small");
    assert!(vault.free_bytes().expect("known") <= 24 << 20);
    for (id, length) in [("s-early-run-1", 12 * SEGMENT_BYTES), ("s-late-run-1", SEGMENT_BYTES * 3 / 2)] {
        let index = Index::new(Format::Tar);
        let error = store(&home, (&vault, &home.keys), id, &noise(length), &index).await.expect_err("full");
        assert_eq!(error.kind(), Kind::Exhausted, "{}", words(&error));
        let said = words(&error);
        assert!(said.contains(vault.location()) && said.contains("No space left"), "{said}");
        vault.remove_incomplete(id, &home.cx).await.expect("removed");
        assert!(!vault.exists(id).await.expect("asked"));
    }
    store(&home, (&vault, &home.keys), "s-fits", b"content", &Index::new(Format::Tar))
        .await
        .expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_written_and_read_at_the_scenarios_bandwidth() {
    let home = Home::new();
    let written = drill_scenarios::Limits { bandwidth: Some("16MiB/s".parse().expect("rate")), ..Default::default() };
    let limited = home.cx.clone().limited(Limits::new(&written, &home.cx.clock));
    let (vault, plain) = (vault_in(&home, "vault").within(&limited), noise(SEGMENT_BYTES));
    let before = home.cx.clock.elapsed();
    store(&home, (&vault, &home.keys), "s-1", &plain, &Index::new(Format::Tar)).await.expect("stored");
    let stored = home.cx.clock.elapsed() - before;
    let before = home.cx.clock.elapsed();
    let located = drill_agents::seal::locate(&home.cx, &vault, &home.keys, "s-1", None).await.expect("located");
    assert!(read_all(located.stream(&home.cx)).await.expect("read") == plain);
    let read = home.cx.clock.elapsed() - before;
    assert!(stored.min(read) >= Duration::from_millis(850), "16 MiB in {stored:?} and {read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_in_a_folder_is_never_written_over_another() {
    let home = Home::new();
    let (sealing, mut writer) = Sealing::begin(&home.cx, &home.vault, &home.keys, "s-1").await.expect("begun");
    writer.write(b"content").await.expect("written");
    let header = home.snapshot("s-1").join("snapshot.json");
    fs::create_dir_all(home.snapshot("s-1")).expect("folder");
    fs::write(&header, "another").expect("in the way");
    let error = complete(&home.cx, sealing, writer, &Index::new(Format::Tar)).await.expect_err("in the way");
    assert_eq!(error.kind(), Kind::Refused, "{}", words(&error));
    assert_eq!(fs::read(&header).expect("header"), b"another");
    assert!(!home.snapshot("s-1").join("snapshot.json.partial").exists());
    assert!(home.vault.capabilities().conditional_writes);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_lead_out_of_the_vault_are_refused() {
    let home = Home::new();
    for id in ["", "../x", "a/b", ".hidden", "a b", "a\nb"] {
        assert_eq!(home.vault.header(id).await.expect_err(id).kind(), Kind::Config, "{id:?}");
    }
}

fn vault_in(home: &Home, folder: &str) -> Vault {
    let vault = drill_scenarios::Vault::Fs(FsVault { path: folder.into() });
    Vault::open(&vault, &home.cx.secrets).expect("vault")
}

/// A small file system in memory, until it is dropped. Mounting takes root.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn on(folder: PathBuf, options: &str) -> Self {
        fs::create_dir(&folder).expect("mount point");
        run_well(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&folder));
        Self(folder)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

fn unmount(folder: &Path) {
    run_well(Command::new("umount").arg("--lazy").arg(folder));
}
