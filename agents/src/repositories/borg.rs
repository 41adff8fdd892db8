//! Backups that Borg took. Every question is asked with `--bypass-lock`, since a lock would be written to the repository, and Borg's own
//! notes about repositories it has met go to the run's folder. `borg check` is never run: it can't do without a lock.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use drill_scenarios::{BorgSource, OwnCheck, Scalar};
use jiff::Timestamp;
use serde::Deserialize;

use super::NOTES;
use super::listed::{Listed, below};
use super::tool::{Tool, Variables, failed, hindered, located, unreadable};
use crate::process::{Ended, Program};
use crate::{
    Account, Adopted, Context, Described, Entry, EntryKind, Error, Format, Identity, Kind, Repository, Restored,
    Restorer, Result, Secrets, Sha256, Supply, Verification, Vouched,
};

/// What is asked of every path besides what Borg tells anyway. Digests are taken of what the repository holds.
const KEYS: &str = "{mode}{uid}{gid}{path}{size}{isomtime}{linktarget}{sha256}";
/// Borg has done its work and has something to say.
const WARNING: i32 = 1;

/// A repository of Borg.
pub(super) struct BorgRepository {
    source: BorgSource,
    location: String,
    tool: Arc<Tool>,
}

#[derive(Debug, Deserialize)]
struct Archives {
    archives: Vec<Archive>,
    repository: About,
}

#[derive(Debug, Deserialize)]
struct Archive {
    id: String,
    name: String,
    time: String,
}

#[derive(Debug, Deserialize)]
struct About {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Sizes {
    archives: Vec<Size>,
}

#[derive(Debug, Deserialize)]
struct Size {
    stats: Stats,
}

#[derive(Debug, Deserialize)]
struct Stats {
    original_size: u64,
}

#[derive(Debug, Deserialize)]
struct Item {
    mode: String,
    uid: u32,
    gid: u32,
    path: String,
    #[serde(default)]
    size: u64,
    isomtime: String,
    #[serde(default)]
    linktarget: String,
    #[serde(default)]
    sha256: Option<String>,
}

impl BorgRepository {
    /// The repository that the scenario describes. Nothing is started yet.
    ///
    /// # Errors
    /// [`Kind::Config`] if Borg isn't there.
    pub(super) fn open(source: &BorgSource, secrets: &Arc<Secrets>) -> Result<Self> {
        let variables = Variables { plain: &source.env, secret: &source.secrets };
        let tool = Tool::new(source.program.as_deref(), ("borg", "borgbackup"), variables, secrets)?;
        let location = located(&source.repository, secrets.base());
        let mut tool = tool.with("BORG_REPO", &location).with("TZ", "UTC");
        // There is nobody to answer a question, and what it would ask about is what an adopted repository is.
        for question in ["UNKNOWN_UNENCRYPTED_REPO_ACCESS", "RELOCATED_REPO_ACCESS"] {
            tool = tool.with(&format!("BORG_{question}_IS_OK"), "yes");
        }
        tool = match &source.passphrase {
            Some(reference) => tool.with_secret("BORG_PASSPHRASE", reference),
            None => tool.with("BORG_PASSPHRASE", ""),
        };
        Ok(Self { source: source.clone(), location, tool: Arc::new(tool) })
    }

    async fn archives(&self, cx: &Context) -> Result<Archives> {
        let mut args = vec!["list", "--bypass-lock", "--json"];
        if let Some(glob) = &self.source.archives {
            args.extend(["--glob-archives", glob]);
        }
        let program = program(&self.tool, cx)?.args(args);
        let ended = self.tool.answer(cx, program).await?;
        if !did_its_work(&ended) {
            return Err(refused(&ended, &self.location));
        }
        serde_json::from_slice(&ended.stdout).map_err(|cause| unreadable("borg list", cause))
    }

    async fn version(&self, cx: &Context) -> Result<String> {
        let ended = self.tool.answer(cx, program(&self.tool, cx)?.arg("--version")).await?;
        Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
    }

    /// Has Borg read the metadata of an archive, or all of its data, and throw it away.
    async fn read(&self, cx: &Context, archive: &str) -> Result<Vec<String>> {
        let whole = self.source.check == OwnCheck::Data;
        let args = if whole { ["extract", "--bypass-lock", "--dry-run"] } else { ["list", "--bypass-lock", "--short"] };
        let program = program(&self.tool, cx)?.args(args).arg(format!("::{archive}"));
        let ended = self.tool.work(cx, program).await?;
        let said = complaints(&ended);
        if !ended.status.success() && (said.is_empty() || hindered(&ended).is_some()) {
            return Err(failed(&ended, Kind::Corrupt));
        }
        Ok(said.into_iter().map(|line| format!("{archive}: {line}")).collect())
    }
}

/// Borg with its notes in the run's folder.
fn program(tool: &Tool, cx: &Context) -> Result<Program> {
    Ok(tool.program(cx)?.env("BORG_BASE_DIR", cx.folder.join(NOTES)))
}

#[async_trait]
impl Repository for BorgRepository {
    async fn identity(&self, cx: &Context) -> Result<Identity> {
        let id = self.archives(cx).await?.repository.id;
        let mut identity =
            Identity::of_path("borg", Path::new(&self.location)).unwrap_or_else(|_| Identity::new("borg", []));
        identity.values.insert("repository".into(), id);
        Ok(identity)
    }

    fn location(&self) -> &str {
        &self.location
    }

    fn format(&self) -> Format {
        Format::Tar
    }

    async fn backups(&self, cx: &Context) -> Result<Vec<Adopted>> {
        let tool = self.version(cx).await?;
        let archives = self.archives(cx).await?.archives;
        let mut backups = archives.into_iter().map(|archive| archive.adopted(&tool)).collect::<Result<Vec<_>>>()?;
        backups.sort_by(|a, b| (a.taken_at, &a.id).cmp(&(b.taken_at, &b.id)));
        Ok(backups)
    }

    async fn restored_bytes(&self, cx: &Context, backup: &Adopted) -> Result<u64> {
        let program =
            program(&self.tool, cx)?.args(["info", "--bypass-lock", "--json"]).arg(format!("::{}", name(backup)));
        let ended = self.tool.answer(cx, program).await?;
        if !did_its_work(&ended) {
            return Err(failed(&ended, Kind::Corrupt));
        }
        let told: Sizes = serde_json::from_slice(&ended.stdout).map_err(|cause| unreadable("borg info", cause))?;
        Ok(told.archives.iter().map(|archive| archive.stats.original_size).sum())
    }

    async fn describe(&self, cx: &Context, backup: &Adopted) -> Result<Described> {
        let mut listed = Listed::default();
        let archive = format!("::{}", name(backup));
        let program =
            program(&self.tool, cx)?.args(["list", "--bypass-lock", "--json-lines", "--format", KEYS]).arg(archive);
        let ended = self.tool.lines(cx, program, |line| {
            let item: Item = serde_json::from_str(line).map_err(|cause| unreadable("borg list", cause))?;
            listed.add(item.entry()?);
            Ok(())
        });
        let ended = ended.await?;
        if !did_its_work(&ended) {
            return Err(failed(&ended, Kind::Corrupt));
        }
        Ok(Described { index: listed.index(), vouched: self.vouched(), notes: Vec::new() })
    }

    async fn supply(&self, _: &Context, backup: &Adopted) -> Result<Supply> {
        Ok(Supply::Tool(Box::new(Extract { archive: name(backup).to_owned(), tool: self.tool.clone() })))
    }

    async fn check(&self, cx: &Context) -> Result<Option<Verification>> {
        let how = match self.source.check {
            OwnCheck::None => return Ok(None),
            OwnCheck::Structure => "borg list",
            OwnCheck::Data => "borg extract --dry-run",
        };
        let mut complaints = Vec::new();
        for archive in self.archives(cx).await?.archives {
            complaints.extend(self.read(cx, &archive.name).await?);
        }
        Ok(Some(Verification { command: format!("{how} of every archive"), complaints }))
    }
}

impl BorgRepository {
    /// Borg restores no chunk whose identifier, which is a MAC or digest of it, it has not compared.
    fn vouched(&self) -> Vouched {
        let opened = match self.source.passphrase {
            Some(_) => "opened by Borg with the passphrase of the scenario",
            None => "opened by Borg; the repository is not encrypted with a passphrase",
        };
        Vouched {
            intact: Some("Borg compared each chunk that it read with the identifier that it is stored under".into()),
            opened: Some(opened.into()),
        }
    }
}

/// An archive that is restored by Borg.
struct Extract {
    archive: String,
    tool: Arc<Tool>,
}

#[async_trait]
impl Restorer for Extract {
    async fn restore_into(&self, cx: &Context, folder: &Path, _: &Account) -> Result<Restored> {
        let args = ["extract", "--bypass-lock", "--numeric-ids"];
        let program = program(&self.tool, cx)?.args(args).arg(format!("::{}", self.archive)).folder(folder);
        let ended = self.tool.work(cx, program).await?;
        if !did_its_work(&ended) {
            return Err(failed(&ended, Kind::Unrestorable));
        }
        Ok(Restored { complaints: complaints(&ended), notes: Vec::new() })
    }
}

fn did_its_work(ended: &Ended) -> bool {
    matches!(ended.status.code(), Some(0 | WARNING))
}

/// What Borg says about trouble; nothing where it exited with 0.
fn complaints(ended: &Ended) -> Vec<String> {
    if ended.status.success() {
        return Vec::new();
    }
    ended.stderr.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What Borg says when it doesn't open a repository.
fn refused(ended: &Ended, location: &str) -> Error {
    let told = ended.stderr.join("\n");
    if told.contains("passphrase supplied in") || told.contains("incorrect passphrase") {
        let message = format!("the passphrase does not open the Borg repository {location}");
        return Error::new(Kind::WrongKey, message)
            .hint("Say where the right one is kept, as `passphrase` of the source.");
    }
    failed(ended, Kind::Unavailable)
        .hint(format!("Look whether {location} is a Borg repository and can be read: `borg list --bypass-lock`."))
}

/// The archive's name, by which Borg takes it.
fn name(backup: &Adopted) -> &str {
    backup.about.get("name").unwrap_or(&backup.id)
}

impl Archive {
    fn adopted(self, tool: &str) -> Result<Adopted> {
        let taken_at = instant(&self.time)?;
        Ok(Adopted { id: self.id, taken_at, tool: tool.into(), about: BTreeMap::from([("name".into(), self.name)]) })
    }
}

impl Item {
    fn entry(self) -> Result<Entry> {
        let sha256 = self.sha256.unwrap_or_default();
        let sha256 = Sha256::try_from(sha256).map_err(|cause| unreadable("borg list", cause))?;
        // Of a file with several names all but the first are told by their mode alone.
        let kind = match self.mode.get(..1).unwrap_or_default() {
            "d" => EntryKind::Directory,
            "l" => EntryKind::Symlink(crate::PathText::new(&self.linktarget)),
            "h" => EntryKind::Hardlink(below(&self.linktarget)),
            "p" => EntryKind::Fifo,
            kind @ ("b" | "c") => EntryKind::Device { block: kind == "b", major: 0, minor: 0 },
            _ => EntryKind::File { size: self.size, sha256 },
        };
        let mtime_ns = i64::try_from(instant(&self.isomtime)?.as_nanosecond()).unwrap_or_default();
        let (path, mode) = (below(&self.path), mode(&self.mode));
        Ok(Entry { path, kind, mode, uid: self.uid, gid: self.gid, mtime_ns, xattrs: BTreeMap::new() })
    }
}

fn instant(text: &str) -> Result<Timestamp> {
    Scalar::Text(text.into()).instant().ok_or_else(|| unreadable("borg", format!("`{text}` is no time")))
}

/// A mode as `ls` writes it: `-rwsr-xr-t`.
fn mode(text: &str) -> u32 {
    let bits = text.chars().skip(1).zip((0..9).rev());
    bits.fold(0, |mode, (letter, bit)| {
        let execute = bit % 3 == 0;
        let set = letter != '-' && !(execute && matches!(letter, 'S' | 'T'));
        let special = if execute && matches!(letter, 's' | 'S' | 't' | 'T') { 0o1000 << (bit / 3) } else { 0 };
        mode | u32::from(set) << bit | special
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_they_are_listed() {
        for (text, bits) in
            [("-rwsr-xr-x", 0o4755), ("drwxrwxrwt", 0o1777), ("-rw-r-S---", 0o2640), ("drwx------", 0o700)]
        {
            assert_eq!(mode(text), bits, "{text}");
        }
    }
}
