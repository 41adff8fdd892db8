//! How a sandbox keeps things apart, in sentences for the record.

use std::path::{Path, PathBuf};

use drill_scenarios::{Image, Sandbox as Rules};

use super::cgroup::{Controller, Groups};

pub(super) const NETWORK: &str = "Their network is a loopback of their own, to which every address leads back. A connection elsewhere is refused, unless a \
     program in the sandbox itself listens on that port of every address: then it is what answers.";

/// The walls of `bwrap`.
pub(super) fn bubblewrap(writable: &[PathBuf]) -> [String; 2] {
    [
        "The app and the programs of probes run in a sandbox of bubblewrap, with user, process, network, mount, IPC, host name and \
         control group namespaces of their own, without a single capability, and can get none."
            .into(),
        format!(
            "They see the system read-only and nothing else of this host. They can write in {} and in memory.",
            listed(writable)
        ),
    ]
}

/// The containers of an engine. `image` is the app's, `id` how the engine knows it, `data` where it has the restored data.
pub(super) fn containers(
    image: &Image,
    id: &str,
    data: Option<&Path>,
    socket: &Path,
    writable: &[PathBuf],
) -> [String; 3] {
    let at = data.map_or_else(String::new, |data| format!(", which it has at {}", data.display()));
    [
        format!(
            "The app runs in a container of image {image} (id {id}) with a read-only root. The programs of probes run in another one, which \
             shows this host's system read-only. Neither has a single capability, and can get none. Both were made by the engine at {}.",
            socket.display()
        ),
        format!(
            "They share their network and the restored data{at}, and see nothing else of this host. They can write in {} and in memory.",
            listed(writable)
        ),
        "What is tried from inside is tried in the container of probes. When the app has started, the kernel is asked about its container: \
         whether it has no capability, is in the same network, and shows none of what is to be kept from it; else the drill ends there."
            .into(),
    ]
}

fn listed(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The limits that all programs in it share.
pub(super) fn limits(rules: &Rules, groups: &Groups) -> String {
    let held = |controller, otherwise: &str| groups.how(controller).unwrap_or(otherwise).to_owned();
    let cpus = match rules.cpus {
        None => NO_CPUS.into(),
        Some(cpus) => format!(
            "{cpus} processors ({})",
            held(Controller::Processor, "not limited: no control group can be made here")
        ),
    };
    format!(
        "Their limits: {} of memory ({}), {} processes ({}), {cpus}, {}.",
        rules.memory,
        held(Controller::Memory, "rlimit, of each process: no control group can be made here"),
        rules.processes,
        held(Controller::Processes, "rlimit, which does not hold for root: no control group can be made here"),
        disk(rules),
    )
}

/// The limits of each container.
pub(super) fn limits_of_each(rules: &Rules) -> String {
    let cpus = rules.cpus.map_or_else(|| NO_CPUS.into(), |cpus| format!("{cpus} processors"));
    let (memory, processes) = (rules.memory, rules.processes);
    format!(
        "The limits of each container: {memory} of memory, {processes} processes, {cpus}; of both: {}.",
        disk(rules)
    )
}

const NO_CPUS: &str = "processor time is not limited";

fn disk(rules: &Rules) -> String {
    format!("{} on the disk (looked at every second; no file can grow beyond it)", rules.disk)
}
