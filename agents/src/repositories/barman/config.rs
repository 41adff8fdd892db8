//! Barman's configuration: what tells where a server's backups are and how they are read goes into a configuration of the run's own.
//! All else stays behind, so that Barman runs no hook for a drill, connects to nobody, and puts its locks and its log elsewhere.
//!
//! The format is that of Python's `configparser`, which Barman reads it with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drill_scenarios::BarmanSource;

use crate::{Account, Error, Kind, Result};

/// Where Barman looks for its configuration.
const FILES: [&str; 3] = ["~/.barman.conf", "/etc/barman.conf", "/etc/barman/barman.conf"];
/// Section of what holds for all servers.
const GLOBAL: &str = "barman";
/// What is taken along.
const KEPT: [&str; 14] = [
    "backup_directory",
    "bandwidth_limit",
    "basebackups_directory",
    "compression",
    "custom_compression_filter",
    "custom_compression_magic",
    "custom_decompression_filter",
    "errors_directory",
    "incoming_wals_directory",
    "parallel_jobs",
    PREFIX,
    "streaming_wals_directory",
    "tablespace_bandwidth_limit",
    "wals_directory",
];
/// Where Barman looks for programs first.
pub(super) const PREFIX: &str = "path_prefix";

type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// What is known of one server.
#[derive(Debug, Clone)]
pub(super) struct Config {
    server: String,
    home: String,
    options: BTreeMap<String, String>,
}

impl Config {
    /// What the configuration, and the scenario, say of the server.
    ///
    /// # Errors
    /// [`Kind::Config`] if there is none, or none of this server; I/O errors.
    pub(super) fn read(source: &BarmanSource, base: &Path) -> Result<Self> {
        let server = source.server.clone();
        if server.starts_with(['-', '.'])
            || server == GLOBAL
            || server.contains(|c: char| "]%/".contains(c) || c.is_control())
        {
            return Err(Error::new(Kind::Config, format!("`{server}` is no name of a server of Barman")));
        }
        let file = match &source.config {
            Some(config) => Some(base.join(config)),
            None if source.home.is_some() => None,
            None => Some(found()?),
        };
        let mut sections = file.as_deref().map(with_included).transpose()?.unwrap_or_default();
        let own = sections.remove(&server);
        if let (Some(file), None) = (&file, &own) {
            let known: Vec<&str> = sections.keys().map(String::as_str).filter(|name| *name != GLOBAL).collect();
            let message = format!("{} names no server {server}; it names {}", file.display(), known.join(", "));
            return Err(Error::new(Kind::Config, message).hint("Correct `server` or `config` of the source."));
        }
        let (global, own) = (sections.remove(GLOBAL).unwrap_or_default(), own.unwrap_or_default());
        let kept = |name: &&str| Some(((*name).to_owned(), own.get(*name).or_else(|| global.get(*name))?.clone()));
        let options = KEPT.iter().filter_map(kept).collect();
        let given = source.home.as_ref().map(|home| base.join(home).display().to_string().replace('%', "%%"));
        let home = given.or_else(|| global.get("barman_home").cloned()).ok_or_else(|| {
            let file = file.as_deref().map_or("the configuration".into(), Path::to_string_lossy);
            Error::new(Kind::Config, format!("{file} tells no `barman_home`")).hint("Name it as `home` of the source.")
        })?;
        Ok(Self { server, home, options })
    }

    /// With programs that are looked for in this folder, unless it says where they are.
    pub(super) fn with_programs(mut self, folder: &Path) -> Self {
        self.options.entry(PREFIX.into()).or_insert_with(|| folder.display().to_string());
        self
    }

    /// The configuration under which this account reads the backups. Locks go into this folder.
    pub(super) fn text(&self, account: &Account, folder: &Path) -> String {
        let Self { server, home, options } = self;
        let locks = folder.display().to_string().replace('%', "%%");
        let kept: String =
            options.iter().map(|(name, value)| format!("{name} = {}\n", value.replace('\n', "\n  "))).collect();
        format!(
            "[{GLOBAL}]\nbarman_home = {home}\nbarman_user = {}\nbarman_lock_directory = {locks}\nlog_file = /dev/null\n\
             [{server}]\ndescription = adopted by drillctl\narchiver = on\nconninfo = host=/nonexistent\nssh_command = false\n\
             backup_options = concurrent_backup\n{kept}",
            account.name
        )
    }

    /// The folder that holds one folder a backup.
    pub(super) fn base(&self) -> PathBuf {
        let named = self.options.get("basebackups_directory").map(|value| self.filled(value));
        named.map_or_else(|| self.directory().join("base"), PathBuf::from)
    }

    /// The server's folder.
    pub(super) fn directory(&self) -> PathBuf {
        let named = self.options.get("backup_directory").map(|value| self.filled(value));
        named.map_or_else(|| Path::new(&self.filled(&self.home)).join(&self.server), PathBuf::from)
    }

    /// A value in which names of others stand.
    fn filled(&self, value: &str) -> String {
        let mut value =
            unquoted(value).replace("%(barman_home)s", unquoted(&self.home)).replace("%(name)s", &self.server);
        if value.contains("%(backup_directory)s") {
            value = value.replace("%(backup_directory)s", &self.directory().display().to_string());
        }
        value.replace("%%", "%")
    }
}

fn unquoted(value: &str) -> &str {
    let inside = |mark: char| value.strip_prefix(mark)?.strip_suffix(mark);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

fn found() -> Result<PathBuf> {
    let files: Vec<PathBuf> = FILES.iter().map(|path| at_home(path)).collect();
    files.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Error::new(Kind::Config, format!("Barman's configuration is not there: neither {}", FILES.join(" nor ")))
            .hint("Name it as `config` of the source, or Barman's home as `home`.")
    })
}

fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(below), Some(home)) => Path::new(&home).join(below),
        _ => path.into(),
    }
}

/// The sections of a file and of those that it includes, in Barman's order.
fn with_included(file: &Path) -> Result<Sections> {
    let mut all = sections(&text(file)?);
    let included = all.get(GLOBAL).and_then(|global| global.get("configuration_files_directory"));
    let Some(folder) = included.map(|value| at_home(unquoted(value))).filter(|folder| folder.is_dir()) else {
        return Ok(all);
    };
    let wrong = |cause| Error::io("reading", folder.display(), cause);
    let entries = std::fs::read_dir(&folder).map_err(wrong)?.collect::<std::io::Result<Vec<_>>>().map_err(wrong)?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "conf") && path.is_file());
    files.sort();
    for file in files {
        for (name, options) in sections(&text(&file)?) {
            all.entry(name).or_default().extend(options);
        }
    }
    Ok(all)
}

fn text(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).map_err(|cause| {
        Error::new(Kind::Config, format!("Barman's configuration {} can't be read", file.display())).because(cause)
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What stands in each section. A line that begins further right goes on with the value before it.
fn sections(text: &str) -> Sections {
    let mut sections = Sections::new();
    let (mut section, mut option) = (String::new(), None::<String>);
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';']) && !line.trim().is_empty()) {
        let said = line.trim();
        if let (true, Some(name)) = (line.starts_with(char::is_whitespace), &option) {
            let value = sections.entry(section.clone()).or_default().entry(name.clone()).or_default();
            value.push('\n');
            value.push_str(said);
        } else if let Some(name) = said.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            (section, option) = (name.0.to_owned(), None);
            sections.entry(section.clone()).or_default();
        } else if let Some((name, value)) = said.split_once(['=', ':']) {
            let name = name.trim().to_lowercase();
            sections.entry(section.clone()).or_default().insert(name.clone(), value.trim().to_owned());
            option = Some(name);
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = "; a comment
[barman]
barman_home = /srv/barman
configuration_files_directory = /nonexistent
Compression: gzip
post_recovery_script = rm -rf /
[shop]
# another
conninfo = host=db password=hunter2
wals_directory = %(barman_home)s/wals
compression = custom
custom_decompression_filter = python3 -c
    'decompress()'
pre_recovery_script = rm -rf /
[web]
backup_directory = \"/srv/100%%/web\"
";

    fn read(server: &str) -> Result<Config> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("barman.conf");
        std::fs::write(&file, THEIRS).expect("written");
        let source = format!(r#"{{"server": "{server}", "config": "barman.conf"}}"#);
        Config::read(&serde_json::from_str(&source).expect("a source"), folder.path())
    }

    #[test]
    fn only_what_is_needed_to_read_backups_is_taken_along() {
        let account = Account { name: "postgres".into(), uid: 1, gid: 1 };
        let text = read("shop").expect("a server").text(&account, Path::new("/run/5%"));
        let own = sections(&text);
        assert_eq!(own["barman"]["barman_lock_directory"], "/run/5%%");
        assert_eq!(own["shop"]["compression"], "custom", "the server's own, not that of all");
        assert_eq!(own["shop"]["custom_decompression_filter"], "python3 -c\n'decompress()'");
        assert_eq!(own["shop"]["wals_directory"], "%(barman_home)s/wals");
        assert!(!text.contains("_script") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn folders_are_found_by_what_barman_would_take_them_for() {
        assert_eq!(read("shop").expect("a server").base(), Path::new("/srv/barman/shop/base"));
        let web = read("web").expect("a server");
        assert_eq!((web.directory(), web.base()), ("/srv/100%/web".into(), "/srv/100%/web/base".into()));
    }

    #[test]
    fn a_server_that_is_not_there_is_told_with_those_that_are() {
        let error = read("blog").expect_err("no such server");
        assert!(error.to_string().ends_with("names no server blog; it names shop, web"), "{error}");
        for name in ["barman", "-shop", "a]b"] {
            assert!(read(name).expect_err(name).to_string().contains("no name of a server"));
        }
    }
}
