//! A throw-away cluster: a snapshot is restored into a cluster of one member with an id of its own, which listens on unix sockets only.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::address::{Address, Login};
use super::connection::Connection;
use super::message::{Members, Nothing};
use super::programs::Programs;
use super::site::{CLIENT, PEER, Site};
use crate::process::{Running, stop_working_in};
use crate::sandbox::walled;
use crate::{Context, Error, Kind, Result};

/// Where the one member would be reached by others, of which there are none.
const ADVERTISED: &str = "http://localhost:0";
/// What the name of the server program begins with.
const SERVER: &str = "etcd";
const POLL: Duration = Duration::from_millis(30);
const RESTORE_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// A server that runs and has restored data.
#[derive(Debug)]
pub(crate) struct Server {
    running: Running,
    address: Address,
    site: Site,
    /// When it was started, by the monotonic clock. Leases begin to run then.
    pub(crate) started: Duration,
}

impl Server {
    /// Restores the snapshot that lies in the place, starts the server, and waits until it answers `login`.
    ///
    /// # Errors
    /// [`Kind::Unrestorable`] if the snapshot is damaged; [`Kind::Denied`] if it asks for another user; [`Kind::Config`] if it
    /// doesn't start.
    pub(crate) async fn start(cx: &Context, programs: &Programs, site: Site, login: Option<Login>) -> Result<Self> {
        restore(cx, programs, &site).await?;
        let started = cx.clock.elapsed();
        let running = start(cx, programs, &site)?;
        let address = Address::local(&site.socket(), login);
        let mut server = Self { running, address, site, started };
        let mut connection = server.answering(cx).await?;
        server.let_the_group_in()?;
        let Members { members } = connection.ask("cluster/member/list", &Nothing {}).await?;
        match &members[..] {
            [member] if member.name == cx.run => Ok(server),
            _ => Err(Error::new(Kind::Refused, "the server that answers is not the one that was started for this run")),
        }
    }

    /// A connection to it.
    ///
    /// # Errors
    /// Those of [`Connection::open`].
    pub(crate) async fn connect(&self) -> Result<Connection> {
        Connection::open(&self.address).await
    }

    async fn answering(&mut self, cx: &Context) -> Result<Connection> {
        loop {
            cx.go_on()?;
            if let Some(status) = self.running.has_ended() {
                return Err(died(&status.to_string(), &self.site.logged()));
            }
            match self.connect().await {
                Err(error) if error.is_temporary() => tokio::time::sleep(POLL).await,
                Err(error) if error.kind() == Kind::Denied => return Err(stranger(error)),
                answered => return answered,
            }
        }
    }

    /// Who is in the sandbox gets to the socket as the group that it belongs to; etcd lets only its own account write to it.
    fn let_the_group_in(&self) -> Result<()> {
        let socket = self.site.socket();
        let mode = std::fs::Permissions::from_mode(if self.site.walled { 0o770 } else { 0o700 });
        std::fs::set_permissions(&socket, mode).map_err(|cause| Error::io("opening", socket.display(), cause))
    }
}

/// Stops whatever server works in the folder `sockets`, at once.
///
/// # Errors
/// [`Kind::Denied`] if one doesn't end.
pub(crate) async fn stop(sockets: &Path) -> Result<()> {
    stop_working_in(sockets, &[SERVER], Signal::KILL).await
}

/// A token of its own gives the cluster and its member ids of their own: it can't be taken for the source, nor join it.
async fn restore(cx: &Context, programs: &Programs, site: &Site) -> Result<()> {
    let snapshot = site.snapshot();
    let restorer = programs.restorer().arg(&snapshot).arg("--data-dir").arg(site.restored()).args(named(cx));
    let restorer = restorer.args(["--initial-cluster-token", &cx.run]).account(&site.account).folder(&site.data());
    let ended = restorer.run(cx, RESTORE_LIMIT, 4096).await?;
    if !ended.status.success() {
        return Err(not_restored(&ended.program, &ended.stderr));
    }
    match std::fs::remove_file(&snapshot) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(Error::io("removing", snapshot.display(), cause)),
        _ => Ok(()),
    }
}

/// The name of the one member, which tells whose it is.
fn named(cx: &Context) -> [String; 6] {
    let cluster = format!("{}={ADVERTISED}", cx.run);
    let [name, peers, members] = ["--name", "--initial-advertise-peer-urls", "--initial-cluster"].map(str::to_owned);
    [name, cx.run.clone(), peers, ADVERTISED.into(), members, cluster]
}

fn start(cx: &Context, programs: &Programs, site: &Site) -> Result<Running> {
    let listens = |name: &str| format!("unix://{name}");
    let server = programs.server().args(named(cx)).arg("--data-dir").arg(site.restored());
    let server = server.args(["--listen-client-urls", &listens(CLIENT), "--advertise-client-urls", &listens(CLIENT)]);
    let server = server.args(["--listen-peer-urls", &listens(PEER)]);
    // It is alone, so it needn't wait long for others to be elected.
    let server = server.args(["--heartbeat-interval", "10", "--election-timeout", "100"]);
    let server = walled(cx, server, &[&site.folder, &site.sockets], programs.folder());
    server.account(&site.account).folder(&site.sockets).log_to(&site.log()).start(cx)
}

/// The error that the end of the restoring program is.
fn not_restored(program: &str, said: &[String]) -> Error {
    const DAMAGED: [&str; 3] = ["invalid database", "unexpected EOF", "panic"];
    let last = said.iter().rev().find(|line| !line.trim().is_empty()).map_or("", |line| line.trim());
    let last = last.trim_start_matches("Error: ");
    let is = |words: &[&str]| words.iter().any(|word| said.iter().any(|line| line.contains(word)));
    // Of a file that is shorter than a digest it says that there is no place for one.
    if is(&["sha256", "missing hash"]) || last.starts_with("seek ") {
        let message = "the snapshot is cut off or was changed: its content is not what its SHA-256 says";
        return Error::new(Kind::Unrestorable, message).because(std::io::Error::other(last.to_owned()));
    }
    let kind = match () {
        () if is(&["no space left"]) => Kind::Exhausted,
        () if is(&DAMAGED) => Kind::Unrestorable,
        () => Kind::Config,
    };
    Error::new(kind, format!("{program} can't restore the snapshot: {last}"))
        .hint("The programs of the scratch must be as new as the source.")
}

/// The error that the end of a server is, drawn from its log.
fn died(status: &str, log: &str) -> Error {
    let lines = || log.lines().rev().filter(|line| !line.trim().is_empty());
    let last = lines().find(|line| line.contains("panic") || line.contains("fatal")).or_else(|| lines().next());
    let last = last.unwrap_or_default();
    if last.contains("panic") {
        return Error::new(Kind::Unrestorable, format!("the server can't make sense of the restored data: {last}"));
    }
    Error::new(Kind::Config, format!("the scratch server ended with {status}: {last}"))
        .hint("The programs of the scratch must be able to run what the source writes.")
}

/// Users and their passwords are restored with the data.
fn stranger(error: Error) -> Error {
    Error::new(error.kind(), "the restored cluster asks for a user of its own").because(error).hint(
        "It has the users that the source had. Name one with the role `root` in the scratch: \
         `etcd: {user: root, password: {env: NAME}}`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_programs_complain_of_is_the_backups_fault_only_where_it_is() {
        let of = |line: &str| not_restored("etcdutl", &[line.to_owned(), String::new()]);
        let changed = of("Error: expected sha256 [1 2], got [3 4]");
        assert_eq!(changed.kind(), Kind::Unrestorable);
        assert!(changed.chain().contains("is cut off or was changed"), "{changed:?}");
        assert_eq!(of("Error: open x: permission denied").kind(), Kind::Config);
        assert_eq!(of("Error: write x: no space left on device").kind(), Kind::Exhausted);
        assert_eq!(died("exit status: 2", "panic: page 7: unknown type\n\n").kind(), Kind::Unrestorable);
        assert_eq!(died("exit status: 1", "x\nlisten: address in use\n").kind(), Kind::Config);
    }
}
