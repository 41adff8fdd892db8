//! Loading an archive of several dumps: each is fed to a `pg_restore` of its own, those of rows at once.
//!
//! The archive is read in its order. Once as many pieces wait for the slowest as may, the others wait for it. It waits for none of
//! them: rows are loaded before there is a constraint, an index or a trigger through which one table could lock another.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::dumps::{PIECE, Section};
use super::load;
use crate::process::Program;
use crate::stream::on_thread;
use crate::{Account, Context, Error, Kind, OpenReader, Result, tree};

/// Pieces of a dump that wait for its `pg_restore`.
const WAITING: usize = 2;

/// How the dumps are restored.
pub(crate) struct Restoring<'a> {
    /// `pg_restore` into the database.
    pub(crate) program: Program,
    /// The account that it runs as.
    pub(crate) account: &'a Account,
    /// Folder for the dump of what comes after the rows; that holds no rows.
    pub(crate) folder: &'a Path,
    /// How many indexes are built at a time.
    pub(crate) jobs: usize,
}

/// Loads the archive in `stream`. Returns the complaints.
///
/// # Errors
/// As for [`load::load`]; [`Kind::Unrestorable`] for what is no archive of dumps.
pub(crate) async fn load(cx: &Context, restoring: &Restoring<'_>, stream: OpenReader) -> Result<Vec<String>> {
    let (pieces, mut queue) = mpsc::channel(1);
    let reading = on_thread(move || read(stream, &pieces));
    let loading = async move {
        let mut loading = Loading::new(cx, restoring);
        while let Some(piece) = queue.recv().await {
            let (section, bytes) = piece?;
            loading.take(section, bytes).await?;
        }
        loading.finish().await
    };
    tokio::join!(reading, loading).1
}

/// Gives the pieces in the archive's order, and at last what went wrong.
fn read(mut stream: OpenReader, pieces: &mpsc::Sender<Result<(Section, Bytes)>>) {
    let nobody_waits = || Error::new(Kind::Interrupted, "loading has ended");
    let mut next = BTreeMap::new();
    let read = tree::read_files(stream.blocking(), PIECE as u64, |path, bytes| {
        let (section, number) = Section::of(path)?;
        let expected = next.entry(section).or_insert(0);
        if number != *expected {
            let lacking = section.piece(*expected);
            return Err(Error::new(Kind::Unrestorable, format!("the archive lacks {}", lacking.display())));
        }
        *expected += 1;
        pieces.blocking_send(Ok((section, bytes.into()))).map_err(|_| nobody_waits())
    });
    if let Err(error) = read {
        let _ = pieces.blocking_send(Err(stream.take_error().unwrap_or(error)));
    }
}

struct Loading<'a> {
    cx: &'a Context,
    restoring: &'a Restoring<'a>,
    at: Section,
    /// Where the pieces of each dump go that is being restored.
    feeds: BTreeMap<Section, mpsc::Sender<Result<Bytes>>>,
    running: JoinSet<Result<Vec<String>>>,
    post_data: Option<(PathBuf, File)>,
    complaints: Vec<String>,
}

impl<'a> Loading<'a> {
    fn new(cx: &'a Context, restoring: &'a Restoring<'a>) -> Self {
        Self {
            cx,
            restoring,
            at: Section::PreData,
            feeds: BTreeMap::new(),
            running: JoinSet::new(),
            post_data: None,
            complaints: Vec::new(),
        }
    }

    async fn take(&mut self, section: Section, bytes: Bytes) -> Result<()> {
        let both_rows = matches!((self.at, section), (Section::Data(_), Section::Data(_)));
        if section != self.at && !both_rows {
            self.go_on_to(section).await?;
        }
        match section {
            Section::PostData => self.keep(&bytes),
            fed => {
                // One that has ended takes nothing more; why, its end will tell.
                let _ = self.feed(fed).send(Ok(bytes)).await;
                Ok(())
            }
        }
    }

    /// Ends what comes before this section.
    async fn go_on_to(&mut self, section: Section) -> Result<()> {
        if section < self.at {
            let words = "the dumps in the archive do not stand in the order in which they are restored";
            return Err(Error::new(Kind::Unrestorable, words));
        }
        self.at = section;
        self.end().await
    }

    /// Waits until all that are fed have ended.
    async fn end(&mut self) -> Result<()> {
        self.feeds.clear();
        while let Some(ended) = self.running.join_next().await {
            let complaints = ended.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
            self.complaints.extend(complaints?);
        }
        Ok(())
    }

    fn feed(&mut self, section: Section) -> &mpsc::Sender<Result<Bytes>> {
        self.feeds.entry(section).or_insert_with(|| {
            let (stream, feed) = OpenReader::new(WAITING);
            let (cx, program) = (self.cx.clone(), self.restoring.program.clone());
            self.running.spawn(async move { load::load(&cx, program, stream).await });
            feed
        })
    }

    /// Keeps what comes after the rows in a file, since only from one does `pg_restore` build several indexes at once.
    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        let path = self.restoring.folder.join("post-data.pgdump");
        let wrong = |cause| Error::io("writing", path.display(), cause);
        if self.post_data.is_none() {
            let file = File::options().create_new(true).write(true).mode(0o600).open(&path).map_err(wrong)?;
            let Account { uid, gid, .. } = self.restoring.account;
            std::os::unix::fs::fchown(&file, Some(*uid), Some(*gid)).map_err(wrong)?;
            self.post_data = Some((path.clone(), file));
        }
        let file = self.post_data.as_mut().map(|(_, file)| file).expect("it was just opened");
        file.write_all(bytes).map_err(wrong)
    }

    async fn finish(mut self) -> Result<Vec<String>> {
        self.end().await?;
        let Some((path, file)) = self.post_data.take() else {
            return Err(Error::new(Kind::Unrestorable, "the archive holds no dump of what comes after the rows"));
        };
        drop(file);
        let jobs = self.restoring.jobs.to_string();
        let program = self.restoring.program.clone().args(["--jobs", &jobs]).arg(&path);
        self.complaints.extend(load::load_file(self.cx, program).await?);
        std::fs::remove_file(&path).map_err(|cause| Error::io("removing", path.display(), cause))?;
        Ok(self.complaints)
    }
}
