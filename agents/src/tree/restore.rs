//! Unpacks an archive below a root. Names are made by one thread, in the archive's order; content and attributes of small files are
//! written by several. The archive may come from anywhere, so nothing in it is taken for harmless.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::descent::{Descent, open_folder, open_root};
use super::extent::Extent;
use super::settle::{Attributes, Settle};
use super::unpack::{MemberKind, Unpack};
use super::written::{self, Beside, Written};
use crate::stream::on_thread;
use crate::{Context, Error, Kind, OpenReader, PathText, Restored, Result};

/// Content up to this size is handed to another thread to be written.
const SMALL: u64 = 1 << 20;
/// Bytes of bigger content that are written at a time.
const PIECE: usize = 256 << 10;
/// Small files that are handed on at once, and bytes of them after which no more is added.
const BATCH: (usize, usize) = (64, 1 << 20);
/// Batches that wait to be written.
const WAITING: usize = 4;
/// Threads that write small files.
const WRITERS: usize = 4;

const NEW: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Unpacks the archive in `stream` below `root`. With `written`, files are digested while they are written.
///
/// # Errors
/// [`Kind::Unrestorable`] for what is no archive, is cut off, or would lead out of the root; the reader's own errors; I/O errors.
pub(crate) async fn restore(
    cx: &Context,
    root: &Path,
    mut stream: OpenReader,
    written: Option<Arc<Written>>,
) -> Result<Restored> {
    let (cx, root) = (cx.clone(), root.to_owned());
    on_thread(move || {
        let began = cx.clock.elapsed();
        let mut reader = stream.blocking();
        let done = unpack(&cx, &root, Counted { cx: &cx, from: &mut reader }, written.as_deref());
        let waited = reader.waited();
        cx.timings.loaded((cx.clock.elapsed() - began).saturating_sub(waited));
        stream.take_error().map_or(done, Err)
    })
    .await
}

/// Writes the stream into the new file `path`.
///
/// # Errors
/// The reader's own errors; I/O errors.
pub(crate) async fn restore_file(cx: &Context, path: &Path, mut stream: OpenReader) -> Result<Restored> {
    let (cx, path) = (cx.clone(), path.to_owned());
    on_thread(move || {
        let wrong = |cause| Error::io("restoring", path.display(), cause);
        let mut file = std::fs::File::create_new(&path).map_err(wrong)?;
        let began = cx.clock.elapsed();
        let mut reader = stream.blocking();
        let done = io::copy(&mut Counted { cx: &cx, from: &mut reader }, &mut file);
        let waited = reader.waited();
        cx.timings.loaded((cx.clock.elapsed() - began).saturating_sub(waited));
        stream.take_error().map_or(done.map(|_| Restored::default()).map_err(wrong), Err)
    })
    .await
}

/// Counts what is read, and ends when the run is asked to stop.
#[derive(Debug)]
struct Counted<'a, R> {
    cx: &'a Context,
    from: R,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cx.go_on().map_err(io::Error::other)?;
        let count = self.from.read(buffer)?;
        self.cx.progress.add(count as u64);
        Ok(count)
    }
}

/// Unpacks an archive below `root`.
pub(super) fn unpack(cx: &Context, root: &Path, from: impl Read, written: Option<&Written>) -> Result<Restored> {
    let root = open_root(root).map_err(|cause| Error::io("opening", root.display(), cause))?;
    let settle = Settle::new();
    let (queue, waiting) = sync_channel(WAITING);
    let writers = Writers { cx, waiting: Mutex::new(waiting), settle: &settle, written, failed: OnceLock::new() };
    let count = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(WRITERS));
    let mut unpacking = Unpacking {
        cx,
        archive: Unpack::new(from),
        descent: Descent::new(root),
        folders: Vec::new(),
        settle: &settle,
        batch: Batch::default(),
        members: 0,
        buffer: vec![0; PIECE],
        beside: None,
    };
    let made = std::thread::scope(|scope| {
        unpacking.beside = written.map(|written| Beside::start(scope, cx, written));
        (0..count).for_each(|_| drop(scope.spawn(|| writers.write())));
        let made = unpacking.members(queue, &writers.failed);
        // The thread ends only then, however far this got.
        unpacking.beside = None;
        made
    });
    writers.failed.into_inner().map_or(made, Err)?;
    let complaints = unpacking.finish()?;
    Ok(Restored { complaints, notes: settle.finish().finish() })
}

/// A file whose name is made.
struct NewFile {
    path: PathBuf,
    /// Its number among the members of the archive.
    member: u64,
    file: OwnedFd,
    size: u64,
    extents: Vec<Extent>,
    attributes: Attributes,
}

impl NewFile {
    fn stored(&self) -> u64 {
        self.extents.iter().map(|part| part.length).sum()
    }

    /// Makes it as long as it will be, where its content doesn't reach its end.
    fn stretch(&self) -> io::Result<()> {
        let reached = self.extents.iter().rfind(|part| part.length > 0).and_then(|last| last.end());
        if reached.unwrap_or(0) < self.size { Ok(rustix::fs::ftruncate(&self.file, self.size)?) } else { Ok(()) }
    }

    /// Writes the content of a small file.
    fn write(&self, mut data: &[u8]) -> io::Result<()> {
        self.stretch()?;
        for part in &self.extents {
            let (now, later) = data.split_at(usize::try_from(part.length).expect("a small file's part"));
            write_all(&self.file, now, part.offset)?;
            data = later;
        }
        Ok(())
    }
}

/// Small files with their content, which are handed on together.
#[derive(Default)]
struct Batch {
    files: Vec<(NewFile, Vec<u8>)>,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.files.len() >= BATCH.0 || self.bytes >= BATCH.1
    }
}

/// What the threads share that write small files.
struct Writers<'a> {
    cx: &'a Context,
    waiting: Mutex<Receiver<Batch>>,
    settle: &'a Settle,
    written: Option<&'a Written>,
    failed: OnceLock<Error>,
}

impl Writers<'_> {
    /// Writes until there is nothing more to come; after a failure it only takes what comes, so that nobody waits for it.
    fn write(&self) {
        let next = || self.waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok(batch) = next() {
            for (new, data) in batch.files {
                if self.failed.get().is_none()
                    && let Err(error) = self.write_one(&new, &data)
                {
                    let _ = self.failed.set(error);
                }
            }
        }
    }

    fn write_one(&self, new: &NewFile, data: &[u8]) -> Result<()> {
        let settled = new.write(data).and_then(|()| self.settle.open(&new.path, &new.file, &new.attributes));
        settled.map_err(|cause| writing(&new.path, cause))?;
        if let Some(written) = self.written {
            written.keep(&new.path, new.member, written::digest(self.cx, new.size, &new.extents, data)?);
        }
        Ok(())
    }
}

struct Unpacking<'a, R> {
    cx: &'a Context,
    archive: Unpack<R>,
    descent: Descent,
    /// Folders get their attributes in the end: what is put into them would undo some, and others would keep it out.
    folders: Vec<(PathBuf, Attributes)>,
    settle: &'a Settle,
    batch: Batch,
    members: u64,
    buffer: Vec<u8>,
    /// Who digests big files while they are written, if that is wanted.
    beside: Option<Beside>,
}

impl<R: Read> Unpacking<'_, R> {
    fn members(&mut self, queue: SyncSender<Batch>, failed: &OnceLock<Error>) -> Result<()> {
        while let Some(mut member) = self.archive.next()? {
            self.cx.go_on()?;
            self.members += 1;
            if failed.get().is_some() {
                break;
            }
            let path = inside(&member.path)?;
            if member.acl_text {
                self.settle.note(&path, "Its ACL stands in the archive as text and was not restored.");
            }
            let attributes = Attributes::of(&mut member);
            match member.kind {
                MemberKind::File { size, extents } => {
                    let file = self.new_file(&path).map_err(|cause| writing(&path, cause))?;
                    self.file(NewFile { path, member: self.members, file, size, extents, attributes }, &queue)?;
                }
                other => self.name(path, other, attributes)?,
            }
        }
        self.hand_on(&queue);
        Ok(())
    }

    fn hand_on(&mut self, queue: &SyncSender<Batch>) {
        queue.send(std::mem::take(&mut self.batch)).expect("writers take all that is sent");
    }

    fn file(&mut self, new: NewFile, queue: &SyncSender<Batch>) -> Result<()> {
        let stored = new.stored();
        if stored > SMALL {
            self.content(&new)?;
            return self.settle.open(&new.path, &new.file, &new.attributes).map_err(|cause| writing(&new.path, cause));
        }
        let mut data = vec![0; usize::try_from(stored).expect("a small file")];
        self.archive.read(&mut data)?;
        self.batch.bytes += data.len();
        self.batch.files.push((new, data));
        if self.batch.is_full() {
            self.hand_on(queue);
        }
        Ok(())
    }

    /// Writes content while it is read.
    fn content(&mut self, new: &NewFile) -> Result<()> {
        let wrong = |cause: io::Error| writing(&new.path, cause);
        new.stretch().map_err(wrong)?;
        for part in &new.extents {
            let mut at = part.offset;
            for now in part.pieces(PIECE) {
                self.cx.go_on()?;
                self.piece(new, at, now)?;
                at += now as u64;
            }
        }
        if let Some(beside) = &self.beside {
            beside.end(&new.path, new.member, new.size);
        }
        Ok(())
    }

    /// Writes the next so many bytes at this place of a file.
    fn piece(&mut self, new: &NewFile, at: u64, length: usize) -> Result<()> {
        let mut buffer = match &self.beside {
            Some(beside) => beside.buffer(length),
            None => std::mem::take(&mut self.buffer),
        };
        self.archive.read(&mut buffer[..length])?;
        write_all(&new.file, &buffer[..length], at).map_err(|cause| writing(&new.path, cause))?;
        match &self.beside {
            Some(beside) => beside.data(at, buffer),
            None => self.buffer = buffer,
        }
        Ok(())
    }

    /// Makes what is no regular file.
    fn name(&mut self, path: PathBuf, kind: MemberKind, attributes: Attributes) -> Result<()> {
        let wrong = |cause| writing(&path, cause);
        match kind {
            MemberKind::Directory => {
                self.folder(&path).map_err(wrong)?;
                self.folders.push((path, attributes));
                Ok(())
            }
            MemberKind::Hardlink(first) => self.hardlink(&path, &inside(&first)?).map_err(wrong),
            other => self.special(&path, &other, &attributes).map_err(wrong),
        }
    }

    /// The folder that a path is in, made where it isn't there, and the path's name in it.
    fn parent<'p>(&mut self, path: &'p Path) -> io::Result<(Arc<OwnedFd>, &'p OsStr)> {
        let name = path.file_name().ok_or(Errno::ISDIR)?;
        Ok((self.descent.go_making(path.parent().unwrap_or(Path::new("")), existing_or_new)?, name))
    }

    fn new_file(&mut self, path: &Path) -> io::Result<OwnedFd> {
        let (parent, name) = self.parent(path)?;
        in_place_of_older(&parent, name, || rustix::fs::openat(&*parent, name, NEW, Mode::RUSR | Mode::WUSR))
    }

    fn folder(&mut self, path: &Path) -> io::Result<()> {
        let Ok((parent, name)) = self.parent(path) else { return Ok(()) };
        match existing_or_new(&parent, name) {
            Err(error) if is_no_folder(&error) => {
                in_place_of_older(&parent, name, || rustix::fs::mkdirat(&*parent, name, Mode::RWXU))
            }
            other => other.map(drop),
        }
    }

    fn hardlink(&mut self, path: &Path, first: &Path) -> io::Result<()> {
        if path == first {
            return Ok(());
        }
        let first_name = first.file_name().ok_or(Errno::ISDIR)?;
        let first_parent = self.descent.go_to(first.parent().unwrap_or(Path::new("")))?;
        let (parent, name) = self.parent(path)?;
        in_place_of_older(&parent, name, || {
            rustix::fs::linkat(&*first_parent, first_name, &*parent, name, AtFlags::empty())
        })
    }

    fn special(&mut self, path: &Path, kind: &MemberKind, attributes: &Attributes) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let node = |kind, device| rustix::fs::mknodat(&*parent, name, kind, Mode::RUSR | Mode::WUSR, device);
        let made = in_place_of_older(&parent, name, || match kind {
            MemberKind::Symlink(target) => rustix::fs::symlinkat(target, &*parent, name),
            MemberKind::Device { block: true, major, minor } => {
                node(FileType::BlockDevice, rustix::fs::makedev(*major, *minor))
            }
            MemberKind::Device { major, minor, .. } => {
                node(FileType::CharacterDevice, rustix::fs::makedev(*major, *minor))
            }
            _ => node(FileType::Fifo, 0),
        });
        match made {
            Err(error)
                if matches!(kind, MemberKind::Device { .. }) && error.kind() == io::ErrorKind::PermissionDenied =>
            {
                self.settle.note(path, "It is a device, which this account may not make.");
                Ok(())
            }
            Err(error) => Err(error),
            Ok(()) => self.settle.named(path, &parent, name, attributes),
        }
    }

    /// Gives folders their attributes, what is deeper first. Returns what there is to complain of.
    fn finish(mut self) -> Result<Vec<String>> {
        self.folders.sort_by(|(a, _), (b, _)| b.cmp(a));
        for (path, attributes) in &self.folders {
            let folder = self.descent.go_to(path).map_err(|cause| writing(path, cause))?;
            self.settle.open(path, &folder, attributes).map_err(|cause| writing(path, cause))?;
        }
        let more = "something other than zeros stands after the end of the archive; it was not restored";
        Ok(if self.archive.goes_on { vec![more.into()] } else { Vec::new() })
    }
}

/// The path below the root that a member's name means.
pub(super) fn inside(name: &Path) -> Result<PathBuf> {
    let only_down = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    if name.as_os_str().is_empty() || !name.components().all(only_down) {
        let name = PathText::new(name);
        return Err(Error::new(Kind::Unrestorable, format!("the archive names `{name}`, which is outside of it"))
            .hint("Make the archive with paths that start from its folder, without `..`."));
    }
    Ok(name.components().filter(|component| matches!(component, Component::Normal(_))).collect())
}

fn existing_or_new(parent: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    match open_folder(parent, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
            open_folder(parent, name)
        }
        other => other,
    }
}

/// Makes a name; an older one that is no folder gives way, as later members of an archive replace earlier ones.
fn in_place_of_older<T>(parent: &OwnedFd, name: &OsStr, make: impl Fn() -> rustix::io::Result<T>) -> io::Result<T> {
    match make() {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
            Ok(make()?)
        }
        other => Ok(other?),
    }
}

fn write_all(file: &OwnedFd, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(file, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => (bytes, at) = (&bytes[count..], at + count as u64),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn is_no_folder(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOTDIR | Errno::LOOP))
}

/// An error while a path was restored: the archive's fault where no system could do what it asks for.
fn writing(path: &Path, cause: io::Error) -> Error {
    let archive = matches!(
        Errno::from_io_error(&cause),
        Some(
            Errno::NOTDIR
                | Errno::LOOP
                | Errno::ISDIR
                | Errno::NAMETOOLONG
                | Errno::INVAL
                | Errno::EXIST
                | Errno::NOENT
        )
    );
    match archive {
        true => Error::new(Kind::Unrestorable, format!("restoring {}", PathText::new(path))).because(cause),
        false => Error::io("restoring", PathText::new(path), cause),
    }
}
