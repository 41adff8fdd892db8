//! The proof that a sandbox holds, made before anything is restored: what must not be possible is tried from inside, and fails.
//!
//! What is tried can be done from outside, or the proof proves nothing: drillctl listens on every address of this host and reaches each
//! itself first.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::trials::{Outcome, Trials};
use super::{Sandbox, bubblewrap};
use crate::process::Program;
use crate::stream::on_thread;
use crate::{Context, Error, Kind, Result};

/// How long all trials may take, and a connection within this host.
const DEADLINE: Duration = Duration::from_secs(120);
const CONNECTING: Duration = Duration::from_secs(1);
/// Entries of a folder that stand for what is in it.
const WITNESSES: usize = 16;

/// What a sandbox must keep its programs from, with names for people.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Addresses of the source.
    pub addresses: Vec<SocketAddr>,
    /// Files and folders: the run's own, the vault, the source.
    pub paths: Vec<(String, PathBuf)>,
}

impl Outside {
    /// What stands for the paths, for whoever can write in these folders.
    pub(super) fn witnesses(&self, writable: &[PathBuf]) -> Vec<PathBuf> {
        self.paths.iter().flat_map(|(_, path)| witnesses(path, writable)).collect()
    }
}

/// Makes the proof. What was tried, in sentences.
///
/// # Errors
/// [`Kind::Refused`] if the sandbox doesn't hold; [`Kind::Unavailable`] if it could not be found out.
pub(super) async fn prove(cx: &Context, sandbox: &Sandbox, outside: &Outside) -> Result<Vec<String>> {
    let listeners = on_thread(listen_everywhere).await?;
    let host: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let trials = trials(&host, outside, sandbox.writable(), &cx.run);
    sandbox.attempts().await?;
    let outcome = make(cx, sandbox, &trials).await?;
    let mut breaches = outcome.breaches;
    breaches.extend(trials.marks.iter().filter_map(|mark| written(mark)));
    let reached = listeners.iter().filter(|listener| listener.accept().is_ok());
    breaches.extend(
        reached.filter_map(|listener| Some(format!("this host saw a connection to {}", listener.local_addr().ok()?))),
    );
    let noticed: BTreeSet<_> = sandbox.attempts().await?.into_iter().filter_map(|(seen, _)| seen.address()).collect();
    let unseen = trials.addresses.iter().filter(|address| !address.ip().is_loopback() && !noticed.contains(address));
    breaches.extend(unseen.map(|address| format!("the attempt to reach {address} was not noticed")));
    if outcome.tried != trials.count() {
        return Err(Error::new(Kind::Unavailable, "the proof of the sandbox was not made whole"));
    }
    if breaches.is_empty() {
        return Ok(told(&host, outside));
    }
    Err(Error::new(Kind::Refused, format!("the sandbox does not hold: {}", breaches.join("; ")))
        .hint("Nothing was restored. See to it that `sandbox.readable` names none of these, then look at what `bwrap` can't do here."))
}

async fn make(cx: &Context, sandbox: &Sandbox, trials: &Trials) -> Result<Outcome> {
    let trials = serde_json::to_string(trials).expect("trials are plain data");
    let program = Program::new(bubblewrap::OURSELVES).args([super::WORD, super::PROVE, &trials]).folder(Path::new("/"));
    let ended = program.run(&cx.clone().inside(sandbox.clone()), DEADLINE, 1 << 20).await?;
    ended.success(Kind::Unavailable)?;
    serde_json::from_slice(&ended.stdout)
        .map_err(|cause| Error::new(Kind::Unavailable, "the proof of the sandbox can't be read").because(cause))
}

fn trials(host: &[SocketAddr], outside: &Outside, writable: &[PathBuf], run: &str) -> Trials {
    let paths = || outside.paths.iter().map(|(_, path)| path);
    let mark = format!(".drillctl-proof-{run}");
    Trials {
        addresses: host.iter().chain(&outside.addresses).copied().collect(),
        hidden: outside.witnesses(writable),
        marks: paths().filter(|path| leads_to(path, writable)).map(|path| path.join(&mark)).collect(),
    }
}

/// Whether this was written through the walls; then it is taken away again.
fn written(mark: &Path) -> Option<String> {
    let folder = mark.parent().unwrap_or(mark).display();
    std::fs::remove_file(mark).is_ok().then(|| format!("{folder} can be written to"))
}

/// Whether something that can be written to is in this folder.
fn leads_to(path: &Path, writable: &[PathBuf]) -> bool {
    writable.iter().any(|folder| folder.starts_with(path))
}

/// What stands for a path and must not be seen: itself, or, where it is on the way to what can be written to and so is an empty folder
/// inside, what is in it.
fn witnesses(path: &Path, writable: &[PathBuf]) -> Vec<PathBuf> {
    if !leads_to(path, writable) {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|entry| !leads_to(entry, writable)).take(WITNESSES).collect()
}

/// Listens on every address of this host, each of which this host reaches itself.
fn listen_everywhere() -> Result<Vec<TcpListener>> {
    let wrong = |cause| Error::io("listening on", "this host, to prove that the sandbox can't reach it", cause);
    let mut listeners = Vec::new();
    for address in own_addresses() {
        let Ok(listener) = TcpListener::bind((address, 0)) else { continue };
        let reaches = listener.local_addr().and_then(|address| TcpStream::connect_timeout(&address, CONNECTING));
        if reaches.is_ok() && listener.accept().is_ok() {
            listener.set_nonblocking(true).map_err(wrong)?;
            listeners.push(listener);
        }
    }
    if listeners.is_empty() { Err(wrong(std::io::ErrorKind::AddrNotAvailable.into())) } else { Ok(listeners) }
}

/// The addresses of this host, as its kernel tells them.
fn own_addresses() -> Vec<IpAddr> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut addresses = addresses_v4(&read("/proc/net/fib_trie"));
    addresses.extend(addresses_v6(&read("/proc/net/if_inet6")));
    addresses.into_iter().collect()
}

/// The local addresses in a table of routes: a line with the address, then one that says `/32 host LOCAL`.
fn addresses_v4(routes: &str) -> BTreeSet<IpAddr> {
    let lines: Vec<&str> = routes.lines().map(str::trim).collect();
    let local = lines.windows(2).filter(|pair| pair[1] == "/32 host LOCAL");
    local.filter_map(|pair| pair[0].strip_prefix("|-- ")?.parse().ok()).collect()
}

/// Addresses written as 32 hexadecimal digits at the begin of each line. One that needs the name of a link is passed over.
fn addresses_v6(table: &str) -> BTreeSet<IpAddr> {
    let number = |line: &str| u128::from_str_radix(line.get(..32)?, 16).ok();
    let addresses = table.lines().filter_map(number).map(Ipv6Addr::from);
    addresses.filter(|address| !address.is_unicast_link_local()).map(IpAddr::from).collect()
}

/// The proof in sentences.
fn told(host: &[SocketAddr], outside: &Outside) -> Vec<String> {
    let listed = |addresses: &[SocketAddr]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut told = vec![format!(
        "Tried from inside before anything was restored, and failed: to reach drillctl on every address of this host ({}), which it \
         reached itself from outside.",
        listed(host)
    )];
    if !outside.addresses.is_empty() {
        told.push(format!("Tried and failed: to reach the source at {}.", listed(&outside.addresses)));
    }
    let names: Vec<&str> = outside.paths.iter().map(|(name, _)| name.as_str()).collect();
    told.push(format!("Tried and failed: to read and to write {}.", names.join(", ")));
    told.push(
        "Tried and failed: to use a capability, to change the host's name or the root folder, to write to the system."
            .into(),
    );
    told.push("Each of these attempts to reach another address was noticed.".into());
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_this_host_are_read_as_the_kernel_writes_them() {
        let routes = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 192.0.2.7\n        \
                      /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n";
        assert_eq!(addresses_v4(routes), ["192.0.2.7".parse().expect("an address")].into());
        let table = "00000000000000000000000000000001 01 80 10 80       lo\n\
                     fe800000000000000000000000000001 02 40 20 80     eth0\n\
                     20010db8000000000000000000000005 02 40 00 80     eth0\n";
        let found: Vec<String> = addresses_v6(table).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["::1", "2001:db8::5"]);
        assert!(own_addresses().contains(&IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn what_stands_for_a_folder_is_itself_or_what_is_beside_the_way_to_what_can_be_written() {
        let home = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir_all(home.path().join("scratch/data")).expect("folders");
        std::fs::write(home.path().join("journal"), "").expect("file");
        let writable = [home.path().join("scratch/data")];
        assert_eq!(witnesses(home.path(), &writable), [home.path().join("journal")]);
        assert_eq!(witnesses(&home.path().join("journal"), &writable), [home.path().join("journal")]);
    }
}
