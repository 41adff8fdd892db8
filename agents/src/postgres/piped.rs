//! One of PostgreSQL's programs that writes a backup to its standard output.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;

use super::messages::messages;
use crate::process::{Ended, Program, Running};
use crate::{Context, Error, Kind, Note, Result};

/// How long the program may take to end after its output did.
const END: Duration = Duration::from_secs(60);

/// A program that runs and writes.
#[derive(Debug)]
pub(super) struct Piped {
    running: Running,
    stdout: ChildStdout,
}

impl Piped {
    /// Starts it, behind others as the limits say.
    ///
    /// # Errors
    /// As for [`Program::start`].
    pub(super) fn start(cx: &Context, program: Program) -> Result<Self> {
        let mut running = program.lowered(&cx.limits).start(cx)?;
        let stdout = running.stdout.take().expect("it has no log");
        Ok(Self { running, stdout })
    }

    /// The next bytes that it writes, `most` of them unless it ends before; none at the end.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) async fn next(&mut self, most: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(most);
        let reading = (&mut self.stdout).take(most as u64).read_to_end(&mut bytes).await;
        reading.map_err(|cause| Error::io("reading from", self.running.name(), cause))?;
        Ok(bytes)
    }

    /// Waits for its end. Returns what it remarked.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] or [`Kind::Denied`] with its own words.
    pub(super) async fn finish(self) -> Result<Vec<Note>> {
        let ended = self.running.wait(END).await?;
        let said = messages(&ended.stderr);
        if !ended.status.success() {
            let error = said.iter().find(|message| message.error).map(|message| message.text.as_str());
            return Err(failure(&ended, error));
        }
        let note = |statement| Note { subject: ended.program.clone(), statement };
        Ok(said.into_iter().map(|message| note(message.text)).collect())
    }
}

fn failure(ended: &Ended, said: Option<&str>) -> Error {
    let Some(said) = said else {
        return ended.success(Kind::Unavailable).expect_err("its status is not success");
    };
    let kind = match ["permission denied", "no pg_hba.conf entry"].iter().any(|words| said.contains(words)) {
        true => Kind::Denied,
        false => Kind::Unavailable,
    };
    Error::new(kind, format!("{}: {said}", ended.program))
}
