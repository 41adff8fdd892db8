//! Facts about this program, this host, and the scenario's place in its repository.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::{digest, rand};
use drill_agents::{Account, Context, process::Program};
use drill_reports::{Host, Tool};

/// This program: its version and the digest of the running binary.
pub(crate) fn tool() -> Tool {
    let binary = std::fs::read("/proc/self/exe").map(|bytes| sha256(&bytes)).unwrap_or_default();
    Tool { name: "drillctl".into(), version: env!("CARGO_PKG_VERSION").into(), binary_sha256: binary }
}

/// Where the run executes.
pub(crate) fn host() -> Host {
    let uname = rustix::system::uname();
    let [name, system, release] =
        [uname.nodename(), uname.sysname(), uname.release()].map(|text| text.to_string_lossy());
    Host { name: name.into(), system: format!("{system} {release}"), account: Account::current().name }
}

/// Revision of the git repository that `file` stands in, with `+` where the file differs from it; `None` outside one.
pub(crate) async fn git_revision(cx: &Context, file: &Path) -> Option<String> {
    let folder = file.parent()?;
    let git =
        |args: &[&str]| Program::new("git").arg("-C").arg(folder).args(args).run(cx, Duration::from_secs(10), 4096);
    let head = git(&["rev-parse", "HEAD"]).await.ok().filter(|ended| ended.status.success())?;
    let name = file.file_name()?.to_str()?;
    let state = git(&["status", "--porcelain", "--", name]).await.ok()?;
    let mark = if state.stdout.is_empty() { "" } else { "+" };
    Some(format!("{}{mark}", String::from_utf8_lossy(&head.stdout).trim()))
}

/// `N` bytes that nobody can foresee, hexadecimal.
pub(crate) fn nonce<const N: usize>() -> String {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system has randomness");
    hex::encode(bytes)
}

/// SHA-256 of what this is as JSON, hexadecimal. The text, which may be long, is never held as a whole.
pub(crate) fn sha256_of_json(fact: &impl serde::Serialize) -> String {
    struct Digested(digest::Context);
    impl std::io::Write for Digested {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut out = std::io::BufWriter::with_capacity(64 << 10, Digested(digest::Context::new(&digest::SHA256)));
    serde_json::to_writer(&mut out, fact).expect("facts are plain data");
    let Ok(digested) = out.into_inner() else { unreachable!("a digest takes all that is written") };
    hex::encode(digested.0.finish())
}

/// SHA-256, hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}
