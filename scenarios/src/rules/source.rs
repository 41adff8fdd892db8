//! What is backed up, and whether it fits where it is restored.

use crate::place::Path;
use crate::{Content, FilesSource, PostgresMethod, PostgresSource, RedisSource, Source, secret};

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    scratch(rules);
    match &rules.scenario.source {
        Source::Directory(directory) => {
            let path = Path::of(["source", "directory"]);
            for (number, glob) in directory.exclude.iter().enumerate() {
                rules.glob(&path.key("exclude").item(number), glob);
            }
            for (number, file) in directory.sqlite.iter().enumerate() {
                rules.below(&path.key("sqlite").item(number), file, "the folder that is backed up");
            }
        }
        Source::Sqlite(_) | Source::Restic(_) | Source::Borg(_) => {}
        Source::Files(files) => put(rules, files),
        Source::Postgres(postgres) => {
            connection(rules, postgres);
            physical(rules, postgres);
        }
        Source::Redis(redis) => server(rules, redis),
        Source::Command(command) => {
            file_name(rules, &Path::of(["source", "command", "content", "file"]), &command.content);
        }
    }
}

/// Files that something else puts into storage.
fn put(rules: &mut Rules<'_>, files: &FilesSource) {
    let path = Path::of(["source", "files"]);
    rules.glob(&path.key("matching"), &files.matching);
    file_name(rules, &path.key("content").key("file"), &files.content);
    if let Some(named) = files.named.as_ref().filter(|named| !dated(named)) {
        let hint =
            "Write the whole name with the date in it, and the time if it has one: `orders-%Y%m%dT%H%M%SZ.dump.zst`.";
        rules.say(&path.key("named"), format!("`named` tells no date: `{named}`"), hint);
    }
}

/// Whether a time can be read from a name that is made by this pattern.
fn dated(pattern: &str) -> bool {
    let sample = jiff::civil::date(2027, 1, 31).at(3, 0, 0, 0);
    let name = jiff::fmt::strtime::format(pattern, sample);
    name.is_ok_and(|name| {
        jiff::fmt::strtime::parse(pattern, name)
            .is_ok_and(|read| read.to_date().is_ok_and(|date| date == sample.date()))
    })
}

fn file_name(rules: &mut Rules<'_>, path: &Path, content: &Content) {
    let Content::File(name) = content else { return };
    if name.contains('/') || name == "." || name == ".." {
        rules.say(
            path,
            format!("`file` is not the name of a file: `{name}`"),
            "Write a name without folders: `export.json`.",
        );
    }
}

/// A dump goes into a database, an RDB into a Redis, everything else into a folder.
fn scratch(rules: &mut Rules<'_>) {
    let kind = match &rules.scenario.source {
        Source::Directory(_) => "`directory`",
        Source::Sqlite(_) => "`sqlite`",
        Source::Postgres(_) => "`postgres`",
        Source::Redis(_) => "`redis`",
        Source::Command(command) => match command.content {
            Content::Tar => "`command` with `content: tar`",
            Content::File(_) => "`command` with `content: {file: …}`",
            Content::PgDump => "`command` with `content: pg_dump`",
        },
        Source::Restic(_) => "`restic`",
        Source::Borg(_) => "`borg`",
        Source::Files(_) => "`files`",
    };
    let (fits, hint) = match &rules.scenario.source {
        Source::Redis(_) => ("redis", "Write `scratch: {redis: {}}`: a throw-away Redis server loads it."),
        _ if rules.is_dump() => {
            ("postgres", "Write `scratch: {postgres: {}}`: it is loaded into a throw-away PostgreSQL cluster.")
        }
        _ => ("directory", "Write `scratch: {directory: {}}`: it is restored into an empty folder."),
    };
    let given = rules.scenario.scratch.kind();
    if given != fits {
        rules.say(&Path::of(["scratch"]), format!("a `{given}` scratch doesn't fit the source {kind}"), hint);
    }
}

fn connection(rules: &mut Rules<'_>, postgres: &PostgresSource) {
    let path = Path::of(["source", "postgres"]);
    match (&postgres.url, &postgres.url_from) {
        (Some(url), None) => plain_url(rules, &path.key("url"), url),
        (Some(_), Some(_)) => rules.say(
            &path.key("url_from"),
            "`url` and `url_from` are both given",
            "Keep one: `url` if the address is no secret, `url_from` if the whole of it is kept elsewhere.",
        ),
        (None, None) => rules.say(
            &path,
            "`postgres` does not say which database",
            "Write `url: postgresql://user@host:5432/database`, or `url_from: {env: NAME}` if the whole URL is kept \
             elsewhere.",
        ),
        (None, Some(_)) if postgres.password.is_some() => rules.say(
            &path.key("password"),
            "`password` belongs to `url`, but `url_from` is given",
            "Take `password` away: a URL that is kept elsewhere has its password in it.",
        ),
        (None, Some(_)) => {}
    }
}

/// A physical backup is one stream of the whole cluster.
fn physical(rules: &mut Rules<'_>, postgres: &PostgresSource) {
    if postgres.method != PostgresMethod::Physical {
        return;
    }
    let path = Path::of(["source", "postgres"]);
    if !postgres.schemas.is_empty() {
        let hint = "Take `schemas` away, or write `method: dump`.";
        rules.say(
            &path.key("schemas"),
            "`schemas` can't be chosen from a physical backup, which is all of the cluster",
            hint,
        );
    }
    if postgres.jobs > 1 {
        let hint = "Take `jobs` away, or write `method: dump`.";
        rules.say(&path.key("jobs"), "`jobs` has no meaning for a physical backup, which is one stream", hint);
    }
}

fn plain_url(rules: &mut Rules<'_>, path: &Path, url: &str) {
    if secret::in_url(url) {
        rules.say(
            path,
            "`url` has a password in it",
            "Take it out of the URL and say where it is kept: `password: {env: NAME}`. Replace the password: it has been \
             in a file.",
        );
    } else if !(url.starts_with("postgresql://") || url.starts_with("postgres://")) {
        rules.say(
            path,
            "`url` is not the address of a PostgreSQL database",
            "Write `postgresql://user@host:5432/database`, or `postgresql:///database?host=/socket/folder`.",
        );
    }
}

fn server(rules: &mut Rules<'_>, redis: &RedisSource) {
    let path = Path::of(["source", "redis"]);
    match (&redis.url, &redis.url_from) {
        (Some(url), None) => redis_url(rules, &path.key("url"), url),
        (Some(_), Some(_)) => rules.say(
            &path.key("url_from"),
            "`url` and `url_from` are both given",
            "Keep one: `url` if the address is no secret, `url_from` if the whole of it is kept elsewhere.",
        ),
        (None, None) => rules.say(
            &path,
            "`redis` does not say which server",
            "Write `url: redis://user@host:6379`, or `url_from: {env: NAME}` if the whole URL is kept elsewhere.",
        ),
        (None, Some(_)) if redis.password.is_some() => rules.say(
            &path.key("password"),
            "`password` belongs to `url`, but `url_from` is given",
            "Take `password` away: a URL that is kept elsewhere has its password in it.",
        ),
        (None, Some(_)) => {}
    }
    if redis.certificate.is_some() != redis.key.is_some() {
        let hint = "Give both `certificate` and `key`, or neither.";
        rules.say(&path, "`certificate` and `key` belong together, and one of them is missing", hint);
    }
}

fn redis_url(rules: &mut Rules<'_>, path: &Path, url: &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    if secret::in_url(url) {
        rules.say(
            path,
            "`url` has a password in it",
            "Take it out of the URL and say where it is kept: `password: {env: NAME}`. Replace the password: it has been \
             in a file.",
        );
    } else if !matches!(scheme, "redis" | "rediss" | "unix") {
        rules.say(
            path,
            "`url` is not the address of a Redis server",
            "Write `redis://user@host:6379`, `rediss://…` for TLS, or `unix:///path/of/the/socket`.",
        );
    } else if scheme != "unix" && rest.trim_end_matches('/').contains('/') {
        rules.say(
            path,
            "`url` names one database, but all of the server are backed up",
            "Take away what follows the port.",
        );
    }
}
