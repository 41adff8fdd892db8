//! Running `mariadb-dump` or `mysqldump`: all of one database, in one transaction.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::time::timeout;

use super::connection::Target;
use super::programs::Tool;
use crate::process::{Ended, Running};
use crate::{Context, Error, Kind, Note, Result, SealWriter};

const BUFFER: usize = 256 << 10;
/// How long the program may take to end after its output did.
const END: Duration = Duration::from_secs(60);
/// How long a dump may take to begin while writes are held back.
const BEGIN: Duration = Duration::from_secs(5);
/// The last that stands in a header. It is written before the transaction is begun, and everything else after.
const HEADER_ENDS: &[u8] = b"SQL_NOTES=0 */;";
/// The last line of a dump that is whole.
const COMPLETED: &[u8] = b"-- Dump completed";

/// All of a database that a dump can hold, read in one transaction, with nothing that changes from one dump to the next.
const OPTIONS: [&str; 11] = [
    "--single-transaction",
    "--quick",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    "--no-tablespaces",
    "--comments",
    "--skip-dump-date",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
];
/// What only the one of MySQL knows: statistics it would ask MariaDB for in vain, and ids of transactions, which only replicas need.
const OF_MYSQL: [&str; 2] = ["--column-statistics=0", "--set-gtid-purged=OFF"];

/// A dump that has begun.
#[derive(Debug)]
pub(crate) struct Dump {
    running: Running,
    stdout: ChildStdout,
    read: Vec<u8>,
}

impl Dump {
    /// Starts to dump the database, but for these tables, behind others as the limits say.
    ///
    /// # Errors
    /// As for [`crate::process::Program::start`].
    pub(crate) fn start(cx: &Context, tool: &Tool, target: &Target, without: &[String]) -> Result<Self> {
        let database = target.database();
        let program = target.client(tool).args(OPTIONS);
        let program = if tool.is_mariadb() { program } else { program.args(OF_MYSQL) };
        let program = program.args(without.iter().map(|table| format!("--ignore-table={database}.{table}")));
        // After `--`, so that no name is taken for an option.
        let mut running = program.arg("--").arg(database).lowered(&cx.limits).start(cx)?;
        let stdout = running.stdout.take().expect("it has no log");
        Ok(Self { running, stdout, read: Vec::new() })
    }

    /// Waits until its transaction has begun. Whether it did in good time is returned.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) async fn begun(&mut self) -> Result<bool> {
        timeout(BEGIN, self.read_beyond_header()).await.unwrap_or(Ok(false))
    }

    async fn read_beyond_header(&mut self) -> Result<bool> {
        while !goes_beyond_header(&self.read) {
            if self.read_on().await? == 0 {
                break;
            }
        }
        Ok(true)
    }

    async fn read_on(&mut self) -> Result<usize> {
        self.read.reserve(BUFFER);
        let reading = self.stdout.read_buf(&mut self.read).await;
        reading.map_err(|cause| Error::io("reading from", self.running.name(), cause))
    }

    /// Hands all of it to `out`. Returns what the program remarked.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] or [`Kind::Denied`] with its own words, or if it ends without the line that ends a dump; what the seal says.
    pub(crate) async fn pass_on(mut self, cx: &Context, out: &mut SealWriter) -> Result<Vec<Note>> {
        let mut end = End::default();
        loop {
            if self.read.is_empty() && self.read_on().await? == 0 {
                break;
            }
            end.follow(&self.read);
            out.write(&self.read).await?;
            cx.progress.add(self.read.len() as u64);
            self.read.clear();
        }
        let ended = self.running.wait(END).await?;
        let remarks = judge(&ended)?;
        if end.is_of_a_whole_dump() {
            return Ok(remarks);
        }
        Err(Error::new(
            Kind::Unavailable,
            format!("{} exited with 0, but its dump is cut: it has no last line", ended.program),
        )
        .hint("A dump ends with the line `-- Dump completed`; run the program by hand and look at what it does."))
    }
}

fn goes_beyond_header(read: &[u8]) -> bool {
    let Some(at) = read.windows(HEADER_ENDS.len()).position(|window| window == HEADER_ENDS) else { return false };
    read[at + HEADER_ENDS.len()..].iter().any(|byte| !byte.is_ascii_whitespace())
}

/// What it wrote to standard error: remarks, if it ended well.
fn judge(ended: &Ended) -> Result<Vec<Note>> {
    let mut said = ended.stderr.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    if ended.status.success() {
        let note = |line: &str| Note { subject: ended.program.clone(), statement: line.to_owned() };
        return Ok(said.map(note).collect());
    }
    let Some(last) = said.next_back() else {
        return Err(ended.success(Kind::Unavailable).expect_err("its status is not success"));
    };
    let error = |kind| Error::new(kind, format!("{}: {last}", ended.program));
    if ["Access denied", "command denied", "insufficient privileges", "insufficent privileges"]
        .iter()
        .any(|words| last.contains(words))
    {
        return Err(error(Kind::Denied)
            .hint("The user must be allowed to read everything; `drillctl doctor` says what is missing."));
    }
    if last.contains("Table definition has changed") {
        return Err(error(Kind::Unavailable).hint("Somebody changed a table meanwhile: try again when nobody does."));
    }
    Err(error(Kind::Unavailable))
}

/// The end of a stream, which tells whether a dump is whole.
#[derive(Debug, Default)]
pub(crate) struct End(Vec<u8>);

impl End {
    /// As much of the end as is looked at.
    const KEPT: usize = 200;

    /// Takes the next bytes.
    pub(crate) fn follow(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(Self::KEPT)..]);
        self.0.drain(..self.0.len().saturating_sub(Self::KEPT));
    }

    /// Whether the last line is the one that ends a dump.
    pub(crate) fn is_of_a_whole_dump(&self) -> bool {
        let text = self.0.trim_ascii_end();
        let last = text.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        // A line that is cut, too, is not the last.
        last.starts_with(COMPLETED) && self.0.ends_with(b"\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_whether_a_dump_is_whole() {
        let is_whole = |pieces: &[&str]| {
            let mut end = End::default();
            pieces.iter().for_each(|piece| end.follow(piece.as_bytes()));
            end.is_of_a_whole_dump()
        };
        let long = "x".repeat(1000);
        assert!(
            is_whole(&[&long, "\n-- Dump comp", "leted\n"])
                && is_whole(&["-- Dump completed on 2026-11-25  9:00:00\n"])
        );
        for cut in ["", "-- Dump completed\nINSERT", "-- Dump complete\n", "-- Dump completed", "x -- Dump completed\n"]
        {
            assert!(!is_whole(&[&long, cut]), "{cut}");
        }
    }

    #[test]
    fn a_dump_has_begun_once_something_stands_behind_its_header() {
        assert!(!goes_beyond_header(b"-- MariaDB dump\n/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;\n\n"));
        assert!(goes_beyond_header(b"/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;\n\n--"));
    }
}
