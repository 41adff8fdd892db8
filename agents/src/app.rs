//! The application on the restored data: started, watched until it is ready, and stopped with everything that it started.
//!
//! What it writes goes line by line through drillctl into its log, so that its secrets don't stand there.

mod log;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, TcpListener};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drill_scenarios::{App, Judgement, Ready, Scalar, describe};
use jiff::Timestamp;
use tokio::io::AsyncRead;
use tokio::task::JoinSet;

use self::log::Log;
use crate::probes::{Outfit, Seen, Start, Within, observe, until};
use crate::process::{Running, each_line, how, stop_carrying};
use crate::{Context, Error, Kind, Result, Secrets};

/// Name of the variable that tells the app's processes from others of the run.
const MARK: &str = "DRILLCTL_APP";
/// The application on the restored data. Dropping it kills its process group.
#[derive(Debug)]
pub struct RunningApp {
    running: Running,
    ready: Ready,
    run: String,
    began: Duration,
    log: Arc<Mutex<Log>>,
    readers: JoinSet<()>,
}

/// What came of waiting for the app.
#[derive(Debug, Clone, PartialEq)]
pub enum Readiness {
    /// It was ready this long after it was started.
    Ready(Duration),
    /// It was not, and why; with the last lines of its log.
    NotReady(String),
}

/// A TCP port on loopback that nobody uses at this moment.
///
/// # Errors
/// [`Kind::Exhausted`] if there is none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let address = listener.map_err(|cause| Error::new(Kind::Exhausted, "finding a free port").because(cause))?;
    Ok(address.port())
}

impl RunningApp {
    /// Starts it.
    ///
    /// # Errors
    /// [`Kind::Unrestorable`] if its program or folder should be in the restored data and is not; [`Kind::Config`] for a program of the
    /// host, a fact or a secret that isn't there.
    pub fn start(app: &App, within: Within<'_>) -> Result<Self> {
        let cx = within.cx;
        let outfit = Outfit { argv: &app.argv, folder: app.folder.as_deref(), env: &app.env, secrets: &app.secrets };
        let program = match outfit.program(within)? {
            Start::Ready(program) => program.env(MARK, &cx.run),
            Start::Absent(why) => return Err(Error::new(Kind::Unrestorable, why)),
        };
        let log = Arc::new(Mutex::new(Log::create(&cx.folder.join("logs"))?));
        let began = cx.clock.elapsed();
        let running = program.start_with_outputs(cx)?;
        Ok(Self::kept(app, running, cx, log, began))
    }

    /// Starts it in a container of the sandbox.
    ///
    /// # Errors
    /// [`Kind::Config`] if it can't be started, or a fact or a secret isn't there; those of the engine.
    pub async fn start_contained(app: &App, within: Within<'_>) -> Result<Self> {
        let cx = within.cx;
        let none = || Error::new(Kind::Config, "an app in a container needs the sandbox");
        let sandbox = cx.sandbox().ok_or_else(none)?;
        let log = Arc::new(Mutex::new(Log::create(&cx.folder.join("logs"))?));
        let began = cx.clock.elapsed();
        let running = sandbox.start_contained(app, within).await?;
        Ok(Self::kept(app, running, cx, log, began))
    }

    /// It runs: what it writes goes into the log.
    fn kept(app: &App, mut running: Running, cx: &Context, log: Arc<Mutex<Log>>, began: Duration) -> Self {
        let mut readers = JoinSet::new();
        if let (Some(stdout), Some(stderr)) = running.outputs() {
            readers.spawn(keep(stdout, log.clone(), cx.secrets.clone()));
            readers.spawn(keep(stderr, log.clone(), cx.secrets.clone()));
        }
        Self { running, ready: app.ready.clone(), run: cx.run.clone(), began, log, readers }
    }

    /// Looks until the app is ready, it has ended, or the time for it is over. That it doesn't get ready is data, not an error.
    ///
    /// # Errors
    /// Only if its state could not be looked at; see [`crate::probes`].
    pub async fn ready(&mut self, within: Within<'_>, failure_instant: Timestamp) -> Result<Readiness> {
        let (cx, Self { running, ready, began, .. }) = (within.cx, &mut *self);
        let answer = until(cx, ready.within.duration(), async || {
            let seen = observe(&ready.probe, within).await?;
            // Only now: an answer counts if the app still runs after it, else somebody else gave it.
            if let Some(status) = running.has_ended() {
                return Ok(ControlFlow::Break(Err(format!("{} {}", running.name(), how(status)))));
            }
            Ok(match shortfall(&seen, ready, failure_instant) {
                None => ControlFlow::Break(Ok(cx.clock.elapsed().saturating_sub(*began))),
                Some(why) => ControlFlow::Continue(Err(format!("not ready within {}: {why}", ready.within))),
            })
        });
        match answer.await? {
            Ok(took) => Ok(Readiness::Ready(took)),
            Err(why) => Ok(Readiness::NotReady(self.with_last_lines(why).await)),
        }
    }

    /// How it ended, if it did; an app should run until it is stopped.
    pub fn has_ended(&mut self) -> Option<String> {
        self.running.has_ended().map(|status| format!("{} {}", self.running.name(), how(status)))
    }

    /// Stops it with every process that it started, those that left its group included.
    ///
    /// # Errors
    /// [`Kind::Denied`] if one of them does not end.
    pub async fn stop(self) -> Result<()> {
        self.running.stop().await;
        stop_carrying(MARK, &self.run).await.map(drop)
    }

    async fn with_last_lines(&mut self, why: String) -> String {
        if self.running.has_ended().is_some() {
            // What it wrote at its end is still on its way.
            let drained = async { while self.readers.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(Duration::from_secs(1), drained).await;
        }
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{why}; {}", log.last_lines())
    }
}

/// What is still missing; nothing if the app is ready.
fn shortfall(seen: &Seen, ready: &Ready, failure_instant: Timestamp) -> Option<String> {
    match seen {
        Seen::Values(values) if ready.expect.is_empty() => {
            let failing = [
                ("open", Scalar::Bool(false), "nobody listens"),
                ("exists", Scalar::Bool(false), "the file is not there"),
            ];
            let found = failing.into_iter().find(|(name, bad, _)| values.get(*name) == Some(bad));
            let exit = values.get("exit").filter(|exit| **exit != Scalar::Int(0));
            found
                .map(|(_, _, why)| why.to_owned())
                .or_else(|| exit.map(|exit| format!("the program exited with {exit}")))
        }
        _ => match seen.judge(&ready.expect, failure_instant) {
            Judgement::Holds => None,
            Judgement::Fails(why) | Judgement::Unclear(why) if ready.expect.is_empty() => Some(why.join("; ")),
            Judgement::Fails(why) | Judgement::Unclear(why) => {
                Some(format!("expected {}, and {}", describe(&ready.expect), why.join("; ")))
            }
        },
    }
}

async fn keep(from: impl AsyncRead + Unpin, log: Arc<Mutex<Log>>, secrets: Arc<Secrets>) {
    each_line(from, &secrets, |line| log.lock().unwrap_or_else(PoisonError::into_inner).add(line)).await;
}
