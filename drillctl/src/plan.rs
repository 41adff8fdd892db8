//! A plan: a scenario whose parts are all built and checked, with nothing done yet. What can't work, or could harm, is
//! refused here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drill_agents::seal::Keys;
use drill_agents::{Context, Estimate, Identity, Kind, Place, Scratch, Secrets, Source, Vault, scratches, sources};
use drill_scenarios::{Scenario, Span};
use serde::Serialize;

use crate::failure::Failure;
use crate::host;

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

/// A scenario whose parts are all built and checked.
pub(crate) struct Plan {
    pub(crate) file: ScenarioFile,
    pub(crate) choice: Choice,
    pub(crate) source: Box<dyn Source>,
    pub(crate) source_identity: Identity,
    pub(crate) vault: Vault,
    pub(crate) keys: Keys,
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
    /// By folder: bytes needed and bytes free.
    pub(crate) space: Vec<Space>,
}

/// Room on one file system.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Space {
    /// What needs it.
    pub(crate) purpose: String,
    /// Where.
    pub(crate) folder: PathBuf,
    /// Bytes that are needed, with a margin.
    pub(crate) needed: u64,
    /// Bytes that are free.
    pub(crate) free: u64,
    /// Device of the file system, to add up what shares one.
    #[serde(skip)]
    device: u64,
}

impl Plan {
    /// Builds and checks every part. Nothing is changed but for a small object that is written to the vault and removed.
    pub(crate) async fn build(cx: &Context, file: ScenarioFile, choice: Choice) -> Result<Self, Failure> {
        let scenario = &file.scenario;
        let keys = Keys::open(&scenario.seal, &cx.secrets)?;
        keys.prove()?;
        let source = sources::open(&scenario.source, &cx.secrets)?;
        let source_identity = source.identity(cx).await?;
        let scratch = scratches::open(&scenario.scratch, &scenario.verify)?;
        let place = scratch.place(cx);
        scratch.admit(cx, &place, &source_identity, &sources::format(&scenario.source)).await?;
        let vault = Vault::open(&scenario.vault, &cx.secrets)?.within(cx);
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
        let mut space = vec![Space::below("restore", &place.folder, estimate.restored_bytes)?];
        if let (Choice::Capture, Some(folder)) = (&choice, vault.folder()) {
            space.push(Space::below("vault", folder, estimate.stream_bytes)?);
        }
        enough(&space)?;
        let Estimate { stream_bytes, restored_bytes, items } = estimate;
        let forecast = Forecast { stream_bytes, restored_bytes, items, space };
        Ok(Self { choice, source, source_identity, vault, keys, scratch, place, forecast, file })
    }

    /// The scenario.
    pub(crate) fn scenario(&self) -> &Scenario {
        &self.file.scenario
    }

    /// Kinds of source, vault and scratch, for people.
    pub(crate) fn kinds(&self) -> BTreeMap<String, String> {
        let scenario = self.scenario();
        BTreeMap::from([
            ("source".into(), scenario.source.kind().into()),
            ("vault".into(), scenario.vault.kind().into()),
            ("scratch".into(), scenario.scratch.kind().into()),
        ])
    }
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

impl Space {
    /// What `bytes` and a margin of a tenth and 16 MiB need where `folder` is or will be.
    fn below(purpose: &str, folder: &Path, bytes: u64) -> Result<Self, Failure> {
        use std::os::unix::fs::MetadataExt;
        let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
        let wrong = |cause| Failure::io("looking at the space of", there.display(), cause);
        let stat = rustix::fs::statvfs(there).map_err(|error| wrong(error.into()))?;
        let device = std::fs::metadata(there).map_err(wrong)?.dev();
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let needed = bytes.saturating_add(bytes / 10).saturating_add(16 << 20);
        Ok(Self { purpose: purpose.into(), folder: folder.into(), needed, free, device })
    }
}

/// Refuses where file systems have less room than all that goes there needs.
fn enough(space: &[Space]) -> Result<(), Failure> {
    for one in space {
        let needed: u64 = space.iter().filter(|other| other.device == one.device).map(|other| other.needed).sum();
        if needed > one.free {
            let [needed, free] = [needed, one.free].map(drill_reports::amount::bytes);
            let message = format!(
                "too little space for the {} in {}: {needed} needed, {free} free",
                one.purpose,
                one.folder.display()
            );
            return Err(Failure::usage(message)
                .hint("Free some space, or name a `path` on another file system for the scratch or the vault."));
        }
    }
    Ok(())
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
