//! A sandbox that a container engine makes: a container of this host's system, whose first process is drillctl as it is under `bwrap`, and
//! the app's container beside it in the same network.
//!
//! The first process calls drillctl through a socket that is mounted into its container alone, and that leads nowhere once it has.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use drill_scenarios::{App, Container, Sandbox as Rules};
use rustix::fs::{Mode, OFlags};
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Pid, Signal};
use serde::Deserialize;
use serde_json::json;

use super::bubblewrap::{OURSELVES, PATH, SETTINGS, SYSTEM, View};
use super::cgroup::{Controller, Groups};
use super::line::receive;
use super::message::{Reply, Setup};
use super::{ANSWER, JOIN, Outside, WORD, isolation, kernel};
use crate::container::{self, Contained, Engine, Found, Mount, Outline, Started, State};
use crate::probes::{Outfit, Within};
use crate::process::Running;
use crate::stream::on_thread;
use crate::{Account, Context, Error, Kind, Result};

/// Where drillctl is called from inside.
const LINE: &str = "/run/drillctl.sock";
/// The same in the run's folder, until it was called.
pub(super) const SOCKET: &str = "sandbox.sock";
/// Setting up the network, giving rights away, and reaching the socket and its own files although they may be of another account.
const NEEDED_AT_FIRST: [&str; 6] = ["NET_ADMIN", "NET_RAW", "SETPCAP", "SETUID", "SETGID", "DAC_OVERRIDE"];
/// Written by the engine itself for every container.
const OF_THE_ENGINE: &str = "hosts";
/// How a container ends that was killed, and how often, and after what pauses, the engine is asked whether a lack of memory did it.
const KILLED: i32 = 137;
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// The containers of a sandbox.
#[derive(Debug)]
pub(super) struct Pod {
    engine: Engine,
    /// The sandbox's own.
    own: Started,
    app: Mutex<Option<Started>>,
    container: Container,
    found: Found,
    /// Folders of everything that was restored.
    folders: Vec<PathBuf>,
    /// What the app must not see.
    hidden: Vec<PathBuf>,
}

/// Refuses where none can be made.
///
/// # Errors
/// [`Kind::Config`] if the engine keeps accounts apart from this host's, or lacks the image; those of the engine.
pub(super) async fn admit(container: &Container) -> Result<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Info {
        security_options: Option<Vec<String>>,
    }
    let engine = Engine::named(container.engine.as_deref())?;
    let info: Info = engine.get("/info", &[]).await?;
    let apart = |option: &&String| ["name=rootless", "name=userns"].iter().any(|name| option.starts_with(name));
    if let Some(option) = info.security_options.iter().flatten().find(apart) {
        let message =
            format!("the container engine maps accounts to others ({option}), so that restored data is nobody's there");
        return Err(
            Error::new(Kind::Config, message).hint("Name the socket of an engine that runs as root in `engine`.")
        );
    }
    container::admit_user(container)?;
    container::find(&engine, &container.image).await.map(drop)
}

impl Pod {
    /// Makes the sandbox's own container. With it come the line to its first process, and its number.
    pub(super) async fn make(
        cx: &Context,
        container: &Container,
        rules: &Rules,
        inside: (&View, &Setup),
        outside: &Outside,
    ) -> Result<(Self, OwnedFd, Pid)> {
        let engine = Engine::named(container.engine.as_deref())?;
        let found = container::find(&engine, &container.image).await?;
        let image = container::empty_image(&engine, &cx.run, links()?).await?;
        let socket = cx.folder.join(SOCKET);
        let listener = listen(&cx.folder, SOCKET).map_err(|cause| Error::io("making", socket.display(), cause))?;
        let description = describe(cx, &image, rules, inside, &socket)?;
        let own = container::start(&engine, &container::container_name(&cx.run, "sandbox"), &description).await?;
        let called = on_thread(move || accept(&listener)).await;
        let _ = std::fs::remove_file(&socket);
        let (line, first) = match called {
            Ok(called) => called,
            Err(cause) => return Err(silent(cause, &engine, &own.id).await),
        };
        if own.pid != Some(first.as_raw_nonzero().get()) {
            return Err(elsewhere(&engine));
        }
        let (container, hidden) = (container.clone(), outside.witnesses(&inside.0.writable));
        let folders = inside.0.writable.clone();
        Ok((Self { engine, own, app: Mutex::default(), container, found, folders, hidden }, line, first))
    }

    /// Starts the app in a container beside it.
    pub(super) async fn start_app(&self, app: &App, rules: &Rules, within: Within<'_>) -> Result<Running> {
        let Self { container, found: image, folders, .. } = self;
        let outline = Outline { app, container, image, rules, folders, network: &self.own.id };
        let description = outline.describe(within)?;
        let started = container::start(&self.engine, &Outline::name(&within.cx.run), &description).await?;
        *self.app.lock().unwrap_or_else(PoisonError::into_inner) = Some(started.clone());
        self.must_be_confined(&started).await?;
        let (container, stdout, stderr) = Contained::attached(self.engine.clone(), started).await?;
        Running::contained(self.container.image.short(), container, stdout, stderr)
    }

    /// Starts a program of the image beside the app.
    pub(super) async fn start_beside(&self, outfit: Outfit<'_>, within: Within<'_>) -> Result<Running> {
        let app = self.app.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let app = app.ok_or_else(|| Error::new(Kind::Refused, "the app's container has not been started"))?;
        let description = container::beside(&self.container, outfit, within)?;
        let (program, stdout, stderr) = Contained::beside(self.engine.clone(), &app.id, &description).await?;
        let name = outfit.argv.first().map_or("", String::as_str);
        Ok(Running::contained(name, program, stdout, stderr)?.keeping_tail(within.cx))
    }

    /// Ends the app if the kernel tells otherwise of its container than the engine was told.
    async fn must_be_confined(&self, started: &Started) -> Result<()> {
        let (Some(app), Some(own)) = (started.pid, self.own.pid) else { return Ok(()) };
        let wrong = match kernel::breach(app, own, &self.hidden) {
            Ok(None) => return Ok(()),
            Ok(Some(breach)) => breach,
            Err(error) => format!("it can't be looked at, {error}"),
        };
        self.end().await;
        Err(Error::new(Kind::Refused, format!("the app's container does not hold: {wrong}"))
            .hint("Look at how the container engine is set up: it does not do what it is asked to."))
    }

    /// The limit that was reached in one of the containers, if one was.
    pub(super) async fn reached(&self) -> Result<Option<Controller>> {
        let app = self.app.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for started in [Some(self.own.clone()), app].into_iter().flatten() {
            let mut state = container::state(&self.engine, &started.id).await?;
            for _ in 0..LOOKS {
                if state.oom_killed || state.exit_code != KILLED {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
                state = container::state(&self.engine, &started.id).await?;
            }
            if let Some(controller) = reached(&state) {
                return Ok(Some(controller));
            }
        }
        Ok(None)
    }

    /// Ends the app. The sandbox's own container ends with its first process.
    pub(super) async fn end(&self) {
        let app = self.app.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(app) = app {
            container::kill(&self.engine, &app, Signal::KILL).await;
        }
    }

    /// What keeps them apart, in sentences.
    pub(super) fn isolation(&self, writable: &[PathBuf]) -> [String; 3] {
        let Container { image, data, .. } = &self.container;
        isolation::containers(image, &self.found.id, data.as_deref(), self.engine.socket(), writable)
    }
}

/// What the kernel counts while a container runs, and the engine tells once it doesn't.
fn reached(state: &State) -> Option<Controller> {
    let groups = Pid::from_raw(state.pid).filter(|_| state.running).map(Groups::of).unwrap_or_default();
    groups.first_reached().or(state.oom_killed.then_some(Controller::Memory))
}

/// The description of the sandbox's own container: what `bwrap` would show, in the words of the engine.
fn describe(
    cx: &Context,
    image: &str,
    rules: &Rules,
    (view, setup): (&View, &Setup),
    socket: &Path,
) -> Result<serde_json::Value> {
    let ourselves = std::env::current_exe().map_err(|cause| Error::io("making", "the sandbox", cause))?;
    let settings: Vec<_> =
        SETTINGS.iter().filter(|name| **name != OF_THE_ENGINE).map(|name| Path::new("/etc").join(name)).collect();
    let settings = settings.iter().filter(|path| path.exists());
    let system = SYSTEM.iter().map(Path::new).filter(|path| path.is_dir() && !path.is_symlink());
    let mut mounts: Vec<Mount<'_>> = system.chain(settings.map(AsRef::as_ref)).map(Mount::same).collect();
    mounts.extend(view.readable.iter().map(|path| Mount::same(path)));
    mounts.extend(view.writable.iter().map(|path| Mount::same(path).writable()));
    mounts.push(Mount { from: &ourselves, to: Path::new(OURSELVES), writable: false });
    mounts.push(Mount { from: socket, to: Path::new(LINE), writable: false });
    let mut confinement = container::confined(rules, &mounts, &[]);
    confinement["NetworkMode"] = "none".into();
    confinement["CapAdd"] = NEEDED_AT_FIRST.as_slice().into();
    if Path::new("/proc/net/if_inet6").exists() {
        // Engines turn it off where there is no network; then attempts to leave by it would not be seen.
        confinement["Sysctls"] = json!({"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.lo.disable_ipv6": "0"});
    }
    let setup = serde_json::to_string(setup).expect("a setup is plain data");
    Ok(json!({
        "Image": image,
        "Cmd": [OURSELVES, WORD, JOIN, setup],
        "Env": [format!("PATH={PATH}"), format!("DRILLCTL_RUN={}", cx.run)],
        "User": "0:0",
        "Labels": container::labels(&cx.run),
        "HostConfig": confinement,
    }))
}

/// Whom the first process becomes, so that it may do with the restored data what drillctl may.
pub(super) fn account() -> Option<(u32, u32)> {
    let current = Account::current();
    (!current.is_root()).then_some((current.uid, current.gid))
}

/// The folders at the root that are links, as an archive.
fn links() -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let linked = SYSTEM.iter().filter_map(|path| Some((path.trim_start_matches('/'), std::fs::read_link(path).ok()?)));
    let packed = linked.map(|(name, target)| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        archive.append_link(&mut header, name, target)
    });
    let packed = packed.collect::<io::Result<()>>().and_then(|()| archive.into_inner());
    packed.map_err(|cause| Error::io("packing", "the image of the sandbox", cause))
}

/// A socket of this name, in a folder whose path may be long.
fn listen(folder: &Path, name: &str) -> io::Result<OwnedFd> {
    let open = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", open.as_raw_fd()))?;
    let listener = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&listener, &address)?;
    rustix::net::listen(&listener, 1)?;
    Ok(listener)
}

/// Calls drillctl, from inside.
pub(super) fn call() -> io::Result<OwnedFd> {
    let line = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::net::connect(&line, &SocketAddrUnix::new(LINE)?)?;
    Ok(line)
}

/// The line of the one who calls, and who that is, once it has said that it is ready.
fn accept(listener: &OwnedFd) -> io::Result<(OwnedFd, Pid)> {
    set_socket_timeout(listener, Timeout::Recv, Some(ANSWER))?;
    let line = rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?;
    set_socket_timeout(&line, Timeout::Recv, Some(ANSWER))?;
    let first = socket_peercred(&line)?.pid;
    match receive::<Reply>(&line, RecvFlags::empty())? {
        Some((Reply::Ready, _)) => Ok((line, first)),
        _ => Err(io::Error::other("it ended before it was ready")),
    }
}

/// Why nobody called, in the container's own words.
async fn silent(cause: io::Error, engine: &Engine, id: &str) -> Error {
    let said = container::last_words(engine, id).await.unwrap_or_default();
    let message = format!("the container of the sandbox can't be set up: it says {said:?}");
    Error::new(Kind::Config, message).because(cause).hint(format!(
        "The engine at {} must be of this very host, and allow its containers what bubblewrap would be allowed.",
        engine.socket().display()
    ))
}

fn elsewhere(engine: &Engine) -> Error {
    let message = format!("the container engine at {} numbers processes otherwise", engine.socket().display());
    Error::new(Kind::Config, message).hint("Run drillctl on the host of the engine, outside of any container.")
}
