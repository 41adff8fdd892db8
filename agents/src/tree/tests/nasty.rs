//! Makes the tree.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps};

use super::run;

/// Where the sparse file holds data.
pub(super) const ISLANDS: [u64; 3] = [0, 300 << 20, (1 << 30) - 5_000];

/// Fills `root` with everything that a file system of Linux takes from root.
pub(super) fn fill(root: &Path) {
    ordinary(root);
    names(root);
    links(root);
    sparse(root);
    if rustix::process::geteuid().is_root() {
        owners(root);
        devices(root);
    }
    attributes(root);
    times(root);
    modes(root);
}

/// A path longer than any system call takes.
pub(super) fn deepen(root: &Path) {
    let name = "deep-enough-to-be-too-long";
    let mut folder = rustix::fs::open(root, rustix::fs::OFlags::DIRECTORY, Mode::empty()).expect("root");
    for _ in 0..200 {
        rustix::fs::mkdirat(&folder, name, Mode::RWXU).expect("deeper");
        let flags = rustix::fs::OFlags::DIRECTORY;
        folder = rustix::fs::openat(&folder, name, flags, Mode::empty()).expect("deeper");
    }
    let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    let file = rustix::fs::openat(&folder, "bottom", flags, Mode::RWXU).expect("file");
    rustix::io::write(&file, b"reached").expect("content");
}

fn ordinary(root: &Path) {
    std::fs::create_dir_all(root.join("a/b/c")).expect("folders");
    std::fs::create_dir(root.join("empty")).expect("folder");
    for size in [0_u64, 1, 511, 512, 513, 1024, 100_000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_001] {
        let content: Vec<u8> = (0..size).map(|n: u64| u8::try_from((n * n / 7) % 251).expect("small")).collect();
        std::fs::write(root.join(format!("a/size-{size}")), content).expect("file");
    }
    std::fs::write(root.join("a-b"), "between `a` and `a/b` in the order of bytes").expect("file");
}

fn names(root: &Path) {
    std::fs::create_dir(root.join("names")).expect("folder");
    let longest = [b'x'; 255];
    let names: [&[u8]; 12] = [
        b"new\nline",
        b"tab\tand space ",
        b"not \xff\xfe utf8",
        "Überlänge-日本語-🦀".as_bytes(),
        b"per%cent",
        b"-rf",
        b"back\\slash",
        b"*?[glob]",
        b"quo\"te'",
        b"...",
        b"\x01\x7f",
        &longest,
    ];
    for name in names {
        std::fs::write(root.join("names").join(OsStr::from_bytes(name)), name).expect("file");
    }
    let long = root.join("names/folder").join("y".repeat(200)).join("z".repeat(200));
    std::fs::create_dir_all(&long).expect("folders");
    symlink("t".repeat(3_000), long.join("link")).expect("link");
}

fn links(root: &Path) {
    let folder = root.join("links");
    std::fs::create_dir(&folder).expect("folder");
    for (target, name) in
        [("nowhere", "dangling"), ("/etc/passwd", "absolute"), ("loop", "loop"), ("..", "up"), ("../a", "folder")]
    {
        symlink(target, folder.join(name)).expect("link");
    }
    symlink(OsStr::from_bytes(b"\xff\n"), folder.join("odd")).expect("link");
    std::fs::hard_link(root.join("a/size-513"), folder.join("hard")).expect("link");
    std::fs::hard_link(root.join("a/size-513"), root.join("zzz")).expect("link");
    std::fs::hard_link(root.join("links/dangling"), folder.join("hard-dangling")).expect("link");
    rustix::fs::mknodat(CWD, folder.join("pipe"), FileType::Fifo, Mode::RUSR, 0).expect("pipe");
    std::os::unix::net::UnixListener::bind(folder.join("socket")).expect("socket");
}

fn sparse(root: &Path) {
    let file = File::create(root.join("sparse")).expect("file");
    file.set_len(1 << 30).expect("length");
    for (island, byte) in ISLANDS.into_iter().zip(1..) {
        file.write_all_at(&vec![byte; 5_000], island).expect("island");
    }
    File::create(root.join("only-a-hole")).expect("file").set_len(50_000_001).expect("length");
    let ends = File::create(root.join("names").join("x".repeat(250))).expect("file");
    ends.write_all_at(b"begins", 0).expect("data");
    ends.set_len(1 << 21).expect("length");
}

fn owners(root: &Path) {
    std::fs::write(root.join("owned"), "by somebody").expect("file");
    std::os::unix::fs::chown(root.join("owned"), Some(1_234), Some(4_321)).expect("chown");
    std::fs::write(root.join("far"), "by somebody far away").expect("file");
    std::os::unix::fs::chown(root.join("far"), Some(3_000_000_000), Some(4_000_000_000)).expect("chown");
    std::os::unix::fs::lchown(root.join("links/absolute"), Some(7), Some(8)).expect("chown");
}

fn devices(root: &Path) {
    let device = rustix::fs::makedev(1, 3);
    rustix::fs::mknodat(CWD, root.join("links/null"), FileType::CharacterDevice, Mode::RUSR, device).expect("device");
    let device = rustix::fs::makedev(259, 70_000);
    rustix::fs::mknodat(CWD, root.join("links/disk"), FileType::BlockDevice, Mode::RUSR, device).expect("device");
}

fn attributes(root: &Path) {
    let path = |path: &str| root.join(path);
    let set = |path: &Path, name: &str, value: &[u8]| {
        rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    set(&path("a/size-1"), "user.binary", b"\0\n=\xff 12 x=y\n");
    set(&path("a/size-1"), "user.empty", b"");
    set(&path("a/size-1"), "user.a=b%c%3D", b"=%");
    set(&path("a/size-1"), "user.long", &[b'l'; 3_000]);
    set(&path("a/b"), "user.on-a-folder", b"yes");
    if rustix::process::geteuid().is_root() {
        set(&path("links/dangling"), "trusted.on-a-link", b"yes");
        set(&path("links/pipe"), "trusted.on-a-pipe", b"yes");
        let net_raw = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        set(&path("a/size-512"), "security.capability", net_raw);
        run("setfacl", &["-m", "u:1234:r--,g:4321:rwx", path("a/size-511").to_str().expect("utf8")]);
        run("setfacl", &["-m", "u:1234:rwx,d:u:1234:rwx,d:g:5:---", path("a/b/c").to_str().expect("utf8")]);
        std::fs::write(path("a/b/c/inherits"), "an ACL").expect("file");
    }
}

fn times(root: &Path) {
    let set = |path: &str, secs: i64, nanos: i64| {
        let last_modification = Timespec { tv_sec: secs, tv_nsec: nanos };
        let times = Timestamps { last_access: Timespec { tv_sec: 1, tv_nsec: 1 }, last_modification };
        rustix::fs::utimensat(CWD, root.join(path), &times, AtFlags::SYMLINK_NOFOLLOW).expect("times");
    };
    set("a/size-0", 1_700_000_000, 123_456_789);
    set("a/size-511", -1, 500_000_000);
    set("a/size-512", -1_000_000_000, 1);
    set("a/size-513", 0, 0);
    set("a/size-1024", -1, 0);
    set("a-b", 5_000_000_000, 999_999_999);
    set("links/dangling", 1_234_567_890, 987_654_321);
    set("links/pipe", 1_234_567_890, 1);
    set("empty", 999_999_999, 999_999_999);
}

fn modes(root: &Path) {
    let set = |path: &str, mode: u32| {
        std::fs::set_permissions(root.join(path), std::fs::Permissions::from_mode(mode)).expect("mode");
    };
    set("a/size-100000", 0o4755);
    set("a/size-0", 0o2711);
    set("a/size-1048577", 0o600);
    set("empty", 0o1777);
    set("a/b", 0o2770);
    if rustix::process::geteuid().is_root() {
        set("a/size-513", 0o000);
        set("names/folder", 0o000);
        set("", 0o555);
    }
}
