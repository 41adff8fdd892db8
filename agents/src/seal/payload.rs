//! The payload of an age file: chunks of 64 KiB, each sealed with ChaCha20-Poly1305 under a key that HKDF-SHA-256 draws from the
//! file key and a nonce (the STREAM of <https://age-encryption.org/v1>). The age crate makes and reads all that stands before it,
//! the nonce included; here the chunks go through aws-lc-rs, which is more than twice as fast as the age crate's own way.

use std::cell::RefCell;
use std::io::{self, BufRead, Read, Write};

use age::{DecryptError, Decryptor, Encryptor};
use age_core::format::{FileKey, Stanza};
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use secrecy::ExposeSecret;

/// Plain bytes of a chunk; only the last one may hold fewer.
const CHUNK: usize = 64 << 10;
/// What sealing adds to a chunk.
const TAG: usize = 16;
/// The nonce that stands between header and chunks.
const SALT: usize = 16;

/// A payload that is being sealed. Left unfinished, it does not open.
pub(super) struct SealedPayload {
    chunks: Chunks,
    bytes: Vec<u8>,
    /// Where the chunk at hand begins, whose bytes are still plain.
    chunk: usize,
}

impl SealedPayload {
    /// Writes the header for these recipients into an empty buffer and begins the payload behind it.
    ///
    /// # Errors
    /// What a recipient says that can't be sealed to.
    pub(super) fn begin<'a>(
        recipients: impl Iterator<Item = &'a dyn age::Recipient>,
        mut bytes: Vec<u8>,
    ) -> Result<Self, age::EncryptError> {
        let seen = Seen::default();
        let watched: Vec<_> = recipients.map(|recipient| Watched { inner: recipient, seen: &seen }).collect();
        let header = Encryptor::with_recipients(watched.iter().map(|recipient| recipient as &dyn age::Recipient))?;
        // What is left out here is just the age crate's own way of sealing chunks: header and nonce are written by now.
        drop(header.wrap_output(&mut bytes)?);
        let chunks = seen.chunks(&bytes).ok_or(age::EncryptError::MissingRecipients)?;
        Ok(Self { chunks, chunk: bytes.len(), bytes })
    }

    /// Seals the last chunk. Returns the whole file.
    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.seal(true)?;
        Ok(self.bytes)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.chunks.nonce(last)?;
        let plain = &mut self.bytes[self.chunk..];
        let tag = self.chunks.key.seal_in_place_separate_tag(nonce, Aad::empty(), plain);
        self.bytes.extend_from_slice(tag.map_err(|_| io::Error::other("a chunk can't be sealed"))?.as_ref());
        self.chunk = self.bytes.len();
        Ok(())
    }
}

impl Write for SealedPayload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk may be the last, which is sealed differently: it waits until more comes.
        if self.bytes.len() - self.chunk == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let room = CHUNK - (self.bytes.len() - self.chunk);
        let now = bytes.len().min(room);
        self.bytes.extend_from_slice(&bytes[..now]);
        Ok(now)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A payload that is being opened. It ends where the file ends; a file that was cut off is an error.
pub(super) struct OpenedPayload<'a> {
    chunks: Chunks,
    sealed: &'a [u8],
    began: bool,
    chunk: Vec<u8>,
    read: usize,
}

impl<'a> OpenedPayload<'a> {
    /// Reads the header with this identity, and begins to open what is behind it.
    ///
    /// # Errors
    /// What the age crate finds wrong with the header, or that the identity is not one of its recipients'.
    pub(super) fn begin(file: &'a [u8], identity: &dyn age::Identity) -> Result<Self, DecryptError> {
        let seen = Seen::default();
        let watched = Watched { inner: identity, seen: &seen };
        let mut rest = file;
        let decryptor = Decryptor::new_buffered(&mut rest)?;
        // The header's own authentication code is checked in here.
        drop(decryptor.decrypt(std::iter::once(&watched as &dyn age::Identity))?);
        let chunks = seen.chunks(&file[..file.len() - rest.len()]).ok_or(DecryptError::InvalidHeader)?;
        Ok(Self { chunks, sealed: rest, began: false, chunk: vec![0; CHUNK.min(rest.len())], read: 0 })
    }

    fn open(&mut self) -> io::Result<()> {
        let (chunk, later) = self.sealed.split_at(self.sealed.len().min(CHUNK + TAG));
        let last = later.is_empty();
        let damaged = |how| io::Error::new(io::ErrorKind::InvalidData, how);
        let (sealed, tag) = chunk.split_last_chunk::<TAG>().ok_or_else(|| damaged("a chunk is cut off"))?;
        if last && self.began && sealed.is_empty() {
            return Err(damaged("the last chunk is empty"));
        }
        let nonce = self.chunks.nonce(last)?;
        self.chunk.resize(sealed.len(), 0);
        let opened = self.chunks.key.open_separate_gather(nonce, Aad::empty(), sealed, tag, &mut self.chunk);
        opened.map_err(|_| damaged("a chunk does not open"))?;
        (self.sealed, self.began, self.read) = (later, true, 0);
        Ok(())
    }
}

impl BufRead for OpenedPayload<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.chunk.len() || !self.began {
            // Even an empty payload has a chunk, without which it would be one that was cut off.
            if self.began && self.sealed.is_empty() {
                return Ok(&[]);
            }
            self.open()?;
        }
        Ok(&self.chunk[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read += count;
    }
}

impl Read for OpenedPayload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// The key of all chunks of a file, and the number of the next one.
struct Chunks {
    key: LessSafeKey,
    next: u64,
}

impl Chunks {
    /// Eleven bytes of a number, and one that tells the last chunk.
    fn nonce(&mut self, last: bool) -> io::Result<Nonce> {
        let mut nonce = [0; NONCE_LEN];
        nonce[3..11].copy_from_slice(&self.next.to_be_bytes());
        nonce[11] = last.into();
        self.next = self.next.checked_add(1).ok_or_else(|| io::Error::other("too many chunks"))?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// The file key as it passes between the age crate and a recipient or an identity.
#[derive(Default)]
struct Seen(RefCell<Option<FileKey>>);

impl Seen {
    fn note(&self, key: &FileKey) {
        let copy = FileKey::init_with_mut(|copy| copy.copy_from_slice(key.expose_secret()));
        self.0.replace(Some(copy));
    }

    /// The key of the chunks behind this header, which ends with the nonce.
    fn chunks(&self, header: &[u8]) -> Option<Chunks> {
        let seen = self.0.borrow();
        let (_, salt) = header.split_last_chunk::<SALT>()?;
        let drawn = Salt::new(HKDF_SHA256, salt).extract(seen.as_ref()?.expose_secret());
        let key = UnboundKey::from(drawn.expand(&[b"payload"], &CHACHA20_POLY1305).ok()?);
        Some(Chunks { key: LessSafeKey::new(key), next: 0 })
    }
}

/// A recipient or an identity whose file keys are noted.
struct Watched<'a, T: ?Sized> {
    inner: &'a T,
    seen: &'a Seen,
}

impl age::Recipient for Watched<'_, dyn age::Recipient + '_> {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, std::collections::HashSet<String>), age::EncryptError> {
        self.seen.note(file_key);
        self.inner.wrap_file_key(file_key)
    }
}

impl age::Identity for Watched<'_, dyn age::Identity + '_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.inner.unwrap_stanza(stanza).map(|key| key.inspect(|key| self.seen.note(key)))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        self.inner.unwrap_stanzas(stanzas).map(|key| key.inspect(|key| self.seen.note(key)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use age::x25519;
    use aws_lc_rs::digest;

    use super::*;

    fn seal(recipients: &[&dyn age::Recipient], plain: &[u8]) -> Vec<u8> {
        let mut payload = SealedPayload::begin(recipients.iter().copied(), Vec::new()).expect("begins");
        payload.write_all(plain).expect("takes all");
        payload.finish().expect("finished")
    }

    fn open(file: &[u8], identity: &dyn age::Identity) -> Result<Vec<u8>, String> {
        let mut payload = OpenedPayload::begin(file, identity).map_err(|error| error.to_string())?;
        let mut plain = Vec::new();
        payload.read_to_end(&mut plain).map_err(|error| error.to_string())?;
        Ok(plain)
    }

    /// Lengths around those at which a chunk begins or ends.
    fn lengths() -> impl Iterator<Item = usize> {
        let ends = [0, CHUNK, 2 * CHUNK, 5 * CHUNK];
        ends.into_iter().flat_map(|end| [end.saturating_sub(1), end, end + 1])
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        aws_lc_rs::rand::fill(&mut bytes).expect("randomness");
        bytes
    }

    #[test]
    fn the_age_crate_opens_what_is_sealed_here_and_the_other_way_round() {
        let identity = x25519::Identity::generate();
        let (mine, theirs) = (identity.to_public(), x25519::Identity::generate().to_public());
        for length in lengths() {
            let plain = noise(length);
            let file = seal(&[&theirs, &mine], &plain);
            assert!(age::decrypt(&identity, &file).expect("the age crate opens it") == plain, "{length}");
            let file = age::encrypt(&mine, &plain).expect("the age crate seals it");
            assert!(open(&file, &identity).expect("opens") == plain, "{length}");
        }
    }

    #[test]
    fn a_changed_bit_or_a_cut_anywhere_around_a_chunk_does_not_open() {
        let identity = x25519::Identity::generate();
        let file = seal(&[&identity.to_public()], &noise(2 * CHUNK));
        let header = file.len() - 2 * (CHUNK + TAG);
        for at in [header, header + CHUNK, header + CHUNK + TAG, file.len() - TAG, file.len() - 1] {
            assert_eq!(open(&file[..at], &identity).expect_err("cut"), expected_of_cut(at - header), "cut at {at}");
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert_eq!(open(&changed, &identity).expect_err("changed"), "a chunk does not open", "changed at {at}");
        }
        open(&[&file[..], b"x"].concat(), &identity).expect_err("added");
    }

    fn expected_of_cut(payload: usize) -> &'static str {
        if payload == 0 { "a chunk is cut off" } else { "a chunk does not open" }
    }

    /// The test vectors of age's specification (C2SP CCTV), those of headers for one key and all of payloads. Their bodies are
    /// kept compressed.
    #[test]
    fn the_vectors_of_the_specification_open_or_do_not_as_they_say() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/seal/testdata/vectors");
        let mut seen = 0;
        for vector in fs::read_dir(folder).expect("vectors") {
            let path = vector.expect("a vector").path();
            let bytes = fs::read(&path).expect("read");
            let end = bytes.windows(2).position(|two| two == b"\n\n").expect("a head");
            let head = std::str::from_utf8(&bytes[..end]).expect("text");
            let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            let identity: x25519::Identity = field("identity").expect("an identity").parse().expect("a key");
            let opened = open(&zstd::decode_all(&bytes[end + 2..]).expect("unpacks"), &identity);
            match field("expect") {
                Some("success") => {
                    let plain = opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    let sha256 = hex::encode(digest::digest(&digest::SHA256, &plain));
                    assert_eq!(Some(sha256.as_str()), field("payload"), "{}", path.display());
                }
                _ => assert!(opened.is_err(), "{} opens", path.display()),
            }
            seen += 1;
        }
        assert_eq!(seen, 38);
    }
}
