//! Facts about this program, this host, and the scenario's place in its repository.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::{digest, rand};
use drill_agents::{Account, Context, process::Program};
use drill_reports::{Host, Tool};

/// This program: its version and the digest of the running binary.
pub(crate) fn tool() -> Tool {
    let mut digesting = Digesting::default();
    let read = File::open("/proc/self/exe").and_then(|mut binary| io::copy(&mut binary, &mut digesting));
    let binary_sha256 = read.map(|_| digesting.finish()).unwrap_or_default();
    Tool { name: "drillctl".into(), version: env!("CARGO_PKG_VERSION").into(), binary_sha256 }
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
    let mut out = BufWriter::with_capacity(64 << 10, Digesting::default());
    serde_json::to_writer(&mut out, fact).expect("facts are plain data");
    let Ok(digesting) = out.into_inner() else { unreachable!("a digest takes all that is written") };
    digesting.finish()
}

/// A digest that is written into.
struct Digesting(digest::Context);

impl Default for Digesting {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Digesting {
    fn finish(self) -> String {
        hex::encode(self.0.finish())
    }
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// SHA-256, hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}
