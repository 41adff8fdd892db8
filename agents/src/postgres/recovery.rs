//! Recovery of a restored cluster from an archive of WAL: how far its server is to go, and how far it went.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drill_scenarios::RecoverTo;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;

use super::site::Site;
use crate::process::Program;
use crate::{Context, Error, Kind, Recovered, Recovery, Result, Sha256};

/// How long fetching and reading one segment may take.
const SEGMENT: Duration = Duration::from_secs(900);
/// Bytes of what is written about one segment at most: 16 MiB are half a million of the shortest transactions.
const TOLD: usize = 256 << 20;

/// What a server says of a record that is not what was written, which it takes for the end of the WAL.
const BROKEN: &str = "incorrect resource manager data checksum in record at ";

/// How far the server of a restored cluster is to recover.
#[derive(Debug)]
pub(crate) struct Aim {
    recovery: Recovery,
    instant: Option<Timestamp>,
    /// How far, and how that was chosen.
    wanted: String,
    prepared: String,
}

/// What the control file of a cluster says.
struct Control {
    prepared: String,
    segment_bytes: u64,
}

impl Aim {
    /// Looks at the restored cluster and the archive. An instant is drawn by the run's seed.
    ///
    /// # Errors
    /// [`Kind::Unrestorable`] if the archive holds no transaction after the backup to draw from, or misses a segment;
    /// [`Kind::Config`] for an instant before the end of the backup.
    pub(crate) async fn take(cx: &Context, site: &Site, recovery: Recovery) -> Result<Self> {
        let control = control(cx, site).await?;
        let (instant, wanted) = match recovery.to {
            RecoverTo::Latest => (None, format!("the end of the archive, which is in segment {}", recovery.newest)),
            RecoverTo::Backup => (None, "the end of the backup, where it is consistent".into()),
            RecoverTo::At(at) => (Some(after_backup(at, &recovery)?), format!("{at}, as the scenario says")),
            RecoverTo::Random => {
                let newest = newest_commit(cx, site, &recovery, control.segment_bytes).await?;
                let drawn = drawn(&cx.seed, recovery.consistent_at, newest).ok_or_else(|| nothing_after(&recovery))?;
                let (from, seed) = (recovery.consistent_at, &cx.seed);
                let how = "the first 8 bytes of its SHA-256, modulo the microseconds between";
                (Some(drawn), format!("{drawn}, drawn from {from} to {newest} by the seed {seed}: {how}"))
            }
        };
        Ok(Self { recovery, instant, wanted, prepared: control.prepared })
    }

    /// The instant that is recovered to, if it is one.
    pub(crate) fn instant(&self) -> Option<Timestamp> {
        self.instant
    }

    /// What the server is told. It answers nobody before it has ended.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::from(
            [
                ("hot_standby", "off"),
                ("restore_command", &self.recovery.fetch),
                ("recovery_target_action", "promote"),
                ("recovery_target_timeline", "latest"),
                ("max_prepared_transactions", &self.prepared),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        if let Some(instant) = self.instant {
            // A server that reads its settings knows no abbreviation of a time zone yet, and `Z` is one.
            settings.insert("recovery_target_time".into(), instant.to_string().replace('Z', "+00"));
        }
        if self.recovery.to == RecoverTo::Backup {
            settings.insert("recovery_target".into(), "immediate".into());
        }
        settings
    }

    /// How far it went, by its log. A server that gets no more WAL is content with what it has: where it was to go to the end of the
    /// archive, it must have fetched the newest segment.
    ///
    /// # Errors
    /// [`Kind::Unrestorable`] if it ended early.
    pub(crate) fn reached(&self, log: &str) -> Result<Recovered> {
        let fetched = after(log, "restored log file \"").filter_map(|rest| rest.split('"').next());
        let fetched: Vec<&str> = fetched.collect();
        let last = after(log, "last completed transaction was at log time ").last().and_then(|text| text.parse().ok());
        if self.recovery.to == RecoverTo::Latest && !fetched.contains(&self.recovery.newest.as_str()) {
            let newest = fetched.last().map_or_else(|| "none".into(), |name| format!("only up to {name}"));
            return Err(self.missed(log, &format!("of the archive's WAL there was {newest}")));
        }
        if let Some(at) = after(log, BROKEN).last() {
            return Err(self.missed(log, &format!("the WAL is damaged at {at}")));
        }
        let stopped = after(log, "recovery stopping ").last().map(|rest| format!("the server stopped {rest}"));
        let replayed = last.map(|last: Timestamp| format!("the last transaction that it replayed is of {last}"));
        let count = format!("{} fetched", segments(fetched.len()));
        let reached = [stopped, replayed, Some(count)].into_iter().flatten().collect::<Vec<_>>().join("; ");
        Ok(Recovered { wanted: self.wanted.clone(), reached, last })
    }

    /// The error of a server that didn't get there, with what the tool said that fetched its WAL.
    pub(crate) fn missed(&self, log: &str, why: &str) -> Error {
        let said = after(log, "ERROR: [").last().map(|rest| format!("; fetching it said: [{rest}")).unwrap_or_default();
        Error::new(Kind::Unrestorable, format!("the server did not recover to {}: {why}{said}", self.wanted))
    }
}

/// What stands in the lines of a log after these words.
fn after<'a>(log: &'a str, words: &'a str) -> impl Iterator<Item = &'a str> {
    log.lines().filter_map(move |line| line.split_once(words).map(|(_, rest)| rest.trim()))
}

fn segments(count: usize) -> String {
    if count == 1 { "1 segment of WAL was".into() } else { format!("{count} segments of WAL were") }
}

fn after_backup(at: Timestamp, recovery: &Recovery) -> Result<Timestamp> {
    if at >= recovery.consistent_at {
        return Ok(at);
    }
    let message = format!("{at} is before the end of the backup, {}", recovery.consistent_at);
    Err(Error::new(Kind::Config, message)
        .hint("Select an older backup with `select: {before: …}`, or a later instant with `recover_to`."))
}

fn nothing_after(recovery: &Recovery) -> Error {
    let end = recovery.consistent_at;
    let message = format!(
        "the archive holds no transaction after the end of the backup, {end}: there is no instant to recover to"
    );
    Error::new(Kind::Unrestorable, message)
        .hint("See whether the server still archives its WAL; `archive_timeout` bounds how long that takes.")
}

/// An instant from `from` on and before `to`, in whole microseconds, as PostgreSQL counts them.
fn drawn(seed: &str, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
    let between = u64::try_from(to.as_microsecond() - from.as_microsecond()).ok().filter(|between| *between > 0)?;
    let digest = Sha256::of(seed.as_bytes()).to_string();
    let lot = u64::from_str_radix(digest.get(..16)?, 16).ok()? % between;
    Some(from + SignedDuration::from_micros(i64::try_from(lot).ok()?))
}

/// When the newest transaction in the archive was made, which must not be older than the backup.
async fn newest_commit(cx: &Context, site: &Site, recovery: &Recovery, segment_bytes: u64) -> Result<Timestamp> {
    let mut segment = Some(recovery.newest.clone());
    while let Some(name) = segment.filter(|name| name[8..] >= recovery.last_of_backup[8..]) {
        let file = fetch(cx, site, recovery, &name).await?;
        let newest = last_commit(cx, site, &file).await;
        std::fs::remove_file(&file).map_err(|cause| Error::io("removing", file.display(), cause))?;
        if let Some(newest) = newest? {
            return Ok(newest);
        }
        segment = previous(&name, segment_bytes);
    }
    Err(nothing_after(recovery))
}

/// Fetches a segment as the server will, beside its data. Returns where it is.
async fn fetch(cx: &Context, site: &Site, recovery: &Recovery, name: &str) -> Result<PathBuf> {
    let file = site.sockets.join(name);
    let command = recovery.fetch.replace("%f", name).replace("%p", &file.display().to_string()).replace("%%", "%");
    let mut program = Program::new("sh").args(["-c", &command]).account(&site.account).folder(&site.data());
    for (name, value) in &recovery.env {
        program = program.env(name, value.expose_secret());
    }
    let ended = program.run(cx, SEGMENT, 0).await?;
    if ended.status.success() {
        return Ok(file);
    }
    let said = ended.stderr.join("; ");
    Err(Error::new(Kind::Unrestorable, format!("segment {name} of the archive can't be had: {said}")))
}

/// When the last transaction in a segment was committed.
async fn last_commit(cx: &Context, site: &Site, file: &Path) -> Result<Option<Timestamp>> {
    let program = site.programs.program("pg_waldump").env("TZ", "UTC").arg("--rmgr=Transaction");
    let program = program.account(&site.account).folder(&site.sockets).arg(file).arg(file);
    // It ends with an error where the WAL ends within the segment.
    let ended = program.run(cx, SEGMENT, TOLD).await?;
    Ok(newest_in(&String::from_utf8_lossy(&ended.stdout)))
}

fn newest_in(told: &str) -> Option<Timestamp> {
    let commits = after(told, "desc: COMMIT ").filter_map(|rest| rest.get(..26));
    commits.filter_map(|text| format!("{text}Z").parse().ok()).max()
}

/// The segment before this one.
fn previous(name: &str, segment_bytes: u64) -> Option<String> {
    let part = |from: usize| u64::from_str_radix(name.get(from..from + 8)?, 16).ok();
    let in_a_file = (1 << 32) / segment_bytes.max(1);
    let before = (part(8)? * in_a_file + part(16)?).checked_sub(1)?;
    Some(format!("{}{:08X}{:08X}", &name[..8], before / in_a_file, before % in_a_file))
}

async fn control(cx: &Context, site: &Site) -> Result<Control> {
    let program = site.programs.program("pg_controldata").account(&site.account).folder(&site.sockets);
    let ended = program.arg("-D").arg(site.data()).run(cx, SEGMENT, 1 << 16).await?;
    ended.success(Kind::Unrestorable)?;
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    let value = |name: &str| {
        let unclear =
            || Error::new(Kind::Unrestorable, format!("the restored control file does not tell its `{name}`"));
        after(&told, name).next().map(|rest| rest.trim_start_matches(':').trim().to_owned()).ok_or_else(unclear)
    };
    let segment_bytes = value("Bytes per WAL segment")?.parse().unwrap_or(16 << 20);
    Ok(Control { prepared: value("max_prepared_xacts setting")?, segment_bytes })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_microsecond(micros).expect("an instant")
    }

    #[test]
    fn a_seed_draws_the_same_instant_each_time_and_seeds_draw_all_but_the_end() {
        let lots: BTreeSet<_> = (0..200).filter_map(|seed| drawn(&seed.to_string(), at(100), at(108))).collect();
        assert_eq!(lots, (100..108).map(at).collect());
        assert_eq!(drawn("7", at(0), at(1_000_000)), drawn("7", at(0), at(1_000_000)));
        assert_eq!((drawn("7", at(5), at(5)), drawn("7", at(5), at(4))), (None, None));
    }

    fn to_the_end_of(newest: &str) -> Aim {
        let recovery = Recovery {
            fetch: "false".into(),
            env: BTreeMap::new(),
            to: RecoverTo::Latest,
            consistent_at: at(0),
            last_of_backup: newest.into(),
            newest: newest.into(),
        };
        Aim { recovery, instant: None, wanted: "the end".into(), prepared: "0".into() }
    }

    #[test]
    fn the_end_of_the_archive_is_reached_only_where_its_newest_segment_was_fetched_and_is_whole() {
        let log = "LOG:  restored log file \"000000010000000000000006\" from archive
LOG:  redo done at 0/6000270 system usage: none
LOG:  last completed transaction was at log time 2026-11-25 10:05:03.909378+00";
        let reached = to_the_end_of("000000010000000000000006").reached(log).expect("reached");
        assert_eq!(reached.last, "2026-11-25T10:05:03.909378Z".parse().ok());
        let told =
            to_the_end_of("000000010000000000000007").reached(log).expect_err("a segment is missing").to_string();
        assert!(told.contains("only up to 000000010000000000000006"), "{told}");
        let broken = format!("{log}\nLOG:  {BROKEN}0/6000270");
        let told = to_the_end_of("000000010000000000000006").reached(&broken).expect_err("damaged").to_string();
        assert!(told.contains("damaged at 0/6000270"), "{told}");
    }

    #[test]
    fn segments_are_counted_backwards_over_the_end_of_a_log_file() {
        let before = |name| previous(name, 16 << 20);
        assert_eq!(before("000000010000000000000006").as_deref(), Some("000000010000000000000005"));
        assert_eq!(before("0000000200000001000000FF").as_deref(), Some("0000000200000001000000FE"));
        assert_eq!(before("000000020000000100000000").as_deref(), Some("0000000200000000000000FF"));
        assert_eq!(before("000000010000000000000000"), None);
        assert_eq!(previous("000000020000000100000000", 1 << 30).as_deref(), Some("000000020000000000000003"));
    }

    #[test]
    fn the_newest_transaction_of_a_segment_is_read_as_pg_waldump_tells_it() {
        let told = "rmgr: Transaction len (rec/tot): 34/34, tx: 735, lsn: 0/06000208, desc: COMMIT 2026-11-25 10:05:02.677894 UTC
rmgr: Transaction len (rec/tot): 34/34, tx: 737, lsn: 0/06000270, desc: ABORT 2026-11-25 10:05:09.000000 UTC
rmgr: Transaction len (rec/tot): 34/34, tx: 736, lsn: 0/06000270, desc: COMMIT 2026-11-25 10:05:03.909378 UTC; inval msgs: x";
        assert_eq!(newest_in(told), "2026-11-25T10:05:03.909378Z".parse().ok());
        assert_eq!(newest_in(""), None);
    }
}
