//! What holds for every container of a run: nothing of this host but what is mounted, limits, and no right at all.

use std::path::Path;

use drill_scenarios::Sandbox as Rules;
use serde_json::{Value, json};

/// Bytes of the engine's own log of a container, of which it keeps no second.
const LOG: &str = "64m";
/// Folders in memory that every container has.
const MEMORY: [&str; 3] = ["/tmp", "/var/tmp", "/run"];

/// A folder or file of this host in a container.
#[derive(Debug, Clone)]
pub(crate) struct Mount<'a> {
    pub(crate) from: &'a Path,
    pub(crate) to: &'a Path,
    pub(crate) writable: bool,
}

impl<'a> Mount<'a> {
    /// At the same path, to be read.
    pub(crate) fn same(path: &'a Path) -> Self {
        Self { from: path, to: path, writable: false }
    }

    /// The same, to be written too.
    pub(crate) fn writable(self) -> Self {
        Self { writable: true, ..self }
    }

    /// What is mounted below it stays outside: it could not be made read-only.
    fn told(&self) -> Value {
        json!({
            "Type": "bind", "Source": self.from, "Target": self.to, "ReadOnly": !self.writable,
            "BindOptions": {"Propagation": "rprivate", "NonRecursive": true},
        })
    }
}

/// The part of a container's description that confines it (`HostConfig`). `memory` are further folders in memory.
pub(crate) fn confined(rules: &Rules, mounts: &[Mount<'_>], memory: &[String]) -> Value {
    let most = rules.memory.bytes();
    let memory_bytes = most.min(rules.disk.bytes());
    let is_mounted = |folder: &str| mounts.iter().any(|mount| mount.to == Path::new(folder));
    let in_memory = MEMORY.into_iter().chain(memory.iter().map(String::as_str)).filter(|folder| !is_mounted(folder));
    let options = format!("rw,exec,nosuid,nodev,mode=1777,size={memory_bytes}");
    let in_memory: serde_json::Map<_, _> =
        in_memory.map(|folder| (folder.to_owned(), Value::from(options.as_str()))).collect();
    json!({
        "Mounts": mounts.iter().map(Mount::told).collect::<Vec<_>>(),
        "Tmpfs": in_memory,
        "ShmSize": memory_bytes,
        "ReadonlyRootfs": true,
        "Privileged": false,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "IpcMode": "private",
        "Memory": most,
        "MemorySwap": most,
        "PidsLimit": rules.processes,
        "NanoCpus": rules.cpus.map_or(0, |cpus| (cpus * 1e9) as u64),
        "Ulimits": [limit("core", 0), limit("fsize", rules.disk.bytes())],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": LOG, "max-file": "1"}},
        "RestartPolicy": {"Name": "no"},
    })
}

fn limit(name: &str, most: u64) -> Value {
    json!({"Name": name, "Soft": most, "Hard": most})
}
