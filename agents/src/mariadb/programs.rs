//! The programs of MariaDB and MySQL, under the name that they have on this host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::Program;
use crate::{Context, Error, Kind, Result};

/// Where servers are that aren't on everybody's path.
const MORE: [&str; 4] = ["/usr/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/usr/local/mariadb/bin"];

/// An installed program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tool {
    pub(super) path: PathBuf,
    /// The server's version that it belongs to (`10.11.14-MariaDB`).
    pub(crate) version: String,
}

impl Tool {
    /// What dumps a database.
    ///
    /// # Errors
    /// [`Kind::Config`] if there is none, with the command that installs it.
    pub(crate) async fn dump(cx: &Context, bin: Option<&Path>) -> Result<Self> {
        Self::find(cx, bin, &["mariadb-dump", "mysqldump"], "mariadb-client").await
    }

    async fn find(cx: &Context, bin: Option<&Path>, names: &[&str], package: &str) -> Result<Self> {
        let path = found(cx, bin, names, package)?;
        let ended = Program::new(&path).arg("--version").run(cx, Duration::from_secs(10), 4096).await?;
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let version = version_in(&said).ok_or_else(|| {
            Error::new(Kind::Config, format!("{} doesn't tell its version", path.display()))
                .hint("Correct `bin`, or install the program from packages.")
        })?;
        Ok(Self { path, version })
    }

    /// Whether it is MariaDB's, not MySQL's.
    pub(crate) fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }
}

/// What makes a server, is one, and feeds it.
#[derive(Debug, Clone)]
pub(crate) struct ServerPrograms {
    pub(super) install: PathBuf,
    pub(super) server: Tool,
    pub(super) client: Tool,
}

impl ServerPrograms {
    /// Those that are there.
    ///
    /// # Errors
    /// As for [`Tool::dump`].
    pub(crate) async fn find(cx: &Context, bin: Option<&Path>) -> Result<Self> {
        let package = "mariadb-server";
        Ok(Self {
            install: found(cx, bin, &["mariadb-install-db", "mysql_install_db"], package)?,
            server: Tool::find(cx, bin, &["mariadbd", "mysqld"], package).await?,
            client: Tool::find(cx, bin, &["mariadb", "mysql"], package).await?,
        })
    }

    /// Version of the server.
    pub(crate) fn version(&self) -> &str {
        &self.server.version
    }

    /// The client.
    pub(crate) fn client(&self) -> &Tool {
        &self.client
    }
}

/// The first of these programs that is there.
fn found(cx: &Context, bin: Option<&Path>, names: &[&str], package: &str) -> Result<PathBuf> {
    let folders: Vec<PathBuf> = match bin {
        Some(folder) => vec![cx.secrets.base().join(folder)],
        None => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).chain(MORE.into_iter().map(PathBuf::from)).collect()
        }
    };
    let mut places = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.find(|path| path.is_file()).ok_or_else(|| missing(bin, names, package))
}

fn missing(bin: Option<&Path>, names: &[&str], package: &str) -> Error {
    let names = names.join(" or ");
    match bin {
        Some(folder) => Error::new(Kind::Config, format!("there is no {names} in {}", folder.display()))
            .hint("Correct `bin`, or leave it out to use what is installed."),
        None => Error::new(Kind::Config, format!("there is no {names} on this host"))
            .hint(format!("Install it (`apt-get install {package}`), or name its folder as `bin`.")),
    }
}

/// `10.11.14-MariaDB` of what a program says of itself.
fn version_in(said: &str) -> Option<String> {
    let mut words = said.split_whitespace().map(|word| word.trim_end_matches(','));
    let word = words.find(|word| release(word).is_some() && word.split('.').count() > 2)?;
    Some(plain(word))
}

/// A version without what a distribution adds to it.
pub(crate) fn plain(version: &str) -> String {
    match version.split_once("-MariaDB") {
        Some((numbers, _)) => format!("{numbers}-MariaDB"),
        None => version.split(['-', '+']).next().unwrap_or(version).to_owned(),
    }
}

/// The first two numbers of a version, which tell releases apart that write things differently.
pub(crate) fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_tells_its_version_in_words_of_its_own() {
        for (said, version) in [
            ("mariadb-dump  Ver 10.19 Distrib 10.11.14-MariaDB, for debian-linux-gnu (x86_64)", "10.11.14-MariaDB"),
            ("mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)", "11.4.2-MariaDB"),
            ("mariadbd  Ver 10.11.14-MariaDB-0+deb12u2 for debian-linux-gnu on x86_64 (Debian 12)", "10.11.14-MariaDB"),
            ("mysqldump  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))", "8.0.36"),
        ] {
            assert_eq!(version_in(said).as_deref(), Some(version), "{said}");
        }
        assert_eq!(version_in("no version"), None);
        assert_eq!(release("10.11.14-MariaDB"), Some((10, 11)));
    }

    #[test]
    fn what_is_missing_is_said_with_the_command_that_installs_it() {
        let error = missing(None, &["mariadb-dump", "mysqldump"], "mariadb-client");
        assert_eq!(error.to_string(), "there is no mariadb-dump or mysqldump on this host");
        assert!(error.next_step().is_some_and(|hint| hint.contains("apt-get install mariadb-client")));
        let error = missing(Some(Path::new("/nowhere")), &["mariadbd"], "mariadb-server");
        assert!(error.next_step().is_some_and(|hint| hint.contains("`bin`") && !hint.contains("install mariadb")));
    }
}
