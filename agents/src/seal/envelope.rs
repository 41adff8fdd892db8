//! One sealed file: a zstd frame inside a standard age file, with the digest of what is stored. Everything here is computing;
//! call it where blocking is allowed.

use std::io::{self, Read, Write};
use std::iter;

use age::{DecryptError, Decryptor, Encryptor, scrypt};
use aws_lc_rs::digest;
use secrecy::{ExposeSecret, SecretString};

use super::payload::{OpenedPayload, SealedPayload};
use super::recipient::Recipient;
use crate::{Error, Kind, Result};

/// Fast and already three to one on ordinary files.
const LEVEL: i32 = 1;
/// For what a sample shows not to compress: zstd then hardly looks at it.
const LEVEL_OF_NOISE: i32 = -100;
/// A sample is so many pieces of so many bytes, taken evenly. It doesn't compress if less than a fiftieth is saved.
const SAMPLES: usize = 16;
const SAMPLE: usize = 4 << 10;
const WORTH_IT: usize = 50;
/// Work of a passphrase, as a power of two: what stock age takes to seal, and the most that is done to open.
const SCRYPT: (u8, u8) = (18, 22);

/// A sealed file.
pub(super) struct Sealed {
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: String,
    pub(super) plain_bytes: u64,
}

/// Memory that is taken at once on the word of a header.
const RESERVED: u64 = 64 << 20;

/// Why a sealed file doesn't open.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is sealed to somebody else.
    NoMatch,
    /// It is not what sealing makes.
    Damaged(String),
    /// What should open it can't be asked.
    Unasked(String),
}

impl Fault {
    /// The fault as an error about this thing.
    pub(super) fn on(self, subject: impl std::fmt::Display) -> Error {
        match self {
            Self::NoMatch => Error::new(Kind::WrongKey, format!("no identity at hand opens {subject}")),
            Self::Damaged(how) => Error::new(Kind::Corrupt, format!("{subject} {how}")),
            Self::Unasked(why) => Error::new(Kind::Config, format!("opening {subject}")).because(why),
        }
    }
}

/// SHA-256 of these bytes, hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// Compresses and seals these bytes into an empty buffer.
///
/// # Errors
/// [`Kind::Config`] if a recipient can't be sealed to.
pub(super) fn seal(recipients: &[Recipient], plain: &[u8], into: Vec<u8>) -> Result<Sealed> {
    seal_written(recipients, into, level(plain), |out| out.write_all(plain))
}

/// Compresses and seals what `write` writes, however long it is.
///
/// # Errors
/// As for [`seal`].
pub(super) fn seal_stream(
    recipients: &[Recipient],
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Sealed> {
    seal_written(recipients, Vec::new(), LEVEL, write)
}

fn seal_written(
    recipients: &[Recipient],
    into: Vec<u8>,
    level: i32,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Sealed> {
    let wraps = recipients.iter().map(|recipient| recipient.wraps.as_ref() as &dyn age::Recipient);
    let payload = SealedPayload::begin(wraps, into).map_err(|cause| {
        let names: Vec<_> = recipients.iter().map(|recipient| recipient.public.as_str()).collect();
        Error::new(Kind::Config, format!("sealing to {}", names.join(", "))).because(one_line(&cause))
    })?;
    let mut plain_bytes = 0;
    let sealing = |cause| Error::io("sealing", "in memory", cause);
    let bytes =
        compressed(payload, level, |out| write(&mut Counted { out, count: &mut plain_bytes })).map_err(sealing)?;
    Ok(Sealed { sha256: sha256(&bytes), bytes, plain_bytes })
}

fn compressed(
    payload: SealedPayload,
    level: i32,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<Vec<u8>> {
    let mut compressed = zstd::Encoder::new(payload, level)?;
    write(&mut compressed)?;
    // Either end left out would leave a file that doesn't open.
    compressed.finish()?.finish()
}

/// How hard to compress these bytes. Whatever a sample says of them, the frame is one that zstd unpacks.
fn level(plain: &[u8]) -> i32 {
    if plain.len() < SAMPLES * SAMPLE {
        return LEVEL;
    }
    let every = plain.len() / SAMPLES;
    let sample: Vec<u8> = plain.chunks_exact(every).flat_map(|part| &part[..SAMPLE]).copied().collect();
    match zstd::bulk::compress(&sample, LEVEL) {
        Ok(small) if small.len() > sample.len() - sample.len() / WORTH_IT => LEVEL_OF_NOISE,
        _ => LEVEL,
    }
}

/// Opens and unpacks a file of `plain_bytes`, neither more nor less, into an empty buffer: a file can't be made to fill the
/// memory.
pub(super) fn open(
    identity: &(dyn age::Identity + Send + Sync),
    sealed: &[u8],
    plain_bytes: u64,
    into: Vec<u8>,
) -> std::result::Result<Vec<u8>, Fault> {
    let opened = OpenedPayload::begin(sealed, identity).map_err(fault)?;
    let unpacking = |cause: io::Error| Fault::Damaged(format!("does not unpack: {}", one_line(&cause)));
    let unpacked = zstd::Decoder::with_buffer(opened).map_err(unpacking)?;
    read_exactly(unpacked, plain_bytes, into).map_err(unpacking)
}

/// Seals the identity of a snapshot with a passphrase.
pub(super) fn seal_key(passphrase: &SecretString, text: &SecretString) -> Result<Sealed> {
    let line = SecretString::from(format!("{}\n", text.expose_secret()));
    let sealing = |cause| Error::io("sealing", "the key of the snapshot", cause);
    let mut recipient = scrypt::Recipient::new(passphrase.clone());
    recipient.set_work_factor(SCRYPT.0);
    let encryptor = Encryptor::with_recipients(iter::once(&recipient as &dyn age::Recipient));
    let mut sealed =
        encryptor.expect("a passphrase can always be sealed with").wrap_output(Vec::new()).map_err(sealing)?;
    sealed.write_all(line.expose_secret().as_bytes()).map_err(sealing)?;
    let bytes = sealed.finish().map_err(sealing)?;
    Ok(Sealed { sha256: sha256(&bytes), plain_bytes: line.expose_secret().len() as u64, bytes })
}

/// Opens the identity of a snapshot.
pub(super) fn open_key(
    passphrase: SecretString,
    sealed: &[u8],
    plain_bytes: u64,
) -> std::result::Result<SecretString, Fault> {
    let mut identity = scrypt::Identity::new(passphrase);
    identity.set_max_work_factor(SCRYPT.1);
    let decryptor = Decryptor::new_buffered(sealed).map_err(fault)?;
    let opened = decryptor.decrypt(iter::once(&identity as &dyn age::Identity)).map_err(|cause| match cause {
        // That is how a passphrase shows that it is wrong.
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => Fault::NoMatch,
        cause => fault(cause),
    })?;
    let damaged = |cause: &dyn std::fmt::Display| Fault::Damaged(format!("does not open: {}", one_line(cause)));
    let bytes = read_exactly(opened, plain_bytes, Vec::new()).map_err(|cause| damaged(&cause))?;
    String::from_utf8(bytes).map(SecretString::from).map_err(|cause| damaged(&cause.utf8_error()))
}

/// Reads to the end, which proves that nothing was cut off.
fn read_exactly(from: impl Read, length: u64, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    // One byte more than a segment, so that the buffer needn't grow to see its end; what is longer has to come first.
    bytes.reserve_exact(usize::try_from(length.min(RESERVED)).unwrap_or_default() + 1);
    let read = from.take(length.saturating_add(1)).read_to_end(&mut bytes)? as u64;
    match read.cmp(&length) {
        std::cmp::Ordering::Equal => Ok(bytes),
        std::cmp::Ordering::Less => Err(io::Error::other(format!("{read} bytes instead of {length}"))),
        std::cmp::Ordering::Greater => Err(io::Error::other(format!("more than {length} bytes"))),
    }
}

/// Why a file of age doesn't open.
pub(super) fn fault(cause: DecryptError) -> Fault {
    match cause {
        DecryptError::NoMatchingKeys => Fault::NoMatch,
        DecryptError::Plugin(_) | DecryptError::PluginResolve(_) | DecryptError::ExcessiveWork { .. } => {
            Fault::Unasked(one_line(&cause))
        }
        cause => Fault::Damaged(format!("does not open: {}", one_line(&cause))),
    }
}

/// Messages of age have several lines, and isolation marks of Unicode around what they quote.
fn one_line(text: &dyn std::fmt::Display) -> String {
    let text = text.to_string().replace(['\u{2068}', '\u{2069}'], "");
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Counts what passes.
struct Counted<'a> {
    out: &'a mut dyn Write,
    count: &'a mut u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        *self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::identity::Identity;
    use super::*;

    fn sealed(plain: &[u8]) -> (Identity, Sealed) {
        let (identity, _) = Identity::generate();
        let sealed = seal(std::slice::from_ref(&identity.recipient), plain, Vec::new()).expect("sealed");
        (identity, sealed)
    }

    #[test]
    fn a_file_that_unpacks_to_more_than_was_said_is_not_unpacked() {
        let (identity, bomb) = sealed(&vec![0; 4 << 20]);
        assert!(bomb.bytes.len() < 4 << 10);
        for said in [0, 1, (4 << 20) - 1] {
            let fault = open(identity.unwraps.as_ref(), &bomb.bytes, said, Vec::new()).expect_err("too much");
            assert!(matches!(&fault, Fault::Damaged(how) if how.contains("more than")), "{fault:?}");
        }
        let fault = open(identity.unwraps.as_ref(), &bomb.bytes, (4 << 20) + 1, Vec::new()).expect_err("too little");
        assert!(matches!(fault, Fault::Damaged(how) if how.contains("instead of")));
    }

    #[test]
    fn what_does_not_compress_is_known_by_its_sample() {
        let mut noise = vec![0; 1 << 20];
        aws_lc_rs::rand::fill(&mut noise).expect("randomness");
        assert_eq!(level(&noise), LEVEL_OF_NOISE);
        assert_eq!(level(&noise[..SAMPLE]), LEVEL);
        noise[..512 << 10].fill(b'x');
        assert_eq!(level(&noise), LEVEL);
        assert_eq!(level(&b"some words, ".repeat(10_000)), LEVEL);
    }

    #[test]
    fn a_file_cut_anywhere_does_not_open() {
        let (identity, whole) = sealed(&b"content ".repeat(10_000));
        for length in 0..whole.bytes.len() {
            let fault = open(identity.unwraps.as_ref(), &whole.bytes[..length], whole.plain_bytes, Vec::new())
                .expect_err("cut");
            assert!(matches!(fault, Fault::Damaged(_)), "at {length}: {fault:?}");
        }
    }

    #[test]
    fn somebody_elses_file_is_told_from_a_damaged_one() {
        let (_, theirs) = sealed(b"content");
        let (mine, _) = Identity::generate();
        assert!(matches!(open(mine.unwraps.as_ref(), &theirs.bytes, 7, Vec::new()), Err(Fault::NoMatch)));
    }
}
