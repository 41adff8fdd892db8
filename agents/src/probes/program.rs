//! How programs of a scenario are started on the restored data: the app and command probes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drill_scenarios::Reference;
use secrecy::ExposeSecret;

use super::Within;
use crate::process::Program;
use crate::{Error, Kind, Result};

/// What a scenario says about a program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outfit<'a> {
    /// Program and arguments.
    pub(crate) argv: &'a [String],
    /// Folder below the root.
    pub(crate) folder: Option<&'a str>,
    /// Variables.
    pub(crate) env: &'a BTreeMap<String, String>,
    /// Variables that are secrets.
    pub(crate) secrets: &'a BTreeMap<String, Reference>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Start {
    /// It can be started.
    Ready(Program),
    /// The folder or the program should be in the restored data and is not.
    Absent(String),
}

/// The text with facts filled in.
///
/// # Errors
/// [`Kind::Config`] if it names a fact that isn't there.
pub(crate) fn fill(text: &str, facts: &BTreeMap<String, String>) -> Result<String> {
    drill_scenarios::fill(text, facts).map_err(|wrong| {
        Error::new(Kind::Config, format!("`{text}`: {wrong}"))
            .hint("The facts are listed in docs/writing-a-scenario.md; those of PostgreSQL come with a `postgres` scratch only.")
    })
}

impl Outfit<'_> {
    /// The program with facts filled in, in a folder of the restored data, which is its home too. Its environment holds the facts, then
    /// the scenario's variables, then its secrets.
    ///
    /// # Errors
    /// [`Kind::Config`] for a fact or secret that isn't there, [`Kind::Refused`] for a folder outside the restored data.
    pub(crate) fn program(self, within: Within<'_>) -> Result<Start> {
        let root = within.env.root();
        let Some(folder) = self.folder(within)? else {
            return Ok(Start::Absent(format!("folder {} is not in the restored data", self.folder.unwrap_or("."))));
        };
        let argv = self.argv.iter().map(|arg| fill(arg, within.facts)).collect::<Result<Vec<_>>>()?;
        let (name, args) = argv.split_first().ok_or_else(|| Error::new(Kind::Config, "an empty argv"))?;
        let path = folder.join(name);
        if name.contains('/') && path.starts_with(root) && !path.exists() {
            return Ok(Start::Absent(format!("program {name} is not in the restored data")));
        }
        let mut program = Program::new(name).args(args).folder(&folder).env("HOME", root);
        for (name, value) in within.facts {
            program = program.env(name, value);
        }
        for (name, value) in self.env {
            program = program.env(name, fill(value, within.facts)?);
        }
        for (name, reference) in self.secrets {
            program = program.env(name, within.cx.secrets.resolve(reference)?.expose_secret());
        }
        Ok(Start::Ready(program))
    }

    /// The folder to start in, if it is there.
    fn folder(self, within: Within<'_>) -> Result<Option<PathBuf>> {
        let root = within.env.root();
        let Some(folder) = self.folder else { return Ok(Some(root.into())) };
        let folder = root.join(fill(folder, within.facts)?);
        // What a link leads to counts, not how it is written.
        let (Ok(real), Ok(real_root)) = (folder.canonicalize(), root.canonicalize()) else { return Ok(None) };
        if !real.starts_with(&real_root) {
            return Err(outside(&folder));
        }
        Ok(real.is_dir().then_some(folder))
    }
}

/// The refusal of a path that leads out of the restored data.
pub(super) fn outside(path: &Path) -> Error {
    Error::new(Kind::Refused, format!("{} is outside the restored data", path.display()))
        .hint("Apps and probes look at what was restored only: write a path below it.")
}
