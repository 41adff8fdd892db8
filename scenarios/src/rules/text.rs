//! Texts that must be something else: globs, expressions, paths below the restored data, texts with facts.

use std::path::{Component, Path as FilePath};

use crate::FACTS;
use crate::facts::{TARGET_TIME, Unfilled, filled};
use crate::place::Path;
use crate::suggest::{closest, listed};

use super::Rules;

impl Rules<'_> {
    /// The text with sample facts in it, if they are all known.
    pub(super) fn filled(&mut self, path: &Path, text: &str) -> Option<String> {
        match filled(text, &self.facts()) {
            Ok(filled) => Some(filled),
            Err(unfilled) => {
                let hint = match &unfilled {
                    Unfilled::Open => "Close it, or write `$$` for a dollar.".into(),
                    Unfilled::Unknown(name) => self.fact_meant(name),
                };
                self.say(path, unfilled.to_string(), hint);
                None
            }
        }
    }

    fn fact_meant(&self, name: &str) -> String {
        let kind = self.system.scratch.kind();
        let of_another = FACTS.iter().find(|fact| fact.name == name).and_then(|fact| fact.scratch);
        if let Some(other) = of_another.filter(|other| *other != kind) {
            return format!("Only a `{other}` scratch has this fact.");
        }
        if name == TARGET_TIME {
            return "Only a cluster that is recovered to an instant (`recover_to: random` or `{at: …}`) has this fact."
                .into();
        }
        let facts = self.facts();
        let here = || facts.keys().map(String::as_str);
        match closest(name, here()) {
            Some(meant) => format!("Did you mean `${{{meant}}}`?"),
            None => format!("The facts here are {}. Write `$$` for a plain dollar before a brace.", listed(here())),
        }
    }

    pub(super) fn glob(&mut self, path: &Path, glob: &str) {
        if let Err(error) = globset::Glob::new(glob) {
            self.not_a_glob(path, &error);
        }
    }

    pub(super) fn not_a_glob(&mut self, path: &Path, error: &globset::Error) {
        let message = format!("{} is not a glob: {}", path.label(), error.kind());
        self.say(path, message, "Put a backslash before a `[`, `{` or `*` that stands for itself.");
    }

    pub(super) fn regex(&mut self, path: &Path, text: &str) {
        if let Err(error) = regex::Regex::new(text) {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let message = format!("{} is not a regular expression: {reason}", path.label());
            self.say(path, message, "Put a backslash before a character that stands for itself, such as `(` or `+`.");
        }
    }

    /// A path that must stay below the folder it is relative to.
    pub(super) fn below(&mut self, path: &Path, file: &FilePath, folder: &str) {
        let inside = file.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            let message = format!("{} leaves {folder}: `{}`", path.label(), file.display());
            self.say(path, message, format!("Write a path relative to {folder}, without `..`."));
        }
    }
}
