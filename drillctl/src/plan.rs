//! A plan: a scenario whose parts are all built and checked, with nothing done yet. What can't work, or could harm, is
//! refused here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drill_agents::seal::Keys;
use drill_agents::{
    Context, Estimate, Format, Identity, Kind, Note, Place, Repository, Sandbox, Scratch, Secrets, Source, Vault,
    repositories, scratches, sources,
};
use drill_scenarios::{PostgresMethod, Scenario, Seal, Select, Span};
use serde::Serialize;

use crate::failure::Failure;
use crate::host;
use crate::selection::{Chosen, choose};
use crate::space::{Purpose, Space};

/// A scenario file that was read and found right.
#[derive(Debug, Clone)]
pub(crate) struct ScenarioFile {
    /// Where it is, absolute.
    pub(crate) path: PathBuf,
    /// Its bytes as read: the record names their digest.
    pub(crate) text: String,
    /// What it says.
    pub(crate) scenario: Scenario,
}

impl ScenarioFile {
    /// Reads a scenario.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |cause| {
            Failure::usage(format!("reading scenario {}: {cause}", path.display()))
                .hint("Name a scenario file, such as scenarios/quickstart.yaml.")
        };
        let bytes = std::fs::read(path).map_err(wrong)?;
        let absolute = path.canonicalize().map_err(wrong)?;
        let scenario = drill_scenarios::parse_bytes(&path.display().to_string(), &bytes).map_err(|problems| {
            let text = problems.to_string();
            // Each problem is headed `error:`, as every failure will be.
            Failure::usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end())
        })?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Self { path: absolute, text, scenario })
    }

    /// The folder that its relative paths start from.
    pub(crate) fn base(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// SHA-256 of its bytes.
    pub(crate) fn sha256(&self) -> String {
        host::sha256(self.text.as_bytes())
    }

    /// The vault and the seal of its own snapshots.
    ///
    /// # Errors
    /// If it restores what another tool took.
    pub(crate) fn own(&self) -> Result<(&drill_scenarios::Vault, &Seal), Failure> {
        self.scenario.vault.as_ref().zip(self.scenario.seal.as_ref()).ok_or_else(|| {
            let message = format!("scenario {} has no vault: it restores what another tool took", self.scenario.name);
            Failure::usage(message).hint(format!("Use {} itself to look at its backups.", self.scenario.source.kind()))
        })
    }

    /// Where its secrets are looked up.
    pub(crate) fn secrets(&self) -> Arc<Secrets> {
        Arc::new(Secrets::relative_to(self.base()))
    }
}

/// Which backup a run restores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// One that it takes itself.
    Capture,
    /// One that is in the vault already.
    Select {
        /// Snapshot id.
        snapshot: String,
        /// How it came to be chosen, in words.
        how: String,
        /// Digest of its header as an earlier run recorded it.
        header_sha256: Option<String>,
    },
}

/// Where the backup that a run restores comes from.
pub(crate) enum Origin {
    /// From drillctl's own vault.
    Own(Box<Own>),
    /// From where another tool keeps it.
    Adopted(Adoption),
}

/// A backup of drillctl's own.
pub(crate) struct Own {
    pub(crate) choice: Choice,
    pub(crate) source: Box<dyn Source>,
    pub(crate) vault: Vault,
    pub(crate) keys: Keys,
}

/// A backup that another tool took.
pub(crate) struct Adoption {
    pub(crate) repository: Box<dyn Repository>,
    pub(crate) pick: Pick,
}

/// What there is to restore in another tool's repository.
pub(crate) enum Pick {
    /// This backup.
    Chosen(Chosen),
    /// None that fits.
    Nothing,
    /// The repository is there and does not open, or is damaged: nobody could restore from it.
    Denied {
        /// What that says about the backups.
        kind: Kind,
        /// Why.
        why: String,
    },
}

/// A scenario whose parts are all built and checked.
pub(crate) struct Plan {
    pub(crate) file: ScenarioFile,
    pub(crate) origin: Origin,
    pub(crate) source_identity: Identity,
    pub(crate) scratch: Box<dyn Scratch>,
    pub(crate) place: Place,
    pub(crate) forecast: Forecast,
}

/// What a run will take, before anything is done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Forecast {
    /// Bytes of the plain stream, roughly.
    pub(crate) stream_bytes: u64,
    /// Bytes that the restored data takes, roughly.
    pub(crate) restored_bytes: u64,
    /// Files or tables.
    pub(crate) items: u64,
    /// Whether that is known at all: not every program says beforehand how much it writes.
    pub(crate) known: bool,
    /// By folder: bytes needed and bytes free.
    pub(crate) space: Vec<Space>,
}

impl Forecast {
    fn of(estimate: Estimate, space: Vec<Space>) -> Self {
        let Estimate { stream_bytes, restored_bytes, items } = estimate;
        Self { stream_bytes, restored_bytes, items, known: estimate.is_known(), space }
    }

    /// What is to be said if nothing is known.
    pub(crate) fn note(&self) -> Option<Note> {
        let statement = "How much there is wasn't known beforehand, so only a margin of 16 MiB was looked for on disks. A `command` source \
                         can say it with `expected_bytes`.";
        (!self.known).then(|| Note { subject: "space".into(), statement: statement.into() })
    }
}

impl Plan {
    /// Builds and checks every part of a drill of drillctl's own backups, but the room on disks. Nothing is changed but for a small object that is written to
    /// the vault and removed.
    pub(crate) async fn own(cx: &Context, file: ScenarioFile, choice: Choice) -> Result<Self, Failure> {
        let scenario = &file.scenario;
        let (vault, seal) = file.own()?;
        let keys = Keys::open(seal, &cx.secrets)?;
        keys.prove()?;
        let source = sources::open(&scenario.source, &cx.secrets)?;
        let source_identity = source.identity(cx).await?;
        let (scratch, place) = admitted(cx, scenario, &source_identity, &sources::format(&scenario.source)).await?;
        let vault = Vault::open(vault, &cx.secrets)?.within(cx);
        if let Some(folder) = vault.folder() {
            source.admit_vault(folder)?;
        }
        let estimate = match choice {
            Choice::Capture => {
                cx.limits.prove()?;
                vault.probe_write(cx).await?;
                source.estimate(cx).await?
            }
            Choice::Select { ref snapshot, ref header_sha256, .. } => {
                of_snapshot(&vault, snapshot, scenario.name.as_str(), header_sha256.is_some()).await?
            }
        };
        let mut space = vec![Space::below(Purpose::Restore, &place.folder, estimate.restored_bytes)?];
        if choice == Choice::Capture {
            space.extend(at_capture(cx, &*source, &vault, &estimate).await?);
        }
        let forecast = Forecast::of(estimate, space);
        let origin = Origin::Own(Box::new(Own { choice, source, vault, keys }));
        Ok(Self { origin, source_identity, scratch, place, forecast, file })
    }

    /// Builds and checks every part of a drill of what another tool took, but the room on disks, and chooses the backup. Nothing is changed.
    pub(crate) async fn adopted(
        cx: &Context,
        file: ScenarioFile,
        select: &Select,
        seed: &str,
    ) -> Result<Self, Failure> {
        let scenario = &file.scenario;
        let repository = repositories::open(&scenario.source, &cx.secrets)?;
        cx.limits.prove()?;
        let (source_identity, pick) = match repository.identity(cx).await {
            Ok(identity) => (identity, pick(cx, &*repository, select, seed).await?),
            Err(error) => (Identity::new(scenario.source.kind(), []), denied(error)?),
        };
        let (scratch, place) = admitted(cx, scenario, &source_identity, &repository.format()).await?;
        let restored_bytes = match &pick {
            Pick::Chosen(chosen) => unless_damaged(repository.restored_bytes(cx, &chosen.backup).await)?,
            Pick::Nothing | Pick::Denied { .. } => 0,
        };
        let space = vec![Space::below(Purpose::Restore, &place.folder, restored_bytes)?];
        let estimate = Estimate { stream_bytes: restored_bytes, restored_bytes, items: 0 };
        let forecast = Forecast::of(estimate, space);
        let origin = Origin::Adopted(Adoption { repository, pick });
        Ok(Self { origin, source_identity, scratch, place, forecast, file })
    }

    /// The scenario.
    pub(crate) fn scenario(&self) -> &Scenario {
        &self.file.scenario
    }

    /// Kinds of source, vault and scratch, for people.
    pub(crate) fn kinds(&self) -> BTreeMap<String, String> {
        let scenario = self.scenario();
        let vault = scenario.vault.as_ref().map(|vault| ("vault".into(), vault.kind().into()));
        // What was taken in another way is another kind of backup: the two can't be held against each other.
        let source = match &scenario.source {
            drill_scenarios::Source::Postgres(source) if source.method == PostgresMethod::Physical => {
                "postgres (physical)"
            }
            source => source.kind(),
        };
        let both = [("source", source), ("scratch", scenario.scratch.kind())];
        both.into_iter().map(|(part, kind)| (part.into(), kind.into())).chain(vault).collect()
    }
}

/// The scratch and where it will be, if it can take this and harms nobody, and the sandbox can be made.
async fn admitted(
    cx: &Context,
    scenario: &Scenario,
    source: &Identity,
    format: &Format,
) -> Result<(Box<dyn Scratch>, Place), Failure> {
    let scratch = scratches::open(&scenario.scratch, &scenario.verify)?;
    let place = scratch.place(cx);
    scratch.admit(cx, &place, source, format).await?;
    if scenario.keep.is_wanted() && !scratch.keeps() {
        return Err(not_kept(scenario.scratch.kind()));
    }
    if scenario.sandbox.is_some() {
        Sandbox::admit(cx).await?;
    }
    Ok((scratch, place))
}

/// Chooses the backup.
async fn pick(cx: &Context, repository: &dyn Repository, select: &Select, seed: &str) -> Result<Pick, Failure> {
    match repository.backups(cx).await {
        Ok(backups) => Ok(choose(&backups, select, seed)?.map_or(Pick::Nothing, Pick::Chosen)),
        Err(error) => denied(error),
    }
}

/// An error that says something about the backups is the run's to tell.
fn denied(error: drill_agents::Error) -> Result<Pick, Failure> {
    match error.kind() {
        kind @ (Kind::Corrupt | Kind::WrongKey | Kind::Unrestorable) => Ok(Pick::Denied { kind, why: error.chain() }),
        _ => Err(error.into()),
    }
}

/// Nothing is known of the size of a backup that is damaged; that it is, is the run's to find.
fn unless_damaged(size: drill_agents::Result<u64>) -> drill_agents::Result<u64> {
    size.or_else(|error| if error.kind() == Kind::Corrupt { Ok(0) } else { Err(error) })
}

fn not_kept(kind: &str) -> Failure {
    Failure::usage(format!(
        "the environment of a {kind} scratch can't be kept: what it holds is gone when it is stopped"
    ))
    .hint("Take `keep` out of the scenario.")
}

/// Room for what a capture makes: copies of databases, and the snapshot where the vault is a folder.
async fn at_capture(
    cx: &Context,
    source: &dyn Source,
    vault: &Vault,
    estimate: &Estimate,
) -> Result<Vec<Space>, Failure> {
    let mut space = Vec::new();
    let copied = source.copied_bytes(cx).await?;
    if copied > 0 {
        space.push(Space::below(Purpose::Copy, &cx.folder, copied)?);
    }
    if let Some(folder) = vault.folder() {
        space.push(Space::below(Purpose::Vault, folder, estimate.stream_bytes)?);
    }
    Ok(space)
}

/// What a snapshot will take. One whose header is damaged is the run's to find; one of another scenario proves nothing about
/// this one.
async fn of_snapshot(vault: &Vault, snapshot: &str, scenario: &str, recorded: bool) -> Result<Estimate, Failure> {
    match vault.header(snapshot).await {
        Ok(header) if header.scenario != scenario => {
            let message = format!("snapshot {snapshot} is of scenario {}, not of {scenario}", header.scenario);
            Err(Failure::usage(message).hint("See what there is with `drillctl vault list`."))
        }
        Ok(header) => {
            let (stream_bytes, contents) = (header.stream_bytes(), header.contents);
            Ok(Estimate {
                stream_bytes,
                restored_bytes: stream_bytes.max(contents.bytes),
                items: contents.files.saturating_add(contents.tables),
            })
        }
        Err(error) if error.kind() == Kind::Corrupt || recorded && error.kind() == Kind::NotFound => {
            Ok(Estimate::default())
        }
        Err(error) => Err(error.into()),
    }
}

/// How long a stage may take.
pub(crate) fn deadline(scenario: &Scenario, stage: drill_reports::Stage) -> Span {
    use drill_reports::Stage;
    let deadlines = &scenario.deadlines;
    match stage {
        Stage::Capture => deadlines.capture,
        Stage::Store => deadlines.store,
        Stage::Provision => deadlines.provision,
        Stage::Restore => deadlines.restore,
        Stage::Verify => deadlines.verify,
        Stage::Probe => deadlines.probe,
        Stage::Release => deadlines.release,
    }
}
