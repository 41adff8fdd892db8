//! Verify: what came back is compared with what went in, the canary is looked for, and the newest data is found.

use drill_agents::{Database, EntryKind, Environment, Index, Note, Sha256, differences};
use drill_reports::{Assurance, Event, Outcome, amount};
use drill_scenarios::Level;

use super::recovery::Placed;
use super::results::{id_of, judged, passed};
use super::{Engine, Stop, history};
use crate::host;
use crate::plan::{Choice, Origin, System};

/// Id of the check that compares all of the content.
const CONTENT: &str = "content";

/// Compares each environment with the index of its snapshot.
pub(super) async fn verify(engine: &mut Engine<'_>, placed: &[Placed<'_>]) -> Result<(), Stop> {
    for Placed { system, backup, environment } in placed {
        verify_one(engine, system, backup.index(), &**environment).await?;
    }
    Ok(())
}

async fn verify_one(
    engine: &mut Engine<'_>,
    system: &System,
    captured: &Index,
    environment: &dyn Environment,
) -> Result<(), Stop> {
    let cx = &system.cx;
    cx.progress.begin(system.estimate.stream_bytes);
    let observed = content(engine, system, captured, environment).await?;
    canary(engine, system, environment).await?;
    if system.name.is_none() {
        let how = engine.plan.scenario().objectives.newest.as_ref();
        if let Some((at, by)) = environment.newest(cx, how, observed.as_ref()).await? {
            engine.journal.append(Event::NewestFound { at, by })?;
        }
    }
    let counted = match observed {
        Some(observed) => observed,
        None => environment.observe(cx, captured, Level::Count).await?,
    };
    history::hold(engine, system, &counted)
}

/// Holds what is in the environment against what was captured. Where nothing is known of that, as for a dump that another
/// program made, nothing is claimed. Returns what was observed.
async fn content(
    engine: &Engine<'_>,
    system: &System,
    captured: &Index,
    environment: &dyn Environment,
) -> Result<Option<Index>, Stop> {
    if tells_nothing(captured) {
        let statement =
            "The source tells nothing about its content, so what came back was not compared with it.".into();
        engine.note(system, &[Note { subject: CONTENT.into(), statement }])?;
        return Ok(None);
    }
    let (cx, level) = (&system.cx, engine.plan.scenario().verify.level);
    let began = cx.clock.elapsed();
    let mut observed = environment.observe(cx, captured, level).await?;
    engine.note(system, &environment.reconcile(cx, captured, &mut observed).await?)?;
    let knows = Knows::of(captured, level);
    let mut check = passed(system, CONTENT, knows.title(), knows.assurance(), &counted(captured));
    check.secs = (cx.clock.elapsed() - began).as_secs_f64();
    check.evidence_sha256 = Some(host::sha256_of_json(&observed));
    let seen = match (environment.how_observed(), level) {
        (Some(how), Level::Content) => format!("{}, {how}", counted(&observed)),
        _ => counted(&observed),
    };
    let check = judged(engine, check, differences(captured, &observed, level), &seen);
    engine.journal.append(Event::Checked(Box::new(check)))?;
    Ok(Some(observed))
}

/// Whether nothing is known of the content. Another tool may tell the name of a database and no more.
fn tells_nothing(captured: &Index) -> bool {
    let named_only = |database: &Database| captured.listed && database.tables.is_empty() && database.objects.is_empty();
    captured.entries.is_empty() && captured.databases.iter().all(named_only)
}

/// The canary that this run planted must come back with this run's nonce.
async fn canary(engine: &Engine<'_>, system: &System, environment: &dyn Environment) -> Result<(), Stop> {
    let captured = matches!(&system.origin, Origin::Own(own) if own.choice == Choice::Capture);
    let planted = captured && system.source.plants_canary();
    if !planted {
        return Ok(());
    }
    let expected = format!("nonce {}", engine.nonce);
    let title = "What this run planted in the source came back";
    let mut check = passed(system, "canary", title, Assurance::ContentEqual, &expected);
    match environment.canary(&system.cx).await? {
        Some(seen) => {
            check.observed = format!("nonce {}, planted at {}", seen.nonce, seen.planted_at);
            if seen.nonce != engine.nonce {
                check.outcome = Outcome::Failed;
            }
        }
        None => {
            check.observed = "no canary: another backup was restored".into();
            check.outcome = Outcome::Failed;
        }
    }
    Ok(engine.journal.append(Event::Checked(Box::new(check)))?)
}

/// Whether all of the content of a system was compared with what was captured.
pub(super) fn compared(engine: &Engine<'_>, system: &System) -> bool {
    let id = id_of(system, CONTENT);
    engine.journal.entries().iter().any(|entry| match &entry.event {
        Event::Checked(check) => check.id == id && check.level == Assurance::ContentEqual,
        _ => false,
    })
}

/// How much is known of what went in, and so can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knows {
    /// Names and numbers.
    Numbers,
    /// Of files all but their content: another tool lists them, without digests.
    Attributes,
    /// All of it.
    Everything,
}

impl Knows {
    fn of(captured: &Index, level: Level) -> Self {
        let undigested = |entry: &drill_agents::Entry| match entry.kind {
            EntryKind::File { sha256, .. } => sha256 == Sha256::UNREAD,
            _ => false,
        };
        match level {
            Level::Count => Self::Numbers,
            Level::Content if captured.listed && captured.entries.iter().any(undigested) => Self::Attributes,
            Level::Content => Self::Everything,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Numbers => "Names and numbers came back",
            Self::Attributes => "Names, sizes, modes, owners and times came back as the tool lists them",
            Self::Everything => "What came back is what went in",
        }
    }

    /// Only what compares everything proves that the content is equal; the rest, that it restored whole.
    fn assurance(self) -> Assurance {
        match self {
            Self::Numbers | Self::Attributes => Assurance::Restores,
            Self::Everything => Assurance::ContentEqual,
        }
    }
}

/// What an index holds, in words.
fn counted(index: &Index) -> String {
    let mut parts = Vec::new();
    if !index.entries.is_empty() {
        parts.push(amount::counted(index.entries.len(), "path"));
    }
    for database in &index.databases {
        if !database.keyspaces.is_empty() {
            parts.push(keys(database));
            continue;
        }
        let objects: usize = database.objects.values().map(std::collections::BTreeMap::len).sum();
        let rows = database.tables.values().fold(0_u64, |rows, table| rows.saturating_add(table.rows));
        parts.push(format!(
            "{} {}: {}, {} rows, {}",
            database.engine,
            database.name,
            amount::counted(database.tables.len(), "table"),
            amount::number(rows),
            amount::counted(objects, "schema object")
        ));
    }
    if parts.is_empty() { "nothing".into() } else { parts.join("; ") }
}

/// What a key-value store holds, in words.
fn keys(database: &Database) -> String {
    let keys: u64 = database.keyspaces.values().map(drill_agents::Keyspace::keys).sum();
    let expiring: u64 = database.keyspaces.values().map(|keyspace| keyspace.expiring).sum();
    let (keys, expiring) = (amount::number(keys), amount::number(expiring));
    // etcd has no databases to be counted.
    let place = match database.engine.as_str() {
        "etcd" => String::new(),
        _ => format!(" in {}", amount::counted(database.keyspaces.len(), "database")),
    };
    let objects = database.objects.iter().map(|(class, all)| format!(", {}", amount::counted(all.len(), class)));
    format!("{}: {keys} keys{place}, {expiring} of which expire{}", database.engine, objects.collect::<String>())
}
