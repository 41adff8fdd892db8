//! What is backed up, and whether it fits where it is restored.

use std::collections::BTreeMap;

use crate::place::Path;
use crate::{
    BACKUP, Content, FilesSource, MariadbSource, ObjectsSource, PostgresMethod, PostgresSource, RedisSource, Reference,
    Source, ToolSource, fill, secret,
};

use super::{Rules, etcd};

pub(super) fn check(rules: &mut Rules<'_>) {
    scratch(rules);
    match rules.system.source {
        Source::Directory(directory) => {
            let path = rules.at(["source", "directory"]);
            for (number, glob) in directory.exclude.iter().enumerate() {
                rules.glob(&path.key("exclude").item(number), glob);
            }
            for (number, file) in directory.sqlite.iter().enumerate() {
                rules.below(&path.key("sqlite").item(number), file, "the folder that is backed up");
            }
        }
        Source::Sqlite(_) | Source::Restic(_) | Source::Borg(_) | Source::Pgbackrest(_) | Source::Barman(_) => {}
        Source::Files(files) => put(rules, files),
        Source::Tool(tool) => handed_out(rules, tool),
        Source::Postgres(postgres) => {
            Connection::of_postgres(postgres).check(rules);
            physical(rules, postgres);
        }
        Source::Mariadb(mariadb) => Connection::of_mariadb(mariadb).check(rules),
        Source::Redis(redis) => {
            Connection::of_redis(redis).check(rules);
            certificate(rules, "redis", redis.certificate.is_some(), redis.key.is_some());
        }
        Source::Etcd(source) => {
            etcd::check(rules, source);
            certificate(rules, "etcd", source.certificate.is_some(), source.key.is_some());
        }
        Source::Objects(objects) => kept(rules, objects),
        Source::Command(command) => {
            file_name(rules, &rules.at(["source", "command", "content", "file"]), &command.content);
        }
    }
}

/// Files that something else puts into storage.
fn put(rules: &mut Rules<'_>, files: &FilesSource) {
    let path = rules.at(["source", "files"]);
    rules.glob(&path.key("matching"), &files.matching);
    file_name(rules, &path.key("content").key("file"), &files.content);
    if let Some(named) = files.named.as_ref().filter(|named| !dated(named)) {
        let hint =
            "Write the whole name with the date in it, and the time if it has one: `orders-%Y%m%dT%H%M%SZ.dump.zst`.";
        rules.say(&path.key("named"), format!("`named` tells no date: `{named}`"), hint);
    }
}

/// Programs that list backups of a tool and hand one out: only the latter is told which.
fn handed_out(rules: &mut Rules<'_>, tool: &ToolSource) {
    let path = rules.at(["source", "tool"]);
    file_name(rules, &path.key("content").key("file"), &tool.content);
    let known = BTreeMap::from([(BACKUP.to_owned(), "backup".to_owned())]);
    for (key, argv, facts) in
        [("list", &tool.list, BTreeMap::new()), ("fetch", &tool.fetch, known), ("check", &tool.check, BTreeMap::new())]
    {
        for (number, argument) in argv.iter().enumerate() {
            if let Err(unfilled) = fill(argument, &facts) {
                let hint = "`fetch` knows `${DRILL_BACKUP}`, and the others nothing. Write `$$` for a plain dollar before a brace.";
                rules.say(&path.key(key).item(number), unfilled, hint);
            }
        }
    }
}

/// Objects that applications keep in storage.
fn kept(rules: &mut Rules<'_>, objects: &ObjectsSource) {
    let path = rules.at(["source", "objects"]);
    for (number, glob) in objects.exclude.iter().enumerate() {
        rules.glob(&path.key("exclude").item(number), glob);
    }
    if objects.place.is_folder() {
        let hint = "Write `source: {directory: {path: …}}`: it takes modes, owners, links and attributes too.";
        rules.say(&path.key("place").key(objects.place.kind()), "a folder holds files, not objects", hint);
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

/// A dump goes into a server of its kind, everything else into a folder.
fn scratch(rules: &mut Rules<'_>) {
    let (wanted, given) = (rules.wanted_scratch(), rules.system.scratch.kind());
    if wanted == given {
        return;
    }
    let kind = match rules.system.source {
        Source::Command(command) => match command.content {
            Content::Tar => "`command` with `content: tar`".into(),
            Content::File(_) => "`command` with `content: {file: …}`".into(),
            Content::PgDump => "`command` with `content: pg_dump`".into(),
            Content::MariadbDump => "`command` with `content: mariadb_dump`".into(),
        },
        source => format!("`{}`", source.kind()),
    };
    let becomes = match wanted {
        "postgres" => "it is loaded into a throw-away PostgreSQL cluster",
        "mariadb" => "it is loaded into a throw-away MariaDB server",
        "redis" => "it is loaded into a throw-away Redis server",
        "etcd" => "it is restored into a throw-away etcd cluster",
        _ => "it is restored into an empty folder",
    };
    let message = format!("a `{given}` scratch doesn't fit the source {kind}");
    rules.say(&rules.at(["scratch"]), message, format!("Write `scratch: {{{wanted}: {{}}}}`: {becomes}."));
}

/// How the database of a server is reached, and how people are told of its kind.
struct Connection<'a> {
    kind: &'static str,
    url: &'a Option<String>,
    url_from: &'a Option<Reference>,
    password: &'a Option<Reference>,
    /// What a URL may begin with.
    schemes: &'static [&'static str],
    /// What a URL is the address of.
    called: &'static str,
    /// What the source is of: one database, or the whole server.
    what: &'static str,
    /// A URL of its usual form, and the other forms.
    usual: &'static str,
    others: &'static str,
}

impl<'a> Connection<'a> {
    fn of_postgres(source: &'a PostgresSource) -> Self {
        Self {
            kind: "postgres",
            url: &source.url,
            url_from: &source.url_from,
            password: &source.password,
            schemes: &["postgresql://", "postgres://"],
            called: "PostgreSQL database",
            what: "database",
            usual: "postgresql://user@host:5432/database",
            others: "or `postgresql:///database?host=/socket/folder`",
        }
    }

    fn of_mariadb(source: &'a MariadbSource) -> Self {
        Self {
            kind: "mariadb",
            url: &source.url,
            url_from: &source.url_from,
            password: &source.password,
            schemes: &["mariadb://", "mysql://"],
            called: "MariaDB or MySQL database",
            what: "database",
            usual: "mariadb://user@host:3306/database",
            others: "or `mariadb://user@localhost/database?socket=/path/of/the.sock`",
        }
    }

    fn of_redis(source: &'a RedisSource) -> Self {
        Self {
            kind: "redis",
            url: &source.url,
            url_from: &source.url_from,
            password: &source.password,
            schemes: &["redis://", "rediss://", "unix://"],
            called: "Redis server",
            what: "server",
            usual: "redis://user@host:6379",
            others: "`rediss://…` for TLS, or `unix:///path/of/the/socket`",
        }
    }

    fn check(&self, rules: &mut Rules<'_>) {
        let path = rules.at(["source", self.kind]);
        match (self.url, self.url_from) {
            (Some(url), None) => self.plain_url(rules, &path.key("url"), url),
            (Some(_), Some(_)) => rules.say(
                &path.key("url_from"),
                "`url` and `url_from` are both given",
                "Keep one: `url` if the address is no secret, `url_from` if the whole of it is kept elsewhere.",
            ),
            (None, None) => {
                let hint = format!(
                    "Write `url: {}`, or `url_from: {{env: NAME}}` if the whole URL is kept elsewhere.",
                    self.usual
                );
                rules.say(&path, format!("`{}` does not say which {}", self.kind, self.what), hint);
            }
            (None, Some(_)) if self.password.is_some() => rules.say(
                &path.key("password"),
                "`password` belongs to `url`, but `url_from` is given",
                "Take `password` away: a URL that is kept elsewhere has its password in it.",
            ),
            (None, Some(_)) => {}
        }
    }

    fn plain_url(&self, rules: &mut Rules<'_>, path: &Path, url: &str) {
        if secret::in_url(url) {
            rules.say(
                path,
                "`url` has a password in it",
                "Take it out of the URL and say where it is kept: `password: {env: NAME}`. Replace the password: it has been \
                 in a file.",
            );
        } else if !self.schemes.iter().any(|scheme| url.starts_with(scheme)) {
            let hint = format!("Write `{}`, {}.", self.usual, self.others);
            rules.say(path, format!("`url` is not the address of a {}", self.called), hint);
        } else if self.what == "server" && names_a_database(url) {
            rules.say(
                path,
                "`url` names one database, but all of the server are backed up",
                "Take away what follows the port.",
            );
        }
    }
}

/// A physical backup is one stream of the whole cluster.
fn physical(rules: &mut Rules<'_>, postgres: &PostgresSource) {
    if postgres.method != PostgresMethod::Physical {
        return;
    }
    let path = rules.at(["source", "postgres"]);
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

/// Whether something follows the host and the port of a server.
fn names_a_database(url: &str) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    scheme != "unix" && rest.trim_end_matches('/').contains('/')
}

/// A certificate is of use with its key only.
fn certificate(rules: &mut Rules<'_>, kind: &str, certificate: bool, key: bool) {
    if certificate != key {
        let hint = "Give both `certificate` and `key`, or neither.";
        let message = "`certificate` and `key` belong together, and one of them is missing";
        rules.say(&rules.at(["source", kind]), message, hint);
    }
}
