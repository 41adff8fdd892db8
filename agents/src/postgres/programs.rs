//! PostgreSQL's own programs, where packages put them: which majors are there, and which of them fits.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::Program;
use crate::{Context, Error, Kind, Result};

/// Folders that hold one folder a major, and what is below that.
const PARENTS: [(&str, &str); 2] = [("/usr/lib/postgresql", "bin"), ("/usr", "bin")];
const ALONE: &str = "/usr/local/pgsql/bin";

/// The programs of one installed version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// Major version.
    pub(crate) major: u32,
    /// Version in full (`15.18`).
    pub(crate) version: String,
}

impl Programs {
    /// The programs of the oldest major that is not older than `least` and has all of `needed`: what comes
    /// closest to the server at hand behaves most like it. With `bin`, just those in that folder.
    ///
    /// # Errors
    /// [`Kind::Config`] if there are none, with the command that installs them.
    pub(crate) async fn fitting(cx: &Context, bin: Option<&Path>, needed: &[&str], least: u32) -> Result<Self> {
        let found = installed(cx, bin, needed).await;
        match found.iter().find(|programs| programs.major >= least) {
            Some(programs) => Ok(programs.clone()),
            None => Err(missing(bin, needed, least, "or newer ", &found)),
        }
    }

    /// The programs of just this major.
    ///
    /// # Errors
    /// As for [`Programs::fitting`].
    pub(crate) async fn of_major(cx: &Context, bin: Option<&Path>, needed: &[&str], major: u32) -> Result<Self> {
        let found = installed(cx, bin, needed).await;
        match found.iter().find(|programs| programs.major == major) {
            Some(programs) => Ok(programs.clone()),
            None => Err(missing(bin, needed, major, "", &found)),
        }
    }

    /// The folder that they are in.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of them.
    pub(crate) fn program(&self, name: &str) -> Program {
        Program::new(self.folder.join(name))
    }
}

fn missing(bin: Option<&Path>, needed: &[&str], major: u32, or_newer: &str, found: &[Programs]) -> Error {
    let names = needed.join(", ");
    let place = bin.map_or_else(|| "on this host".into(), |folder| format!("in {}", folder.display()));
    let there: Vec<&str> = found.iter().map(|programs| programs.version.as_str()).collect();
    let there = if there.is_empty() { "none".into() } else { there.join(", ") };
    let package = if needed == ["pg_dump"] { "postgresql-client" } else { "postgresql" };
    let (version, package) = match major {
        0 => (String::new(), package.to_owned()),
        _ => (format!("{major} {or_newer}"), format!("{package}-{major}")),
    };
    let error = Error::new(Kind::Config, format!("{names} of PostgreSQL {version}{place}: found {there}"));
    if bin.is_some() {
        return error.hint("Correct `bin`, or leave it out to use what is installed.");
    }
    // A distribution has one or two majors; PostgreSQL's own repository has every one that is alive.
    let from = if major == 0 { "" } else { ", from https://apt.postgresql.org where your distribution lacks it" };
    error.hint(format!("Install them (`apt-get install {package}`{from}), or name their folder as `bin`."))
}

/// Every version that is there, oldest first.
async fn installed(cx: &Context, bin: Option<&Path>, needed: &[&str]) -> Vec<Programs> {
    let folders = bin.map_or_else(folders, |folder| vec![cx.secrets.base().join(folder)]);
    let mut found = Vec::<Programs>::new();
    for folder in folders {
        if !needed.iter().all(|name| folder.join(name).is_file()) {
            continue;
        }
        let Some(version) = version(cx, &folder.join(needed[0])).await else { continue };
        let Some(major) = major(&version) else { continue };
        if found.iter().all(|programs| programs.major != major) {
            found.push(Programs { folder, major, version });
        }
    }
    found.sort_by_key(|programs| programs.major);
    found
}

/// Packages' own folders come first: what is on the path may be a wrapper around them.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = PARENTS.iter().flat_map(|(parent, below)| majors(parent, below)).collect();
    folders.push(ALONE.into());
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    folders
}

/// `15` on Debian, `pgsql-15` on Red Hat.
fn majors(parent: &str, below: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let versioned = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.strip_prefix("pgsql-").unwrap_or(&name).parse::<u32>().is_ok()
    });
    versioned.map(|entry| entry.path().join(below)).collect()
}

async fn version(cx: &Context, program: &Path) -> Option<String> {
    let ended = Program::new(program).arg("--version").run(cx, Duration::from_secs(10), 4096).await.ok()?;
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    let version = text.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
    Some(version.to_owned())
}

/// `15` of `15.18`, `17beta1` or `16devel`.
pub(crate) fn major(version: &str) -> Option<u32> {
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_is_read_from_every_form_of_version() {
        let majors = ["15.18", "17beta1", "16devel", "15", "x"].map(major);
        assert_eq!(majors, [Some(15), Some(17), Some(16), Some(15), None]);
    }

    #[test]
    fn what_is_missing_is_said_with_the_command_that_installs_it() {
        let there = Programs { folder: "/b".into(), major: 15, version: "15.18".into() };
        let error = missing(None, &["pg_dump"], 17, "or newer ", &[there]);
        assert_eq!(error.to_string(), "pg_dump of PostgreSQL 17 or newer on this host: found 15.18");
        assert!(error.next_step().is_some_and(|hint| hint.contains("apt-get install postgresql-client-17")));
        let error = missing(Some(Path::new("/nowhere")), &["pg_dump"], 0, "", &[]);
        assert!(error.next_step().is_some_and(|hint| hint.contains("`bin`") && !hint.contains("install postgresql")));
    }
}
