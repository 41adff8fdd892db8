//! What differs between what went into a snapshot and what came back. Pure: it looks at two indices and at nothing else.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use drill_scenarios::Level;
use jiff::Timestamp;

use crate::{Database, Entry, EntryKind, Index, Table};

/// How much of a definition or of an attribute's value is shown.
const SHOWN: usize = 200;

/// Everything that differs between what was expected and what was observed, down to `level`: for each the subject, and a lower-case
/// fragment that says what is there and what was. Ordered by subject.
///
/// The subject of a path is the path; of what is in a database its class and name (`table:public.orders`, `index:public.orders_pkey`,
/// `setting:encoding`), in SQLite with the database's path before the name (`table:data/app.db:orders`). Settings, and the
/// fingerprints of tables, are compared where both sides have them. Paths must be ordered by their bytes.
pub fn differences(expected: &Index, observed: &Index, level: Level) -> Vec<(String, String)> {
    let mut found = Vec::new();
    merge(
        &expected.entries,
        &observed.entries,
        |entry| &entry.path,
        |pair| {
            let statement = statement(pair, |was, is| entries(was, is, level));
            found.extend(statement.map(|statement| (pair.any().path.to_string(), statement)));
        },
    );
    let [was, is] = [&expected.databases, &observed.databases].map(|databases| by_name(databases));
    each(&was, &is, |name, pair| match pair {
        Pair::Both(was, is) => databases(was, is, level, &mut found),
        one => found.extend(statement(one, |_, _| None).map(|statement| (format!("database:{name}"), statement))),
    });
    found.sort_unstable();
    found.dedup();
    found
}

/// A thing on one side or on both.
#[derive(Debug)]
enum Pair<'a, T> {
    Missing(&'a T),
    Added(&'a T),
    Both(&'a T, &'a T),
}

impl<T> Clone for Pair<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Pair<'_, T> {}

impl<'a, T> Pair<'a, T> {
    fn any(self) -> &'a T {
        match self {
            Self::Missing(thing) | Self::Added(thing) | Self::Both(thing, _) => thing,
        }
    }
}

/// What there is to say of a thing; `differ` says what differs where it is on both sides.
fn statement<T>(pair: Pair<'_, T>, differ: impl FnOnce(&T, &T) -> Option<String>) -> Option<String> {
    match pair {
        Pair::Missing(_) => Some("is missing".into()),
        Pair::Added(_) => Some("was not in the backup".into()),
        Pair::Both(was, is) => differ(was, is),
    }
}

/// Goes through two lists that are ordered by a key, side by side.
fn merge<'a, T, K: Ord + 'a>(
    was: &'a [T],
    is: &'a [T],
    key: impl Fn(&'a T) -> &'a K,
    mut each: impl FnMut(Pair<'a, T>),
) {
    let (mut was, mut is) = (was.iter().peekable(), is.iter().peekable());
    loop {
        let order = match (was.peek(), is.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(was), Some(is)) => key(was).cmp(key(is)),
        };
        let was = if order.is_le() { was.next() } else { None };
        let is = if order.is_ge() { is.next() } else { None };
        match (was, is) {
            (Some(was), Some(is)) => each(Pair::Both(was, is)),
            (Some(was), None) => each(Pair::Missing(was)),
            (None, Some(is)) => each(Pair::Added(is)),
            (None, None) => return,
        }
    }
}

/// The same for two maps.
fn each<'a, T>(was: &'a BTreeMap<String, T>, is: &'a BTreeMap<String, T>, mut each: impl FnMut(&'a str, Pair<'a, T>)) {
    for (name, was) in was {
        each(name, is.get(name).map_or(Pair::Missing(was), |is| Pair::Both(was, is)));
    }
    for (name, is) in is.iter().filter(|(name, _)| !was.contains_key(*name)) {
        each(name, Pair::Added(is));
    }
}

fn entries(was: &Entry, is: &Entry, level: Level) -> Option<String> {
    let mut facts = Facts::default();
    facts.kinds(&was.kind, &is.kind, level);
    if level == Level::Content {
        facts.differ("mode", format!("{:04o}", is.mode), format!("{:04o}", was.mode));
        facts.differ("owner", format!("{}:{}", is.uid, is.gid), format!("{}:{}", was.uid, was.gid));
        if was.mtime_ns != is.mtime_ns {
            facts.differ("modified", time(is.mtime_ns), time(was.mtime_ns));
        }
        each(&was.xattrs, &is.xattrs, |name, pair| match pair {
            Pair::Missing(_) => facts.0.push(format!("attribute {name} is missing")),
            Pair::Added(_) => facts.0.push(format!("attribute {name} was not in the backup")),
            Pair::Both(was, is) => facts.differ(&format!("attribute {name}"), cut(is), cut(was)),
        });
    }
    facts.finish()
}

/// What is to be said of one thing.
#[derive(Debug, Default)]
struct Facts(Vec<String>);

impl Facts {
    fn differ(&mut self, what: &str, is: impl AsRef<str>, was: impl AsRef<str>) {
        let (is, was) = (is.as_ref(), was.as_ref());
        if is != was {
            self.0.push(format!("{what} {is}, was {was}"));
        }
    }

    fn kinds(&mut self, was: &EntryKind, is: &EntryKind, level: Level) {
        match (was, is) {
            (EntryKind::File { size: size_was, sha256: was }, EntryKind::File { size, sha256: is }) => {
                self.differ("size", size.to_string(), size_was.to_string());
                if level == Level::Content {
                    self.differ("sha256", is, was);
                }
            }
            (EntryKind::Symlink(was), EntryKind::Symlink(is)) if level == Level::Content => {
                self.differ("link to", is.to_string(), was.to_string());
            }
            (EntryKind::Hardlink(was), EntryKind::Hardlink(is)) if level == Level::Content => {
                self.differ("another name of", is.to_string(), was.to_string());
            }
            (EntryKind::Device { .. }, EntryKind::Device { .. }) if level == Level::Content => {
                self.differ("is", kind(is), kind(was));
            }
            _ if std::mem::discriminant(was) == std::mem::discriminant(is) => {}
            _ => self.differ("is", kind(is), kind(was)),
        }
    }

    fn finish(self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join("; "))
    }
}

fn kind(kind: &EntryKind) -> String {
    match kind {
        EntryKind::File { .. } => "a file".into(),
        EntryKind::Directory => "a folder".into(),
        EntryKind::Symlink(target) => format!("a link to {target}"),
        EntryKind::Hardlink(first) => format!("another name of {first}"),
        EntryKind::Fifo => "a named pipe".into(),
        EntryKind::Device { block: true, major, minor } => format!("block device {major}:{minor}"),
        EntryKind::Device { block: false, major, minor } => format!("character device {major}:{minor}"),
    }
}

fn time(nanos: i64) -> String {
    Timestamp::from_nanosecond(nanos.into()).map_or_else(|_| format!("{nanos} ns"), |time| time.to_string())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

fn by_name(databases: &[Database]) -> BTreeMap<String, Database> {
    databases.iter().map(|database| (database.name.clone(), database.clone())).collect()
}

fn databases(was: &Database, is: &Database, level: Level, found: &mut Vec<(String, String)>) {
    let subject = |class: &str, name: &str| match was.engine.as_str() {
        "sqlite" => format!("{class}:{}:{name}", was.name),
        _ => format!("{class}:{name}"),
    };
    each(&was.tables, &is.tables, |name, pair| {
        found.extend(
            statement(pair, |was, is| tables(was, is, level)).map(|statement| (subject("table", name), statement)),
        );
    });
    let none = BTreeMap::new();
    each(&was.objects, &is.objects, |class, pair| {
        let [was, is] = match pair {
            Pair::Missing(was) => [was, &none],
            Pair::Added(is) => [&none, is],
            Pair::Both(was, is) => [was, is],
        };
        each(was, is, |name, pair| {
            let statement = statement(pair, |was, is| definitions(was, is, level));
            found.extend(statement.map(|statement| (subject(class, name), statement)));
        });
    });
    for (name, was) in &was.settings {
        if let Some(is) = is.settings.get(name).filter(|is| *is != was) {
            found.push((subject("setting", name), format!("{}, was {}", cut(is), cut(was))));
        }
    }
}

fn tables(was: &Table, is: &Table, level: Level) -> Option<String> {
    let mut facts = Facts::default();
    facts.differ("rows", is.rows.to_string(), was.rows.to_string());
    if let (Level::Content, Some(was), Some(is)) = (level, &was.fingerprint, &is.fingerprint) {
        facts.differ("content fingerprint", is, was);
    }
    facts.finish()
}

fn definitions(was: &str, is: &str, level: Level) -> Option<String> {
    (level == Level::Content && was != is).then(|| {
        let (is, was) = apart(is, was);
        format!("{is}, was {was}")
    })
}

/// Two texts, shown from where they begin to differ if they are long.
fn apart(is: &str, was: &str) -> (String, String) {
    let same = is.chars().zip(was.chars()).take_while(|(a, b)| a == b).count();
    let from = if is.chars().count().max(was.chars().count()) > SHOWN { same.saturating_sub(SHOWN / 4) } else { 0 };
    let shown = |text: &str| match from {
        0 => cut(text),
        _ => format!("…{}", cut(&text.chars().skip(from).collect::<String>())),
    };
    (shown(is), shown(was))
}
