//! A folder as a source.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;
use rustix::fs::FileType;

use crate::mark::Removal;
use crate::stream::on_thread;
use crate::tree::{self, Rules, Tree, Walk};
use crate::{
    Canary, Captured, Context, Error, Estimate, Identity, Kind, Result, SealWriter, Source, Vault, Whereabouts, sqlite,
};

/// Bytes that a path takes in an archive beside its content.
const HEADERS: u64 = 1_024;
/// File systems and archives give content out in pieces of about this size.
const PIECE: u64 = 4_096;
/// Files that SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A folder as a source.
#[derive(Debug, Clone)]
pub(crate) struct DirectorySource {
    tree: Tree,
}

impl DirectorySource {
    /// The folder that the scenario in `base` names.
    ///
    /// # Errors
    /// [`Kind::Config`] for globs that are none, and for databases whose paths lead out of the folder.
    pub(crate) fn open(source: &drill_scenarios::DirectorySource, base: &Path) -> Result<Self> {
        let mut left_out = BTreeSet::new();
        let mut sqlite = BTreeSet::new();
        for path in &source.sqlite {
            let path = below(path)?;
            for end in BESIDE {
                let mut name = path.clone().into_os_string();
                name.push(end);
                left_out.insert(PathBuf::from(name));
            }
            sqlite.insert(path);
        }
        let exclude = tree::Exclusions::new(&source.exclude)?;
        let rules = Rules { exclude, left_out, one_file_system: source.one_file_system, restored: false };
        Ok(Self { tree: Tree { root: base.join(&source.path), rules, sqlite } })
    }
}

/// The path of a database below the folder.
fn below(path: &Path) -> Result<PathBuf> {
    let only_down = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    if path.file_name().is_none() || !path.components().all(only_down) {
        return Err(Error::new(Kind::Config, format!("SQLite database {} is not below the folder", path.display()))
            .hint("Write its path as it is from the folder, without `..`."));
    }
    Ok(path.components().filter(|component| matches!(component, Component::Normal(_))).collect())
}

#[async_trait]
impl Source for DirectorySource {
    async fn whereabouts(&self) -> Whereabouts {
        Whereabouts { paths: vec![self.tree.root.clone()], ..Whereabouts::default() }
    }

    async fn identity(&self, _cx: &Context) -> Result<Identity> {
        let root = &self.tree.root;
        let wrong = |cause| Error::io("looking at source folder", root.display(), cause);
        let meta = std::fs::metadata(root).map_err(wrong)?;
        if !meta.is_dir() {
            return Err(Error::new(Kind::Config, format!("source {} is no folder", root.display())));
        }
        Identity::of_path("folder", root).map_err(wrong)
    }

    async fn admit_vault(&self, vault: &Vault) -> Result<()> {
        let Some(folder) = vault.folder() else { return Ok(()) };
        let wrong = |cause| Error::io("looking at vault", folder.display(), cause);
        let there = folder.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
        let vault = there.canonicalize().map_err(wrong)?.join(folder.strip_prefix(there).unwrap_or(Path::new("")));
        let Ok(inside) = vault.strip_prefix(self.tree.root.canonicalize().map_err(wrong)?) else { return Ok(()) };
        if self.tree.rules.exclude.leaves_out(inside) {
            return Ok(());
        }
        let message =
            format!("vault {} lies in the source: every backup would hold all that came before", folder.display());
        Err(Error::new(Kind::Refused, message)
            .hint("Put the vault elsewhere, best on another disk, or leave it out with `exclude`."))
    }

    async fn estimate(&self, cx: &Context) -> Result<Estimate> {
        let (cx, tree) = (cx.clone(), self.tree.clone());
        on_thread(move || estimate(&cx, &tree)).await
    }

    async fn copied_bytes(&self, _cx: &Context) -> Result<u64> {
        // One that isn't there is for the capture to tell.
        let lengths = self.tree.sqlite.iter().filter_map(|path| sqlite::length(&self.tree.root.join(path)).ok());
        Ok(lengths.max().unwrap_or_default())
    }

    async fn plant(&self, _cx: &Context, canary: &Canary) -> Result<()> {
        tree::plant_canary(&self.tree.root, canary)
    }

    async fn unplant(&self, _cx: &Context, run: &str) -> Result<Removal> {
        tree::unplant_canary(&self.tree.root, run)
    }

    async fn capture(&self, cx: &Context, out: &mut SealWriter) -> Result<Captured> {
        let (cx, tree) = (cx.clone(), self.tree.clone());
        let limits = cx.limits.clone();
        out.on_thread(&limits, move |out| tree::capture(&cx, &tree, out)).await
    }
}

/// Sums sizes up: of sparse files what they take on the disk. Reads no content.
fn estimate(cx: &Context, tree: &Tree) -> Result<Estimate> {
    let root = tree::open_root(&tree.root).map_err(|cause| Error::io("opening", tree.root.display(), cause))?;
    let mut walk = Walk::new(cx, root, &tree.rules);
    let mut sum = Estimate::default();
    let mut linked = BTreeSet::new();
    while let Some(found) = walk.next()? {
        sum.items += 1;
        sum.stream_bytes += HEADERS;
        let first = found.stat.st_nlink < 2 || linked.insert((found.stat.st_dev, found.stat.st_ino));
        if found.file_type() == FileType::RegularFile && first {
            let bytes = found.stat.st_size.unsigned_abs().min(found.stat.st_blocks.unsigned_abs() * 512);
            sum.stream_bytes += bytes;
            sum.restored_bytes += bytes.next_multiple_of(PIECE);
        } else if found.folder.is_some() {
            sum.restored_bytes += PIECE;
        }
    }
    Ok(sum)
}
