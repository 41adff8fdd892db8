//! What OpenDAL says, in our words: its own context may quote addresses and headers.

use std::io;

use opendal::ErrorKind;

use crate::{Error, Kind};

/// What S3 and its relatives answer to bytes that changed or got lost on the way. Sent again they may arrive.
const SPOILT: [&str; 4] = ["BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "IncompleteBody"];

/// An error that OpenDAL met while `doing` something to `subject`.
pub(super) fn told(doing: &str, subject: &str, cause: &opendal::Error) -> Error {
    if let Some(io) = io_cause(cause) {
        return io_error(doing, subject, io);
    }
    let (kind, temporary) = match cause.kind() {
        ErrorKind::NotFound => (Kind::NotFound, false),
        ErrorKind::PermissionDenied => (Kind::Denied, false),
        ErrorKind::ConfigInvalid | ErrorKind::Unsupported => (Kind::Config, false),
        ErrorKind::ConditionNotMatch => (Kind::Unavailable, false),
        ErrorKind::RateLimited => (Kind::Unavailable, true),
        _ => (Kind::Unavailable, cause.is_temporary() || spoilt(cause)),
    };
    let mut error = Error::new(kind, format!("{doing} {subject}")).because(words(cause));
    if kind == Kind::Denied {
        error = error.hint("See to it that the vault's keys are right and may read, write, list and delete there.");
    }
    if cause.kind() == ErrorKind::ConditionNotMatch {
        error = error.hint("It was replaced while it was read. Run the drill when nobody writes to it, or leave it out with `exclude`.");
    }
    if temporary { error.temporary() } else { error }
}

fn spoilt(cause: &opendal::Error) -> bool {
    field(cause.message(), "code").is_some_and(|code| SPOILT.contains(&code))
}

fn io_error(doing: &str, subject: &str, cause: &io::Error) -> Error {
    let told = cause.raw_os_error().map_or_else(|| cause.kind().into(), io::Error::from_raw_os_error);
    if matches!(told.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists) {
        return Error::new(Kind::Config, format!("{doing} {subject}"))
            .because(told)
            .hint("Something that is no folder is in the way; name another folder.");
    }
    let error = Error::io(doing, subject, told);
    match error.kind() {
        Kind::Exhausted => error.hint("Make room in the vault, or name another one."),
        Kind::Unavailable | Kind::TimedOut => error.temporary(),
        _ => error,
    }
}

/// The I/O error at the root, if there is one with a number or a kind of its own.
fn io_cause(error: &opendal::Error) -> Option<&io::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>().filter(|io| io.raw_os_error().is_some()) {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

/// What it says and the last of its causes, in one line.
fn words(error: &opendal::Error) -> String {
    let mut root = None;
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        root = Some(error.to_string());
        cause = error.source();
    }
    let message = plain(error.message());
    root.map_or_else(|| message.clone(), |root| format!("{message}: {root}"))
}

/// An answer of S3 as OpenDAL prints it, `S3Error { code: "NoSuchBucket", message: "…", … }`, as code and message; any other
/// message as it is.
fn plain(message: &str) -> String {
    match (field(message, "code"), field(message, "message")) {
        (Some(code), Some(words)) => format!("{code}: {words}"),
        (Some(code), None) => code.to_owned(),
        _ => message.to_owned(),
    }
}

fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = message.strip_prefix("S3Error {")?.split_once(&format!("{name}: \""))?;
    rest.split_once("\", ").map(|(value, _)| value).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn an_answer_of_s3_is_told_by_its_code_and_message() {
        let answer = |message| {
            format!("S3Error {{ code: \"NoSuchBucket\", message: \"{message}\", resource: \"/x\", request_id: \"\" }}")
        };
        assert_eq!(plain(&answer("no bucket \\\"x\\\" here")), "NoSuchBucket: no bucket \\\"x\\\" here");
        assert_eq!(plain(&answer("")), "NoSuchBucket");
        assert_eq!(plain("connection reset"), "connection reset");
    }
}
