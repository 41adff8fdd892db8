//! The seal and the vaults from outside: what is stored, what comes back, what damage looks like, and whether stock programs
//! can do without us.
#![allow(clippy::disallowed_methods, reason = "tests start programs as they need")]

mod damage;
mod faults;
mod kept;
mod keys;
#[allow(unreachable_pub, dead_code, reason = "shared with the end-to-end tests")]
#[path = "../../../tests/support/mariadb.rs"]
mod mariadb;
#[allow(unreachable_pub, reason = "shared with the end-to-end tests")]
#[path = "../../../tests/support/must.rs"]
mod must;
#[allow(unreachable_pub, dead_code, reason = "shared with the end-to-end tests")]
#[path = "../../../tests/support/postgres.rs"]
mod postgres;
mod proxy;
mod s3;
mod stock;
mod storage;
mod streams;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use drill_agents::seal::{About, Keys, Located, Sealing, Stored, generate, locate};
use drill_agents::{Captured, Clock, Context, Error, Format, Index, OpenReader, Result, SealWriter, Secrets, Vault};
use drill_scenarios::{FsVault, Reference, Seal};
use jiff::Timestamp;
use must::must;
use secrecy::ExposeSecret;

/// A folder with a vault, an identity and a run.
struct Home {
    folder: tempfile::TempDir,
    cx: Context,
    vault: Vault,
    keys: Keys,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("tempdir");
        let secrets = Arc::new(Secrets::relative_to(folder.path()));
        let cx = Context::new("run-1", folder.path(), Clock::system(), Arc::clone(&secrets));
        write_identity(&folder.path().join("key.txt"));
        let keys = Keys::open(&sealed_to("key.txt"), &secrets).expect("keys");
        let vault = drill_scenarios::Vault::Fs(FsVault { path: "vault".into() });
        let vault = Vault::open(&vault, &secrets).expect("vault");
        Self { folder, cx, vault, keys }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of a snapshot in the vault.
    fn snapshot(&self, id: &str) -> PathBuf {
        self.path("vault/snapshots").join(id)
    }

    async fn store(&self, id: &str, plain: &[u8]) -> Stored {
        store(self, (&self.vault, &self.keys), id, plain, &Index::new(Format::Tar)).await.expect("stored")
    }

    async fn locate(&self, id: &str) -> Result<Located> {
        locate(&self.cx, &self.vault, &self.keys, id, None).await
    }

    /// Everything that comes back.
    async fn read(&self, id: &str) -> Result<Vec<u8>> {
        read_all(self.locate(id).await?.stream(&self.cx)).await
    }
}

/// Makes an identity file that only its owner can read, and returns the public key.
fn write_identity(path: &Path) -> String {
    let (text, public) = generate(drill_agents::seal::KeyKind::X25519, &Clock::system());
    std::fs::write(path, text.expose_secret()).expect("identity file");
    chmod(path, 0o600);
    public
}

fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("mode");
}

fn sealed_to(identity: &str) -> Seal {
    Seal { recipients: Vec::new(), identities: vec![Reference::File(identity.into())], passphrase: None }
}

async fn store(home: &Home, to: (&Vault, &Keys), id: &str, plain: &[u8], index: &Index) -> Result<Stored> {
    let (sealing, mut writer) = Sealing::begin(&home.cx, to.0, to.1, id).await?;
    if let Err(error) = writer.write(plain).await {
        return Err(sealing.abandon(writer, error).await);
    }
    complete(&home.cx, sealing, writer, index).await
}

async fn complete(cx: &Context, sealing: Sealing, writer: SealWriter, index: &Index) -> Result<Stored> {
    let captured =
        Captured { index: index.clone(), taken_at: Timestamp::UNIX_EPOCH, newest_at: None, notes: Vec::new() };
    let about = About { scenario: "books".into(), source: "directory".into(), tool: "drillctl test".into() };
    sealing.complete(cx, writer, captured, about).await
}

async fn read_all(mut stream: OpenReader) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Bytes that don't compress, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Runs a program that must succeed; gives what it prints.
fn run_well(program: &mut Command) -> String {
    String::from_utf8_lossy(&must(program).stdout).into_owned()
}

/// What an error says, with everything beneath it.
fn words(error: &Error) -> String {
    format!("{:?}: {}", error.kind(), error.chain())
}
