//! Reads small files before their turn: several threads open and digest what a walk has found, and whoever writes the archive
//! takes it in the order of the walk. What can't be read this way is left to its turn, which will say why.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;

use rustix::fs::{FileType, Stat};

use super::attributes::{self, On};
use super::content::{Content, Held, Regular};
use super::extent::Extent;
use super::open;
use super::walk::{Found, Swapped};
use crate::{Context, Result};

/// Files up to this size are read before their turn.
const SMALL: u64 = 256 << 10;
/// Chunks of a walk that are under way.
const WINDOW: usize = 8;
/// Threads that read.
const READERS: usize = 4;

/// A file that was read before its turn.
#[derive(Debug)]
pub(super) struct Read {
    /// What it was before it was read.
    pub(super) stat: Stat,
    /// What it was afterwards.
    pub(super) after: Stat,
    pub(super) xattrs: BTreeMap<String, String>,
    /// The parts of it that hold data, if not all of it does.
    pub(super) extents: Option<Vec<Extent>>,
    /// What is in it, without its holes.
    pub(super) data: Vec<u8>,
    pub(super) held: Held,
}

/// A path whose turn it is, and its content if that was read already.
pub(super) type Turn = (Found, Option<Read>);

type Job = (Vec<Found>, SyncSender<Vec<Turn>>);

/// Chunks of a walk that are read ahead of their turn.
#[derive(Debug)]
pub(super) struct Ahead {
    jobs: SyncSender<Job>,
    under_way: VecDeque<Receiver<Vec<Turn>>>,
    ended: bool,
}

impl Ahead {
    /// Starts the readers. They end when this is dropped.
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, cx: &'scope Context) -> Self {
        let (jobs, queue) = sync_channel::<Job>(WINDOW);
        let queue = std::sync::Arc::new(Mutex::new(queue));
        let readers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(READERS));
        for _ in 0..readers {
            let queue = queue.clone();
            scope.spawn(move || read_chunks(cx, &queue));
        }
        Self { jobs, under_way: VecDeque::new(), ended: false }
    }

    /// The next chunk, in order; `more` gives those after it, and an empty one at the end.
    ///
    /// # Errors
    /// What `more` says.
    pub(super) fn next(&mut self, mut more: impl FnMut() -> Result<Vec<Found>>) -> Result<Option<Vec<Turn>>> {
        while !self.ended && self.under_way.len() < WINDOW {
            let chunk = more()?;
            self.ended = chunk.is_empty();
            if !self.ended {
                let (done, turn) = sync_channel(1);
                self.jobs.send((chunk, done)).expect("readers take all that is sent");
                self.under_way.push_back(turn);
            }
        }
        let next = self.under_way.pop_front();
        Ok(next.map(|turn| turn.recv().expect("readers answer all that they take")))
    }
}

fn read_chunks(cx: &Context, queue: &Mutex<Receiver<Job>>) {
    let mut content = Content::new(cx);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok((chunk, done)) = next() {
        let read = chunk.into_iter().map(|found| {
            let read = read(&mut content, &found).ok().flatten();
            (found, read)
        });
        // Nobody waits any more if writing the archive failed.
        let _ = done.send(read.collect());
    }
}

/// Reads a small file that has no other name. An error of its own is met again when it is its turn.
fn read(content: &mut Content<'_>, found: &Found) -> std::result::Result<Option<Read>, Swapped> {
    let is_small = |stat: &Stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_nlink == 1
            && stat.st_size.unsigned_abs() <= SMALL
    };
    if !is_small(&found.stat) {
        return Ok(None);
    }
    let file = open::file(&found.parent, &found.name, &found.stat, false)?;
    let stat = rustix::fs::fstat(&file)?;
    if !is_small(&stat) {
        return Ok(None);
    }
    let xattrs = attributes::read(On::Open(&file))?;
    let mut data = Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or_default());
    let Ok(regular) = Regular::new(&found.path, &file, stat.st_size.unsigned_abs()) else { return Ok(None) };
    let Ok(held) = content.read(&regular, |bytes| {
        data.extend_from_slice(bytes);
        Ok(())
    }) else {
        return Ok(None);
    };
    let extents = regular.extents;
    let after = rustix::fs::fstat(&file)?;
    Ok(Some(Read { stat, after, xattrs, extents, data, held }))
}
