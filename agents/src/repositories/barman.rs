//! Backups of PostgreSQL clusters that Barman took. It is always started under a configuration of the run's own, and told where every
//! tablespace goes: Barman would put those that it isn't told of where they were in the source.

mod config;

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use drill_scenarios::{BarmanSource, OwnCheck};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::config::Config;
use super::tool::{Tool, Variables, failed, hindered, unreadable};
use super::{NOTES, quoted};
use crate::postgres::facts;
use crate::postgres::programs::Programs;
use crate::process::{Ended, Program};
use crate::{
    Account, Adopted, Context, Database, Described, Error, Format, Identity, Index, Kind, Note, Recovery, Repository,
    Restored, Restorer, Result, Secrets, Supply, TABLESPACES, Verification, Vouched,
};

/// Folder for its configuration, its locks and what it makes while it works.
const OWN: &str = "barman";
/// Where Barman puts the WAL of a cluster that is to recover, below the data.
const WAL: &str = "barman_wal";
/// PostgreSQL's list of the files of a backup.
const MANIFEST: &str = "backup_manifest";
/// Bytes of a segment of WAL, mostly.
const SEGMENT_BYTES: u64 = 16 << 20;
/// Letters of the name of a segment.
const SEGMENT_NAME: usize = 24;

/// A server in Barman's home.
pub(super) struct BarmanRepository {
    source: BarmanSource,
    location: String,
    tool: Arc<Tool>,
    config: Config,
}

/// A backup, as `barman list-backup` tells it.
#[derive(Debug, Clone, Deserialize)]
struct Listed {
    backup_id: String,
    status: String,
    /// Seconds, as text.
    end_time_timestamp: Option<String>,
}

/// A backup, as `barman show-backup` tells it.
#[derive(Debug, Clone, Deserialize)]
struct Shown {
    backup_id: String,
    base_backup_information: Base,
    /// Such as 150018.
    postgresql_version: u32,
    #[serde(default)]
    tablespaces: Vec<Tablespace>,
    wal_information: Wal,
}

#[derive(Debug, Clone, Deserialize)]
struct Base {
    disk_usage_bytes: u64,
    end_time: String,
    end_wal: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Tablespace {
    name: String,
    oid: u32,
}

#[derive(Debug, Clone, Deserialize)]
struct Wal {
    /// Segments from the backup to the next one.
    no_of_files: u64,
}

/// Who the cluster is, as Barman noted it when it first took a backup.
#[derive(Debug, Deserialize)]
struct Noted {
    systemid: String,
    version: String,
}

impl BarmanRepository {
    /// The server that the scenario describes. Nothing is started yet.
    ///
    /// # Errors
    /// [`Kind::Config`] if Barman isn't there, or its configuration doesn't name the server.
    pub(super) fn open(source: &BarmanSource, secrets: &Arc<Secrets>) -> Result<Self> {
        let none = (BTreeMap::new(), BTreeMap::new());
        let variables = Variables { plain: &none.0, secret: &none.1 };
        let tool = Tool::new(source.program.as_deref(), ("barman", "barman"), variables, secrets)?.with("TZ", "UTC");
        let config = Config::read(source, secrets.base())?;
        let location = format!("server {} of Barman in {}", source.server, config.directory().display());
        Ok(Self { source: source.clone(), location, tool: Arc::new(tool), config })
    }

    /// Barman, about to be started as the account that this process runs as.
    fn program(&self, cx: &Context, config: &Config) -> Result<Program> {
        let folder = cx.folder.join(NOTES).join(OWN).join(&self.source.server);
        std::fs::create_dir_all(&folder).map_err(|cause| Error::io("making", folder.display(), cause))?;
        configured(self.tool.program(cx)?, config, &Account::current(), &folder)
    }

    /// What Barman tells of the server.
    async fn told<T: DeserializeOwned>(&self, cx: &Context, question: &[&str]) -> Result<T> {
        let program = self.program(cx, &self.config)?.args(["--format", "json"]).args(question);
        let ended = self.tool.answer(cx, program).await?;
        let mut answer: BTreeMap<String, Value> = serde_json::from_slice(&ended.stdout).unwrap_or_default();
        let about = answer.remove(&self.source.server).filter(|_| ended.status.success());
        let about = about.ok_or_else(|| refused(&ended, answer.get("_ERROR"), &self.location))?;
        serde_json::from_value(about).map_err(|cause| unreadable(&format!("barman {}", question[0]), cause))
    }

    /// Those that are whole, the oldest first.
    async fn listed(&self, cx: &Context) -> Result<Vec<Listed>> {
        // Barman takes a folder that it can't read for an empty one.
        let base = self.config.base();
        std::fs::read_dir(&base).map_err(|cause| {
            Error::new(Kind::Unavailable, format!("the backups in {} can't be read", base.display()))
                .because(cause)
                .hint("Correct `server`, `config` or `home` of the source, or run drillctl as the account that Barman runs as.")
        })?;
        let mut listed: Vec<Listed> = self.told(cx, &["list-backup", &self.source.server]).await?;
        listed.retain(|backup| ["DONE", "WAITING_FOR_WALS"].contains(&backup.status.as_str()));
        listed.sort_by(|a, b| a.backup_id.cmp(&b.backup_id));
        Ok(listed)
    }

    async fn shown(&self, cx: &Context, id: &str) -> Result<Shown> {
        self.told(cx, &["show-backup", &self.source.server, id]).await
    }

    async fn version(&self, cx: &Context) -> Result<String> {
        let ended = self.tool.answer(cx, self.program(cx, &self.config)?.arg("--version")).await?;
        let told = String::from_utf8_lossy(&ended.stdout).into_owned();
        Ok(told.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// Has Barman read every file of a backup. Returns what it complains of, or why that can't be done.
    async fn verified(&self, cx: &Context, shown: &Shown) -> Result<std::result::Result<Vec<String>, String>> {
        let data = self.config.base().join(&shown.backup_id).join("data");
        if !data.join(MANIFEST).is_file() {
            return Ok(Err("no manifest of PostgreSQL is with it (`barman generate-manifest` makes one)".into()));
        }
        if !data.join("PG_VERSION").is_file() {
            return Ok(Err("it is compressed".into()));
        }
        let Ok(programs) = Programs::of_major(cx, None, &["pg_verifybackup"], shown.major()).await else {
            return Ok(Err(format!("pg_verifybackup of PostgreSQL {} is not there", shown.major())));
        };
        let config = self.config.clone().with_programs(programs.folder());
        let program = self.program(cx, &config)?.args(["verify-backup", &self.source.server, &shown.backup_id]);
        let ended = self.tool.work(cx, program).await?;
        match hindered(&ended) {
            Some(kind) => Err(failed(&ended, kind)),
            None if ended.status.success() => Ok(Ok(Vec::new())),
            None => Ok(Ok(errors(&ended))),
        }
    }
}

/// Under a configuration that is written into this folder, and with all that it makes in there too.
fn configured(program: Program, config: &Config, account: &Account, folder: &Path) -> Result<Program> {
    let file = folder.join("barman.conf");
    let text = config.text(account, folder);
    std::fs::write(&file, text).map_err(|cause| Error::io("writing", file.display(), cause))?;
    let temporary = folder.display().to_string();
    Ok(program.env("TMPDIR", temporary).arg("--config").arg(file))
}

/// What Barman says when it answers nothing.
fn refused(ended: &Ended, errors: Option<&Value>, location: &str) -> Error {
    let said = errors.and_then(|errors| errors[0].as_str()).map(str::to_owned);
    let said = said.or_else(|| ended.stderr.last().cloned()).unwrap_or_else(|| "it does not say why".into());
    Error::new(hindered(ended).unwrap_or(Kind::Unavailable), format!("{location} can't be read: {said}"))
        .hint("Look whether `barman list-backup` tells of it.")
}

/// The lines that say what is wrong.
fn errors(ended: &Ended) -> Vec<String> {
    let said = ended.stderr.iter().filter(|line| !line.starts_with("WARNING: ") && !line.trim().is_empty());
    said.map(|line| line.trim_start_matches("ERROR: ").to_owned()).collect()
}

#[async_trait]
impl Repository for BarmanRepository {
    async fn identity(&self, _: &Context) -> Result<Identity> {
        let folder = self.config.directory();
        let mut identity = Identity::of_path("postgres", &folder).unwrap_or_else(|_| Identity::new("postgres", []));
        let noted = std::fs::read(folder.join("identity.json")).ok();
        if let Some(noted) = noted.and_then(|bytes| serde_json::from_slice::<Noted>(&bytes).ok()) {
            identity.values.insert(facts::SYSTEM.into(), noted.systemid);
            identity.values.insert("version".into(), noted.version);
        }
        Ok(identity)
    }

    fn location(&self) -> &str {
        &self.location
    }

    fn format(&self) -> Format {
        Format::PgBase
    }

    async fn backups(&self, cx: &Context) -> Result<Vec<Adopted>> {
        let tool = format!("Barman {}", self.version(cx).await?);
        self.listed(cx).await?.iter().map(|backup| backup.adopted(&tool)).collect()
    }

    async fn restored_bytes(&self, cx: &Context, backup: &Adopted) -> Result<u64> {
        let mut bytes = self.shown(cx, &backup.id).await?.base_backup_information.disk_usage_bytes;
        for later in self.listed(cx).await?.iter().filter(|listed| listed.backup_id >= backup.id) {
            bytes += self.shown(cx, &later.backup_id).await?.wal_information.no_of_files * SEGMENT_BYTES;
        }
        Ok(bytes)
    }

    async fn describe(&self, cx: &Context, backup: &Adopted) -> Result<Described> {
        let shown = self.shown(cx, &backup.id).await?;
        let mut vouched =
            Vouched { opened: Some("read by Barman, which encrypts nothing".into()), ..Vouched::default() };
        let mut notes = Vec::new();
        match self.verified(cx, &shown).await? {
            Ok(complaints) if complaints.is_empty() => {
                vouched.intact =
                    Some("Barman compared each file of the backup with PostgreSQL's manifest of it".into());
            }
            Ok(complaints) => {
                let message = format!("barman verify-backup: {}", complaints.join("; "));
                return Err(Error::new(Kind::Corrupt, message));
            }
            Err(why) => notes.push(Note {
                subject: format!("backup {}", backup.id),
                statement: format!("Whether its files are as they were stored is not known: {why}."),
            }),
        }
        let database = Database {
            name: self.source.database.clone(),
            engine: "postgres".into(),
            version: format!("{}.{}", shown.major(), shown.postgresql_version % 10_000),
            settings: BTreeMap::from([(facts::SUPERUSER.into(), self.source.user.clone())]),
            ..Database::default()
        };
        let index = Index { databases: vec![database], listed: true, ..Index::new(Format::PgBase) };
        Ok(Described { index, vouched, notes })
    }

    async fn supply(&self, cx: &Context, backup: &Adopted) -> Result<Supply> {
        let backup = self.shown(cx, &backup.id).await?;
        let (source, tool, config) = (self.source.clone(), self.tool.clone(), self.config.clone());
        Ok(Supply::Tool(Box::new(Restore { source, tool, config, backup })))
    }

    async fn check(&self, cx: &Context) -> Result<Option<Verification>> {
        if self.source.check == OwnCheck::None {
            return Ok(None);
        }
        let mut complaints = Vec::new();
        for backup in self.listed(cx).await? {
            let found = self.verified(cx, &self.shown(cx, &backup.backup_id).await?).await?;
            let found = found.unwrap_or_else(|why| vec![format!("it can't be verified: {why}")]);
            complaints.extend(found.into_iter().map(|line| format!("{}: {line}", backup.backup_id)));
        }
        Ok(Some(Verification { command: "barman verify-backup of every backup".into(), complaints }))
    }
}

impl Listed {
    fn adopted(&self, tool: &str) -> Result<Adopted> {
        let seconds = self.end_time_timestamp.as_deref().unwrap_or_default().parse::<i64>();
        let seconds = seconds.map_err(|cause| unreadable("barman list-backup", cause))?;
        let taken_at = Timestamp::from_second(seconds).map_err(|cause| unreadable("barman list-backup", cause))?;
        let about = BTreeMap::from([("status".to_owned(), self.status.clone())]);
        Ok(Adopted { id: self.backup_id.clone(), taken_at, tool: tool.into(), about })
    }
}

impl Shown {
    fn major(&self) -> u32 {
        self.postgresql_version / 10_000
    }

    fn ended(&self) -> Result<Timestamp> {
        let told = &self.base_backup_information.end_time;
        told.replacen(' ', "T", 1).parse().map_err(|cause: jiff::Error| unreadable("barman show-backup", cause))
    }

    /// Where each tablespace goes, as `barman recover` takes it.
    fn relocations(&self, folder: &Path) -> Result<Vec<String>> {
        let relocation = |Tablespace { name, oid }: &Tablespace| {
            if name.contains(':') {
                let message =
                    format!("Barman can't be told where the tablespace {name} goes, for the colon in its name");
                return Err(Error::new(Kind::Refused, message));
            }
            Ok(format!("{name}:{}", folder.join(oid.to_string()).display()))
        };
        self.tablespaces.iter().map(relocation).collect()
    }
}

/// A backup that is restored by Barman.
struct Restore {
    source: BarmanSource,
    tool: Arc<Tool>,
    config: Config,
    backup: Shown,
}

#[async_trait]
impl Restorer for Restore {
    async fn restore_into(&self, cx: &Context, folder: &Path, account: &Account) -> Result<Restored> {
        let own = folder.with_file_name(OWN);
        let wrong = |cause| Error::io("making", own.display(), cause);
        std::fs::DirBuilder::new().mode(0o700).create(&own).map_err(wrong)?;
        std::os::unix::fs::chown(&own, Some(account.uid), Some(account.gid)).map_err(wrong)?;
        let program = self.tool.program(cx)?.folder(folder.parent().unwrap_or(folder));
        let program = configured(program, &self.config, account, &own)?.account(account).arg("recover");
        // Towards an end that it does not set itself, it puts the WAL into a folder of its own, up to the end of the archive.
        let program = program.args(["--no-get-wal", "--target-immediate", "--target-tli=latest"]);
        let places = self.backup.relocations(&folder.with_file_name(TABLESPACES))?;
        let program = places.iter().fold(program, |program, place| program.args(["--tablespace", place]));
        let program = program.arg("--recovery-staging-path").arg(&own);
        let program = program.args([&self.source.server, &self.backup.backup_id]).arg(folder);
        let ended = self.tool.work(cx, program).await?;
        if !ended.status.success() {
            return Err(unrestored(&ended));
        }
        std::fs::remove_dir_all(&own).map_err(|cause| Error::io("removing", own.display(), cause))?;
        Ok(Restored::default())
    }

    fn recovery(&self, _: &Context, data: &Path) -> Result<Recovery> {
        let wal = data.join(WAL);
        let missing = || {
            let message = format!("no WAL of backup {} is in the archive", self.backup.backup_id);
            Error::new(Kind::Unrestorable, message)
        };
        let newest = segments(&wal).into_iter().max().ok_or_else(missing)?;
        Ok(Recovery {
            fetch: format!("cp {}/%f \"%p\"", quoted(&wal.display().to_string())),
            env: BTreeMap::new(),
            to: self.source.recover_to,
            consistent_at: self.backup.ended()?,
            last_of_backup: self.backup.base_backup_information.end_wal.clone(),
            newest,
        })
    }
}

/// Names of the segments of WAL in a folder.
fn segments(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.len() == SEGMENT_NAME && name.bytes().all(|c| c.is_ascii_hexdigit())).collect()
}

/// The error of a restore that failed.
fn unrestored(ended: &Ended) -> Error {
    let said = errors(ended).join("; ");
    let denied = said.contains("Permission denied");
    let kind = hindered(ended).unwrap_or(if denied { Kind::Denied } else { Kind::Unrestorable });
    let error = Error::new(kind, format!("barman recover: {said}"));
    match kind {
        Kind::Denied => error.hint("Let the account that the scratch's server runs as read Barman's home."),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = r#"{"backup_id": "20261125T131645", "postgresql_version": 150018, "status": "DONE",
        "base_backup_information": {"disk_usage_bytes": 7, "end_time": "2026-11-25 13:16:48.768214+01:00", "end_wal": "0"},
        "tablespaces": [{"location": "/srv/fast", "name": "fast", "oid": 16384}], "wal_information": {"no_of_files": 1}}"#;

    #[test]
    fn every_tablespace_is_given_a_place_and_one_that_cannot_be_is_refused() {
        let mut shown: Shown = serde_json::from_str(SHOWN).expect("an answer");
        assert_eq!(shown.relocations(Path::new("/t")).expect("a place"), ["fast:/t/16384"]);
        assert_eq!(shown.ended().expect("a time").to_string(), "2026-11-25T12:16:48.768214Z");
        shown.tablespaces[0].name = "a:/srv/fast".into();
        assert_eq!(shown.relocations(Path::new("/t")).expect_err("no place").kind(), Kind::Refused);
    }
}
