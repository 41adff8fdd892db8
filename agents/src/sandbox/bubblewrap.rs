//! The walls of a sandbox, as `bwrap` builds them: its namespaces, and what of this host can be seen in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{Program, find};
use crate::{Context, Error, Kind, Result};

/// Where drillctl itself is seen inside.
pub(super) const OURSELVES: &str = "/run/drillctl";
/// Where programs are looked for inside.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Folders at the root that belong to the system. Where they are links into `/usr` they stay so.
pub(super) const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// What of `/etc` programs need and holds no secret.
pub(super) const SETTINGS: [&str; 27] = [
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "gai.conf",
    "group",
    "host.conf",
    "hosts",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "magic",
    "mailcap",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "timezone",
];
/// Devices that hold nothing.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
/// What the first process needs to set the network up and then to give it all away.
const NEEDED_AT_FIRST: [&str; 3] = ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SETPCAP"];
const TRIAL: Duration = Duration::from_secs(20);

/// What can be seen and changed inside.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// What can be read, besides the system.
    pub(super) readable: Vec<PathBuf>,
    /// What can be written to.
    pub(super) writable: Vec<PathBuf>,
    /// Bytes of each file system in memory: `/tmp` and its like.
    pub(super) memory_bytes: u64,
}

impl View {
    /// `bwrap` with everything but the command.
    fn walls(&self) -> Program {
        let apart = ["user", "net", "ipc", "uts", "cgroup"].map(|namespace| format!("--unshare-{namespace}"));
        let program =
            Program::new("bwrap").args(apart).args(["--die-with-parent", "--hostname", "sandbox", "--cap-drop", "ALL"]);
        let program = SYSTEM.iter().map(Path::new).fold(program, system);
        let settings = SETTINGS.iter().map(|name| Path::new("/etc").join(name));
        let program =
            settings.filter(|path| path.exists()).fold(program, |program, path| same(program, "--ro-bind", &path));
        let program = devices(program);
        let size = self.memory_bytes.to_string();
        let private = ["/tmp", "/var/tmp", "/run", "/dev/shm"];
        let program = private.iter().fold(program, |program, path| program.args(["--size", &size, "--tmpfs", path]));
        let readable = |program, path: &PathBuf| same(program, "--ro-bind", path);
        let writable = |program, path: &PathBuf| same(program, "--bind", path);
        self.writable.iter().fold(self.readable.iter().fold(program, readable), writable)
    }

    /// `bwrap` around a server of restored data, which nobody reaches but through its socket. It keeps the host's numbers of
    /// processes, which it writes down, and so sees no list of them.
    pub(super) fn around_a_server(&self) -> Program {
        self.walls().args(["--remount-ro", "/"])
    }

    /// `bwrap` that runs drillctl as the first process inside.
    pub(super) fn around_ourselves(&self, ourselves: &Path, cx: &Context) -> Program {
        let rights = NEEDED_AT_FIRST.iter().flat_map(|right| ["--cap-add", right]);
        let program = self
            .walls()
            .args(["--unshare-pid", "--as-pid-1", "--new-session", "--proc", "/proc"])
            .args(rights)
            .arg("--ro-bind")
            .arg(ourselves)
            .arg(OURSELVES);
        let program = program.args(["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--clearenv"]);
        program.args(["--setenv", "PATH", PATH, "--setenv", "DRILLCTL_RUN", &cx.run]).arg(OURSELVES)
    }
}

/// With something that has the same path inside.
fn same(program: Program, how: &str, path: &Path) -> Program {
    program.arg(how).arg(path).arg(path)
}

/// The devices that hold nothing. `bwrap --dev` would add pseudo-terminals, for which an ordinary account needs a second user namespace,
/// in which the first process has no right to the network.
fn devices(program: Program) -> Program {
    let program = program.args(["--tmpfs", "/dev"]);
    let program = DEVICES.iter().map(Path::new).fold(program, |program, path| same(program, "--dev-bind", path));
    let links = [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
    links
        .iter()
        .fold(program, |program, (name, target)| program.args(["--symlink", target]).arg(Path::new("/dev").join(name)))
}

fn system(program: Program, path: &Path) -> Program {
    match std::fs::read_link(path) {
        Ok(target) => program.arg("--symlink").arg(target).arg(path),
        Err(_) if path.is_dir() => same(program, "--ro-bind", path),
        Err(_) => program,
    }
}

/// Refuses where no sandbox can be made, with what to do about it.
///
/// # Errors
/// [`Kind::Config`].
pub(super) async fn admit(cx: &Context) -> Result<()> {
    for (program, package) in [("bwrap", "bubblewrap"), ("ip", "iproute2")] {
        if find(program, Path::new("/")).is_none() && !Path::new("/usr/sbin").join(program).exists() {
            return Err(Error::new(Kind::Config, format!("a sandbox needs the program {program}, which is not here"))
                .hint(format!("Install it: `apt-get install {package}`.")));
        }
    }
    let view = View { readable: Vec::new(), writable: Vec::new(), memory_bytes: 1 << 20 };
    let ended = view.walls().args(["--unshare-pid", "--proc", "/proc", "true"]).run(cx, TRIAL, 0).await?;
    if ended.status.success() { Ok(()) } else { Err(forbidden(&ended.stderr.join("; "))) }
}

/// Why the walls can't be built, and which of the kernel's settings forbids it.
pub(super) fn forbidden(said: &str) -> Error {
    const SETTINGS: [(&str, &str, &str); 3] = [
        ("kernel/unprivileged_userns_clone", "0", "1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
        ("user/max_user_namespaces", "0", "10000"),
    ];
    let set = |name: &str| std::fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default();
    let error = Error::new(Kind::Config, format!("the sandbox can't be made: {said}"));
    match SETTINGS.iter().find(|(name, forbids, _)| set(name).trim() == *forbids) {
        Some((name, _, allows)) => error.hint(format!(
            "This host forbids user namespaces: `sysctl {}={allows}` allows them.",
            name.replace('/', ".")
        )),
        None => error.hint("`bwrap` must be allowed to make namespaces; in a container, the container must allow it."),
    }
}
