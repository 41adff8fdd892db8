//! A throw-away Redis server: it loads one RDB when it starts, listens on a unix socket only, follows nobody and writes nothing down.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::address::Address;
use super::connection::Connection;
use super::info::Info;
use super::program::ServerProgram;
use super::site::{RDB, Site};
use crate::process::{Running, stop_working_in};
use crate::sandbox::{is_behind, walled};
use crate::stream::on_thread;
use crate::{Context, Error, Kind, Result};

/// What the names of server programs begin with: Debian's is a link to `redis-check-rdb`.
const SERVERS: [&str; 3] = ["redis", "valkey", "keydb"];
/// Databases that a server has without being asked.
const USUAL_DATABASES: u64 = 16;
const POLL: Duration = Duration::from_millis(30);

/// A server that runs and has loaded its RDB.
#[derive(Debug)]
pub(crate) struct Server {
    running: Running,
    site: Site,
    pub(crate) program: ServerProgram,
    /// The number that it drew when it started.
    pub(crate) run_id: String,
}

impl Server {
    /// Starts it and waits until it has loaded the RDB in its data folder, whose highest database is `highest`.
    ///
    /// # Errors
    /// [`Kind::Unrestorable`] if it can't make sense of the RDB; [`Kind::Config`] if it doesn't start.
    pub(crate) async fn start(cx: &Context, program: ServerProgram, site: Site, highest: Option<u64>) -> Result<Self> {
        let running = start(cx, &program, &site, highest)?;
        let mut server = Self { running, site, program, run_id: String::new() };
        loop {
            cx.go_on()?;
            if let Some(status) = server.running.has_ended() {
                return Err(died(&status.to_string(), &server.site.logged()));
            }
            match server.info(cx).await {
                Ok(info) => return server.answering(&info),
                Err(error) if error.is_temporary() => tokio::time::sleep(POLL).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// What it tells of itself. While it loads it answers with an error that is temporary.
    pub(crate) async fn info(&self, cx: &Context) -> Result<Info> {
        self.ask(cx, |connection| {
            connection.ask(&["PING"])?;
            Info::ask(connection)
        })
        .await
    }

    /// Asks it something on a thread that may block.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        cx: &Context,
        ask: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (address, cancel) = (self.address(), cx.cancel.clone());
        on_thread(move || ask(&mut Connection::open(&address, &cancel)?)).await
    }

    /// How it is reached.
    pub(crate) fn address(&self) -> Address {
        Address::local(&self.socket())
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.site.socket()
    }

    /// The RDB that it has loaded.
    pub(crate) fn rdb(&self) -> PathBuf {
        self.site.rdb()
    }

    /// The server that answers must be the one that was started.
    fn answering(self, info: &Info) -> Result<Self> {
        if info.pid().is_some_and(|pid| is_behind(&self.running, pid, self.site.walled)) {
            return Ok(Self { run_id: info.run_id().into(), ..self });
        }
        Err(Error::new(Kind::Refused, "the server that answers is not the one that was started for this run"))
    }
}

/// Stops whatever server works in the folder `data`, at once.
///
/// # Errors
/// [`Kind::Denied`] if one doesn't end.
pub(crate) async fn stop(data: &Path) -> Result<()> {
    stop_working_in(data, &SERVERS, Signal::KILL).await
}

fn start(cx: &Context, program: &ServerProgram, site: &Site, highest: Option<u64>) -> Result<Running> {
    let databases = highest.map_or(USUAL_DATABASES, |highest| USUAL_DATABASES.max(highest.saturating_add(1)));
    // Who is in the sandbox gets to the socket as the group that it belongs to.
    let mode = if site.walled { "770" } else { "700" };
    let fixed = ["--port", "0", "--unixsocketperm", mode, "--dbfilename", RDB, "--daemonize", "no"];
    let kept_to_itself = ["--save", "", "--appendonly", "no", "--logfile", ""];
    // Its data is read back as a replica would read it.
    let read_back = ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"];
    let bin = program.path().parent().unwrap_or(Path::new("/"));
    let program = program.program().args(fixed).args(kept_to_itself).args(read_back);
    let program = program.arg("--unixsocket").arg(site.socket()).arg("--dir").arg(site.data());
    let program = program.arg("--databases").arg(databases.to_string());
    let program = walled(cx, program, &[&site.folder, &site.sockets], bin);
    program.account(&site.account).folder(&site.data()).log_to(&site.log()).start(cx)
}

/// The error that the end of a server is, drawn from its log.
fn died(status: &str, log: &str) -> Error {
    // What can't be loaded here may be loaded elsewhere.
    const LACKS: [&str; 3] = ["handle RDB format version", "module", "out of memory"];
    const DAMAGED: [&str; 5] = ["RDB", "Short read", "Wrong signature", "loading the DB", "Bad file format"];
    let said = telling(log);
    let is = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if is(&DAMAGED) && !is(&LACKS) {
        return Error::new(Kind::Unrestorable, format!("the server can't load the RDB: {said}"));
    }
    Error::new(Kind::Config, format!("the scratch server ended with {status}: {said}"))
        .hint("The `program` of the scratch must be able to load what the source writes.")
}

/// The last lines of a log that say why: `1234:M 25 Nov 2026 10:00:00.000 # Short read or OOM loading DB. …`.
fn telling(log: &str) -> String {
    let says = |line: &&str| !line.contains("WARNING") && !line.trim().is_empty();
    let said =
        log.lines().filter_map(|line| line.split_once(" # ").map(|(_, said)| said).or(line.strip_prefix("*** ")));
    let mut last: Vec<&str> = said.filter(says).collect();
    last.drain(..last.len().saturating_sub(2));
    last.join("; ")
}
