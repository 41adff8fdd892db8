//! A real container engine, with an image to run in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::must;

/// Docker's engine with a socket and storage of its own, without bridge and packet filter; it ends when it is dropped.
pub struct Engine {
    folder: tempfile::TempDir,
    daemon: Child,
}

impl Engine {
    /// Starts one that holds no image.
    pub fn start() -> Self {
        assert!(rustix::process::geteuid().is_root(), "a container engine needs root: run this test as root");
        let folder = tempfile::Builder::new().prefix("dr").tempdir_in("/tmp").expect("a temporary folder");
        // Containers of other accounts have their files below it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("mode");
        let own = |name: &str| folder.path().join(name).display().to_string();
        let mut daemon = Command::new("setpriv");
        daemon.args(["--pdeathsig", "TERM", "dockerd", "--host"]).arg(format!("unix://{}", own("s")));
        daemon.args(["--pidfile", &own("pid"), "--data-root", &own("data"), "--exec-root", &own("exec")]);
        daemon.args([
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
        ]);
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        daemon.stdin(Stdio::null()).stdout(log.try_clone().expect("cloned")).stderr(log);
        daemon.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").expect("a path")));
        let daemon = daemon.spawn().expect("setpriv");
        let engine = Self { folder, daemon };
        let since = Instant::now();
        while !engine.client().arg("version").output().is_ok_and(|output| output.status.success()) {
            assert!(
                since.elapsed() < Duration::from_secs(60),
                "no dockerd; `tests/install` installs it: {}",
                engine.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        engine
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Makes an image of a shell and its tools that starts with this command; returns its id.
    pub fn image(&self, command: &[&str]) -> String {
        let root = self.folder.path().join("root");
        fs::create_dir_all(root.join("bin")).expect("folders");
        must(Command::new("cp").arg("/bin/busybox").arg(root.join("bin")));
        must(Command::new("/bin/busybox").arg("--install").arg("-s").arg(root.join("bin")));
        for tool in fs::read_dir(root.join("bin")).expect("tools").flatten() {
            if tool.file_type().is_ok_and(|kind| kind.is_symlink()) {
                fs::remove_file(tool.path()).expect("removed");
                std::os::unix::fs::symlink("busybox", tool.path()).expect("a link within the image");
            }
        }
        let archive = self.folder.path().join("root.tar");
        must(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg("."));
        let command = format!("CMD {}", serde_json::to_string(command).expect("a list"));
        let archive = archive.display().to_string();
        self.docker(&["import", "--change", &command, "--change", "ENV PATH=/bin", &archive])
    }

    /// Runs Docker's client with these arguments; returns what it wrote.
    pub fn docker(&self, args: &[&str]) -> String {
        String::from_utf8_lossy(&must(self.client().args(args)).stdout).trim().to_owned()
    }

    /// Names of all containers and images of runs.
    pub fn of_runs(&self) -> Vec<String> {
        let label = "label=drillctl.run";
        let containers = self.docker(&["ps", "--all", "--filter", label, "--format", "{{.Names}}"]);
        let images = self.docker(&["images", "--filter", label, "--format", "{{.Repository}}"]);
        containers.lines().chain(images.lines()).map(str::to_owned).collect()
    }

    fn client(&self) -> Command {
        let mut client = Command::new("/usr/bin/docker");
        client.arg("--host").arg(self.address()).env("DOCKER_CONFIG", self.folder.path().join("client"));
        client
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
        // What it leaves mounted would keep its folder.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let targets = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
        for target in targets.filter(|target| target.starts_with(self.folder.path())) {
            let _ = Command::new("umount").arg("--lazy").arg(target).status();
        }
    }
}
