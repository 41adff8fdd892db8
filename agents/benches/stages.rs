//! What each stage of the data plane costs by itself, on one thread: the limits that a drill is held against. In the end the
//! stages joined as this crate joins them, through its public interface and in memory.
//!
//! `make bench` reads the table that this prints, by the names of the functions and the words of [`KINDS`].

use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::iter;
use std::path::Path;
use std::sync::Arc;

use age::x25519;
use aws_lc_rs::{aead, digest, rand};
use divan::Bencher;
use divan::counter::BytesCount;
use drill_agents::seal::{About, KeyKind, Keys, Located, Sealing, generate, locate};
use drill_agents::{Clock, Context, SEGMENT_BYTES, Secrets, Source, Vault, fetch, sources};
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What the bytes are: some of real files, or such that don't compress.
const KINDS: [&str; 2] = ["mixed", "noise"];
/// The level that segments are compressed with.
const LEVEL: i32 = 1;
/// Plain bytes of one chunk of an age file.
const CHUNK: usize = 64 << 10;
/// Segments in the folder that is drilled.
const SEGMENTS: usize = 4;

fn main() {
    divan::main();
}

/// A segment of this kind. Real bytes are those of the file that `DRILL_BENCH_MIXED` names, else of this program itself.
fn segment(kind: &str) -> Vec<u8> {
    let mut bytes = vec![0; SEGMENT_BYTES];
    if kind == "noise" {
        rand::fill(&mut bytes).expect("random bytes");
        return bytes;
    }
    let named = std::env::var_os("DRILL_BENCH_MIXED").map(Into::into);
    let path = named.unwrap_or_else(|| std::env::current_exe().expect("this program has a path"));
    let real = fs::read(path).expect("real bytes");
    assert!(!real.is_empty(), "there are real bytes");
    bytes.iter_mut().zip(real.iter().cycle()).for_each(|(to, from)| *to = *from);
    bytes
}

/// A folder on the disk that this was built on, which is the one whose files are looked at.
fn on_disk() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk")
}

/// A folder in memory, where there is one.
fn in_memory() -> TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { TempDir::new_in(shm) } else { TempDir::new() }.expect("a folder in memory")
}

#[divan::bench]
fn memory_copy(bencher: Bencher<'_, '_>) {
    let (from, mut to) = (segment("noise"), vec![0; SEGMENT_BYTES]);
    bencher.counter(BytesCount::of_slice(&from)).bench_local(|| black_box(&mut to).copy_from_slice(black_box(&from)));
}

#[divan::bench]
fn read_file(bencher: Bencher<'_, '_>) {
    let (folder, mut to) = (on_disk(), vec![0; SEGMENT_BYTES]);
    let path = folder.path().join("file");
    fs::write(&path, segment("noise")).expect("written");
    bencher.counter(BytesCount::new(SEGMENT_BYTES)).bench_local(|| {
        let mut file = fs::File::open(&path).expect("opened");
        file.read_exact(black_box(&mut to)).expect("read");
    });
}

/// Into a new file each time, as a restore does, and not yet onto the disk.
#[divan::bench]
fn write_file(bencher: Bencher<'_, '_>) {
    let (folder, from) = (on_disk(), segment("noise"));
    let path = folder.path().join("file");
    let absent = || fs::remove_file(&path).or_else(|gone| if path.exists() { Err(gone) } else { Ok(()) });
    let bencher = bencher.counter(BytesCount::of_slice(&from)).with_inputs(|| absent().expect("removed"));
    bencher.bench_local_values(|()| {
        let mut file = fs::File::create_new(&path).expect("made");
        file.write_all(black_box(&from)).expect("written");
    });
}

#[divan::bench]
fn sha256(bencher: Bencher<'_, '_>) {
    let bytes = segment("noise");
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| digest::digest(&digest::SHA256, black_box(&bytes)));
}

#[divan::bench(args = KINDS)]
fn compress(bencher: Bencher<'_, '_>, kind: &str) {
    let bytes = segment(kind);
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| compressed(black_box(&bytes)));
}

/// Counted by what comes out.
#[divan::bench(args = KINDS)]
fn decompress(bencher: Bencher<'_, '_>, kind: &str) {
    let packed = compressed(&segment(kind));
    let mut plain = Vec::with_capacity(SEGMENT_BYTES);
    bencher.counter(BytesCount::new(SEGMENT_BYTES)).bench_local(|| {
        plain.clear();
        let mut unpacking = zstd::Decoder::new(black_box(&packed[..])).expect("a decoder");
        unpacking.read_to_end(&mut plain).expect("unpacked")
    });
}

fn compressed(plain: &[u8]) -> Vec<u8> {
    let room = Vec::with_capacity(plain.len() + CHUNK);
    let mut packing = zstd::Encoder::new(room, LEVEL).expect("an encoder");
    packing.write_all(plain).expect("packed");
    packing.finish().expect("packed whole")
}

#[divan::bench]
fn age_seal(bencher: Bencher<'_, '_>) {
    let (bytes, key) = (segment("noise"), x25519::Identity::generate());
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| sealed(black_box(&bytes), &key));
}

#[divan::bench]
fn age_open(bencher: Bencher<'_, '_>) {
    let key = x25519::Identity::generate();
    let (sealed, mut plain) = (sealed(&segment("noise"), &key), Vec::with_capacity(SEGMENT_BYTES));
    bencher.counter(BytesCount::new(SEGMENT_BYTES)).bench_local(|| {
        plain.clear();
        let file = age::Decryptor::new_buffered(black_box(&sealed[..])).expect("an age file");
        let mut opening = file.decrypt(iter::once(&key as &dyn age::Identity)).expect("its key");
        opening.read_to_end(&mut plain).expect("opened")
    });
}

fn sealed(plain: &[u8], key: &x25519::Identity) -> Vec<u8> {
    let recipient = key.to_public();
    let sealing = age::Encryptor::with_recipients(iter::once(&recipient as &dyn age::Recipient)).expect("a recipient");
    let mut sealing = sealing.wrap_output(Vec::with_capacity(plain.len() + CHUNK)).expect("a header");
    sealing.write_all(plain).expect("sealed");
    sealing.finish().expect("sealed whole")
}

/// The cipher inside an age file, as fast as the library has it that this crate hashes with: the room above `age_seal`.
#[divan::bench]
fn aead_seal(bencher: Bencher<'_, '_>) {
    let (mut bytes, key) = (segment("noise"), chacha());
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        for chunk in bytes.chunks_mut(CHUNK) {
            let tag = key.seal_in_place_separate_tag(nonce(), aead::Aad::empty(), chunk).expect("sealed");
            let _ = black_box(tag);
        }
    });
}

/// The same backwards: the room above `age_open`.
#[divan::bench]
fn aead_open(bencher: Bencher<'_, '_>) {
    let (key, mut sealed) = (chacha(), segment("noise")[..CHUNK].to_vec());
    key.seal_in_place_append_tag(nonce(), aead::Aad::empty(), &mut sealed).expect("sealed");
    let copy = || sealed.clone();
    bencher
        .counter(BytesCount::new(CHUNK))
        .with_inputs(copy)
        .bench_local_refs(|chunk| key.open_in_place(nonce(), aead::Aad::empty(), chunk).expect("opened").len());
}

fn chacha() -> aead::LessSafeKey {
    aead::LessSafeKey::new(aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &[7; 32]).expect("a key"))
}

fn nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN])
}

/// A folder with one file of some segments, its vault and its keys.
struct Drill {
    runtime: Runtime,
    home: TempDir,
    cx: Context,
    source: Box<dyn Source>,
    vault: Vault,
    keys: Keys,
}

impl Drill {
    fn new(kind: &str) -> Self {
        let home = in_memory();
        fs::create_dir(home.path().join("source")).expect("a folder");
        fs::write(home.path().join("source/file"), segment(kind).repeat(SEGMENTS)).expect("a file");
        fs::write(home.path().join("key"), generate(KeyKind::X25519, &Clock::system()).0.expose_secret())
            .expect("a key");
        let secrets = Arc::new(Secrets::relative_to(home.path()));
        let source = serde_json::from_value(json!({"directory": {"path": "source"}})).expect("a source");
        let vault = serde_json::from_value(json!({"fs": {"path": "vault"}})).expect("a vault");
        let seal = serde_json::from_value(json!({"identities": [{"file": "key"}]})).expect("a seal");
        Self {
            runtime: Runtime::new().expect("a runtime"),
            cx: Context::new("bench", home.path(), Clock::system(), secrets.clone()),
            source: sources::open(&source, &secrets).expect("the source opens"),
            vault: Vault::open(&vault, &secrets).expect("the vault opens"),
            keys: Keys::open(&seal, &secrets).expect("the keys open"),
            home,
        }
    }

    /// Bytes that are drilled.
    fn bytes() -> BytesCount {
        BytesCount::new(SEGMENTS * SEGMENT_BYTES)
    }

    fn store(&self) {
        self.runtime.block_on(async {
            let (sealing, mut writer) = Sealing::begin(&self.cx, &self.vault, &self.keys, "s").await.expect("begun");
            let captured = self.source.capture(&self.cx, &mut writer).await.expect("captured");
            let about = About { scenario: "bench".into(), source: "directory".into(), tool: "bench".into() };
            sealing.complete(&self.cx, writer, captured, about).await.expect("stored");
        });
    }

    /// The vault as if nothing had been stored.
    fn empty(&self) {
        let vault = self.home.path().join("vault");
        if vault.exists() {
            fs::remove_dir_all(vault).expect("an empty vault");
        }
    }

    fn locate(&self) -> Located {
        let found = locate(&self.cx, &self.vault, &self.keys, "s", None);
        self.runtime.block_on(found).expect("located")
    }
}

/// Capture, compress, seal, digest and store, on all cores.
#[divan::bench(args = KINDS)]
fn seal_into_vault(bencher: Bencher<'_, '_>, kind: &str) {
    let drill = Drill::new(kind);
    bencher.counter(Drill::bytes()).with_inputs(|| drill.empty()).bench_local_values(|()| drill.store());
}

/// Fetch, digest, open and decompress, on all cores.
#[divan::bench(args = KINDS)]
fn stream_out_of_vault(bencher: Bencher<'_, '_>, kind: &str) {
    let drill = Drill::new(kind);
    drill.store();
    let located = drill.locate();
    bencher.counter(Drill::bytes()).bench_local(|| {
        drill.runtime.block_on(async {
            let mut stream = located.stream(&drill.cx);
            while let Some(piece) = stream.next().await.expect("a piece") {
                black_box(piece);
            }
        });
    });
}

/// The same, and written into a folder.
#[divan::bench(args = KINDS)]
fn fetch_into_folder(bencher: Bencher<'_, '_>, kind: &str) {
    let drill = Drill::new(kind);
    drill.store();
    let located = drill.locate();
    let folder = || TempDir::new_in(drill.home.path()).expect("a folder");
    bencher.counter(Drill::bytes()).with_inputs(folder).bench_local_refs(|folder| {
        let fetched = async { fetch(&drill.cx, located.index(), located.stream(&drill.cx), folder.path()).await };
        drill.runtime.block_on(fetched).expect("fetched")
    });
}
