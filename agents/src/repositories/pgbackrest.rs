//! Backups of PostgreSQL clusters that pgBackRest took. It is always started without a log file and with locks in the run's folder, told
//! where to restore to on its command line, and never with the folder of the source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use drill_scenarios::{OwnCheck, PgbackrestSource};
use jiff::Timestamp;
use serde::Deserialize;

use super::tool::{Tool, Variables, failed, unreadable};
use super::{NOTES, quoted};
use crate::postgres::facts;
use crate::process::{Ended, Program};
use crate::{
    Account, Adopted, Context, Database, Described, Error, Format, Identity, Index, Kind, Recovery, Repository,
    Restored, Restorer, Result, Secrets, Supply, TABLESPACES, Verification, Vouched,
};

/// What it says goes to standard error, and nothing into a file.
const QUIET: [&str; 3] = ["--log-level-file=off", "--log-level-console=off", "--log-level-stderr=warn"];

/// A stanza in a repository of pgBackRest.
pub(super) struct PgbackrestRepository {
    source: PgbackrestSource,
    location: String,
    tool: Arc<Tool>,
    asked: Asked,
}

/// What every call is given: the stanza, and where its repository is.
#[derive(Debug, Clone)]
struct Asked {
    args: Vec<String>,
    repository: Option<PathBuf>,
}

/// A stanza, as `pgbackrest info --output=json` tells it.
#[derive(Debug, Deserialize)]
struct Stanza {
    archive: Vec<Archive>,
    backup: Vec<Backup>,
    #[serde(default)]
    cipher: String,
    db: Vec<Db>,
    #[serde(default)]
    repo: Vec<Repo>,
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Repo {
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Status {
    code: u32,
    message: String,
}

/// The cluster that something is of, and the repository that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Of {
    id: u32,
    #[serde(rename = "repo-key", default)]
    repo: u32,
}

#[derive(Debug, Deserialize)]
struct Archive {
    database: Of,
    max: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Db {
    id: u32,
    #[serde(rename = "system-id")]
    system: u64,
    version: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Backup {
    archive: Wal,
    backrest: Version,
    database: Of,
    /// Pages of the source had wrong checksums when it was taken.
    #[serde(default)]
    error: Option<bool>,
    info: Sizes,
    label: String,
    timestamp: Times,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Wal {
    start: Option<String>,
    stop: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Version {
    version: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Sizes {
    size: u64,
}

#[derive(Debug, Clone, Deserialize)]
struct Times {
    stop: i64,
}

/// What the code of a status means.
mod code {
    pub(super) const OK: u32 = 0;
    pub(super) const NO_STANZA: u32 = 1;
    pub(super) const NO_BACKUP: u32 = 2;
    pub(super) const NO_DATA: u32 = 3;
}

impl PgbackrestRepository {
    /// The repository that the scenario describes. Nothing is started yet.
    ///
    /// # Errors
    /// [`Kind::Config`] if pgBackRest isn't there.
    pub(super) fn open(source: &PgbackrestSource, secrets: &Arc<Secrets>) -> Result<Self> {
        let variables = Variables { plain: &source.env, secret: &source.secrets };
        let tool = Tool::new(source.program.as_deref(), ("pgbackrest", "pgbackrest"), variables, secrets)?;
        let below = |path: &PathBuf| secrets.base().join(path);
        let (config, repository) = (source.config.as_ref().map(below), source.repository.as_ref().map(below));
        let mut args = vec![format!("--stanza={}", source.stanza)];
        args.extend(config.as_ref().map(|path| format!("--config={}", path.display())));
        args.extend(repository.as_ref().map(|path| format!("--repo1-path={}", path.display())));
        let place = repository.as_ref().or(config.as_ref()).map(|path| format!(" of {}", path.display()));
        let location = format!("stanza {}{}", source.stanza, place.unwrap_or_default());
        Ok(Self { source: source.clone(), location, tool: Arc::new(tool), asked: Asked { args, repository } })
    }

    async fn stanza(&self, cx: &Context) -> Result<Stanza> {
        let program = self.tool.program(cx)?.arg("info").args(&self.asked.args).args(QUIET).arg(locks(cx));
        let ended = self.tool.answer(cx, program.arg("--output=json")).await?;
        if !ended.status.success() {
            return Err(refused(&ended, &self.location));
        }
        let told: Vec<Stanza> =
            serde_json::from_str(&clean(&ended.stdout)).map_err(|cause| unreadable("pgbackrest info", cause))?;
        let stanza = told.into_iter().next().ok_or_else(|| self.absent("it tells of no stanza"))?;
        match self.trouble(&stanza) {
            Some(error) => Err(error),
            None => Ok(stanza),
        }
    }

    /// What pgBackRest says when it doesn't get at the stanza.
    fn trouble(&self, stanza: &Stanza) -> Option<Error> {
        if !stanza.backup.is_empty() || matches!(stanza.status.code, code::OK | code::NO_BACKUP) {
            return None;
        }
        let statuses = stanza.repo.iter().map(|repo| &repo.status).chain([&stanza.status]);
        let status = statuses.into_iter().find(|status| status.code != code::OK)?;
        if matches!(status.code, code::NO_STANZA | code::NO_DATA) {
            return Some(self.absent(&status.message));
        }
        let said = status.message.lines().next().unwrap_or_default();
        let garbled = ["[FormatError]", "[CryptoError]"].iter().any(|sign| said.starts_with(sign));
        if garbled && (stanza.cipher != "none" || status.message.contains("Salted__")) {
            let message = format!("the passphrase does not open the pgBackRest repository of {}", self.location);
            return Some(Error::new(Kind::WrongKey, message).hint(
                "Say where the right one is kept: `secrets: {PGBACKREST_REPO1_CIPHER_PASS: …}`, with \
                 `env: {PGBACKREST_REPO1_CIPHER_TYPE: aes-256-cbc}` if the configuration file doesn't say so.",
            ));
        }
        let kind = if garbled || said.starts_with("[ChecksumError]") { Kind::Corrupt } else { Kind::Unavailable };
        Some(Error::new(kind, format!("{}: {said}", self.location)))
    }

    fn absent(&self, why: &str) -> Error {
        Error::new(Kind::Unavailable, format!("{} is not there: {why}", self.location))
            .hint("Correct `stanza`, `config` or `repository` of the source; `pgbackrest info` lists what there is.")
    }

    async fn backup(&self, cx: &Context, label: &str) -> Result<(Stanza, Backup)> {
        let stanza = self.stanza(cx).await?;
        let found = stanza.backup.iter().find(|backup| backup.label == label).cloned();
        let gone = || Error::new(Kind::Corrupt, format!("backup {label} is not in {} any more", self.location));
        found.map(|backup| (stanza, backup)).ok_or_else(gone)
    }
}

/// An answer that is JSON but for what it quotes of a file that it could not read.
fn clean(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Where it may put locks: never where the source's own calls look for them.
fn locks(cx: &Context) -> String {
    format!("--lock-path={}", cx.folder.join(NOTES).display())
}

#[async_trait]
impl Repository for PgbackrestRepository {
    async fn identity(&self, cx: &Context) -> Result<Identity> {
        let stanza = self.stanza(cx).await?;
        let place = self.asked.repository.as_deref().and_then(|path| Identity::of_path("postgres", path).ok());
        let mut identity = place.unwrap_or_else(|| Identity::new("postgres", []));
        if let Some(db) = stanza.db.iter().max_by_key(|db| db.id) {
            identity.values.insert(facts::SYSTEM.into(), db.system.to_string());
            identity.values.insert("version".into(), db.version.clone());
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
        let stanza = self.stanza(cx).await?;
        let mut backups = stanza.backup.iter().map(Backup::adopted).collect::<Result<Vec<_>>>()?;
        backups.sort_by(|a, b| (a.taken_at, &a.id).cmp(&(b.taken_at, &b.id)));
        Ok(backups)
    }

    async fn restored_bytes(&self, cx: &Context, backup: &Adopted) -> Result<u64> {
        Ok(self.backup(cx, &backup.id).await?.1.info.size)
    }

    async fn describe(&self, cx: &Context, backup: &Adopted) -> Result<Described> {
        let (stanza, backup) = self.backup(cx, &backup.id).await?;
        let version = stanza.db.iter().find(|db| db.id == backup.database.id).map(|db| db.version.clone());
        let database = Database {
            name: self.source.database.clone(),
            engine: "postgres".into(),
            version: version.unwrap_or_default(),
            settings: BTreeMap::from([(facts::SUPERUSER.into(), self.source.user.clone())]),
            ..Database::default()
        };
        let index = Index { databases: vec![database], listed: true, ..Index::new(Format::PgBase) };
        Ok(Described { index, vouched: vouched(&stanza.cipher), notes: Vec::new() })
    }

    async fn supply(&self, cx: &Context, backup: &Adopted) -> Result<Supply> {
        let (stanza, backup) = self.backup(cx, &backup.id).await?;
        let archive = stanza.archive.into_iter().find(|archive| archive.database == backup.database);
        let (source, tool, asked) = (self.source.clone(), self.tool.clone(), self.asked.clone());
        let newest = archive.and_then(|archive| archive.max);
        Ok(Supply::Tool(Box::new(Restore { source, tool, asked, backup, newest })))
    }

    async fn check(&self, cx: &Context) -> Result<Option<Verification>> {
        if self.source.check == OwnCheck::None {
            return Ok(None);
        }
        let program = self.tool.program(cx)?.arg("verify").args(&self.asked.args).args(QUIET).arg("--output=text");
        let mut told = Vec::new();
        let ended = self.tool.lines(cx, program, |line| {
            told.push(line.trim().to_owned());
            Ok(())
        });
        let ended = ended.await?;
        if !ended.status.success() {
            return Err(failed(&ended, Kind::Corrupt));
        }
        Ok(Some(Verification { command: "pgbackrest verify".into(), complaints: complaints(told) }))
    }
}

/// What `pgbackrest verify` complains of: it exits with 0 whatever it finds.
fn complaints(told: Vec<String>) -> Vec<String> {
    if !told.iter().any(|line| line == "status: error") {
        return Vec::new();
    }
    told.into_iter()
        .filter(|line| !line.is_empty() && line != "status: error" && !line.starts_with("stanza:"))
        .collect()
}

/// pgBackRest keeps no file that it restored if its digest isn't that of the manifest, whose own digest it has compared.
fn vouched(cipher: &str) -> Vouched {
    let opened = match cipher {
        "none" => "opened by pgBackRest; the repository is not encrypted".into(),
        cipher => format!("opened by pgBackRest with the passphrase of the repository ({cipher})"),
    };
    Vouched {
        intact: Some("pgBackRest compared each file that it restored with the SHA-1 in the backup's manifest".into()),
        opened: Some(opened),
    }
}

/// What pgBackRest says when it answers nothing.
fn refused(ended: &Ended, location: &str) -> Error {
    failed(ended, Kind::Unavailable)
        .hint(format!("Look whether the configuration for {location} is there and can be read: `pgbackrest info`."))
}

impl Backup {
    fn adopted(&self) -> Result<Adopted> {
        let wal = [&self.archive.start, &self.archive.stop].map(|name| name.as_deref().unwrap_or("none"));
        let about = [("type", self.kind.clone()), ("wal", wal.join(" to "))];
        Ok(Adopted {
            id: self.label.clone(),
            taken_at: self.ended()?,
            tool: format!("pgBackRest {}", self.backrest.version),
            about: about.map(|(name, value)| (name.to_owned(), value)).into(),
        })
    }

    fn ended(&self) -> Result<Timestamp> {
        Timestamp::from_second(self.timestamp.stop).map_err(|cause| unreadable("pgbackrest info", cause))
    }
}

/// A backup that is restored by pgBackRest.
struct Restore {
    source: PgbackrestSource,
    tool: Arc<Tool>,
    asked: Asked,
    backup: Backup,
    /// The newest segment of WAL in the archive.
    newest: Option<String>,
}

#[async_trait]
impl Restorer for Restore {
    async fn restore_into(&self, cx: &Context, folder: &Path, account: &Account) -> Result<Restored> {
        let program = self.program(cx, folder)?.account(account).arg("restore").args(&self.asked.args).args(QUIET);
        let program = program.args([locks(cx), format!("--pg1-path={}", folder.display())]);
        let program = program.args([format!("--set={}", self.backup.label), "--type=none".into()]);
        let tablespaces = folder.with_file_name(TABLESPACES);
        let ended = self.tool.work(cx, program.arg(format!("--tablespace-map-all={}", tablespaces.display()))).await?;
        if !ended.status.success() {
            return Err(unrestored(&ended));
        }
        let faulty = self.backup.error.unwrap_or_default();
        let complaint = "pages of the source had wrong checksums when the backup was taken".to_owned();
        Ok(Restored { complaints: faulty.then_some(complaint).into_iter().collect(), notes: Vec::new() })
    }

    fn recovery(&self, cx: &Context, data: &Path) -> Result<Recovery> {
        let missing =
            || Error::new(Kind::Unrestorable, format!("no WAL of backup {} is in the archive", self.backup.label));
        let last_of_backup = self.backup.archive.stop.clone().ok_or_else(missing)?;
        let given = [locks(cx), "--no-archive-async".into(), format!("--pg1-path={}", data.display())];
        let program = [self.tool.path().display().to_string(), "archive-get".into()];
        let words = program.into_iter().chain(self.asked.args.clone()).chain(QUIET.map(Into::into)).chain(given);
        let words: Vec<String> = words.map(|word| quoted(&word)).collect();
        Ok(Recovery {
            fetch: format!("{} %f \"%p\"", words.join(" ")),
            env: self.tool.variables()?,
            to: self.source.recover_to,
            // pgBackRest tells whole seconds.
            consistent_at: self.backup.ended()? + jiff::SignedDuration::from_secs(1),
            last_of_backup,
            newest: self.newest.clone().ok_or_else(missing)?,
        })
    }
}

impl Restore {
    /// Started beside the data: the account that it runs as may not enter the scenario's folder.
    fn program(&self, cx: &Context, data: &Path) -> Result<Program> {
        Ok(self.tool.program(cx)?.folder(data.parent().unwrap_or(data)))
    }
}

/// The error of a restore that failed: its first line says why, the others where.
fn unrestored(ended: &Ended) -> Error {
    let permission = ended.stderr.iter().any(|line| line.contains("Permission denied"));
    let kind = failed(ended, if permission { Kind::Denied } else { Kind::Unrestorable }).kind();
    let why: Vec<&str> = ended.stderr.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let error = Error::new(kind, format!("pgbackrest restore: {}", why.join("; ")));
    match kind {
        Kind::Denied => {
            error.hint("Let the account that the scratch's server runs as read the repository and its configuration.")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_quotes_garbage_is_read() {
        let told: String = serde_json::from_str(&clean(b"\"[FormatError]\x08 \xff\n\"")).expect("JSON");
        assert!(told.starts_with("[FormatError]"), "{told}");
    }

    #[test]
    fn what_verify_finds_is_told_line_by_line_and_a_sound_repository_says_nothing() {
        let told = |text: &str| complaints(text.lines().map(|line| line.trim().to_owned()).collect());
        assert_eq!(
            told("stanza: main\nstatus: error\n  backup: 1F, status: invalid\n    checksum invalid: 1").len(),
            2
        );
        assert_eq!(told("stanza: main\nstatus: ok\n"), Vec::<String>::new());
    }
}
