//! A container that runs, as the leader of what runs in it: its end ends all of it.

use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use reqwest::Response;
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::unix::pipe;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::output::hand_on;
use super::{Engine, Started};
use crate::{Error, Result};

/// Between two looks at a program whose outputs are closed.
const PAUSE: Duration = Duration::from_millis(20);

/// A container that runs, or a program beside the first in it.
#[derive(Debug)]
pub(crate) struct Contained {
    engine: Engine,
    /// The container, if this is its first process: there is no way to signal another.
    started: Option<Started>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Contained {
    /// A container that was started, with what it writes to its two outputs, from the begin.
    ///
    /// # Errors
    /// Those of the engine; I/O errors.
    pub(crate) async fn attached(engine: Engine, started: Started) -> Result<(Self, PipeReader, PipeReader)> {
        let query = [("follow", "true"), ("stdout", "true"), ("stderr", "true")];
        let answer = engine.follow(&format!("/containers/{}/logs", started.id), &query).await?;
        let (stdout, stderr, passing) = outputs(answer)?;
        tokio::spawn(passing);
        let (asked, of) = (engine.clone(), started.id.clone());
        let ended = once(async move { end(&asked, &of).await });
        Ok((Self { engine, started: Some(started), ended }, stdout, stderr))
    }

    /// A program that is started in this container.
    ///
    /// # Errors
    /// [`crate::Kind::Refused`] or [`crate::Kind::NotFound`] if the container has ended; those of the engine; I/O errors.
    pub(crate) async fn beside(
        engine: Engine,
        id: &str,
        description: &Value,
    ) -> Result<(Self, PipeReader, PipeReader)> {
        let created = engine.post(&format!("/containers/{id}/exec"), &[], Some(description)).await?;
        let path = format!("/exec/{}", created["Id"].as_str().unwrap_or_default());
        let answer = engine.begin(&format!("{path}/start"), &json!({"Detach": false, "Tty": false})).await?;
        let (stdout, stderr, passing) = outputs(answer)?;
        let asked = engine.clone();
        let ended = once(async move {
            passing.await;
            end_beside(&asked, &path).await
        });
        Ok((Self { engine, started: None, ended }, stdout, stderr))
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let ended = self.ended.wait_for(Option::is_some).await.map_err(io::Error::other)?;
        ended.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// How it ended, if it did.
    pub(crate) fn has_ended(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Sends a signal to its first process, with which the rest ends. One that the process doesn't heed, since it is the first and has not
    /// asked for it, becomes that which it can't but heed.
    pub(crate) fn signal(&self, signal: Signal) {
        let (Ok(runtime), Some(started), None) = (Handle::try_current(), &self.started, self.has_ended()) else {
            return;
        };
        let signal = if started.pid.is_none_or(|first| catches(first, signal)) { signal } else { Signal::KILL };
        let (engine, started) = (self.engine.clone(), started.clone());
        runtime.spawn(async move { kill(&engine, &started, signal).await });
    }
}

/// Both outputs of this answer, and what passes them on.
fn outputs(answer: Response) -> Result<(PipeReader, PipeReader, impl Future<Output = ()>)> {
    let wrong = |cause| Error::io("reading", "what a container writes", cause);
    let ((stdout, out), (stderr, err)) = (io::pipe().map_err(wrong)?, io::pipe().map_err(wrong)?);
    let sender = |end: PipeWriter| pipe::Sender::from_owned_fd(end.into()).map_err(wrong);
    Ok((stdout, stderr, hand_on(answer, sender(out)?, sender(err)?)))
}

/// Tells the code that comes of this, once it comes. Whoever looks closer at one that doesn't finds the engine gone.
fn once(code: impl Future<Output = Result<i32>> + Send + 'static) -> watch::Receiver<Option<ExitStatus>> {
    let (tell, ended) = watch::channel(None);
    tokio::spawn(async move {
        let status =
            code.await.map_or(ExitStatus::from_raw(Signal::KILL.as_raw()), |code| ExitStatus::from_raw(code << 8));
        let _ = tell.send(Some(status));
    });
    ended
}

/// Sends a signal to the first process of a container, if it runs.
pub(crate) async fn kill(engine: &Engine, started: &Started, signal: Signal) {
    let number = signal.as_raw().to_string();
    let _ = engine.post(&format!("/containers/{}/kill", started.id), &[("signal", &number)], None).await;
}

/// Whether a process has a handler for a signal, as the kernel writes it: a mask with the first signal as its lowest bit.
fn catches(pid: i32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

/// The code that a container ends with.
async fn end(engine: &Engine, id: &str) -> Result<i32> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Ended {
        status_code: i32,
    }
    let answer = engine.begin(&format!("/containers/{id}/wait"), &json!({})).await?;
    Ok(engine.read::<Ended>(answer).await?.status_code)
}

/// The code that a program beside the first has ended with, which is known a moment after its outputs are closed. One that has closed
/// them and goes on is waited for by whoever set it a deadline.
async fn end_beside(engine: &Engine, path: &str) -> Result<i32> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Beside {
        running: bool,
        exit_code: Option<i32>,
    }
    loop {
        if let Beside { running: false, exit_code: Some(code) } = engine.get(&format!("{path}/json"), &[]).await? {
            return Ok(code);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_heeded_by_whom_has_a_handler_for_it() {
        let mut shell = std::process::Command::new("sh");
        let mut shell = shell
            .args(["-c", "trap : TERM; echo; read line"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("starts");
        io::Read::read_exact(shell.stdout.as_mut().expect("its output"), &mut [0]).expect("it is ready");
        let pid = shell.id().cast_signed();
        assert!(catches(pid, Signal::TERM) && !catches(pid, Signal::USR1));
        drop(shell.stdin.take());
        shell.wait().expect("ends");
        assert!(catches(pid, Signal::TERM), "of one that is gone nothing is known");
    }
}
