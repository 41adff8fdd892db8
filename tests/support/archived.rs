//! A real PostgreSQL server whose WAL a real pgBackRest archives, and its repository.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Cluster, World, files_below, must};

/// A cluster with an archive, in a world's folder `repository`.
pub struct Archived<'a> {
    pub cluster: Cluster,
    world: &'a World,
}

impl<'a> Archived<'a> {
    pub const STANZA: &'static str = "shop";
    pub const PASSPHRASE: &'static str = "the-passphrase-of-the-repository";

    /// A cluster with an empty table `ticks` and no backup yet.
    pub fn start(world: &'a World) -> Self {
        let archived = Self { cluster: Cluster::start(), world };
        for folder in ["repository", "locks"] {
            fs::create_dir(world.path(folder)).expect("folder");
            if let Some((uid, gid)) = archived.cluster.account() {
                chown(world.path(folder), Some(uid), Some(gid)).expect("chown");
            }
        }
        archived.configure();
        must(&mut archived.pgbackrest(&["stanza-create"]));
        let push =
            format!("pgbackrest --config={} --stanza={} archive-push %p", archived.config().display(), Self::STANZA);
        let settings = [("archive_command", push.as_str()), ("archive_mode", "on"), ("track_commit_timestamp", "on")];
        for (name, value) in settings {
            archived.cluster.sql(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        }
        archived.cluster.restart();
        archived
            .cluster
            .sql("CREATE TABLE ticks (number serial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())");
        archived
    }

    /// pgBackRest's configuration: the passphrase is elsewhere.
    fn configure(&self) {
        let (world, cluster) = (self.world, &self.cluster);
        let text = format!(
            "[global]\nrepo1-path={}\nrepo1-cipher-type=aes-256-cbc\nrepo1-retention-full=9\nstart-fast=y\nlock-path={}\n\
             log-level-file=off\n[{}]\npg1-path={}\npg1-socket-path={}\npg1-user=postgres\n",
            world.path("repository").display(),
            world.path("locks").display(),
            Self::STANZA,
            cluster.data().display(),
            cluster.data().parent().expect("its folder").display(),
        );
        world.write("pgbackrest.conf", text);
        world.write("passphrase.txt", Self::PASSPHRASE);
        // The server archives by itself, so its own configuration must name the passphrase.
        let own = fs::read_to_string(world.path("pgbackrest.conf")).expect("written");
        let own = own.replace("start-fast", &format!("repo1-cipher-pass={}\nstart-fast", Self::PASSPHRASE));
        fs::set_permissions(world.write("own.conf", own), fs::Permissions::from_mode(0o644)).expect("mode");
    }

    fn config(&self) -> PathBuf {
        self.world.path("own.conf")
    }

    /// pgBackRest as the cluster's operator runs it.
    fn pgbackrest(&self, args: &[&str]) -> Command {
        let mut command = self.cluster.command("pgbackrest");
        command
            .arg(format!("--config={}", self.config().display()))
            .arg(format!("--stanza={}", Self::STANZA))
            .args(args);
        command
    }

    /// Takes a backup: `full`, `incr`.
    pub fn backup(&self, kind: &str) {
        must(&mut self.pgbackrest(&["backup", &format!("--type={kind}")]));
    }

    /// Adds rows to `ticks`, each in a transaction of its own, some milliseconds apart.
    pub fn tick(&self, times: u32) {
        self.cluster.sql(&format!(
            "DO $$ BEGIN FOR n IN 1..{times} LOOP INSERT INTO ticks DEFAULT VALUES; COMMIT; PERFORM pg_sleep(0.007); END LOOP; END $$"
        ));
    }

    /// Ends the segment of WAL at hand and waits until it is in the archive. Returns its name.
    pub fn switch(&self) -> String {
        self.cluster.switch_wal()
    }

    /// A segment's file in the archive.
    pub fn segment(&self, name: &str) -> PathBuf {
        self.file(&format!("archive/{}", Self::STANZA), name)
    }

    /// The first file below a folder of the repository whose name begins so.
    pub fn file(&self, below: &str, begin: &str) -> PathBuf {
        let files = files_below(&self.world.path("repository").join(below)).into_iter();
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begin));
        files.filter(named).min().expect("a file")
    }

    /// Every file of the repository, with its content and the time of its last change.
    pub fn content(&self) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64)> {
        let files = files_below(&self.world.path("repository")).into_iter();
        files.map(|path| (path.clone(), state(&path))).collect()
    }
}

fn state(path: &Path) -> (Vec<u8>, i64, i64) {
    let meta = fs::symlink_metadata(path).expect("a file");
    let content = if meta.is_symlink() { Vec::new() } else { fs::read(path).expect("a file") };
    (content, meta.mtime(), meta.ctime())
}
