//! Checks and the app: that each probe can reach what it looks at and stays in the environment, and that what is
//! expected can be observed and judged.

use std::collections::BTreeMap;
use std::net::IpAddr;

use url::{Host, Url};

use crate::observed::{Observed, Shape};
use crate::place::Path;
use crate::suggest::{closest, listed};
use crate::{
    CommandProbe, Condition, Expectations, FileProbe, HttpProbe, Name, Probe, ReferencesProbe, SqlProbe, TcpProbe,
    secret,
};

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    app(rules);
    let checks = &rules.scenario.checks;
    for (number, check) in checks.iter().enumerate() {
        let path = Path::of(["checks"]).item(number);
        if checks.iter().take(number).any(|before| before.name == check.name) {
            let hint = "Give each check a name of its own: reports name what failed by it.";
            rules.say(&path.key("name"), format!("two checks are named `{}`", check.name), hint);
        }
        if rules.known(&path.key("system"), check.system.as_ref())
            && let Some(system) = rules.scenario.system(check.system.as_ref().map(Name::as_str))
        {
            rules.within(system, |rules| probe(rules, &path.key("probe"), &check.probe));
        }
        expectations(rules, &path.key("expect"), &check.probe, &check.expect);
        if matches!(check.probe, Probe::References(_)) && !check.expect.contains_key("unresolved") {
            let hint = "Add `unresolved: {equals: 0}`: without it, files that are not there would not be noticed.";
            rules.say(&path.key("expect"), "`expect` of a `references` probe says nothing of `unresolved`", hint);
        }
    }
}

fn app(rules: &mut Rules<'_>) {
    let Some(app) = &rules.scenario.app else { return };
    let path = Path::of(["app"]);
    if app.argv.is_empty() && app.container.is_none() {
        let hint = "Add `argv` with the program and its arguments, or `container` with an image.";
        rules.say(&path, "`app` doesn't say what is started", hint);
    }
    arguments(rules, &path, &app.argv, &app.env);
    if let Some(folder) = &app.folder {
        rules.below(&path.key("folder"), folder.as_ref(), "the restored data");
    }
    let ready = path.key("ready");
    probe(rules, &ready.key("probe"), &app.ready.probe);
    expectations(rules, &ready.key("expect"), &app.ready.probe, &app.ready.expect);
}

fn arguments(rules: &mut Rules<'_>, path: &Path, argv: &[String], env: &BTreeMap<String, String>) {
    for (number, argument) in argv.iter().enumerate() {
        let path = path.key("argv").item(number);
        let filled = rules.filled(&path, argument);
        if number == 0 && filled.is_some_and(|program| program.trim().is_empty()) {
            rules.say(&path, "the program has no name", "Write the program first, then its arguments.");
        }
    }
    for (name, value) in env {
        rules.filled(&path.key("env").key(name), value);
    }
}

fn probe(rules: &mut Rules<'_>, path: &Path, probe: &Probe) {
    let path = path.key(probe.kind());
    match probe {
        Probe::Http(http) => request(rules, &path, http),
        Probe::Tcp(tcp) => connection(rules, &path, tcp),
        Probe::Sql(sql) => query(rules, &path, sql),
        Probe::Command(command) => program(rules, &path, command),
        Probe::File(file) => restored(rules, &path, file),
        Probe::References(references) => referenced(rules, &path, references),
    }
}

fn program(rules: &mut Rules<'_>, path: &Path, command: &CommandProbe) {
    arguments(rules, path, &command.argv, &command.env);
    if command.in_app && rules.scenario.container().is_none() {
        let hint = "Take it away: the program then runs as the app does, on this host or in the sandbox.";
        rules.say(&path.key("in_app"), "there is no container to run it in", hint);
    }
}

fn needs_app(rules: &mut Rules<'_>, path: &Path, kind: &str) {
    if rules.scenario.app.is_none() {
        let hint = "Add `app` with the program that is started on the restored data, or look at the data itself with a \
                    `file`, `sql` or `command` probe.";
        rules.say(path, format!("nothing answers this `{kind}` probe: the scenario starts no app"), hint);
    }
}

fn request(rules: &mut Rules<'_>, path: &Path, http: &HttpProbe) {
    needs_app(rules, path, "http");
    let url = path.key("url");
    if let Some(filled) = rules.filled(&url, &http.url) {
        address(rules, &url, &filled);
    }
    for (name, value) in &http.headers {
        let path = path.key("headers").key(name);
        if secret::telling(name) {
            let hint = format!("Move it to `secret_headers` and say where it is kept: `{name}: {{env: NAME}}`.");
            rules.say(&path, format!("the header `{name}` is a secret"), hint);
        }
        rules.filled(&path, value);
    }
    if let Some(body) = &http.body {
        rules.filled(&path.key("body"), body);
    }
}

fn address(rules: &mut Rules<'_>, path: &Path, text: &str) {
    const USUAL: &str = "Write `http://127.0.0.1:${DRILL_PORT}/…`, the port that is kept for the app.";
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        Ok(_) | Err(_) => return rules.say(path, "`url` is not an HTTP address", USUAL),
    };
    if secret::in_url(text) || url.password().is_some() {
        let hint = "Take it out of the URL and send it as a header from `secret_headers`.";
        rules.say(path, "`url` has a password in it", hint);
    }
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if !local {
        rules.say(path, "`url` leaves the environment: probes go to loopback only", USUAL);
    }
}

fn connection(rules: &mut Rules<'_>, path: &Path, tcp: &TcpProbe) {
    const USUAL: &str = "Write `127.0.0.1:${DRILL_PORT}`, the port that is kept for the app.";
    needs_app(rules, path, "tcp");
    let address = path.key("address");
    if let Some(filled) = rules.filled(&address, &tcp.address) {
        let parts = filled.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0));
        match parts.map(|(host, _)| host.trim_start_matches('[').trim_end_matches(']')) {
            None => rules.say(&address, "`address` is not an address with a port", USUAL),
            Some(host) if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) => {}
            Some(_) => rules.say(&address, "`address` leaves the environment: probes go to loopback only", USUAL),
        }
    }
    if let Some(send) = &tcp.send {
        rules.filled(&path.key("send"), send);
    }
}

fn query(rules: &mut Rules<'_>, path: &Path, sql: &SqlProbe) {
    asked(rules, path, &sql.query, sql.database.as_deref());
}

/// That there are files where the database's references lead.
fn referenced(rules: &mut Rules<'_>, path: &Path, references: &ReferencesProbe) {
    asked(rules, path, &references.query, references.database.as_deref());
    if let Some(below) = &references.below {
        rules.below(&path.key("below"), below, "the restored data");
    }
    let to = path.key("to");
    if !rules.known(&to, references.to.as_ref()) {
        return;
    }
    let holder = references.to.as_ref().or(rules.system.name).map(Name::as_str);
    if let Some(holder) = rules.scenario.system(holder).filter(|holder| holder.scratch.kind() != "directory") {
        let at = if references.to.is_some() { &to } else { path };
        let message = format!("a `{}` scratch holds no files that could be referred to", holder.scratch.kind());
        rules.say(at, message, "Name with `to` the system of `also` that the files are restored in.");
    }
}

fn asked(rules: &mut Rules<'_>, path: &Path, query: &str, database: Option<&std::path::Path>) {
    rules.filled(&path.key("query"), query);
    let given = database;
    let database = path.key("database");
    if let Some(store) = rules.store() {
        let hint = format!("Ask it with a `command` probe: `{}`.", store.probe);
        return rules.say(path, format!("{} understands no SQL", store.called), hint);
    }
    match given {
        Some(file) => match rules.server() {
            Some(server) => {
                let hint = format!("Take it away: the query runs in the restored {server} database.");
                rules.say(&database, "`database` is for SQLite only", hint);
            }
            None => rules.below(&database, file, "the restored data"),
        },
        None if rules.server().is_some() || rules.sqlite_count() == 1 => {}
        None if rules.sqlite_count() > 1 => {
            let hint = "Add `database` with the path of one of those in `source.directory.sqlite`.";
            rules.say(path, "the query doesn't say which of several SQLite databases it is for", hint);
        }
        None => {
            let hint = "Add `database` with the path of a restored SQLite file, or list the databases in \
                        `source.directory.sqlite`.";
            rules.say(path, "there is no database for this query", hint);
        }
    }
}

fn restored(rules: &mut Rules<'_>, path: &Path, file: &FileProbe) {
    let path = path.key("path");
    if let Some(filled) = rules.filled(&path, &file.path) {
        rules.glob(&path, &filled);
        rules.below(&path, filled.as_ref(), "the restored data");
    }
}

fn expectations(rules: &mut Rules<'_>, path: &Path, probe: &Probe, expected: &Expectations) {
    for (name, condition) in expected {
        let path = path.key(name);
        match probe.observes().iter().find(|observed| observed.is(name)) {
            Some(observed) => judged(rules, &path, observed, condition),
            None => unobserved(rules, &path, probe, name),
        }
    }
}

fn unobserved(rules: &mut Rules<'_>, path: &Path, probe: &Probe, name: &str) {
    let known = || probe.observes().iter().map(|observed| observed.name);
    let complete = known().filter(|known| !known.ends_with('.'));
    let hint = match (
        known().find(|known| known.trim_end_matches('.') == name.trim_end_matches('.')),
        closest(name, complete),
    ) {
        (Some(prefix), _) => format!("Write which one after a dot: `{prefix}name`."),
        (None, Some(meant)) => format!("Did you mean `{meant}`?"),
        (None, None) => {
            let shown: Vec<String> =
                known().map(|k| if k.ends_with('.') { format!("{k}<name>") } else { k.into() }).collect();
            format!("It observes {}.", listed(shown.iter().map(String::as_str)))
        }
    };
    rules.say(path, format!("a probe of kind `{}` doesn't observe `{name}`", probe.kind()), hint);
}

/// Refuses conditions that can never be judged.
fn judged(rules: &mut Rules<'_>, path: &Path, observed: &Observed, condition: &Condition) {
    if let Some(regex) = &condition.matches {
        rules.regex(&path.key("matches"), regex);
    }
    if let Some([low, high]) = condition.within
        && low > high
    {
        let hint = format!("Write the smaller number first: `within: [{high}, {low}]`.");
        rules.say(&path.key("within"), "`within` has its ends the wrong way round", hint);
    }
    let no_text = matches!(observed.shape, Shape::Bool | Shape::Int);
    let no_number = matches!(observed.shape, Shape::Bool | Shape::Time);
    let unfit = [
        ("matches", condition.matches.is_some() && no_text, "text"),
        ("newer_than", condition.newer_than.is_some() && no_text, "a point in time"),
        ("at_least", condition.at_least.is_some() && no_number, "a number"),
        ("at_most", condition.at_most.is_some() && no_number, "a number"),
        ("within", condition.within.is_some() && no_number, "a number"),
    ];
    for (key, wrong, wanted) in unfit {
        if wrong {
            let message = format!("`{key}` needs {wanted}, but {} is {}", path.label(), observed.shape.called());
            rules.say(&path.key(key), message, observed.shape.suits());
        }
    }
}

impl Shape {
    fn called(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int => "a number",
            Self::Text => "text",
            Self::Time => "a point in time",
            Self::Any => "anything",
        }
    }

    fn suits(self) -> &'static str {
        match self {
            Self::Bool => "Use `equals: true` or `equals: false`.",
            Self::Int => "Use `equals`, `not`, `at_least`, `at_most` or `within`.",
            Self::Text => "Use `equals`, `not` or `matches`.",
            Self::Time => "Use `newer_than`.",
            Self::Any => "Use any condition.",
        }
    }
}
