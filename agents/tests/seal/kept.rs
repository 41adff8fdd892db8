//! Snapshots of every version that was ever written stay readable. Those in `kept` are never written anew: each came from the
//! drillctl of its time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use drill_agents::seal::{Keys, locate, verify};
use drill_agents::{Clock, Context, EntryKind, Format, Secrets, StreamFormat, Vault};
use drill_scenarios::{FsVault, Reference, Seal};

use super::{read_all, sealed_to};

/// A vault that was kept, where it lies: reading writes nothing.
fn kept(version: &str) -> (Context, Vault) {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/seal/kept").join(version);
    let secrets = Arc::new(Secrets::relative_to(&home));
    let cx = Context::new("run-1", Path::new("/nonexistent"), Clock::system(), Arc::clone(&secrets));
    let vault = drill_scenarios::Vault::Fs(FsVault { path: "vault".into() });
    let vault = Vault::open(&vault, &secrets).expect("vault");
    (cx, vault)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_version_1_sealed_to_a_key_is_read() {
    let (cx, vault) = kept("v1");
    let keys = Keys::open(&sealed_to("key.txt"), &cx.secrets).expect("keys");
    let located = locate(&cx, &vault, &keys, "kept-key", None).await.expect("located");
    assert_eq!((located.header().format, located.header().contents.files), (StreamFormat::File, 1));
    let index = located.index();
    assert_eq!(index.format, Format::File("greeting.txt".into()));
    assert!(matches!(&index.entries[0].kind, EntryKind::File { size: 13, .. }));
    assert_eq!(read_all(located.stream(&cx)).await.expect("read"), b"hello, drill\n");
    assert!(verify(&cx, &vault, Some(&keys), "kept-key").await.expect("verified").damage.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_version_1_sealed_with_a_passphrase_is_read() {
    let (cx, vault) = kept("v1");
    let passphrase = Some(Reference::File("passphrase".into()));
    let keys = Keys::open(&Seal { recipients: vec![], identities: vec![], passphrase }, &cx.secrets).expect("keys");
    let located = locate(&cx, &vault, &keys, "kept-passphrase", None).await.expect("located");
    assert_eq!(read_all(located.stream(&cx)).await.expect("read"), b"hello, drill\n");
}
