//! Several dumps under one snapshot, as one tar archive. Each is a folder in it, `pre-data`, `data-01`, `data-02`, …, `post-data`; how
//! long a dump will be nobody knows before, so it comes in numbered pieces, and those of dumps that run at once stand there as they
//! were filled. `cat data-01/*` is an archive for `pg_restore`.

use std::path::{Path, PathBuf};

use futures::future::try_join_all;
use tokio::sync::mpsc;

use super::dump::{Dumper, Part, with_hint};
use crate::tree::Archive;
use crate::{Context, Error, Kind, Note, Result, SealWriter};

/// Bytes of a piece.
pub(super) const PIECE: usize = 1 << 20;
/// Pieces that wait to be put into the archive.
const WAITING: usize = 2;
/// Dumps of rows at most, as the scenario language has it.
const MOST: usize = 64;
const PRE_DATA: &str = "pre-data";
const DATA: &str = "data-";
const POST_DATA: &str = "post-data";

/// One of the dumps, in the order in which they are restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    PreData,
    /// Dumps of rows, numbered from 1.
    Data(usize),
    PostData,
}

impl Section {
    /// Path of a piece of it in the archive. A shell puts the pieces in order.
    pub(super) fn piece(self, number: usize) -> PathBuf {
        let folder = match self {
            Self::PreData => PRE_DATA.into(),
            Self::Data(number) => format!("{DATA}{number:02}"),
            Self::PostData => POST_DATA.into(),
        };
        format!("{folder}/{number:08}").into()
    }

    /// The dump that the file at this path in the archive is a piece of, and which one.
    ///
    /// # Errors
    /// [`Kind::Unrestorable`] if it is none.
    pub(super) fn of(piece: &Path) -> Result<(Self, usize)> {
        let known = Self::in_folder(piece.parent()).zip(piece.file_name().and_then(|name| name.to_str()?.parse().ok()));
        known.ok_or_else(|| {
            Error::new(Kind::Unrestorable, format!("{} in the archive is no piece of a dump", piece.display()))
        })
    }

    fn in_folder(folder: Option<&Path>) -> Option<Self> {
        match folder?.to_str()? {
            PRE_DATA => Some(Self::PreData),
            POST_DATA => Some(Self::PostData),
            folder => {
                let number = folder.strip_prefix(DATA)?.parse().ok()?;
                (1..=MOST).contains(&number).then_some(Self::Data(number))
            }
        }
    }
}

/// Dumps into `out`: what comes before the rows, `rows` at once, and what comes after. Returns what `pg_dump` remarked.
///
/// # Errors
/// Those of [`super::piped::Piped`]; what the seal says.
pub(crate) async fn dump(cx: &Context, dumper: &Dumper, rows: &[Part], out: &mut SealWriter) -> Result<Vec<Note>> {
    let (pieces, queue) = mpsc::channel(WAITING);
    let (writing, at) = (cx.clone(), cx.clock.now().as_nanosecond());
    let at = i64::try_from(at).unwrap_or_default();
    let writing = out.on_thread(&cx.limits, move |out| write(&writing, queue, at, out));
    let dumping = async move {
        let one = |section, part| hand_on(cx, dumper, section, part, &pieces);
        let mut remarks = one(Section::PreData, &Part::PreData).await?;
        let all = rows.iter().enumerate().map(|(at, part)| one(Section::Data(at + 1), part));
        remarks.extend(try_join_all(all).await?.into_iter().flatten());
        remarks.extend(one(Section::PostData, &Part::PostData).await?);
        Ok(remarks)
    };
    let (remarks, ()) = tokio::try_join!(dumping, writing)?;
    Ok(each_once(remarks))
}

/// Cuts a dump into pieces.
async fn hand_on(
    cx: &Context,
    dumper: &Dumper,
    section: Section,
    part: &Part,
    pieces: &mpsc::Sender<(PathBuf, Vec<u8>)>,
) -> Result<Vec<Note>> {
    let mut dumping = dumper.start(cx, part)?;
    for number in 0.. {
        let bytes = dumping.next(PIECE).await?;
        if bytes.is_empty() {
            break;
        }
        // Why nobody takes it any more, the one that writes says.
        if pieces.send((section.piece(number), bytes)).await.is_err() {
            return std::future::pending().await;
        }
    }
    dumping.finish().await.map_err(with_hint)
}

/// Writes pieces into the archive until there are no more to come. If that is because a dump failed, nobody will take the archive
/// for whole: the snapshot gets no header.
fn write(cx: &Context, mut queue: mpsc::Receiver<(PathBuf, Vec<u8>)>, at: i64, out: &mut SealWriter) -> Result<()> {
    let mut archive = Archive::new(cx, out);
    while let Some((path, bytes)) = queue.blocking_recv() {
        archive.put_own(&path, at, &bytes)?;
    }
    archive.finish()
}

/// Every `pg_dump` looks at the whole catalog, so several may remark the same.
fn each_once(remarks: Vec<Note>) -> Vec<Note> {
    let mut once = Vec::<Note>::new();
    for remark in remarks {
        if !once.contains(&remark) {
            once.push(remark);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_known_by_its_folder_and_sections_stand_in_the_order_of_restoring() {
        let order = [Section::PreData, Section::Data(1), Section::Data(64), Section::PostData];
        assert!(order.is_sorted());
        for section in order {
            assert_eq!(Section::of(&section.piece(17)).expect("a piece"), (section, 17));
        }
        for path in ["data-01", "data-x/00000000", "data-65/00000000", "a/data-01/00000000", "../data-01/0", "00000000"]
        {
            assert_eq!(Section::of(Path::new(path)).expect_err(path).kind(), Kind::Unrestorable, "{path}");
        }
    }
}
