//! The control groups of a sandbox: where this process may make some, what limits they hold, whether a limit was reached, and their
//! end. Version 2, version 1, and hosts that have memory in one and the rest in the other.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Access;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Kind, Removal, Result};

/// Microseconds over which processor time is dealt out.
const PERIOD: u64 = 100_000;
/// How often, and after what pauses, an end is waited for.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(25);

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Controller {
    Memory,
    Processes,
    Processor,
}

/// The versions of control groups, which differ in their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// The control groups of one run, by what they limit.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    homes: BTreeMap<Controller, (Version, PathBuf)>,
}

impl Controller {
    const ALL: [Self; 3] = [Self::Memory, Self::Processes, Self::Processor];

    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "pids",
            Self::Processor => "cpu",
        }
    }

    /// The files that hold this limit, each with what is written to it; only the first must be there.
    fn files(self, version: Version, limit: u64) -> Vec<(&'static str, String)> {
        let plain = limit.to_string();
        match (self, version) {
            (Self::Memory, Version::V1) => {
                vec![("memory.limit_in_bytes", plain.clone()), ("memory.memsw.limit_in_bytes", plain)]
            }
            (Self::Memory, Version::V2) => vec![("memory.max", plain), ("memory.swap.max", "0".into())],
            (Self::Processes, _) => vec![("pids.max", plain)],
            (Self::Processor, Version::V1) => {
                vec![("cpu.cfs_quota_us", plain), ("cpu.cfs_period_us", PERIOD.to_string())]
            }
            (Self::Processor, Version::V2) => vec![("cpu.max", format!("{limit} {PERIOD}"))],
        }
    }

    /// The file, and the word in it, that counts how often the limit was reached.
    fn reached(self, version: Version) -> Option<(&'static str, &'static str)> {
        match (self, version) {
            (Self::Memory, Version::V1) => Some(("memory.oom_control", "oom_kill")),
            (Self::Memory, Version::V2) => Some(("memory.events", "oom_kill")),
            (Self::Processes, _) => Some(("pids.events", "max")),
            (Self::Processor, _) => None,
        }
    }
}

impl Groups {
    /// Where the groups of this run will be. Nothing is made yet. What can't be limited here has no group.
    pub(super) fn planned(run: &str) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let (mounts, own) = (read("/proc/self/mounts"), read("/proc/self/cgroup"));
        let home = |controller: Controller| {
            let (version, parent) = parent(controller, &mounts, &own)?;
            Some((controller, (version, parent.join(name(run)))))
        };
        Self { homes: Controller::ALL.into_iter().filter_map(home).collect() }
    }

    /// Those that this process is in, to look at.
    pub(super) fn of(pid: Pid) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let (mounts, own) = (read("/proc/self/mounts".into()), read(format!("/proc/{}/cgroup", number(pid))));
        let home = |controller: Controller| {
            let (version, mount, folder) = home(controller, &mounts, &own)?;
            // One that can't be found here is taken for its mount, whose counts are everybody's.
            (folder != mount).then_some((controller, (version, folder)))
        };
        Self { homes: Controller::ALL.into_iter().filter_map(home).collect() }
    }

    /// Every folder of them.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<_> = self.homes.values().map(|(_, folder)| folder.clone()).collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// Makes them with these limits; processor time in parts of `PERIOD`. What turns out not to work is left out of them.
    pub(super) fn make(&mut self, limits: &BTreeMap<Controller, u64>) {
        self.homes.retain(|controller, (version, folder)| {
            let Some(limit) = limits.get(controller) else { return false };
            let made = make_folder(folder).and_then(|()| set(folder, &controller.files(*version, *limit)));
            if let Err(error) = &made {
                tracing::warn!(%error, folder = %folder.display(), "no control group");
            }
            made.is_ok()
        });
    }

    /// Moves a process into them, and with it all that it will start.
    pub(super) fn take_in(&self, pid: Pid) -> io::Result<()> {
        self.folders().iter().try_for_each(|folder| std::fs::write(folder.join("cgroup.procs"), number(pid)))
    }

    /// How a limit is held, in a word for the record; nothing if it is not.
    pub(super) fn how(&self, controller: Controller) -> Option<&'static str> {
        self.homes.get(&controller).map(|(version, _)| match version {
            Version::V1 => "cgroup v1",
            Version::V2 => "cgroup v2",
        })
    }

    /// The limit that was reached, if one was.
    pub(super) fn first_reached(&self) -> Option<Controller> {
        [Controller::Memory, Controller::Processes].into_iter().find(|controller| self.reached(*controller) > 0)
    }

    /// How often this limit was reached.
    fn reached(&self, controller: Controller) -> u64 {
        let count = || {
            let (version, folder) = self.homes.get(&controller)?;
            let (file, word) = controller.reached(*version)?;
            let text = std::fs::read_to_string(folder.join(file)).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))?;
            line.trim().parse().ok()
        };
        count().unwrap_or(0)
    }
}

/// The limit of the processor as `Controller::Processor` takes it.
pub(super) fn processor_time(cpus: f64) -> u64 {
    // Less than a millisecond a period is refused by the kernel.
    (cpus * PERIOD as f64).clamp(1_000.0, 1e12) as u64
}

/// The group's name; it is the run's mark.
fn name(run: &str) -> String {
    format!("drillctl-{run}")
}

fn number(pid: Pid) -> String {
    pid.as_raw_nonzero().to_string()
}

/// The group that a process with this table of groups is in, and where those of its kind are mounted.
fn home(controller: Controller, mounts: &str, own: &str) -> Option<(Version, PathBuf, PathBuf)> {
    let mount = |is_it: &dyn Fn(&str, &str) -> bool| {
        let mut fields =
            mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).filter(|fields| fields.len() > 3);
        fields.find(|fields| is_it(fields[2], fields[3])).map(|fields| PathBuf::from(fields[1]))
    };
    let ours = |is_it: &dyn Fn(&str) -> bool| {
        let mut lines =
            own.lines().map(|line| line.splitn(3, ':').collect::<Vec<_>>()).filter(|parts| parts.len() == 3);
        lines.find(|parts| is_it(parts[1])).map(|parts| parts[2].trim_start_matches('/').to_owned())
    };
    let holds = |list: &str| list.split(',').any(|one| one == controller.name());
    let v1 = mount(&|kind, options| kind == "cgroup" && holds(options)).zip(ours(&holds));
    let (version, mount, path) = match v1 {
        Some((mount, path)) => (Version::V1, mount, path),
        None => (Version::V2, mount(&|kind, _| kind == "cgroup2")?, ours(&str::is_empty)?),
    };
    let folder = existing(&mount, &path);
    Some((version, mount, folder))
}

/// The group in which one with this controller can be made, if there is any.
fn parent(controller: Controller, mounts: &str, own: &str) -> Option<(Version, PathBuf)> {
    let (version, mount, start) = home(controller, mounts, own)?;
    if version == Version::V1 {
        return Some((version, start)).filter(|(_, folder)| writable(folder));
    }
    let hands_down = |folder: &&Path| {
        let list = std::fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
        list.split_whitespace().any(|one| one == controller.name())
    };
    let mut above = start.ancestors().take_while(|folder| folder.starts_with(&mount));
    above.find(|folder| hands_down(folder) && writable(folder)).map(|folder| (Version::V2, folder.to_owned()))
}

/// Where this process is below the mount. In a container the path can be one of the host's.
fn existing(mount: &Path, path: &str) -> PathBuf {
    Some(mount.join(path)).filter(|folder| folder.is_dir()).unwrap_or_else(|| mount.to_owned())
}

/// Whether a group can be made in this one and processes moved from it.
fn writable(folder: &Path) -> bool {
    let may = |path: &Path, access| rustix::fs::access(path, access).is_ok();
    may(folder, Access::WRITE_OK | Access::EXEC_OK) && may(&folder.join("cgroup.procs"), Access::WRITE_OK)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn set(folder: &Path, files: &[(&str, String)]) -> io::Result<()> {
    for (place, (file, value)) in files.iter().enumerate() {
        match std::fs::write(folder.join(file), value) {
            Err(error) if place == 0 => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Ends everything in these groups of this run, and removes them.
///
/// # Errors
/// [`Kind::Refused`] for a folder that is not a group of this run; [`Kind::Denied`] if a process does not end; I/O errors.
pub(super) async fn remove(run: &str, folders: &[PathBuf]) -> Result<Removal> {
    let mut removal = Removal::Absent;
    for folder in folders {
        if folder.file_name() != Some(name(run).as_ref()) || !folder.join("cgroup.procs").exists() && folder.exists() {
            return Err(Error::new(Kind::Refused, format!("{} is no control group of run {run}", folder.display())));
        }
        if folder.exists() {
            remove_one(folder).await?;
            removal = Removal::Removed;
        }
    }
    Ok(removal)
}

async fn remove_one(folder: &Path) -> Result<()> {
    for _ in 0..LOOKS {
        let procs = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        for pid in procs.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        match std::fs::remove_dir(folder) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // It holds processes that are still on their way out.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(Error::io("removing control group", folder.display(), error)),
        }
    }
    Err(Error::new(Kind::Denied, format!("processes in the control group {} do not end", folder.display()))
        .hint("Look at what they wait for, end them by hand, then run `drillctl sweep`."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "cgroup2 /cg/unified cgroup2 rw 0 0\n\
                          cgroup /cg/memory cgroup rw,memory 0 0\n\
                          cgroup /cg/cpu cgroup rw,cpu,cpuacct 0 0\n";
    const OWN: &str = "5:memory:/a/b\n4:cpu,cpuacct:/\n0::/a\n";

    /// The mounts with `/cg` below a folder of the test's own.
    fn host(folders: &[&str]) -> (tempfile::TempDir, String) {
        let home = tempfile::tempdir().expect("tempdir");
        for folder in folders {
            let folder = home.path().join(folder);
            std::fs::create_dir_all(&folder).expect("folder");
            std::fs::write(folder.join("cgroup.procs"), "").expect("file");
            std::fs::write(folder.join("cgroup.subtree_control"), "").expect("file");
        }
        let mounts = HYBRID.replace("/cg", &home.path().display().to_string());
        (home, mounts)
    }

    #[test]
    fn a_controller_of_version_1_is_taken_where_this_process_is() {
        let (home, mounts) = host(&["memory", "memory/a/b", "cpu", "unified"]);
        let found = |controller| parent(controller, &mounts, OWN);
        assert_eq!(found(Controller::Memory), Some((Version::V1, home.path().join("memory/a/b"))));
        assert_eq!(found(Controller::Processor), Some((Version::V1, home.path().join("cpu"))));
        assert_eq!(found(Controller::Processes), None, "version 2 hands nothing down here");
    }

    #[test]
    fn of_version_2_the_nearest_group_that_hands_the_controller_down_is_taken() {
        let (home, mounts) = host(&["unified", "unified/a", "unified/a/b"]);
        let mounts = mounts.lines().next().expect("a mount").to_owned();
        std::fs::write(home.path().join("unified/a/cgroup.subtree_control"), "memory pids\n").expect("file");
        let found = |controller| parent(controller, &mounts, "0::/a/b\n");
        assert_eq!(found(Controller::Processes), Some((Version::V2, home.path().join("unified/a"))));
        assert_eq!(found(Controller::Processor), None);
    }

    #[tokio::test]
    async fn a_folder_that_is_no_group_of_this_run_is_left_alone() {
        let home = tempfile::tempdir().expect("tempdir");
        for name in ["drillctl-run-1", "drillctl-run-2", "precious"] {
            std::fs::create_dir(home.path().join(name)).expect("folder");
        }
        for name in ["drillctl-run-1", "drillctl-run-2", "precious"] {
            let refused = remove("run-1", &[home.path().join(name)]).await.expect_err("no group of this run");
            assert_eq!(refused.kind(), Kind::Refused);
            assert!(home.path().join(name).exists());
        }
        assert_eq!(remove("run-1", &[home.path().join("gone/drillctl-run-1")]).await.expect("absent"), Removal::Absent);
    }
}
