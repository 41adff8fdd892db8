//! What an archive that somebody else made holds: the index that the tree unpacked from it must have.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::attributes::ACLS;
use super::extent::Extent;
use super::restore::inside;
use super::unpack::{Member, MemberKind, Unpack};
use crate::digest::Digest;
use crate::{Context, Entry, EntryKind, Error, Kind, PathText, Result, Sha256};

/// Bytes that are digested at a time.
const PIECE: usize = 64 << 10;

/// Reads a whole archive. The entries are ordered by the bytes of their paths; of several names of one file, the first in the order
/// of a walk is the file and the others are links to it, whichever of them came first in the archive.
///
/// Folders that the archive goes through but does not list are not in it: nothing is known of them.
///
/// # Errors
/// [`Kind::Unrestorable`] for what is no archive, is cut off, or leads out of its folder; [`Kind::Interrupted`].
pub(crate) fn survey(cx: &Context, from: impl Read) -> Result<Vec<Entry>> {
    let mut archive = Unpack::new(from);
    let mut found = Names::default();
    while let Some(member) = archive.next()? {
        cx.go_on()?;
        let sha256 = match &member.kind {
            MemberKind::File { size, extents } => digest(cx, &mut archive, *size, extents)?,
            _ => Sha256::UNREAD,
        };
        found.add(member, sha256)?;
    }
    Ok(found.entries())
}

/// Every name in the archive, in the order of a walk (a path's components, not its bytes), and what it is a name of.
#[derive(Debug, Default)]
struct Names {
    names: BTreeMap<PathBuf, usize>,
    things: Vec<Entry>,
}

impl Names {
    /// Adds a member. One of a name that was there before takes its place, as it does when the archive is unpacked.
    fn add(&mut self, member: Member, sha256: Sha256) -> Result<()> {
        let path = inside(&member.path)?;
        let kind = match member.kind {
            MemberKind::Hardlink(first) => {
                let thing = *self.names.get(&inside(&first)?).ok_or_else(|| dangling(&path, &first))?;
                self.names.insert(path, thing);
                return Ok(());
            }
            MemberKind::File { size, .. } => EntryKind::File { size, sha256 },
            MemberKind::Directory => EntryKind::Directory,
            MemberKind::Symlink(target) => EntryKind::Symlink(PathText::new(target)),
            MemberKind::Fifo => EntryKind::Fifo,
            MemberKind::Device { block, major, minor } => EntryKind::Device { block, major, minor },
        };
        // A link has no mode of its own: whatever the archive says, the system shows this one.
        let mode = if matches!(kind, EntryKind::Symlink(_)) { 0o777 } else { member.mode };
        let [uid, gid] = member.owner;
        let xattrs = member.xattrs.iter().filter(|(name, _)| is_told(name));
        let xattrs =
            xattrs.map(|(name, value)| (PathText::new(OsStr::from_bytes(name)).to_string(), hex::encode(value)));
        let (xattrs, mtime_ns) = (xattrs.collect(), member.mtime_ns);
        self.names.insert(path.clone(), self.things.len());
        self.things.push(Entry { path: PathText::new(path), kind, mode, uid, gid, mtime_ns, xattrs });
        Ok(())
    }

    fn entries(self) -> Vec<Entry> {
        let mut first_names = HashMap::<usize, &Path>::new();
        let mut entries = Vec::with_capacity(self.names.len());
        for (path, thing) in &self.names {
            let mut entry = self.things[*thing].clone();
            match first_names.get(thing) {
                Some(first) => {
                    (entry.kind, entry.xattrs) = (EntryKind::Hardlink(PathText::new(first)), BTreeMap::new())
                }
                None => drop(first_names.insert(*thing, path)),
            }
            entry.path = PathText::new(if path.as_os_str().is_empty() { Path::new(".") } else { path });
            entries.push(entry);
        }
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        entries
    }
}

/// Digests the content of the file at hand, what is not stored of it as zeros.
fn digest(cx: &Context, archive: &mut Unpack<impl Read>, size: u64, extents: &[Extent]) -> Result<Sha256> {
    let mut digest = Digest::default();
    let (mut at, mut buffer) = (0, vec![0; PIECE]);
    for part in extents {
        digest.zeros(cx, part.offset - at)?;
        for piece in part.pieces(PIECE) {
            cx.go_on()?;
            archive.read(&mut buffer[..piece])?;
            digest.update(&buffer[..piece]);
        }
        at = part.offset + part.length;
    }
    digest.zeros(cx, size - at)?;
    Ok(digest.finish())
}

/// Whether an attribute is one that an index tells of.
fn is_told(name: &[u8]) -> bool {
    !name.starts_with(b"system.") || ACLS.iter().any(|acl| name == acl.as_bytes())
}

fn dangling(path: &Path, first: &Path) -> Error {
    let (path, first) = (PathText::new(path), PathText::new(first));
    Error::new(
        Kind::Unrestorable,
        format!("{path} in the archive is a further name of {first}, which is not before it"),
    )
    .hint("Let the program make the archive in one go, with the whole of the tree.")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
    use std::sync::Arc;
    use std::time::Duration;

    use drill_scenarios::Level;

    use super::*;
    use crate::process::Program;
    use crate::tree::restore::unpack;
    use crate::tree::{in_shape_of, observe, open_root};
    use crate::{Clock, Format, Index, Secrets};

    /// A folder with a tree in `data`, and a context.
    fn home() -> (tempfile::TempDir, Context) {
        let home = tempfile::tempdir().expect("tempdir");
        let cx = Context::new("test", home.path(), Clock::system(), Arc::new(Secrets::relative_to(home.path())));
        let data = home.path().join("data");
        fs::create_dir_all(data.join("a/b")).expect("folders");
        fs::write(data.join("a/one.txt"), "one\n").expect("file");
        fs::write(data.join("a.first"), "three\n").expect("file");
        fs::set_permissions(data.join("a/one.txt"), fs::Permissions::from_mode(0o4640)).expect("chmod");
        fs::hard_link(data.join("a.first"), data.join("a/b/further")).expect("link");
        fs::hard_link(data.join("a.first"), data.join("z")).expect("link");
        symlink("../nowhere", data.join("a/link")).expect("link");
        fs::write(data.join(OsString::from_vec(b"odd \xff\n%".into())), "odd").expect("file");
        fs::write(data.join("n".repeat(200)), vec![b'x'; 100_000]).expect("file");
        let sparse = fs::File::create(data.join("sparse")).expect("file");
        sparse.write_all_at(b"data", 3 << 20).expect("write");
        sparse.set_len(5 << 20).expect("length");
        let pipe = data.join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o640.into(), 0).expect("mkfifo");
        xattr::set(data.join("a/b"), "user.note", b"\0\xff=").expect("attribute");
        (home, cx)
    }

    async fn tar(home: &Path, cx: &Context, args: &[&str]) -> Vec<u8> {
        let program = Program::new("tar").args(args).folder(home);
        let ended = program.run(cx, Duration::from_secs(60), 64 << 20).await.expect("GNU tar: apt-get install tar");
        ended.success(Kind::Unavailable).expect("tar");
        ended.stdout
    }

    /// The index of the tree that comes out of an archive, as the disk tells it.
    fn unpacked(cx: &Context, archive: &[u8], surveyed: &[Entry]) -> Vec<Entry> {
        let root = tempfile::tempdir().expect("tempdir");
        unpack(cx, root.path(), archive, None).expect("unpacks");
        let opened = open_root(root.path()).expect("opens");
        let mut seen = observe(cx, opened, Level::Content, None).expect("observes").entries;
        in_shape_of(&Index { entries: surveyed.to_vec(), ..Index::new(Format::Tar) }, &mut seen);
        seen
    }

    #[tokio::test]
    async fn what_is_surveyed_is_what_is_unpacked() {
        let (home, cx) = home();
        let formats: [&[&str]; 6] = [
            &["--format=gnu", "."],
            &["--format=gnu", "--sparse", "."],
            &["--format=pax", "--xattrs", "."],
            &["--format=pax", "--xattrs", "--sparse", "."],
            &["--format=pax", "z", "a/b/further", "a.first"],
            &["--format=gnu", "--no-recursion", "a/link", "a/b"],
        ];
        for args in formats {
            let args = [&["-C", "data", "-cf", "-"], args].concat();
            let archive = tar(home.path(), &cx, &args).await;
            let surveyed = survey(&cx, &archive[..]).expect("surveys");
            assert!(surveyed.len() >= 2, "{args:?}");
            assert_eq!(surveyed, unpacked(&cx, &archive, &surveyed), "{args:?}");
        }
    }

    #[tokio::test]
    async fn the_first_name_in_a_walk_is_the_file_whatever_the_archives_order() {
        let (home, cx) = home();
        let archive = tar(home.path(), &cx, &["-C", "data", "-cf", "-", "z", "a.first", "a/b/further"]).await;
        let surveyed = survey(&cx, &archive[..]).expect("surveys");
        // A walk goes through `a` before it comes to `a.first`; the index is ordered by bytes, where `.` is before `/`.
        let kinds: Vec<_> = surveyed.iter().map(|entry| (entry.path.to_string(), &entry.kind)).collect();
        let link = EntryKind::Hardlink(PathText::new("a/b/further"));
        assert_eq!((kinds[0].0.as_str(), kinds[0].1), ("a.first", &link));
        assert!(matches!(kinds[1], (ref path, EntryKind::File { size: 6, .. }) if path == "a/b/further"));
        assert_eq!((kinds[2].0.as_str(), kinds[2].1), ("z", &link));
    }

    #[tokio::test]
    async fn a_later_member_takes_the_place_of_an_earlier_one() {
        let (home, cx) = home();
        tar(home.path(), &cx, &["-C", "data", "-cf", "twice.tar", "a/one.txt", "a.first"]).await;
        fs::write(home.path().join("data/a/one.txt"), "newer\n").expect("write");
        tar(home.path(), &cx, &["-C", "data", "-rf", "twice.tar", "a/one.txt"]).await;
        let archive = fs::read(home.path().join("twice.tar")).expect("archive");
        let surveyed = survey(&cx, &archive[..]).expect("surveys");
        assert!(matches!(surveyed[1].kind, EntryKind::File { size: 6, .. }), "{surveyed:?}");
        assert_eq!(surveyed, unpacked(&cx, &archive, &surveyed));
    }

    #[tokio::test]
    async fn an_archive_cut_off_anywhere_is_no_whole_one() {
        let (home, cx) = home();
        let archive = tar(home.path(), &cx, &["-C", "data", "-cf", "-", "a"]).await;
        let end = archive.iter().rposition(|byte| *byte != 0).expect("content");
        for length in (0..end).step_by(256) {
            let error = survey(&cx, &archive[..length]).expect_err("cut off");
            assert_eq!(error.kind(), Kind::Unrestorable, "{length}: {error}");
        }
    }

    #[tokio::test]
    async fn a_link_to_what_is_not_in_the_archive_can_not_be_restored() {
        let (home, cx) = home();
        tar(home.path(), &cx, &["-C", "data", "-cf", "links.tar", "a.first", "z"]).await;
        tar(home.path(), &cx, &["-f", "links.tar", "--delete", "a.first"]).await;
        let archive = fs::read(home.path().join("links.tar")).expect("archive");
        let error = survey(&cx, &archive[..]).expect_err("dangling");
        assert_eq!(error.kind(), Kind::Unrestorable);
        assert!(error.to_string().contains("further name of a.first"), "{error}");
    }
}
