//! A real PostgreSQL server that a real Barman backs up and whose WAL it archives.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Cluster, World, files_below, must};

/// A cluster that Barman keeps as `shop`, in a world's folder `barman`.
pub struct Barman<'a> {
    pub cluster: Cluster,
    world: &'a World,
}

impl<'a> Barman<'a> {
    /// A cluster with an empty table `orders` and no backup yet.
    pub fn start(world: &'a World) -> Self {
        let barman = Self { cluster: Cluster::start(), world };
        for folder in ["barman", "barman/shop", "barman/shop/incoming", "locks"] {
            fs::create_dir(world.path(folder)).expect("folder");
            if let Some((uid, gid)) = barman.cluster.account() {
                chown(world.path(folder), Some(uid), Some(gid)).expect("chown");
            }
        }
        barman.configure();
        let archive = format!("cp %p {}/%f", world.path("barman/shop/incoming").display());
        for (name, value) in
            [("archive_command", archive.as_str()), ("archive_mode", "on"), ("track_commit_timestamp", "on")]
        {
            barman.cluster.sql(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        }
        barman.cluster.restart();
        barman.cluster.sql("CREATE TABLE orders (number serial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())");
        barman.switch();
        barman
    }

    /// Its configuration has a hook that a drill must not run, and is in two files.
    fn configure(&self) {
        let (world, cluster) = (self.world, &self.cluster);
        let account = if cluster.account().is_some() { "postgres".into() } else { whoami() };
        let main = format!(
            "[barman]\nbarman_home = {}\nbarman_user = {account}\nbarman_lock_directory = {}\nlog_file = /dev/null\n\
             configuration_files_directory = {}\ncompression = gzip\n",
            world.path("barman").display(),
            world.path("locks").display(),
            world.path("barman.d").display(),
        );
        let socket = cluster.data().parent().expect("its folder").display().to_string();
        let server = format!(
            "[shop]\ndescription = The shop\nbackup_method = postgres\nimmediate_checkpoint = true\narchiver = on\nconninfo = host={socket} user=postgres \
             dbname=shop\nstreaming_conninfo = host={socket} user=postgres\npath_prefix = {}\n\
             post_recovery_script = touch {}\n",
            cluster.bin().display(),
            self.hook().display(),
        );
        world.write("barman.conf", main);
        world.write("barman.d/shop.conf", server);
    }

    /// What the hook makes when it is run.
    pub fn hook(&self) -> PathBuf {
        self.world.path("barman/hook-was-run")
    }

    /// Barman as its operator runs it.
    pub fn run(&self, args: &[&str]) {
        let mut command = self.cluster.command("barman");
        must(command.arg("-c").arg(self.world.path("barman.conf")).args(args));
    }

    /// Takes a backup.
    pub fn backup(&self) {
        self.run(&["backup", "shop"]);
        self.switch();
    }

    /// Takes one that is compressed.
    pub fn backup_compressed(&self) {
        let server = self.world.path("barman.d/shop.conf");
        let text = fs::read_to_string(&server).expect("a configuration");
        fs::write(&server, format!("{text}backup_compression = gzip\n")).expect("written");
        self.backup();
    }

    /// Adds rows to `orders`, each in a transaction of its own, some milliseconds apart.
    pub fn order(&self, times: u32) {
        self.cluster.sql(&format!(
            "DO $$ BEGIN FOR n IN 1..{times} LOOP INSERT INTO orders DEFAULT VALUES; COMMIT; PERFORM pg_sleep(0.007); END LOOP; END $$"
        ));
    }

    /// Ends the segment of WAL at hand and has it archived.
    pub fn switch(&self) {
        self.cluster.switch_wal();
        self.run(&["archive-wal", "shop"]);
    }

    /// The files of segments in the archive, the oldest first.
    pub fn segments(&self) -> Vec<PathBuf> {
        let is_segment = |path: &PathBuf| path.file_name().is_some_and(|name| name.len() == 24);
        let mut files = files_below(&self.home().join("shop/wals"));
        files.retain(is_segment);
        files.sort();
        files
    }

    /// The biggest file of the newest backup.
    pub fn biggest(&self) -> PathBuf {
        let newest =
            fs::read_dir(self.home().join("shop/base")).expect("backups").flatten().map(|entry| entry.path()).max();
        let files = files_below(&newest.expect("a backup").join("data/base")).into_iter();
        files.max_by_key(|path| fs::metadata(path).expect("a file").len()).expect("data")
    }

    /// Everything in Barman's home with the times of its last change, which whoever writes there can't put back.
    pub fn content(&self) -> BTreeSet<String> {
        let listed = must(Command::new("find").arg(self.home()).args(["-printf", "%P %y %m %U %s %T@ %C@\\n"]));
        String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect()
    }

    fn home(&self) -> PathBuf {
        self.world.path("barman")
    }
}

fn whoami() -> String {
    let output = must(Command::new("id").arg("-un"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Changes a byte in the middle of a file.
pub fn damage(file: &Path) {
    let mut bytes = fs::read(file).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::write(file, bytes).expect("damaged");
}
