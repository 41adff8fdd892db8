//! Running `pg_dump` under an exported snapshot: of all at once, or of a part.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;

use super::connection::Target;
use super::messages::messages;
use super::programs::Programs;
use crate::process::{Ended, Running};
use crate::{Context, Error, Kind, Note, Result, SealWriter};

/// Oldest major whose `pg_dump` can take extensions along with chosen schemas.
pub(crate) const CHOOSES_EXTENSIONS: u32 = 14;
/// How long `pg_dump` may take to end after its output did.
const END: Duration = Duration::from_secs(60);
const BUFFER: usize = 256 << 10;

/// What is dumped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// The exported snapshot.
    pub(crate) snapshot: String,
    /// Just these schemas; all, if empty.
    pub(crate) schemas: Vec<String>,
    /// With chosen schemas, these extensions too.
    pub(crate) extensions: Vec<String>,
    /// Not these schemas.
    pub(crate) without: Vec<String>,
}

impl Selection {
    fn arguments(&self, part: &Part) -> Vec<String> {
        let fixed =
            ["--format=custom", "--compress=0", "--no-password", "--no-subscriptions", "--lock-wait-timeout=60s"];
        let mut arguments: Vec<String> = fixed.map(Into::into).into();
        arguments.push(format!("--snapshot={}", self.snapshot));
        let section = match part {
            Part::Whole => None,
            Part::PreData => Some("pre-data"),
            Part::RowsOf(_) | Part::RowsBut(_) => Some("data"),
            Part::PostData => Some("post-data"),
        };
        arguments.extend(section.map(|section| format!("--section={section}")));
        match part {
            Part::RowsOf(tables) => {
                arguments.push("--strict-names".into());
                arguments.extend(tables.iter().map(|table| format!("--table={}", table.exactly())));
                // Schemas are not heeded where tables are named.
                return arguments;
            }
            Part::RowsBut(tables) => {
                arguments.extend(tables.iter().map(|table| format!("--exclude-table-data={}", table.exactly())));
            }
            Part::Whole | Part::PreData | Part::PostData => {}
        }
        arguments.extend(self.schemas.iter().map(|name| format!("--schema={}", exactly(name))));
        arguments.extend(self.without.iter().map(|name| format!("--exclude-schema={}", exactly(name))));
        if !self.schemas.is_empty() {
            arguments.push("--strict-names".into());
            arguments.extend(self.extensions.iter().map(|name| format!("--extension={name}")));
        }
        arguments
    }
}

/// A pattern that matches this name only.
fn exactly(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Which part of it one `pg_dump` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything.
    Whole,
    /// What must be there before rows are loaded.
    PreData,
    /// The rows of these tables, and where their own sequences stand.
    RowsOf(Vec<TableName>),
    /// All other rows, large objects, and where sequences stand.
    RowsBut(Vec<TableName>),
    /// What is made once the rows are there: indexes, constraints, triggers.
    PostData,
}

/// A table, by the names of its schema and its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    pub(crate) schema: String,
    pub(crate) name: String,
}

impl TableName {
    /// A pattern that matches this table only.
    fn exactly(&self) -> String {
        format!("{}.{}", exactly(&self.schema), exactly(&self.name))
    }
}

/// What every `pg_dump` of a capture is told.
#[derive(Debug)]
pub(crate) struct Dumper {
    pub(crate) programs: Programs,
    pub(crate) target: Target,
    pub(crate) selection: Selection,
}

impl Dumper {
    /// Starts to dump a part.
    ///
    /// # Errors
    /// As for [`crate::process::Program::start`].
    pub(crate) fn start(&self, cx: &Context, part: &Part) -> Result<Dumping> {
        let program = self.programs.program("pg_dump").args(self.selection.arguments(part));
        let program = self.target.env().into_iter().fold(program, |program, (name, value)| program.env(name, value));
        let mut running = program.start(cx)?;
        let stdout = running.stdout.take().expect("it has no log");
        Ok(Dumping { running, stdout })
    }
}

/// A `pg_dump` that runs.
#[derive(Debug)]
pub(crate) struct Dumping {
    running: Running,
    stdout: ChildStdout,
}

impl Dumping {
    /// The next bytes of the dump, `most` of them unless it ends before; none at its end.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) async fn next(&mut self, most: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(most);
        let reading = (&mut self.stdout).take(most as u64).read_to_end(&mut bytes).await;
        reading.map_err(|cause| Error::io("reading from", "pg_dump", cause))?;
        Ok(bytes)
    }

    /// Waits for the end. Returns what `pg_dump` remarked.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] or [`Kind::Denied`] with `pg_dump`'s words.
    pub(crate) async fn finish(self) -> Result<Vec<Note>> {
        let ended = self.running.wait(END).await?;
        let said = messages(&ended.stderr);
        if !ended.status.success() {
            let error = said.iter().find(|message| message.error).map(|message| message.text.as_str());
            return Err(failure(&ended, error));
        }
        Ok(said.into_iter().map(|message| Note { subject: "pg_dump".into(), statement: message.text }).collect())
    }
}

/// Dumps all of it into `out`, as one archive. Returns what `pg_dump` remarked.
///
/// # Errors
/// Those of [`Dumping`]; what the seal says.
pub(crate) async fn dump(cx: &Context, dumper: &Dumper, out: &mut SealWriter) -> Result<Vec<Note>> {
    let mut dumping = dumper.start(cx, &Part::Whole)?;
    loop {
        let bytes = dumping.next(BUFFER).await?;
        if bytes.is_empty() {
            return dumping.finish().await;
        }
        out.write(&bytes).await?;
        cx.progress.add(bytes.len() as u64);
    }
}

fn failure(ended: &Ended, said: Option<&str>) -> Error {
    let Some(said) = said else {
        return ended.success(Kind::Unavailable).expect_err("its status is not success");
    };
    let kind = if said.contains("permission denied") { Kind::Denied } else { Kind::Unavailable };
    let error = Error::new(kind, format!("pg_dump: {said}"));
    match kind {
        Kind::Denied => error.hint("The user must be allowed to read everything (`GRANT pg_read_all_data TO …`)."),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_schema_is_matched_by_its_name_not_as_a_pattern() {
        let selection =
            Selection { schemas: vec!["a*\"b".into()], extensions: vec!["citext".into()], ..Default::default() };
        let arguments = selection.arguments(&Part::Whole);
        assert!(arguments.contains(&"--schema=\"a*\"\"b\"".to_owned()));
        assert!(arguments.contains(&"--extension=citext".to_owned()));
        let table = TableName { schema: "s.t".into(), name: "a|\"b".into() };
        let arguments = selection.arguments(&Part::RowsOf(vec![table]));
        assert!(arguments.contains(&"--table=\"s.t\".\"a|\"\"b\"".to_owned()));
        assert!(!arguments.iter().any(|argument| argument.starts_with("--schema")), "{arguments:?}");
    }
}
