//! Keys of objects as paths of a tree. What can't be a path is never passed over: whoever restored would miss it.

use std::path::{Path, PathBuf};

use crate::{Error, Kind, PathText};

/// The longest name of a file that Linux knows, in bytes.
const LONGEST: usize = 255;

/// Keys, one after the other in their order.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Keys of content that the next one begins with, each of which begins with the one before.
    above: Vec<String>,
}

impl Keys {
    /// The path of the next key; for one that ends with a slash, of the folder that it stands for.
    ///
    /// # Errors
    /// [`Kind::Config`] if it can't be one, or not beside a key that came before.
    pub(super) fn path(&mut self, key: &str) -> Result<PathBuf, Error> {
        while self.above.last().is_some_and(|above| !key.starts_with(above)) {
            self.above.pop();
        }
        let folder = key.strip_suffix('/');
        if let Some(why) = unfit(key, folder.unwrap_or(key)) {
            return Err(unrestorable(key, why));
        }
        if let Some(file) = self.above.iter().find(|above| key[above.len()..].starts_with('/')) {
            let file = PathText::new(file);
            return Err(unrestorable(key, &format!("{file} is an object too, and can't be a file and a folder")));
        }
        if folder.is_none() && !key.is_empty() {
            self.above.push(key.to_owned());
        }
        let path = Path::new(folder.unwrap_or(key));
        Ok(if key.is_empty() { ".".into() } else { path.into() })
    }
}

/// The name of an object that can't be restored, and why.
pub(super) fn unrestorable(key: &str, why: &str) -> Error {
    Error::new(Kind::Config, format!("object {} can't be restored as a file: {why}", PathText::new(key)))
        .hint("Rename it, or leave it out with `exclude`: the report will say so.")
}

/// Why a key can't be a path, or can't be asked for.
fn unfit(key: &str, path: &str) -> Option<&'static str> {
    let mut names = path.split('/');
    if key.is_empty() {
        None
    } else if key.trim() != key {
        Some("its key begins or ends with white space, and OpenDAL would read the one without")
    } else if names.clone().any(str::is_empty) {
        Some("its key has a slash where a name belongs")
    } else if names.clone().any(|name| matches!(name, "." | "..")) {
        Some("its key has `.` or `..` for a name")
    } else if names.clone().any(|name| name.len() > LONGEST) {
        Some("its key has a name of over 255 bytes")
    } else if names.any(|name| name.contains('\0')) {
        Some("its key has a zero byte in it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(keys: &[&str]) -> Option<String> {
        let mut all = Keys::default();
        keys.iter().find_map(|key| all.path(key).err()).map(|error| error.to_string())
    }

    #[test]
    fn a_key_that_can_not_be_a_path_is_named_with_the_reason() {
        let long = "n".repeat(256);
        for (key, why) in [
            ("a//b", "a slash where a name belongs"),
            ("/a", "a slash where a name belongs"),
            ("a//", "a slash where a name belongs"),
            ("../x", "`.` or `..`"),
            ("a/./x", "`.` or `..`"),
            (" a", "white space"),
            ("a\n", "white space"),
            (&format!("a/{long}"), "over 255 bytes"),
            ("a\0b", "a zero byte"),
        ] {
            let told = refused(&[key]).unwrap_or_else(|| panic!("{key:?} is no path"));
            assert!(told.contains(&PathText::new(key).to_string()) && told.contains(why), "{told}");
        }
        assert_eq!(refused(&[&long[..255], "ä ö", "~", "…/…"]), None);
    }

    #[test]
    fn a_key_that_is_a_file_and_a_folder_is_refused_however_many_stand_between() {
        for keys in [&["a", "a/b"][..], &["a", "a-b", "a.d/e", "a/b"], &["a", "a/"], &["x/a", "x/a+", "x/a/b/c"]] {
            let told = refused(keys).unwrap_or_else(|| panic!("{keys:?} can't all be restored"));
            assert!(told.contains("can't be a file and a folder"), "{told}");
        }
        assert_eq!(refused(&["", "a", "a-b", "a.d/e", "ab/c", "b/", "b/c", "b/d/"]), None);
    }

    #[test]
    fn a_key_that_ends_with_a_slash_is_a_folder_and_the_prefix_itself_is_the_root() {
        let mut keys = Keys::default();
        let paths = ["", "a/", "a/b"].map(|key| keys.path(key).expect("a path"));
        assert_eq!(paths, [Path::new("."), Path::new("a"), Path::new("a/b")]);
    }
}
