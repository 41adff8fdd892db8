//! The network of a sandbox, seen from its first process: every address leads back to its loopback. Then every right is given away.

use std::io;
use std::process::Command;

use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, Uid, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

/// The routes: to the loopback, from an address of the loopback, so that answers are told from attempts.
const ROUTES: [(&str, &[&str]); 2] = [
    ("-4", &["route", "add", "local", "0.0.0.0/0", "dev", "lo", "src", "127.0.0.1"]),
    ("-6", &["route", "add", "local", "::/0", "dev", "lo"]),
];

/// Leads all addresses back.
#[allow(clippy::disallowed_methods, reason = "there is no run in the sandbox, only its first process")]
pub(super) fn lead_back() -> io::Result<()> {
    for (family, arguments) in ROUTES {
        // A kernel without IPv6 has nothing to lead back.
        if family == "-6" && !std::path::Path::new("/proc/net/if_inet6").exists() {
            continue;
        }
        let done = Command::new("ip").arg(family).args(arguments).output()?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
            return Err(io::Error::other(format!("ip {family} {}: {said}", arguments.join(" "))));
        }
    }
    Ok(())
}

/// From here on nothing in the sandbox has any right, nor can it get one, and all is of this account, if one is given. To be called before
/// there is a second thread.
pub(super) fn give_rights_away(account: Option<(u32, u32)>) -> io::Result<()> {
    set_no_new_privs(true)?;
    clear_ambient_capability_set()?;
    // Not all that this crate knows are known to every kernel.
    for capability in CapabilitySet::all().iter() {
        let _ = remove_capability_from_bounding_set(capability);
    }
    if let Some((user, group)) = account {
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
        set_thread_groups(&[])?;
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(())
}
