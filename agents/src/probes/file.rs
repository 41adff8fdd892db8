//! A restored file.
//!
//! A path is opened beneath the root by the kernel's own rule, so that no link and no `..` leads out. A glob's `*` and `?` match no
//! slash, `**` matches any number of folders; it finds whatever is no folder, following no link to a folder.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Component, Path, PathBuf};

use aws_lc_rs::digest;
use drill_scenarios::{FileProbe, Observation, Scalar};
use globset::{Glob, GlobBuilder};
use jiff::Timestamp;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::program::outside;
use super::{KEPT, Seen, Within, fill, observation, whole};
use crate::stream::on_thread;
use crate::{Error, Kind, Result};

/// What is observed of a file that isn't there: that it isn't, and null for everything that could be told of it.
const ABSENT: [&str; 6] = ["type", "bytes", "sha256", "mode", "modified", "text"];

pub(super) async fn observe(probe: &FileProbe, within: Within<'_>) -> Result<Seen> {
    let root = within.env.root().to_owned();
    let path = below(&fill(&probe.path, within.facts)?, &root)?;
    on_thread(move || look(&root, &path)).await
}

/// The path relative to the root. One that begins with the root itself (`${DRILL_ROOT}/…`) is meant the same.
fn below(text: &str, root: &Path) -> Result<PathBuf> {
    let path = Path::new(text);
    let path = path.strip_prefix(root).unwrap_or(path);
    if path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        Ok(path.to_owned())
    } else {
        Err(outside(Path::new(text)))
    }
}

fn look(root: &Path, path: &Path) -> Result<Seen> {
    let wrong = |cause: io::Error| Error::io("looking at", path.display(), cause);
    let folder = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|cause| Error::io("opening the restored data at", root.display(), cause.into()))?;
    let (count, found) = if is_glob(path) {
        newest_match(root, &folder, path)?
    } else {
        match open(&folder, path) {
            Err(error) if leads_astray(&error) => {
                return Ok(Seen::Nothing(format!("{} leads out of the restored data", path.display())));
            }
            found => found.map(|found| (u64::from(found.is_some()), found)).map_err(wrong)?,
        }
    };
    let Some(file) = found else {
        let mut values = observation(ABSENT.map(|name| (name, Scalar::Null)));
        values.extend(observation([("exists", Scalar::Bool(false)), ("count", whole(0))]));
        return Ok(Seen::Values(values));
    };
    let mut values = described(file).map_err(wrong)?;
    values.extend(observation([("exists", Scalar::Bool(true)), ("count", whole(count))]));
    Ok(Seen::Values(values))
}

fn is_glob(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[{".contains(byte))
}

/// Opens what the path leads to, without reading anything; `None` if there is nothing.
pub(super) fn open(folder: &OwnedFd, path: &Path) -> io::Result<Option<OwnedFd>> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let (flags, beneath) = (OFlags::PATH | OFlags::CLOEXEC, ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS);
    match rustix::fs::openat2(folder, path, flags, Mode::empty(), beneath) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a link on the way led out, or in a circle. That is how the data is, not how the host is.
pub(super) fn leads_astray(error: &io::Error) -> bool {
    [Errno::XDEV, Errno::LOOP].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// How many files the glob matches, and the newest of them. Links that lead nowhere, or out, are passed over.
fn newest_match(root: &Path, folder: &OwnedFd, pattern: &Path) -> Result<(u64, Option<OwnedFd>)> {
    let glob = glob(pattern)?;
    let (mut count, mut newest) = (0, None::<((i64, u64, OsString), OwnedFd)>);
    files(root, &mut |path| {
        if !glob.is_match(path) {
            return Ok(());
        }
        let file = match open(folder, path) {
            Err(error) if leads_astray(&error) => None,
            other => other?,
        };
        let Some(file) = file else { return Ok(()) };
        let stat = rustix::fs::fstat(&file)?;
        let age = (stat.st_mtime, stat.st_mtime_nsec, path.as_os_str().to_owned());
        count += 1;
        if newest.as_ref().is_none_or(|(best, _)| *best < age) {
            newest = Some((age, file));
        }
        Ok(())
    })
    .map_err(|cause| Error::io("looking for files that match", pattern.display(), cause))?;
    Ok((count, newest.map(|(_, file)| file)))
}

fn glob(pattern: &Path) -> Result<globset::GlobMatcher> {
    let text = pattern.to_string_lossy();
    let glob = GlobBuilder::new(text.trim_start_matches("./")).literal_separator(true).build();
    let glob: Glob = glob.map_err(|cause| Error::new(Kind::Config, format!("glob `{text}`")).because(cause))?;
    Ok(glob.compile_matcher())
}

/// Calls `each` with the path below the root of everything that is no folder.
fn files(root: &Path, each: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                each(&path)?;
            }
        }
    }
    Ok(())
}

fn described(file: OwnedFd) -> io::Result<Observation> {
    let stat = rustix::fs::fstat(&file)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let mut values = observation([
        ("type", Scalar::Text(name(kind).into())),
        ("bytes", Scalar::Null),
        ("sha256", Scalar::Null),
        ("text", Scalar::Null),
        ("mode", Scalar::Text(format!("{:04o}", stat.st_mode & 0o7777))),
        ("modified", modified(&stat)),
    ]);
    if kind == FileType::RegularFile {
        values.remove("text");
        values.extend(read(opened(file.as_raw_fd())?)?);
    }
    Ok(values)
}

fn name(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Unknown => "unknown",
    }
}

fn modified(stat: &Stat) -> Scalar {
    let nanos = i32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    Timestamp::new(stat.st_mtime, nanos).map_or(Scalar::Null, |at| Scalar::Text(at.to_string()))
}

/// Opens to be read what was found to be a file: no device and no pipe, which would wait or act.
pub(super) fn opened(found: RawFd) -> io::Result<std::fs::File> {
    std::fs::File::open(format!("/proc/self/fd/{found}"))
}

/// SHA-256 of the content, hexadecimal.
pub(super) fn sha256(content: std::fs::File) -> io::Result<String> {
    let mut digest = digest::Context::new(&digest::SHA256);
    each_piece(content, |piece| digest.update(piece))?;
    Ok(hex::encode(digest.finish()))
}

fn each_piece(mut content: std::fs::File, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => each(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Length and digest, and the text if it is text and not too long; else the text is not observed, so that nothing is concluded from a
/// part of it.
fn read(content: std::fs::File) -> io::Result<Observation> {
    let mut digest = digest::Context::new(&digest::SHA256);
    let (mut bytes, mut beginning) = (0_u64, Vec::new());
    each_piece(content, |piece| {
        digest.update(piece);
        bytes += piece.len() as u64;
        beginning.extend_from_slice(&piece[..piece.len().min(KEPT - beginning.len())]);
    })?;
    let digest = Scalar::Text(hex::encode(digest.finish()));
    let mut values = observation([("bytes", whole(bytes)), ("sha256", digest)]);
    if bytes <= KEPT as u64
        && let Ok(text) = String::from_utf8(beginning)
    {
        values.insert("text".into(), Scalar::Text(text));
    }
    Ok(values)
}
