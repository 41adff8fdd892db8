//! The place of a throw-away server: its folders, made for one run, with an empty server's files in them. No server runs yet.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::programs::ServerPrograms;
use super::server::{SUPERUSER, full, is_full, telling};
use crate::{Account, Context, Error, Kind, Place, Result};

const INSTALL: Duration = Duration::from_secs(120);

/// The place of a throw-away server.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    pub(crate) sockets: PathBuf,
    pub(super) account: Account,
    pub(crate) programs: ServerPrograms,
    /// Whether its server is walled in, and who uses it is in the run's sandbox.
    pub(crate) walled: bool,
}

impl Site {
    /// Makes the folders, for this run alone.
    ///
    /// # Errors
    /// [`Kind::Refused`] where something is there already; I/O errors.
    pub(crate) fn make(cx: &Context, place: &Place, programs: ServerPrograms) -> Result<Self> {
        let (folder, sockets, walled) = (place.folder.clone(), place.sockets(), cx.walls.is_some());
        let site = Self { folder, sockets, account: account()?, programs, walled };
        place.make_for_server(cx, &site.account, &[&site.data(), &site.temporary()])?;
        private_file(&site.log(), "")?;
        // Programs that are started in the environment have this folder as their home. A client of the system's own settings would go
        // to the server of the host, which may be the source.
        let settings = format!("[client]\nsocket={}\nuser={SUPERUSER}\n", site.socket().display());
        private_file(&site.folder.join(".my.cnf"), &settings)?;
        Ok(site)
    }

    /// The server's files.
    pub(super) fn data(&self) -> PathBuf {
        data(&self.folder)
    }

    /// Where it puts what it sorts and joins: rows, which must not lie elsewhere.
    pub(super) fn temporary(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    /// Its socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.sockets.join("mariadb.sock")
    }

    /// What it writes.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// What it has written.
    pub(super) fn logged(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    /// Makes the files of a new, empty server.
    ///
    /// # Errors
    /// [`Kind::Config`] with what the program says.
    pub(crate) async fn init(&self, cx: &Context) -> Result<()> {
        let program = crate::process::Program::new(&self.programs.install).arg("--no-defaults");
        let fixed = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"];
        let program = program.args(fixed).arg(format!("--datadir={}", self.data().display()));
        let program = program.arg(format!("--tmpdir={}", self.temporary().display())).env("TMPDIR", self.temporary());
        let ended = program.account(&self.account).folder(&self.folder).run(cx, INSTALL, 64 << 10).await?;
        if ended.status.success() {
            return Ok(());
        }
        let said = format!("{}\n{}", String::from_utf8_lossy(&ended.stdout), ended.stderr.join("\n"));
        let told = telling(&said);
        Err(if is_full(&said) { full(&told) } else { Error::new(Kind::Config, format!("{}: {told}", ended.program)) })
    }
}

fn private_file(path: &Path, text: &str) -> Result<()> {
    let file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|cause| Error::io("making", path.display(), cause))
}

/// The server's files below its folder.
pub(crate) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// The account that servers run as: never root, although MariaDB would.
///
/// # Errors
/// As for [`Account::for_server`].
pub(crate) fn account() -> Result<Account> {
    Account::for_server(&["mysql", "nobody"])
}
