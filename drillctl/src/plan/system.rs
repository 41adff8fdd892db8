//! One system of a plan: where its backup comes from, and where it is restored.

use std::collections::BTreeMap;

use drill_agents::seal::Keys;
use drill_agents::{
    Context, Estimate, Format, Identity, Kind, Place, Repository, Scratch, Source, Vault, repositories, scratches,
    sources,
};
use drill_reports::SystemFacts;
use drill_scenarios::{Name, PostgresMethod, Select};

use crate::failure::Failure;
use crate::scenario_file::ScenarioFile;
use crate::selection::{Chosen, choose};
use crate::space::{Purpose, Space};

/// What a run is to restore of one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A backup of drillctl's own.
    Own(Choice),
    /// One that another tool took.
    Adopted(Select),
}

impl Wanted {
    /// What the scenario says.
    pub(crate) fn as_said(system: drill_scenarios::System<'_>) -> Self {
        system.source.select().cloned().map_or(Self::Own(Choice::Capture), Self::Adopted)
    }
}

/// Which of drillctl's own backups a run restores.
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

/// A system whose parts are all built and checked.
pub(crate) struct System {
    /// What it is called; nothing for the scenario's own.
    pub(crate) name: Option<String>,
    /// The context to act on it in.
    pub(crate) cx: Context,
    pub(crate) source: drill_scenarios::Source,
    pub(crate) scratch_kind: &'static str,
    pub(crate) origin: Origin,
    pub(crate) source_identity: Identity,
    pub(crate) scratch: Box<dyn Scratch>,
    pub(crate) place: Place,
    pub(crate) estimate: Estimate,
    /// Of the stream that its scratch takes.
    format: Format,
}

impl System {
    /// Opens every part, and chooses the backup.
    pub(super) async fn open(
        cx: &Context,
        file: &ScenarioFile,
        said: drill_scenarios::System<'_>,
        wanted: Wanted,
    ) -> Result<Self, Failure> {
        let name = said.name.map(Name::as_str);
        let cx = cx.of_system(name);
        let (origin, source_identity, format) = match wanted {
            Wanted::Own(choice) => own(&cx, file, said, choice).await?,
            Wanted::Adopted(select) => adopted(&cx, said, &select).await?,
        };
        let scratch = scratches::open(said.scratch, &file.scenario.verify)?;
        let place = scratch.place(&cx);
        let (source, scratch_kind, name) = (said.source.clone(), said.scratch.kind(), name.map(str::to_owned));
        let estimate = Estimate::default();
        Ok(Self { name, cx, source, scratch_kind, origin, source_identity, scratch, place, estimate, format })
    }

    /// Refuses a scratch that can't take the backup, or could harm.
    pub(super) async fn admit(&self) -> Result<(), Failure> {
        Ok(self.scratch.admit(&self.cx, &self.place, &self.source_identity, &self.format).await?)
    }

    /// Looks how much there is to restore, and whether a backup that is to be taken can be. Nothing is changed but for a small object that
    /// is written to the vault and removed.
    pub(super) async fn measure(&mut self, file: &ScenarioFile) -> Result<(), Failure> {
        self.estimate = match &self.origin {
            Origin::Own(own) => own.estimate(&self.cx, &file.sealed_as(self.name.as_deref())).await?,
            Origin::Adopted(adoption) => adoption.estimate(&self.cx).await?,
        };
        Ok(())
    }

    /// Room that it needs on disks.
    pub(super) async fn space(&self) -> Result<Vec<Space>, Failure> {
        let mut space = vec![Space::below(Purpose::Restore, &self.place.folder, self.estimate.restored_bytes)?];
        if let Origin::Own(own) = &self.origin
            && own.choice == Choice::Capture
        {
            space.extend(at_capture(&self.cx, own, &self.estimate).await?);
        }
        Ok(space)
    }

    /// What it is called in a sentence.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("the scenario's own system")
    }

    /// Kinds of source, vault and scratch, for people.
    pub(crate) fn kinds(&self, vault: Option<&drill_scenarios::Vault>) -> BTreeMap<String, String> {
        let vault = vault.filter(|_| matches!(self.origin, Origin::Own(_)));
        let vault = vault.map(|vault| ("vault".into(), vault.kind().into()));
        // What was taken in another way is another kind of backup: the two can't be held against each other.
        let source = match &self.source {
            drill_scenarios::Source::Postgres(source) if source.method == PostgresMethod::Physical => {
                "postgres (physical)"
            }
            source => source.kind(),
        };
        let both = [("source", source), ("scratch", self.scratch_kind)];
        both.into_iter().map(|(part, kind)| (part.into(), kind.into())).chain(vault).collect()
    }

    /// What the record says of it, if it is not the scenario's own.
    pub(crate) fn facts(&self, vault: Option<&drill_scenarios::Vault>) -> Option<SystemFacts> {
        Some(SystemFacts {
            name: self.name.clone()?,
            kinds: self.kinds(vault),
            source: told(&self.source_identity),
            max_age_secs: self.source.max_age().map(|span| span.duration().as_secs()),
        })
    }
}

impl Own {
    async fn estimate(&self, cx: &Context, sealed_as: &str) -> Result<Estimate, Failure> {
        self.source.admit_vault(&self.vault).await?;
        match &self.choice {
            Choice::Capture => {
                cx.limits.prove()?;
                self.vault.probe_write(cx).await?;
                Ok(self.source.estimate(cx).await?)
            }
            Choice::Select { snapshot, header_sha256, .. } => {
                of_snapshot(&self.vault, snapshot, sealed_as, header_sha256.is_some()).await
            }
        }
    }
}

impl Adoption {
    async fn estimate(&self, cx: &Context) -> Result<Estimate, Failure> {
        let restored_bytes = match &self.pick {
            Pick::Chosen(chosen) => unless_damaged(self.repository.restored_bytes(cx, &chosen.backup).await)?,
            Pick::Nothing | Pick::Denied { .. } => 0,
        };
        Ok(Estimate { stream_bytes: restored_bytes, restored_bytes, items: 0 })
    }
}

/// An identity in the words of the record.
pub(crate) fn told(identity: &Identity) -> drill_reports::Identity {
    drill_reports::Identity { kind: identity.kind.clone(), values: identity.values.clone() }
}

/// Where a backup comes from, who its source is, and what its stream is.
type Opened = (Origin, Identity, Format);

async fn own(
    cx: &Context,
    file: &ScenarioFile,
    said: drill_scenarios::System<'_>,
    choice: Choice,
) -> Result<Opened, Failure> {
    let (vault, seal) = file.own()?;
    let keys = Keys::open(seal, &cx.secrets)?;
    keys.prove()?;
    let source = sources::open(said.source, &cx.secrets)?;
    let identity = source.identity(cx).await?;
    let vault = Vault::open(vault, &cx.secrets)?.within(cx);
    let own = Own { choice, source, vault, keys };
    Ok((Origin::Own(Box::new(own)), identity, sources::format(said.source)))
}

async fn adopted(cx: &Context, said: drill_scenarios::System<'_>, select: &Select) -> Result<Opened, Failure> {
    let repository = repositories::open(said.source, &cx.secrets)?;
    cx.limits.prove()?;
    let (identity, pick) = match repository.identity(cx).await {
        Ok(identity) => (identity, pick(cx, &*repository, select).await?),
        Err(error) => (Identity::new(said.source.kind(), []), denied(error)?),
    };
    let format = repository.format();
    Ok((Origin::Adopted(Adoption { repository, pick }), identity, format))
}

/// Chooses the backup.
async fn pick(cx: &Context, repository: &dyn Repository, select: &Select) -> Result<Pick, Failure> {
    match repository.backups(cx).await {
        Ok(backups) => Ok(choose(&backups, select, &cx.seed)?.map_or(Pick::Nothing, Pick::Chosen)),
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

/// Room for what a capture makes: copies of databases, and the snapshot where the vault is a folder.
async fn at_capture(cx: &Context, own: &Own, estimate: &Estimate) -> Result<Vec<Space>, Failure> {
    let mut space = Vec::new();
    let copied = own.source.copied_bytes(cx).await?;
    if copied > 0 {
        space.push(Space::below(Purpose::Copy, &cx.folder, copied)?);
    }
    if let Some(folder) = own.vault.folder() {
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
