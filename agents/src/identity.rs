//! Who a system is, as the system itself tells it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Who a system is, by values that the system itself tells: two names of one system have equal identities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// What is identified: `folder`, `file`, `postgres`, `mariadb`, `redis`, `objects`, `command`.
    pub kind: String,
    /// The values that tell it apart (`device` and `inode`; `system_identifier`), and `version` where there is one.
    pub values: BTreeMap<String, String>,
}

impl Identity {
    /// An identity of this kind with these values.
    pub fn new<const N: usize>(kind: &str, values: [(&str, String); N]) -> Self {
        Self { kind: kind.into(), values: values.into_iter().map(|(name, value)| (name.into(), value)).collect() }
    }

    /// Whether this is that very system: of one kind, and every value that both tell is the same.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let mut shared =
            self.values.iter().filter_map(|(name, value)| Some((value, other.values.get(name)?))).peekable();
        self.kind == other.kind && shared.peek().is_some() && shared.all(|(ours, theirs)| ours == theirs)
    }

    /// The identity of a file or folder: its device and inode.
    pub fn of_path(kind: &str, path: &Path) -> std::io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self::new(kind, [("device", meta.dev().to_string()), ("inode", meta.ino().to_string())]))
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        self.values.iter().try_for_each(|(name, value)| write!(f, ", {name} {value}"))
    }
}
