//! Places in a scenario file: as bytes of the text, and as the path of a value.

use std::fmt;

/// A range of bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// First byte.
    pub(crate) start: usize,
    /// One after the last byte.
    pub(crate) end: usize,
}

impl Place {
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// The way from the root of the file to a value: keys, and numbers of items from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// The path of these keys.
    pub(crate) fn of<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.map(String::from).to_vec())
    }

    /// The path of this key below.
    pub(crate) fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(key.into());
        Self(steps)
    }

    /// The path of this item below, counted from 0.
    pub(crate) fn item(&self, number: usize) -> Self {
        self.key(&number.to_string())
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The last step: a key, or the number of an item. Empty for the root.
    pub(crate) fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is an item of a list.
    pub(crate) fn is_item(&self) -> bool {
        self.last().parse::<usize>().is_ok()
    }

    /// Whether this is `other` or something in it.
    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// What people call the value: its key in backquotes, or which item of which list it is.
    pub(crate) fn label(&self) -> String {
        match self.0.as_slice() {
            [] => "the file".into(),
            [.., list, last] => match last.parse::<usize>() {
                Ok(number) => format!("item {} of `{list}`", number.saturating_add(1)),
                Err(_) => format!("`{last}`"),
            },
            [only] => format!("`{only}`"),
        }
    }
}

/// As a JSON pointer (RFC 6901).
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}
