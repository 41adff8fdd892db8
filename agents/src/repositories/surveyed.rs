//! What is in a backup that comes as a stream: it is read once through before it is restored, since nobody else knows.

use drill_scenarios::Content;

use crate::sources::Survey;
use crate::{Context, Error, Index, Kind, Note, OpenReader, Result};

/// What is in the stream. `subject` names it in errors.
///
/// # Errors
/// [`Kind::Unrestorable`] for an archive that is none or is cut off, or if there is nothing; those of reading.
pub(super) async fn surveyed(cx: &Context, content: &Content, subject: &str, mut stream: OpenReader) -> Result<Index> {
    let (mut survey, mut plain) = (Survey::of(content, cx), 0);
    while let Some(piece) = stream.next().await? {
        cx.go_on()?;
        plain += piece.len() as u64;
        survey.add(piece).await?;
    }
    if plain == 0 {
        return Err(Error::new(Kind::Unrestorable, format!("there is nothing in {subject}")));
    }
    Ok(survey.finish().await?.index)
}

/// What is to be said if only a server could read it.
pub(super) fn uncompared(content: &Content, subject: &str) -> Option<Note> {
    let is_dump = matches!(content, Content::PgDump | Content::MariadbDump);
    is_dump.then(|| Note {
        subject: subject.to_owned(),
        statement: "What its dump holds was not compared with the database it was made from.".into(),
    })
}
