//! What differs between what went into a snapshot and what came back. Pure: it looks at two indices and at nothing else.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use drill_scenarios::Level;
use jiff::Timestamp;

use crate::keyspace::Keyspace;
use crate::{Database, Entry, EntryKind, Index, Sha256, Table};

/// How much of a definition or of an attribute's value is shown.
const SHOWN: usize = 200;

/// Everything that differs between what was expected and what was observed, down to `level`: for each the subject, and a lower-case
/// fragment that says what is there and what was. Ordered by subject.
///
/// The subject of a path is the path; of what is in a database its class and name (`table:public.orders`, `index:public.orders_pkey`,
/// `setting:encoding`), with the database before the name where there may be several (`table:data/app.db:orders` in SQLite,
/// `table:shop:public.orders` in a physical backup of PostgreSQL, `key:0:user:42` in Redis, whose databases have numbers). Settings, and the
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
        Pair::Both(was, is) => {
            let subject = |class: &str, name: &str| format!("{class}:{}", expected.called(was, name));
            databases(was, is, level, |class, name, statement| found.push((subject(class, name), statement)));
        }
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
                if level == Level::Content && ![*was, *is].contains(&Sha256::UNREAD) {
                    self.differ("sha256", is.to_string(), was.to_string());
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

fn by_name(databases: &[Database]) -> BTreeMap<String, &Database> {
    databases.iter().map(|database| (database.name.clone(), database)).collect()
}

fn databases(was: &Database, is: &Database, level: Level, mut found: impl FnMut(&str, &str, String)) {
    each(&was.tables, &is.tables, |name, pair| {
        if let Some(statement) = statement(pair, |was, is| tables(was, is, level)) {
            found("table", name, statement);
        }
    });
    let none = BTreeMap::new();
    each(&was.objects, &is.objects, |class, pair| {
        let [was, is] = match pair {
            Pair::Missing(was) => [was, &none],
            Pair::Added(is) => [&none, is],
            Pair::Both(was, is) => [was, is],
        };
        each(was, is, |name, pair| {
            if let Some(statement) = statement(pair, |was, is| definitions(was, is, level)) {
                found(class, name, statement);
            }
        });
    });
    let (nothing, [was_keys, is_keys]) = (Keyspace::default(), [&was.keyspaces, &is.keyspaces]);
    for number in was_keys.keys().chain(is_keys.keys().filter(|number| !was_keys.contains_key(number))) {
        let [were, are] = [was_keys, is_keys].map(|side| side.get(number).unwrap_or(&nothing));
        for (name, statement) in were.differences(are, level) {
            match name {
                Some(name) => found("key", &was.key(*number, &name), statement),
                None => found("keys", &number.to_string(), statement),
            }
        }
    }
    for (name, was) in &was.settings {
        if let Some(is) = is.settings.get(name).filter(|is| *is != was) {
            found("setting", name, format!("{}, was {}", cut(is), cut(was)));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::ffi::OsStringExt;

    use proptest::prelude::*;

    use super::*;
    use crate::{Format, PathText, Sha256};

    fn kinds() -> impl Strategy<Value = EntryKind> {
        let path = || proptest::sample::select(vec!["a", "b"]).prop_map(PathText::new);
        prop_oneof![
            (0_u64..3, proptest::sample::select(vec![Sha256::UNREAD, Sha256::of(b"0"), Sha256::of(b"1")]))
                .prop_map(|(size, sha256)| EntryKind::File { size, sha256 }),
            Just(EntryKind::Directory),
            Just(EntryKind::Fifo),
            path().prop_map(EntryKind::Symlink),
            path().prop_map(EntryKind::Hardlink),
            (any::<bool>(), 0_u32..2).prop_map(|(block, minor)| EntryKind::Device { block, major: 1, minor }),
        ]
    }

    fn trees() -> impl Strategy<Value = Vec<Entry>> {
        let path = proptest::collection::vec(any::<u8>().prop_map(|byte| b"ab/-%\xff\n."[usize::from(byte) % 8]), 1..3);
        let attributes = (0_u32..2, 0_u32..2, 0_i64..2, proptest::collection::btree_map("[xy]", "[01]", 0..2));
        proptest::collection::btree_map(path, (kinds(), attributes), 0..12).prop_map(|paths| {
            let entry = |(path, (kind, (mode, uid, mtime_ns, xattrs)))| {
                let path: Vec<u8> = path;
                let path = PathText::new(std::ffi::OsString::from_vec(path));
                Entry { path, kind, mode, uid, gid: 0, mtime_ns, xattrs }
            };
            paths.into_iter().map(entry).collect()
        })
    }

    /// What of an entry counts at a level.
    fn seen(entry: &Entry, level: Level) -> String {
        match (level, &entry.kind) {
            (Level::Content, _) => format!("{entry:?}"),
            (Level::Count, EntryKind::File { size, .. }) => format!("file of {size}"),
            (Level::Count, kind) => format!("{:?}", std::mem::discriminant(kind)),
        }
    }

    proptest! {
        #[test]
        fn what_differs_is_what_a_look_at_every_path_says(was in trees(), is in trees(), content: bool) {
            let level = if content { Level::Content } else { Level::Count };
            let index = |entries: &[Entry]| Index { entries: entries.to_vec(), ..Index::new(Format::Tar) };
            let paths: BTreeSet<_> = was.iter().chain(&is).map(|entry| entry.path.clone()).collect();
            let find = |entries: &[Entry], path: &PathText| entries.iter().find(|entry| entry.path == *path).cloned();
            let mut expected = BTreeMap::new();
            for path in paths {
                let kind = match (find(&was, &path), find(&is, &path)) {
                    (Some(_), None) => "is missing",
                    (None, Some(_)) => "was not in the backup",
                    (Some(was), Some(is)) if seen(&was, level) != seen(&is, level) => "differs",
                    _ => continue,
                };
                expected.insert(path.to_string(), kind);
            }
            let mut found = BTreeMap::new();
            for (path, statement) in differences(&index(&was), &index(&is), level) {
                let kind = match statement.as_str() {
                    "is missing" => "is missing",
                    "was not in the backup" => "was not in the backup",
                    _ => "differs",
                };
                prop_assert!(found.insert(path, kind).is_none(), "a path is named twice");
            }
            prop_assert_eq!(found, expected);
        }
    }

    fn database() -> Database {
        let table = |rows, fingerprint: &str| Table { rows, fingerprint: Some(fingerprint.into()) };
        let objects = [("index", "public.by_id", "on id"), ("view", "public.v", "select 1")];
        let objects =
            objects.map(|(class, name, definition)| (class.into(), BTreeMap::from([(name.into(), definition.into())])));
        Database {
            name: "app".into(),
            engine: "postgres".into(),
            version: "15".into(),
            settings: BTreeMap::from([("encoding".into(), "UTF8".into()), ("ours".into(), "1".into())]),
            tables: BTreeMap::from([("public.a".into(), table(1, "00")), ("public.b".into(), table(2, "11"))]),
            objects: BTreeMap::from(objects),
            restless: Vec::new(),
            roles: Vec::new(),
            keyspaces: BTreeMap::new(),
            memory_bytes: None,
        }
    }

    fn found(change: impl FnOnce(&mut Database), level: Level) -> Vec<(String, String)> {
        let index = |database| Index { databases: vec![database], ..Index::new(Format::PgDump) };
        let mut changed = database();
        change(&mut changed);
        differences(&index(database()), &index(changed), level)
    }

    fn one(subject: &str, statement: &str) -> Vec<(String, String)> {
        vec![(subject.into(), statement.into())]
    }

    #[test]
    fn each_change_of_a_database_is_named_with_what_is_and_what_was() {
        let change = |change: fn(&mut Database)| found(change, Level::Content);
        assert_eq!(change(|_| {}), []);
        assert_eq!(change(|db| drop(db.tables.remove("public.a"))), one("table:public.a", "is missing"));
        assert_eq!(
            change(|db| db.tables.get_mut("public.a").expect("a").rows = 5),
            one("table:public.a", "rows 5, was 1")
        );
        assert_eq!(
            change(|db| db.tables.get_mut("public.b").expect("b").fingerprint = Some("22".into())),
            one("table:public.b", "content fingerprint 22, was 11")
        );
        assert_eq!(change(|db| db.tables.get_mut("public.b").expect("b").fingerprint = None), []);
        assert_eq!(change(|db| drop(db.objects.remove("index"))), one("index:public.by_id", "is missing"));
        assert_eq!(
            change(|db| drop(
                db.objects.entry("view".into()).or_default().insert("public.v".into(), "select 2".into())
            )),
            one("view:public.v", "select 2, was select 1")
        );
        assert_eq!(
            change(|db| drop(
                db.objects.insert("trigger".into(), BTreeMap::from([("public.t".into(), String::new())]))
            )),
            one("trigger:public.t", "was not in the backup")
        );
        assert_eq!(
            change(|db| drop(db.settings.insert("encoding".into(), "LATIN1".into()))),
            one("setting:encoding", "LATIN1, was UTF8")
        );
        assert_eq!(change(|db| drop(db.settings.remove("ours"))), []);
        assert_eq!(change(|db| db.version = "16".into()), []);
        let mut other = change(|db| db.name = "other".into());
        other.sort();
        assert_eq!(other, [one("database:app", "is missing"), one("database:other", "was not in the backup")].concat());
    }

    #[test]
    fn only_names_and_numbers_count_at_the_level_of_counting() {
        let change = |change: fn(&mut Database)| found(change, Level::Count);
        assert_eq!(change(|db| db.tables.get_mut("public.b").expect("b").fingerprint = Some("22".into())), []);
        assert_eq!(
            change(|db| drop(db.objects.entry("view".into()).or_default().insert("public.v".into(), "x".into()))),
            []
        );
        assert_eq!(
            change(|db| db.tables.get_mut("public.a").expect("a").rows = 5),
            one("table:public.a", "rows 5, was 1")
        );
        assert_eq!(change(|db| drop(db.objects.remove("view"))), one("view:public.v", "is missing"));
    }

    #[test]
    fn long_definitions_are_shown_from_where_they_differ() {
        let long = "x".repeat(1_000);
        let (is, was) = apart(&format!("{long}new"), &format!("{long}old"));
        assert!(is.starts_with('…') && is.ends_with("new") && is.len() < 100, "{is}");
        assert!(was.ends_with("old"));
    }
}
