//! Archives that mean harm, or that are damaged.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use proptest::prelude::*;
use tar::{EntryType, Header};

use super::packed;
use crate::tree::restore::unpack;
use crate::{Context, Kind, Restored, Result, trial};

/// A member for an archive, as bytes.
fn member(kind: EntryType, name: &[u8], target: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o777);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header.set_size(content.len() as u64);
    let fields = header.as_ustar_mut().expect("ustar");
    fields.name[..name.len()].copy_from_slice(name);
    fields.linkname[..target.len()].copy_from_slice(target);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = members.concat();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// A root, with something outside of it that is not to be touched.
struct Home {
    home: tempfile::TempDir,
    cx: Context,
}

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir(home.path().join("outside")).expect("folder");
        std::fs::write(home.path().join("outside/precious"), "precious").expect("file");
        crate::tree::make_root(&home.path().join("root")).expect("root");
        let cx = trial::context(home.path());
        Self { home, cx }
    }

    fn unpack(&self, archive: &[u8]) -> Result<Restored> {
        let unpacked = unpack(&self.cx, &self.home.path().join("root"), archive, None);
        self.assert_untouched();
        unpacked
    }

    fn assert_untouched(&self) {
        let names = |path: &Path| {
            let mut names: Vec<_> =
                std::fs::read_dir(path).expect("folder").map(|entry| entry.expect("entry").file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(self.home.path()), ["outside", "root"]);
        assert_eq!(names(&self.home.path().join("outside")), ["precious"]);
        let precious = self.home.path().join("outside/precious");
        assert_eq!(std::fs::read(&precious).expect("precious"), b"precious");
        let meta = std::fs::symlink_metadata(&precious).expect("precious");
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&meta), 1, "it was linked into the tree");
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&meta) & 0o777, 0o644);
    }
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in [&b"../outside/precious"[..], b"/tmp/drillctl-x", b"a/../../outside/x", b"..", b"", b"./../x"] {
        let home = Home::new();
        for kind in [EntryType::Regular, EntryType::Directory, EntryType::Symlink, EntryType::Fifo] {
            let refused = home.unpack(&archive(&[member(kind, name, b"x", b"")])).expect_err("refused");
            assert_eq!(refused.kind(), Kind::Unrestorable, "{refused}");
        }
        let link = archive(&[member(EntryType::Link, b"a", name, b"")]);
        assert_eq!(home.unpack(&link).expect_err("refused").kind(), Kind::Unrestorable);
    }
}

#[test]
fn links_in_the_archive_are_not_followed_by_what_comes_after_them() {
    let after: [Vec<u8>; 4] = [
        member(EntryType::Regular, b"way/precious", b"", b"overwritten"),
        member(EntryType::Directory, b"way/new/", b"", b""),
        member(EntryType::Symlink, b"way/link", b"x", b""),
        member(EntryType::Link, b"stolen", b"way/precious", b""),
    ];
    for target in [&b"../outside"[..], b"..", b"/"] {
        for after in &after {
            let home = Home::new();
            let way = member(EntryType::Symlink, b"way", target, b"");
            let refused = home.unpack(&archive(&[way, after.clone()])).expect_err("refused");
            assert_eq!(refused.kind(), Kind::Unrestorable, "{refused}");
        }
    }
}

#[test]
fn a_file_in_place_of_a_link_replaces_the_link() {
    let home = Home::new();
    let link = member(EntryType::Symlink, b"file", b"../outside/precious", b"");
    let file = member(EntryType::Regular, b"file", b"", b"new");
    home.unpack(&archive(&[link, file])).expect("unpacked");
    assert_eq!(std::fs::read(home.home.path().join("root/file")).expect("file"), b"new");
}

#[test]
fn a_folder_in_place_of_a_link_replaces_the_link_and_takes_no_attributes_elsewhere() {
    let home = Home::new();
    let link = member(EntryType::Symlink, b"folder", b"../outside", b"");
    let folder = member(EntryType::Directory, b"folder/", b"", b"");
    let file = member(EntryType::Regular, b"folder/precious", b"", b"new");
    home.unpack(&archive(&[link, folder, file])).expect("unpacked");
    assert_eq!(std::fs::read(home.home.path().join("root/folder/precious")).expect("file"), b"new");
}

#[test]
fn a_link_to_a_link_does_not_lead_out() {
    let home = Home::new();
    let link = member(EntryType::Symlink, b"file", b"../outside/precious", b"");
    let again = member(EntryType::Link, b"again", b"file", b"");
    let write = member(EntryType::Regular, b"again", b"", b"overwritten");
    home.unpack(&archive(&[link, again, write])).expect("unpacked");
}

#[test]
fn later_members_replace_earlier_ones() {
    let home = Home::new();
    let [old, new] = [&b"old and longer"[..], b"new"].map(|content| member(EntryType::Regular, b"file", b"", content));
    home.unpack(&archive(&[old, new])).expect("unpacked");
    assert_eq!(std::fs::read(home.home.path().join("root/file")).expect("file"), b"new");
}

#[test]
fn an_archive_without_its_end_is_not_taken_for_whole() {
    let whole = member(EntryType::Regular, b"file", b"", &[7; 2_000]);
    let bytes = archive(std::slice::from_ref(&whole));
    for length in 0..=whole.len() {
        let home = Home::new();
        let cut = home.unpack(&bytes[..length]).expect_err("cut off");
        assert_eq!(cut.kind(), Kind::Unrestorable, "{length}: {cut}");
    }
}

#[test]
fn what_stands_after_the_end_is_complained_of() {
    let home = Home::new();
    let mut bytes = archive(&[member(EntryType::Regular, b"file", b"", b"x")]);
    bytes.extend_from_slice(&[0; 9_000]);
    assert_eq!(home.unpack(&bytes).expect("unpacked").complaints, Vec::<String>::new());
    bytes.extend_from_slice(&member(EntryType::Regular, b"unseen", b"", b"x"));
    let complaints = home.unpack(&bytes).expect("unpacked").complaints;
    assert!(matches!(&complaints[..], [line] if line.contains("after the end")), "{complaints:?}");
}

#[test]
fn numbers_beyond_all_measure_are_refused() {
    let record = |text: &str| {
        let length = text.len() + 4;
        assert!((10..100).contains(&length));
        format!("{length} {text}\n").into_bytes()
    };
    for records in [
        vec![record("size=18446744073709551615")],
        vec![record("size=-1 .......")],
        vec![record("GNU.sparse.size=10"), record("GNU.sparse.map=5,3,0,2")],
        vec![record("GNU.sparse.size=10"), record("GNU.sparse.map=5,300,0,2")],
        vec![record("GNU.sparse.size=10"), record("GNU.sparse.map=1")],
        vec![record("GNU.sparse.realsize=10"), record("GNU.sparse.major=1")],
        vec![record("uid=99999999999")],
        vec![record("mtime=then ....")],
        vec![b"99 x=y\n".to_vec()],
    ] {
        let home = Home::new();
        let pax = member(EntryType::XHeader, b"x", b"", &records.concat());
        let refused =
            home.unpack(&archive(&[pax, member(EntryType::Regular, b"file", b"", &[b'1'; 600])])).expect_err("refused");
        assert_eq!(refused.kind(), Kind::Unrestorable, "{refused}");
    }
}

#[tokio::test]
async fn the_readers_own_error_outranks_what_the_cut_off_archive_looks_like() {
    let home = Home::new();
    let bytes = member(EntryType::Regular, b"file", b"", &[7; 2_000]);
    let why = crate::Error::new(Kind::Corrupt, "segment 3 is not what was stored");
    let root = home.home.path().join("root");
    let failed =
        crate::tree::restore(&home.cx, &root, trial::failing_reader(bytes, Some(why)), None).await.expect_err("failed");
    assert_eq!((failed.kind(), failed.to_string()), (Kind::Corrupt, "segment 3 is not what was stored".into()));
}

#[test]
fn a_full_disk_is_told_as_such() {
    let home = Home::new();
    let small = home.home.path().join("root");
    super::run("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs", small.to_str().expect("utf8")]);
    for size in [100_000, 5_000_000] {
        let members: Vec<_> =
            (0..20).map(|n| member(EntryType::Regular, format!("{n}").as_bytes(), b"", &vec![7; size])).collect();
        let full = unpack(&home.cx, &small, &archive(&members)[..], None).expect_err("full");
        assert_eq!(full.kind(), Kind::Exhausted, "{full}");
    }
    super::run("umount", &[small.to_str().expect("utf8")]);
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![Just("a"), Just("b"), Just(".."), Just("."), Just(""), Just("outside"), Just("precious")];
    proptest::collection::vec(part, 1..4).prop_map(|parts| parts.join("/").into_bytes())
}

fn members() -> impl Strategy<Value = Vec<Vec<u8>>> {
    use EntryType::{
        Char, Continuous, Directory, Fifo, GNULongLink, GNULongName, Link, Regular, Symlink, XGlobalHeader, XHeader,
    };
    let kind = proptest::sample::select(vec![
        Regular,
        Regular,
        Link,
        Symlink,
        Symlink,
        Directory,
        Fifo,
        Char,
        Continuous,
        XHeader,
        XGlobalHeader,
        GNULongName,
        GNULongLink,
    ]);
    let pax = proptest::sample::select(vec![
        "",
        "13 path=../b\n",
        "16 linkpath=../\n",
        "10 size=3\n",
        "../outside/x",
        "20 SCHILY.xattr.a=b\n",
    ]);
    let one = (kind, name(), name(), pax)
        .prop_map(|(kind, name, target, content)| member(kind, &name, &target, content.as_bytes()));
    proptest::collection::vec(one, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_archive_of_nasty_members_reaches_out_of_the_root(members in members()) {
        let _ = Home::new().unpack(&archive(&members));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_damage_makes_unpacking_panic_or_reach_out(
        cuts in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..20), sparse: bool
    ) {
        let tree = tempfile::tempdir().expect("tempdir");
        let path = |bytes: &[u8]| tree.path().join(std::ffi::OsStr::from_bytes(bytes));
        std::fs::create_dir(path(b"folder")).expect("folder");
        std::fs::write(path(b"folder/file"), "content").expect("file");
        std::os::unix::fs::symlink("folder/file", path(b"link \xff")).expect("link");
        let mut holes = std::fs::File::create(path(b"holes")).expect("file");
        holes.write_all(b"data").and_then(|()| holes.set_len(1 << 20)).expect("holes");
        let format = if sparse { "--format=gnu" } else { "--format=pax" };
        let mut bytes = packed(tree.path(), &["--sparse", format]);
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = Home::new().unpack(&bytes);
    }
}
