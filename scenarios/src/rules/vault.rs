//! Where snapshots rest, and that no credentials are written with it.

use url::Url;

use crate::place::Path;
use crate::{OpendalVault, S3Vault, Source, Vault, secret};

use super::Rules;

pub(super) fn check(rules: &mut Rules<'_>) {
    if let Some(vault) = &rules.scenario.vault {
        place(rules, &Path::of(["vault"]), vault);
    }
}

/// Where another tool puts its files, and where applications keep their objects.
pub(super) fn of_source(rules: &mut Rules<'_>) {
    match rules.system.source {
        Source::Files(files) => place(rules, &rules.at(["source", "files", "place"]), &files.place),
        Source::Objects(objects) => place(rules, &rules.at(["source", "objects", "place"]), &objects.place),
        _ => {}
    }
}

fn place(rules: &mut Rules<'_>, path: &Path, vault: &Vault) {
    let path = path.key(vault.kind());
    match vault {
        Vault::Url(url) => address(rules, &path, url),
        Vault::S3(s3) => bucket(rules, &path, s3),
        Vault::Opendal(opendal) => options(rules, &path.key("options"), opendal),
        Vault::Fs(_) => {}
    }
}

fn address(rules: &mut Rules<'_>, path: &Path, text: &str) {
    if secret::in_url(text) {
        let hint = "Take them out of the URL. Write the vault as fields instead, which say where credentials are kept: \
                    `s3: {bucket: …, access_key_id: {env: NAME}, secret_access_key: {env: NAME}}`. Replace them: they \
                    have been in a file.";
        return rules.say(path, "`url` has credentials in it", hint);
    }
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
    if scheme.is_empty() || !scheme.bytes().all(plain) || rest.trim_start_matches('/').is_empty() {
        let hint = "Write `fs:folder`, `fs:///srv/vault` or `s3://bucket/prefix`.";
        return rules.say(path, "`url` is not the address of a vault", hint);
    }
    let bucket = Url::parse(text).ok().and_then(|url| url.host_str().map(|host| !host.is_empty()));
    if scheme == "s3" && bucket != Some(true) {
        rules.say(path, "`url` names no bucket", "Write `s3://bucket/prefix?endpoint=https://host&region=name`.");
    }
}

fn bucket(rules: &mut Rules<'_>, path: &Path, s3: &S3Vault) {
    if let Some(endpoint) = &s3.endpoint {
        let path = path.key("endpoint");
        match Url::parse(endpoint) {
            Ok(url) if !url.username().is_empty() || secret::in_url(endpoint) => rules.say(
                &path,
                "`endpoint` has credentials in it",
                "Take them out and say where they are kept: `secret_access_key: {env: NAME}`.",
            ),
            Ok(url) if matches!(url.scheme(), "http" | "https") => {}
            _ => {
                rules.say(&path, "`endpoint` is not an address", "Write it with its scheme: `https://s3.example.org`.")
            }
        }
    }
    for (name, other, present, other_present) in [
        ("access_key_id", "secret_access_key", s3.access_key_id.is_some(), s3.secret_access_key.is_some()),
        ("secret_access_key", "access_key_id", s3.secret_access_key.is_some(), s3.access_key_id.is_some()),
    ] {
        if present && !other_present {
            let hint = format!("Add `{other}`, or take both away to use the usual AWS environment, profile or role.");
            rules.say(&path.key(name), format!("`{name}` stands without `{other}`"), hint);
        }
    }
}

fn options(rules: &mut Rules<'_>, path: &Path, opendal: &OpendalVault) {
    for (name, value) in &opendal.options {
        if secret::telling(name) || secret::in_url(value) {
            rules.say(
                &path.key(name),
                format!("`{name}` is a secret, and a secret is never written in a scenario"),
                format!("Move it to `secrets` and say where it is kept: `{name}: {{env: NAME}}`."),
            );
        }
    }
}
