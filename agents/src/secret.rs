//! Secrets are looked up where a reference says they are, and scrubbed from every text that leaves.

use std::env::VarError;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use drill_scenarios::Reference;
use secrecy::{ExposeSecret, SecretString};

use crate::{Error, Kind, Result};

/// Secrets shorter than this are not scrubbed: they would blank out half of every text.
const SHORTEST_SCRUBBED: usize = 4;
/// The same for one line of a longer secret.
const SHORTEST_LINE: usize = 8;

/// Looks secrets up and remembers them, so that they can be scrubbed.
#[derive(Debug)]
pub struct Secrets {
    base: PathBuf,
    seen: Mutex<Vec<SecretString>>,
}

impl Secrets {
    /// Files are relative to `base`, the scenario's folder.
    pub fn relative_to(base: &Path) -> Self {
        Self { base: base.into(), seen: Mutex::default() }
    }

    /// The folder that relative paths of the scenario start from.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The secret that `reference` points to.
    ///
    /// # Errors
    /// [`Kind::Config`] if it isn't there or is empty, naming the reference, never a value.
    pub fn resolve(&self, reference: &Reference) -> Result<SecretString> {
        let text = match reference {
            Reference::Env(name) => variable(name)?,
            Reference::File(path) => read(&self.base.join(path))?,
            Reference::Credential(name) => read(&credential(name)?)?,
        };
        let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if text.is_empty() {
            return Err(Error::new(Kind::Config, format!("{} is empty", subject(reference))).hint(CORRECT_IT));
        }
        self.remember(text);
        Ok(SecretString::from(text))
    }

    /// Remembers a secret that came from elsewhere (a password inside a URL), so that it is scrubbed too: as it is, line by
    /// line, and as it looks in JSON and in a URL.
    pub fn remember(&self, secret: &str) {
        let in_json = serde_json::to_string(secret).expect("a text is plain JSON");
        let in_url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut seen = self.seen();
        let whole = [secret, in_json.trim_matches('"'), &in_url, &in_url.replace('+', "%20")];
        let whole = whole.into_iter().filter(|form| form.len() >= SHORTEST_SCRUBBED);
        let lines = secret.lines().filter(|line| line.len() >= SHORTEST_LINE);
        for form in whole.chain(lines) {
            // The longest first: one that is part of another must not leave the rest of it standing.
            let place = seen.partition_point(|other| other.expose_secret().len() >= form.len());
            if !seen[..place].iter().any(|other| other.expose_secret() == form) {
                seen.insert(place, SecretString::from(form));
            }
        }
    }

    /// The text with every secret that was looked up replaced by `[secret]`.
    pub fn scrub(&self, text: &str) -> String {
        self.seen().iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), "[secret]"))
    }

    fn seen(&self) -> MutexGuard<'_, Vec<SecretString>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CORRECT_IT: &str = "Set it, or correct the reference in the scenario.";

/// What a reference points to, for messages; never a value.
fn subject(reference: &Reference) -> String {
    match reference {
        Reference::Env(name) => format!("environment variable {name}"),
        Reference::File(path) => format!("secret file {}", path.display()),
        Reference::Credential(name) => format!("credential {name}"),
    }
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).map_err(|cause| match cause {
        VarError::NotPresent => {
            Error::new(Kind::Config, format!("environment variable {name} is not set")).hint(CORRECT_IT)
        }
        // The cause would show the value.
        VarError::NotUnicode(_) => Error::new(Kind::Config, format!("environment variable {name} is not UTF-8")),
    })
}

fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|cause| {
        Error::new(Kind::Config, format!("reading secret file {}", path.display()))
            .because(cause)
            .hint("Paths are relative to the scenario's folder.")
    })?;
    String::from_utf8(bytes)
        .map_err(|_| Error::new(Kind::Config, format!("secret file {} is not UTF-8", path.display())))
}

fn credential(name: &str) -> Result<PathBuf> {
    if !matches!(Path::new(name).components().collect::<Vec<_>>()[..], [Component::Normal(_)]) {
        return Err(Error::new(Kind::Config, format!("credential {name} is no plain name"))
            .hint("A credential is one file in the credentials folder; use `file` for any other."));
    }
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        Error::new(Kind::Config, format!("credential {name}: CREDENTIALS_DIRECTORY is not set"))
            .hint("The service manager sets it: see `LoadCredential=` in systemd.exec(5).")
    })?;
    Ok(Path::new(&folder).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> (tempfile::TempDir, Secrets) {
        let home = tempfile::tempdir().expect("tempdir");
        let secrets = Secrets::relative_to(home.path());
        (home, secrets)
    }

    fn told(error: &Error) -> (Kind, String) {
        (error.kind(), error.chain())
    }

    #[test]
    fn a_file_is_read_below_the_scenarios_folder_without_its_last_newline() {
        let (home, secrets) = secrets();
        for (content, value) in
            [("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), (" a\nb\n\n", " a\nb\n")]
        {
            std::fs::write(home.path().join("key"), content).expect("write");
            let secret = secrets.resolve(&Reference::File("key".into())).expect("resolves");
            assert_eq!(secret.expose_secret(), value);
        }
    }

    #[test]
    fn what_is_missing_empty_or_no_text_is_named_without_its_value() {
        let (home, secrets) = secrets();
        let wrong = |reference: &Reference| told(&secrets.resolve(reference).expect_err("can't be resolved"));
        let file = Reference::File("key".into());
        assert_eq!(wrong(&file).0, Kind::Config);
        assert!(wrong(&file).1.contains("key"));
        std::fs::write(home.path().join("key"), "\n").expect("write");
        assert_eq!(wrong(&file), (Kind::Config, "secret file key is empty".into()));
        std::fs::write(home.path().join("key"), b"hidden\xff").expect("write");
        assert!(!wrong(&file).1.contains("hidden"), "{}", wrong(&file).1);
        let unset = Reference::Env("DRILLCTL_TEST_NEVER_SET".into());
        assert_eq!(wrong(&unset), (Kind::Config, "environment variable DRILLCTL_TEST_NEVER_SET is not set".into()));
        for name in ["../key", "/etc/passwd", "a/b", "", ".."] {
            assert_eq!(wrong(&Reference::Credential(name.into())).0, Kind::Config);
            assert!(wrong(&Reference::Credential(name.into())).1.contains("no plain name"), "{name}");
        }
    }

    #[test]
    fn a_resolved_secret_is_scrubbed_and_never_shown_by_debug() {
        let (home, secrets) = secrets();
        std::fs::write(home.path().join("key"), "open sesame\n").expect("write");
        let secret = secrets.resolve(&Reference::File("key".into())).expect("resolves");
        assert_eq!(secrets.scrub("it is: open sesame!"), "it is: [secret]!");
        assert!(!format!("{secret:?} {secrets:?}").contains("sesame"));
    }

    #[test]
    fn every_written_form_of_a_secret_is_scrubbed() {
        let (_home, secrets) = secrets();
        secrets.remember("p\"ss w@rd/1");
        let texts =
            ["p\"ss w@rd/1", r#"{"k":"p\"ss w@rd/1"}"#, "postgresql://u:p%22ss%20w%40rd%2F1@h", "q=p%22ss+w%40rd%2F1"];
        let clean = ["[secret]", r#"{"k":"[secret]"}"#, "postgresql://u:[secret]@h", "q=[secret]"];
        assert_eq!(texts.map(|text| secrets.scrub(text)), clean);
        secrets.remember("-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----");
        assert_eq!(secrets.scrub("line 2: MIIEvQIBADANBg"), "line 2: [secret]");
    }

    #[test]
    fn a_secret_that_is_part_of_another_leaves_nothing_of_it() {
        for order in [["hunter", "hunter22"], ["hunter22", "hunter"]] {
            let (_home, secrets) = secrets();
            order.into_iter().for_each(|secret| secrets.remember(secret));
            assert_eq!(secrets.scrub("hunter22 hunter"), "[secret] [secret]");
        }
    }

    #[test]
    fn what_is_too_short_to_be_told_from_ordinary_text_is_left() {
        let (_home, secrets) = secrets();
        secrets.remember("a");
        secrets.remember("");
        assert_eq!(secrets.scrub("a backup"), "a backup");
    }
}
