//! Running `pg_dump` under an exported snapshot: of all at once, or of a part.

use super::connection::Target;
use super::piped::Piped;
use super::programs::Programs;
use crate::{Context, Error, Kind, Note, Result, SealWriter};

/// Oldest major whose `pg_dump` can take extensions along with chosen schemas.
pub(crate) const CHOOSES_EXTENSIONS: u32 = 14;
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
    /// As for [`Piped::start`].
    pub(super) fn start(&self, cx: &Context, part: &Part) -> Result<Piped> {
        let program = self.programs.program("pg_dump").args(self.selection.arguments(part));
        Piped::start(cx, self.target.env().into_iter().fold(program, |program, (name, value)| program.env(name, value)))
    }
}

/// Dumps all of it into `out`, as one archive. Returns what `pg_dump` remarked.
///
/// # Errors
/// Those of [`Piped`]; what the seal says.
pub(crate) async fn dump(cx: &Context, dumper: &Dumper, out: &mut SealWriter) -> Result<Vec<Note>> {
    let mut dumping = dumper.start(cx, &Part::Whole)?;
    loop {
        let bytes = dumping.next(BUFFER).await?;
        if bytes.is_empty() {
            return dumping.finish().await.map_err(with_hint);
        }
        out.write(&bytes).await?;
        cx.progress.add(bytes.len() as u64);
    }
}

/// What helps where `pg_dump` may not read everything.
pub(super) fn with_hint(error: Error) -> Error {
    match error.kind() {
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
