//! Backups that restic took. restic is always started with `--no-lock` and `--no-cache`, so that nothing is written, neither in the
//! repository nor in a home folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use drill_scenarios::{OwnCheck, ResticSource};
use jiff::Timestamp;
use serde::Deserialize;

use super::listed::{Listed, below};
use super::tool::{Tool, Variables, failed, hindered, located, unreadable};
use crate::process::{Ended, Program};
use crate::{
    Account, Adopted, Context, Described, Entry, EntryKind, Error, Format, Identity, Kind, PathText, Repository,
    Restored, Restorer, Result, Secrets, Sha256, Supply, Verification, Vouched,
};

/// What every call begins with.
const READ_ONLY: [&str; 2] = ["--no-lock", "--no-cache"];
/// Where Go keeps the type and the higher bits of a file's mode.
const SET_UID: u32 = 1 << 23;
const SET_GID: u32 = 1 << 22;
const STICKY: u32 = 1 << 20;

/// A repository of restic.
pub(super) struct ResticRepository {
    source: ResticSource,
    location: String,
    tool: Arc<Tool>,
}

/// One of its snapshots, as `restic snapshots --json` tells it.
#[derive(Debug, Deserialize)]
struct Snapshot {
    id: String,
    time: Timestamp,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Stats {
    total_size: u64,
}

/// One path of a snapshot, as `restic ls --json` tells it.
#[derive(Debug, Deserialize)]
struct Node {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    mode: u32,
    mtime: Timestamp,
}

impl ResticRepository {
    /// The repository that the scenario describes. Nothing is started yet.
    ///
    /// # Errors
    /// [`Kind::Config`] if restic isn't there.
    pub(super) fn open(source: &ResticSource, secrets: &Arc<Secrets>) -> Result<Self> {
        let variables = Variables { plain: &source.env, secret: &source.secrets };
        let tool = Tool::new(source.program.as_deref(), ("restic", "restic"), variables, secrets)?;
        let location = located(&source.repository, secrets.base());
        let tool = tool.with("RESTIC_REPOSITORY", &location).with_secret("RESTIC_PASSWORD", &source.password);
        Ok(Self { source: source.clone(), location, tool: Arc::new(tool) })
    }

    async fn ask(&self, cx: &Context, args: &[&str]) -> Result<Ended> {
        let ended = self.tool.answer(cx, program(&self.tool, cx)?.args(args)).await?;
        if ended.status.success() { Ok(ended) } else { Err(refused(&ended, &self.location)) }
    }

    async fn version(&self, cx: &Context) -> Result<String> {
        let ended = self.tool.answer(cx, self.tool.program(cx)?.arg("version")).await?;
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        Ok(said.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }
}

/// restic as it writes nothing.
fn program(tool: &Tool, cx: &Context) -> Result<Program> {
    Ok(tool.program(cx)?.args(READ_ONLY))
}

#[async_trait]
impl Repository for ResticRepository {
    async fn identity(&self, cx: &Context) -> Result<Identity> {
        let ended = self.ask(cx, &["cat", "config"]).await?;
        let config: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&ended.stdout).map_err(|cause| unreadable("restic", cause))?;
        let id = config.get("id").and_then(|id| id.as_str()).unwrap_or_default();
        let mut identity =
            Identity::of_path("restic", Path::new(&self.location)).unwrap_or_else(|_| Identity::new("restic", []));
        identity.values.insert("repository".into(), id.into());
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
        let ended = self.ask(cx, &["snapshots", "--json"]).await?;
        let told: Option<Vec<Snapshot>> =
            serde_json::from_slice(&ended.stdout).map_err(|cause| unreadable("restic", cause))?;
        let mut snapshots = told.unwrap_or_default();
        snapshots.retain(|snapshot| snapshot.fits(&self.source));
        snapshots.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
        Ok(snapshots.into_iter().map(|snapshot| snapshot.adopted(&tool)).collect())
    }

    async fn restored_bytes(&self, cx: &Context, backup: &Adopted) -> Result<u64> {
        let ended = self.ask(cx, &["stats", "--json", "--mode", "restore-size", &backup.id]).await?;
        let stats: Stats = serde_json::from_slice(&ended.stdout).map_err(|cause| unreadable("restic stats", cause))?;
        Ok(stats.total_size)
    }

    async fn describe(&self, cx: &Context, backup: &Adopted) -> Result<Described> {
        let mut listed = Listed::default();
        let program = program(&self.tool, cx)?.args(["ls", "--json", &backup.id]);
        let ended = self.tool.lines(cx, program, |line| {
            // Its first line is the snapshot itself, and newer versions may tell more that isn't a path.
            let told: serde_json::Value = serde_json::from_str(line).map_err(|cause| unreadable("restic ls", cause))?;
            if told.get("path").is_some() && told.get("type").is_some() {
                let node: Node = serde_json::from_value(told).map_err(|cause| unreadable("restic ls", cause))?;
                if let Some(entry) = node.entry() {
                    listed.add(entry);
                }
            }
            Ok(())
        });
        let ended = ended.await?;
        if !ended.status.success() {
            return Err(failed(&ended, Kind::Corrupt));
        }
        Ok(Described { index: listed.index(), vouched: vouched(), notes: Vec::new() })
    }

    async fn supply(&self, _: &Context, backup: &Adopted) -> Result<Supply> {
        Ok(Supply::Tool(Box::new(Restore { id: backup.id.clone(), tool: self.tool.clone() })))
    }

    async fn check(&self, cx: &Context) -> Result<Option<Verification>> {
        let args: &[&str] = match self.source.check {
            OwnCheck::None => return Ok(None),
            OwnCheck::Structure => &["check"],
            OwnCheck::Data => &["check", "--read-data"],
        };
        let program = program(&self.tool, cx)?.args(args);
        let ended = self.tool.work(cx, program).await?;
        let complaints = complaints(&ended, Kind::Corrupt)?;
        Ok(Some(Verification { command: format!("restic {}", args.join(" ")), complaints }))
    }
}

/// restic restores no byte whose digest and authenticator it has not compared, and `--verify` reads what it wrote once more.
fn vouched() -> Vouched {
    Vouched {
        intact: Some("restic compared each blob that it read with the SHA-256 that it is stored under".into()),
        opened: Some("opened by restic with the password of the scenario".into()),
    }
}

/// A snapshot that is restored by restic.
struct Restore {
    id: String,
    tool: Arc<Tool>,
}

#[async_trait]
impl Restorer for Restore {
    async fn restore_into(&self, cx: &Context, folder: &Path, _: &Account) -> Result<Restored> {
        let program = program(&self.tool, cx)?.args(["restore", &self.id, "--verify", "--target"]);
        let ended = self.tool.work(cx, program.arg(folder)).await?;
        Ok(Restored { complaints: complaints(&ended, Kind::Unrestorable)?, notes: Vec::new() })
    }
}

/// The lines that are about single paths or packs, nothing where it exited with 0. The last one, a count of them, says nothing new.
///
/// # Errors
/// Of this kind where it failed and named none; [`Kind::Unavailable`], [`Kind::Exhausted`].
fn complaints(ended: &Ended, failure: Kind) -> Result<Vec<String>> {
    if ended.status.success() {
        return Ok(Vec::new());
    }
    let about_one = |line: &&str| {
        ["ignoring error for ", "error for ", "error: ", "pack ", "unable to "]
            .iter()
            .any(|sign| line.starts_with(sign))
    };
    let lines = ended.stderr.iter().map(|line| line.trim()).filter(about_one);
    let said: Vec<String> = lines.map(str::to_owned).collect();
    if said.is_empty() || hindered(ended).is_some() { Err(failed(ended, failure)) } else { Ok(said) }
}

/// What restic says when it doesn't open a repository.
fn refused(ended: &Ended, location: &str) -> Error {
    let told = ended.stderr.join("\n");
    if told.contains("wrong password or no key found") {
        let message = format!("the password does not open the restic repository {location}");
        return Error::new(Kind::WrongKey, message)
            .hint("Say where the right one is kept, as `password` of the source.");
    }
    failed(ended, Kind::Unavailable)
        .hint(format!("Look whether {location} is a restic repository and can be read: `restic --no-lock snapshots`."))
}

impl Snapshot {
    fn fits(&self, source: &ResticSource) -> bool {
        let tags = self.tags.as_deref().unwrap_or_default();
        source.host.as_ref().is_none_or(|host| *host == self.hostname)
            && source.tags.iter().all(|tag| tags.contains(tag))
            && source.paths.iter().all(|path| self.paths.iter().any(|taken| Path::new(taken) == path))
    }

    fn adopted(self, tool: &str) -> Adopted {
        let told = [
            ("host", self.hostname),
            ("paths", self.paths.join(", ")),
            ("tags", self.tags.unwrap_or_default().join(", ")),
        ];
        let about = told.into_iter().filter(|(_, value)| !value.is_empty());
        let about = about.map(|(name, value)| (name.to_owned(), value)).collect();
        Adopted { id: self.id, taken_at: self.time, tool: tool.into(), about }
    }
}

impl Node {
    /// What an index says of it; nothing of sockets, which restic keeps and does not restore.
    fn entry(self) -> Option<Entry> {
        let kind = match self.kind.as_str() {
            "file" => EntryKind::File { size: self.size, sha256: Sha256::UNREAD },
            "dir" => EntryKind::Directory,
            "symlink" => EntryKind::Symlink(PathText::new("")),
            "fifo" => EntryKind::Fifo,
            kind @ ("dev" | "chardev") => EntryKind::Device { block: kind == "dev", major: 0, minor: 0 },
            _ => return None,
        };
        let high = [(SET_UID, 0o4000), (SET_GID, 0o2000), (STICKY, 0o1000)];
        let high = high.into_iter().filter(|(bit, _)| self.mode & bit != 0).map(|(_, mode)| mode).sum::<u32>();
        Some(Entry {
            path: below(&self.path),
            kind,
            mode: self.mode & 0o777 | high,
            uid: self.uid,
            gid: self.gid,
            mtime_ns: i64::try_from(self.mtime.as_nanosecond()).unwrap_or_default(),
            xattrs: BTreeMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_go_writes_them() {
        let node = |mode| Node {
            kind: "dir".into(),
            path: "/tmp".into(),
            uid: 0,
            gid: 0,
            size: 0,
            mode,
            mtime: Timestamp::UNIX_EPOCH,
        };
        let mode = |go| node(go).entry().expect("a folder").mode;
        assert_eq!(mode(1 << 31 | STICKY | 0o777), 0o1777);
        assert_eq!(mode(1 << 31 | SET_UID | SET_GID | 0o755), 0o6755);
        assert_eq!(mode(1 << 31 | 0o700), 0o700);
    }
}
