//! What is tried from inside, to prove that the sandbox holds: by a program that is started there just as the app will be.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Access;
use serde::{Deserialize, Serialize};

/// How long a connection may take; one that isn't refused by then has failed all the same.
const CONNECTING: Duration = Duration::from_secs(2);

/// What is to be tried.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Trials {
    /// Addresses that must not be reached.
    pub(super) addresses: Vec<SocketAddr>,
    /// Files and folders that must not be seen.
    pub(super) hidden: Vec<PathBuf>,
    /// Files that must not come to be outside. Where their folder is one of the sandbox's own, in memory, they may be made in it.
    pub(super) marks: Vec<PathBuf>,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// How many things were tried.
    pub(super) tried: usize,
    /// What should have failed and did not.
    pub(super) breaches: Vec<String>,
}

impl Trials {
    /// How many things there are to try.
    pub(super) fn count(&self) -> usize {
        self.addresses.len() + self.hidden.len() + self.marks.len() + RIGHTS.len()
    }

    fn make(&self) -> Outcome {
        let addresses = self.addresses.iter().map(|address| {
            let reached = TcpStream::connect_timeout(address, CONNECTING).is_ok();
            reached.then(|| format!("{address} can be reached"))
        });
        let hidden = self.hidden.iter().map(|path| {
            let seen = path.symlink_metadata().is_ok() || rustix::fs::access(path, Access::WRITE_OK).is_ok();
            seen.then(|| format!("{} can be seen", path.display()))
        });
        let marks = self.marks.iter().map(|path| {
            // Whether it is to be seen outside is looked at there.
            let _ = std::fs::File::create_new(path);
            None
        });
        let rights = RIGHTS.iter().map(|(what, gained)| gained().then(|| format!("it is possible to {what}")));
        let all: Vec<Option<String>> = addresses.chain(hidden).chain(marks).chain(rights).collect();
        Outcome { tried: all.len(), breaches: all.into_iter().flatten().collect() }
    }
}

type Right = (&'static str, fn() -> bool);

/// Rights that nothing inside may have. Whoever has one after all changes nothing by its trial.
const RIGHTS: [Right; 4] = [
    ("use a capability", || !without_rights(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())),
    ("change the host's name", || rustix::system::sethostname(rustix::system::uname().nodename().to_bytes()).is_ok()),
    ("change the root folder", || rustix::process::chroot("/").is_ok()),
    ("write to the system", || rustix::fs::access(Path::new("/usr"), Access::WRITE_OK).is_ok()),
];

/// Whether a process with this status has no capability, and can get none.
pub(super) fn without_rights(status: &str) -> bool {
    let value = |name: &str| status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()));
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    let empty = |name| value(name).is_some_and(|set| !set.is_empty() && set.bytes().all(|digit| digit == b'0'));
    sets.into_iter().all(empty) && value("NoNewPrivs") == Some("1")
}

/// Makes the trials and writes the outcome to standard output.
pub(super) fn make(trials: &str) -> io::Result<()> {
    let trials: Trials = serde_json::from_str(trials)?;
    serde_json::to_writer(io::stdout(), &trials.make())?;
    io::stdout().flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_reached_seen_or_written_is_a_breach() {
        let home = tempfile::tempdir().expect("tempdir");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
        let address = listener.local_addr().expect("an address");
        let mark = home.path().join("mark");
        let there =
            Trials { addresses: vec![address], hidden: vec![home.path().to_owned()], marks: vec![mark.clone()] };
        let outcome = there.make();
        assert_eq!(outcome.tried, there.count());
        assert!(mark.exists());
        for said in [format!("{address} can be reached"), "can be seen".into()] {
            assert!(outcome.breaches.iter().any(|breach| breach.contains(&said)), "{said}: {outcome:?}");
        }
        drop(listener);
        let absent = home.path().join("absent");
        let kept = Trials { addresses: vec![address], hidden: vec![absent.clone()], marks: vec![absent.join("mark")] };
        assert!(!kept.make().breaches.iter().any(|breach| breach.contains(" can be ")), "{:?}", kept.make());
    }

    #[test]
    fn a_single_capability_in_any_set_is_a_right() {
        let none = "CapInh:\t0000\nCapPrm:\t0000\nCapEff:\t0000\nCapBnd:\t0000\nCapAmb:\t0000\nNoNewPrivs:\t1\n";
        assert!(without_rights(none));
        assert!(!without_rights(&none.replace("CapBnd:\t0000", "CapBnd:\t1000")));
        assert!(!without_rights(&none.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0")));
        assert!(!without_rights(""), "what can't be read is not known");
    }
}
