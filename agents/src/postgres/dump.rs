//! Running `pg_dump` under an exported snapshot, its output straight into the seal.

use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::connection::Target;
use super::messages::messages;
use super::programs::Programs;
use crate::process::{Ended, Program};
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
    fn arguments(&self) -> Vec<String> {
        let fixed =
            ["--format=custom", "--compress=0", "--no-password", "--no-subscriptions", "--lock-wait-timeout=60s"];
        let mut arguments: Vec<String> = fixed.map(Into::into).into();
        arguments.push(format!("--snapshot={}", self.snapshot));
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

/// Dumps into `out`. Returns what `pg_dump` remarked.
///
/// # Errors
/// [`Kind::Unavailable`] or [`Kind::Denied`] with `pg_dump`'s words; what the seal says.
pub(crate) async fn dump(
    cx: &Context,
    programs: &Programs,
    target: &Target,
    selection: &Selection,
    out: &mut SealWriter,
) -> Result<Vec<Note>> {
    let program = programs.program("pg_dump").args(selection.arguments()).lowered(&cx.limits);
    let program = target.env().into_iter().fold(program, |program, (name, value)| program.env(name, value));
    let ended = stream(cx, program, out).await?;
    let said = messages(&ended.stderr);
    if !ended.status.success() {
        let error = said.iter().find(|message| message.error).map(|message| message.text.as_str());
        return Err(failure(&ended, error));
    }
    Ok(said.into_iter().map(|message| Note { subject: "pg_dump".into(), statement: message.text }).collect())
}

async fn stream(cx: &Context, program: Program, out: &mut SealWriter) -> Result<Ended> {
    let mut running = program.start(cx)?;
    let mut stdout = running.stdout.take().expect("it has no log");
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = stdout.read(&mut buffer).await.map_err(|cause| Error::io("reading from", "pg_dump", cause))?;
        if read == 0 {
            return running.wait(END).await;
        }
        out.write(&buffer[..read]).await?;
        cx.progress.add(read as u64);
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
        let arguments = selection.arguments();
        assert!(arguments.contains(&"--schema=\"a*\"\"b\"".to_owned()));
        assert!(arguments.contains(&"--extension=citext".to_owned()));
    }
}
