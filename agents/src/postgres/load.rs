//! Running `pg_restore` on a stream, and telling a content that can't be restored from complaints and from trouble of our
//! own.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use super::messages::{Message, messages};
use crate::process::{Ended, Program, Running};
use crate::{Context, Error, Kind, OpenReader, Result};

/// How long building the last indexes may take; the stage's own deadline is shorter.
const END: Duration = Duration::from_secs(7 * 24 * 3600);

/// Feeds the stream to `pg_restore`. Returns its complaints.
///
/// # Errors
/// [`Kind::Unrestorable`] if it can't read the archive, the reader's own errors, [`Kind::Exhausted`] if the disk is full.
pub(crate) async fn load(cx: &Context, program: Program, mut stream: OpenReader) -> Result<Vec<String>> {
    let mut running = program.start_with_input(cx)?;
    let mut input = running.stdin.take().expect("it was asked for");
    while let Some(piece) = stream.next().await? {
        let began = cx.clock.elapsed();
        let taken = feed(&mut input, &piece).await?;
        cx.timings.loaded(cx.clock.elapsed().saturating_sub(began));
        cx.progress.add(piece.len() as u64);
        if !taken {
            break;
        }
    }
    drop(input);
    end(cx, running).await
}

/// Has `pg_restore` read a file that its arguments name. Returns its complaints.
///
/// # Errors
/// As for [`load`].
pub(super) async fn load_file(cx: &Context, program: Program) -> Result<Vec<String>> {
    end(cx, program.start(cx)?).await
}

async fn end(cx: &Context, running: Running) -> Result<Vec<String>> {
    let began = cx.clock.elapsed();
    let ended = running.wait(END).await?;
    cx.timings.loaded(cx.clock.elapsed().saturating_sub(began));
    judge(&ended)
}

/// Writes one piece. Nobody takes it any more if the program ended early; why, it says itself.
async fn feed(input: &mut ChildStdin, piece: &[u8]) -> Result<bool> {
    match input.write_all(piece).await {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(cause) => Err(Error::io("writing to", "pg_restore", cause)),
    }
}

/// `pg_restore` goes on after an error of the server and counts those at the end; an archive that it can't read ends it.
fn judge(ended: &Ended) -> Result<Vec<String>> {
    let said = messages(&ended.stderr);
    if let Some(full) = said.iter().find(|message| message.text.contains("No space left on device")) {
        return Err(Error::new(Kind::Exhausted, format!("pg_restore: {}", full.text))
            .hint("Make room for the scratch, or give it a folder on a bigger disk with `path`."));
    }
    let counted = said.iter().any(|message| !message.error && message.text.starts_with("errors ignored on restore"));
    if !ended.status.success() && !counted {
        return Err(ended_early(ended, &said));
    }
    let complaints = said.into_iter().filter(|message| !message.text.starts_with("errors ignored on restore"));
    Ok(complaints.map(|message| message.text).collect())
}

fn ended_early(ended: &Ended, said: &[Message]) -> Error {
    let Some(last) = said.iter().rev().find(|message| message.error) else {
        return ended.success(Kind::Unavailable).expect_err("its status is not success");
    };
    let text = &last.text;
    if text.contains("unsupported version") {
        return Error::new(Kind::Config, format!("pg_restore can't read this archive: {text}"))
            .hint("Install a PostgreSQL as new as the pg_dump that made the archive, or name it as `version`.");
    }
    if ["connection to server", "server closed the connection", "terminating connection"]
        .iter()
        .any(|t| text.contains(t))
    {
        return Error::new(Kind::Unavailable, format!("pg_restore lost the scratch server: {text}"));
    }
    Error::new(Kind::Unrestorable, format!("pg_restore can't read the archive: {text}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn ended(code: i32, stderr: &[&str]) -> Ended {
        Ended {
            program: "pg_restore".into(),
            status: std::process::ExitStatus::from_raw(code << 8),
            stdout: Vec::new(),
            stderr: stderr.iter().map(|line| (*line).into()).collect(),
        }
    }

    #[test]
    fn errors_that_were_counted_are_complaints_and_an_archive_that_ends_is_unrestorable() {
        let counted = ["pg_restore: error: no such role", "pg_restore: warning: errors ignored on restore: 1"];
        assert_eq!(judge(&ended(1, &counted)).expect("complaints"), ["no such role"]);
        let cut = ["pg_restore: error: could not read from input file: end of file"];
        assert_eq!(judge(&ended(1, &cut)).expect_err("cut").kind(), Kind::Unrestorable);
    }

    #[test]
    fn trouble_of_our_own_is_not_held_against_the_backup() {
        for (said, kind) in [
            ("unsupported version (1.16) in file header", Kind::Config),
            ("error returned by PQputCopyData: server closed the connection unexpectedly", Kind::Unavailable),
            ("COPY failed for table \"t\": ERROR:  could not extend file: No space left on device", Kind::Exhausted),
        ] {
            let stderr = format!("pg_restore: error: {said}");
            assert_eq!(judge(&ended(1, &[&stderr])).expect_err(said).kind(), kind);
        }
    }
}
