//! Which paths are left out.
//!
//! A pattern without a slash is matched against every single name on the way (`*.tmp`, `node_modules`); one with a slash against
//! the whole path below the root (`cache/**`, `/tmp`), where `*` and `?` match no slash and `**` matches any number of names. A
//! slash at the end is ignored. What matches is left out with everything below it.

use std::ffi::OsStr;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::{Error, Kind, Result};

/// Which paths are left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exclusions {
    patterns: Vec<String>,
    names: GlobSet,
    paths: GlobSet,
    /// For each glob of `names` and of `paths` the pattern that it was made of.
    of_names: Vec<usize>,
    of_paths: Vec<usize>,
}

impl Exclusions {
    /// Those that these patterns match.
    ///
    /// # Errors
    /// [`Kind::Config`] for a pattern that is no glob.
    pub(crate) fn new(patterns: &[String]) -> Result<Self> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let mut all = Self { patterns: patterns.into(), ..Self::default() };
        for (number, pattern) in patterns.iter().enumerate() {
            let wrong = |cause| Error::new(Kind::Config, format!("glob `{pattern}`")).because(cause);
            let whole = pattern.trim_end_matches('/');
            let glob =
                GlobBuilder::new(whole.trim_start_matches('/')).literal_separator(true).build().map_err(wrong)?;
            if whole.contains('/') {
                paths.add(glob);
                all.of_paths.push(number);
            } else {
                names.add(glob);
                all.of_names.push(number);
            }
        }
        let wrong = |cause| Error::new(Kind::Config, "globs together are too big").because(cause);
        (all.names, all.paths) = (names.build().map_err(wrong)?, paths.build().map_err(wrong)?);
        Ok(all)
    }

    /// The patterns.
    pub(crate) fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// The number of the first pattern that leaves the path out; its parents are known not to be left out.
    pub(crate) fn excluded(&self, path: &Path, name: &OsStr) -> Option<usize> {
        let by_name = self.names.matches(Path::new(name)).into_iter().map(|glob| self.of_names[glob]);
        let by_path = self.paths.matches(path).into_iter().map(|glob| self.of_paths[glob]);
        by_name.chain(by_path).min()
    }

    /// The number of the pattern that leaves the path out, by itself or with a folder that it is in.
    pub(crate) fn of(&self, path: &Path) -> Option<usize> {
        path.ancestors().find_map(|above| self.excluded(above, above.file_name()?))
    }

    /// Whether the path is left out, by itself or with a folder that it is in.
    pub(crate) fn leaves_out(&self, path: &Path) -> bool {
        self.of(path).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(pattern: &str, path: &str) -> bool {
        let exclusions = Exclusions::new(&[pattern.into()]).expect("a glob");
        let path = Path::new(path);
        exclusions.excluded(path, path.file_name().expect("a name")).is_some()
    }

    #[test]
    fn a_pattern_without_slash_matches_any_name_and_one_with_slash_the_path_from_the_root() {
        for (pattern, path) in [
            ("*.tmp", "a.tmp"),
            ("*.tmp", "deep/in/it/a.tmp"),
            ("node_modules/", "web/node_modules"),
            ("cache/**", "cache/a/b"),
            ("/tmp", "tmp"),
            ("**/target", "a/b/target"),
            ("a/*/c", "a/b/c"),
        ] {
            assert!(excluded(pattern, path), "{pattern} should leave out {path}");
        }
        for (pattern, path) in [
            ("*.tmp", "a.tmp.txt"),
            ("cache/**", "cache"),
            ("cache/**", "a/cache/b"),
            ("/tmp", "a/tmp"),
            ("a/*", "a/b/c"),
        ] {
            assert!(!excluded(pattern, path), "{pattern} should keep {path}");
        }
    }

    #[test]
    fn what_is_no_glob_is_a_mistake_in_the_scenario() {
        assert_eq!(Exclusions::new(&["a[".into()]).expect_err("no glob").kind(), Kind::Config);
    }
}
