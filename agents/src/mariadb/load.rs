//! Feeding a dump to the client, and telling a dump that can't be restored from complaints and from trouble of our own.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use super::connection::Target;
use super::dump::End;
use super::programs::Tool;
use crate::process::Ended;
use crate::{Context, Error, Kind, Note, OpenReader, Restored, Result};

/// How long building the last indexes may take; the stage's own deadline is shorter.
const END: Duration = Duration::from_secs(7 * 24 * 3600);

/// It goes on after an error, as the comparison wants to see all that is wrong; it does not show the statement, which may hold rows; and
/// it passes on the comments in routines, which are a part of them.
const OPTIONS: [&str; 7] = [
    "--batch",
    "--force",
    "--loose-skip-print-query-on-error",
    "--comments",
    "--binary-mode",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
];

/// Feeds the stream to the client. Returns its complaints, and what else it said as notes.
///
/// # Errors
/// [`Kind::Unrestorable`] if the dump is cut, the reader's own errors, [`Kind::Exhausted`] if the disk is full.
pub(crate) async fn load(cx: &Context, tool: &Tool, target: &Target, mut stream: OpenReader) -> Result<Restored> {
    let program = target.client(tool).args(OPTIONS).arg("--").arg(target.database());
    let mut running = program.start_with_input(cx)?;
    let mut input = running.stdin.take().expect("it was asked for");
    let (mut end, mut fed) = (End::default(), Fed::Cut);
    while let Some(piece) = stream.next().await? {
        let began = cx.clock.elapsed();
        end.follow(&piece);
        let taken = feed(&mut input, &piece).await?;
        cx.timings.loaded(cx.clock.elapsed().saturating_sub(began));
        cx.progress.add(piece.len() as u64);
        if !taken {
            fed = Fed::NotTaken;
            break;
        }
    }
    drop(input);
    if end.is_of_a_whole_dump() {
        fed = Fed::Whole;
    }
    let began = cx.clock.elapsed();
    let ended = running.wait(END).await?;
    cx.timings.loaded(cx.clock.elapsed().saturating_sub(began));
    judge(&ended, fed)
}

/// How much of a dump the client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fed {
    /// All of it, to its last line.
    Whole,
    /// All that there was, which has no last line.
    Cut,
    /// Not all, since the client ended before.
    NotTaken,
}

/// Writes one piece. Nobody takes it any more if the client ended early; why, it says itself.
async fn feed(input: &mut ChildStdin, piece: &[u8]) -> Result<bool> {
    match input.write_all(piece).await {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(cause) => Err(Error::io("writing to", "the client of the scratch server", cause)),
    }
}

/// What the client wrote to standard error: errors of the server, and remarks of its own.
fn judge(ended: &Ended, fed: Fed) -> Result<Restored> {
    let (complaints, remarks) = messages(&ended.stderr);
    let saying = |words: &[&str]| ended.stderr.iter().find(|line| words.iter().any(|one| line.contains(one)));
    if let Some(full) = saying(&["No space left on device", "ERROR 1114 ", "ERROR 1021 ", "errno: 28"]) {
        return Err(Error::new(Kind::Exhausted, format!("{}: {full}", ended.program))
            .hint("Make room for the scratch, or give it a folder on a bigger disk with `path`."));
    }
    if let Some(lost) = saying(&["ERROR 2002 ", "ERROR 2006 ", "ERROR 2013 ", "ERROR 1927 "]) {
        return Err(Error::new(Kind::Unavailable, format!("{} lost the scratch server: {lost}", ended.program)));
    }
    if fed == Fed::Cut {
        let message = "the dump is cut: it does not end with the line `-- Dump completed`";
        return Err(Error::new(Kind::Unrestorable, message));
    }
    if fed == Fed::NotTaken || complaints.is_empty() {
        ended.success(Kind::Unavailable)?;
    }
    let note = |statement| Note { subject: ended.program.clone(), statement };
    Ok(Restored { complaints, notes: remarks.into_iter().map(note).collect() })
}

/// Errors, which may be several lines long, and what stands before the first of them.
fn messages(lines: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut errors, mut remarks) = (Vec::<String>::new(), Vec::new());
    for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        match errors.last_mut() {
            _ if line.starts_with("ERROR ") => errors.push(without_line(line)),
            Some(error) => {
                error.push(' ');
                error.push_str(line);
            }
            None => remarks.push(line.to_owned()),
        }
    }
    (errors, remarks)
}

/// `ERROR 1146 (42S02): Table …`: where in a dump an error stands says nothing to people, and differs from one dump to the next.
fn without_line(said: &str) -> String {
    let Some((before, rest)) = said.split_once(" at line ") else { return said.to_owned() };
    match rest.split_once(": ") {
        Some((number, message)) if before.starts_with("ERROR") && number.parse::<u64>().is_ok() => {
            format!("{before}: {message}")
        }
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn ended(code: i32, stderr: &[&str]) -> Ended {
        Ended {
            program: "mariadb".into(),
            status: std::process::ExitStatus::from_raw(code << 8),
            stdout: Vec::new(),
            stderr: stderr.iter().map(|line| (*line).into()).collect(),
        }
    }

    #[test]
    fn errors_of_the_server_are_complaints_and_a_dump_that_is_cut_is_unrestorable() {
        let said = [
            "WARNING: beware",
            "ERROR 1064 (42000) at line 7: near 'TABEL t (",
            "x int)' at line 1",
            "ERROR 1 at line 9: b",
        ];
        let restored = judge(&ended(0, &said), Fed::Whole).expect("complaints");
        assert_eq!(restored.complaints, ["ERROR 1064 (42000): near 'TABEL t ( x int)' at line 1", "ERROR 1: b"]);
        assert_eq!(restored.notes, [Note { subject: "mariadb".into(), statement: "WARNING: beware".into() }]);
        assert_eq!(judge(&ended(0, &[]), Fed::Whole).expect("none"), Restored::default());
        assert_eq!(judge(&ended(0, &said), Fed::Cut).expect_err("cut").kind(), Kind::Unrestorable);
    }

    #[test]
    fn trouble_of_our_own_is_not_held_against_the_backup() {
        for (said, kind) in [
            ("ERROR 2013 (HY000) at line 9: Lost connection to server during query", Kind::Unavailable),
            ("ERROR 1114 (HY000) at line 9: The table 't' is full", Kind::Exhausted),
            (
                "ERROR 3 (HY000) at line 9: Error writing file (Errcode: 28 \"No space left on device\")",
                Kind::Exhausted,
            ),
        ] {
            assert_eq!(judge(&ended(1, &[said]), Fed::NotTaken).expect_err(said).kind(), kind);
        }
        let killed = ["what it said last"];
        assert_eq!(judge(&ended(9, &killed), Fed::NotTaken).expect_err("killed").kind(), Kind::Unavailable);
        assert_eq!(judge(&ended(1, &[]), Fed::Whole).expect_err("died").kind(), Kind::Unavailable);
    }
}
