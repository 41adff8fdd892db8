//! From what a scenario says to a store that can be spoken to. Credentials are asked from the secrets here and handed to
//! OpenDAL; no text that this file makes holds one.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

use drill_scenarios::{Checksum, FsVault, OpendalVault, Reference, S3Vault, Vault as Written};
use opendal::{Operator, OperatorUri, services};
use secrecy::ExposeSecret;
use url::Url;

use super::Vault;
use crate::{Error, Kind, Result, Secrets};

/// What may stand in the query of an S3 address. Anything else is a slip of the pen, which OpenDAL would pass over.
const S3_OPTIONS: [&str; 12] = [
    "endpoint",
    "region",
    "profile",
    "role_arn",
    "external_id",
    "default_storage_class",
    "enable_virtual_host_style",
    CHECKSUM,
    "server_side_encryption",
    "server_side_encryption_aws_kms_key_id",
    "disable_list_objects_v2",
    "enable_request_payer",
];
/// The option that names the checksum of uploads, and the value of ours that OpenDAL doesn't know.
const CHECKSUM: &str = "checksum_algorithm";
const NO_CHECKSUM: &str = "none";
/// Parts of names of options that hold secrets.
const SECRET_WORDS: [&str; 8] =
    ["password", "secret", "token", "access_key", "account_key", "credential", "sas", "signing_key"];

/// Options by OpenDAL's names.
type Options = BTreeMap<String, String>;

pub(super) fn open(vault: &Written, secrets: &Secrets) -> Result<Vault> {
    match vault {
        Written::Url(url) => from_url(url, secrets),
        Written::Fs(FsVault { path }) => folder(path, secrets),
        Written::S3(written) => bucket(s3_options(written, secrets)?),
        Written::Opendal(written) => service(written, secrets),
    }
}

fn from_url(text: &str, secrets: &Secrets) -> Result<Vault> {
    if let Some(path) = text.strip_prefix("fs:") {
        return folder(Path::new(path.strip_prefix("//").unwrap_or(path)), secrets);
    }
    let url = Url::parse(text).map_err(|cause| {
        Error::new(Kind::Config, "vault is no URL")
            .because(cause)
            .hint("Write `fs:///srv/vault`, `fs:relative/folder` or `s3://bucket/prefix?endpoint=…&region=…`.")
    })?;
    refuse_user(&url, "vault", secrets)?;
    let options: Options = url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
    refuse_secrets(options.keys())?;
    match url.scheme() {
        "s3" => return bucket(s3_url_options(&url, options)?),
        "memory" => return Err(left_out("memory")),
        _ => {}
    }
    let uri = OperatorUri::new(text, HashMap::new()).map_err(|cause| refused(url.scheme(), &cause))?;
    let location =
        format!("{}://{}/{}", url.scheme(), uri.authority().unwrap_or_default(), uri.root().unwrap_or_default());
    let operator = Operator::from_uri(uri).map_err(|cause| refused(url.scheme(), &cause))?;
    Ok(Vault::new(operator, location))
}

fn folder(path: &Path, secrets: &Secrets) -> Result<Vault> {
    if path.as_os_str().is_empty() {
        return Err(Error::new(Kind::Config, "vault has an empty path"));
    }
    let path = resolved(&secrets.base().join(path))
        .map_err(|cause| Error::io("finding vault folder", path.display(), cause))?;
    let text = path.to_str().ok_or_else(|| {
        Error::new(Kind::Config, format!("vault folder {} is not UTF-8", path.display())).hint("Name another folder.")
    })?;
    // OpenDAL makes its root at once, which naming a vault must not do. So the root is another, and every path begins here.
    let operator = Operator::new(services::Fs::default().root("/")).map_err(|cause| refused("fs", &cause))?;
    let prefix = format!("{}/", text.trim_matches('/'));
    Ok(Vault { prefix, folder: Some(path.clone()), ..Vault::new(operator, format!("folder {text}")) })
}

/// The path without links and `..`, as far as it is there.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let there = path.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    let (ancestor, there) = there.ok_or(std::io::ErrorKind::NotFound)?;
    let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
    Ok(rest.components().fold(there, |mut resolved, part| {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            part => resolved.push(part),
        }
        resolved
    }))
}

fn s3_url_options(url: &Url, mut options: Options) -> Result<Options> {
    if let Some(unknown) = options.keys().find(|name| !S3_OPTIONS.contains(&name.as_str())) {
        return Err(Error::new(Kind::Config, format!("vault has an unknown option `{unknown}`"))
            .hint(format!("An S3 address takes {}.", S3_OPTIONS.join(", "))));
    }
    options.insert("bucket".into(), url.host_str().unwrap_or_default().into());
    options.insert("root".into(), url.path().into());
    Ok(options)
}

fn s3_options(written: &S3Vault, secrets: &Secrets) -> Result<Options> {
    let mut options =
        Options::from([("bucket".into(), written.bucket.clone()), ("root".into(), written.prefix.clone())]);
    let plain = [("endpoint", &written.endpoint), ("region", &written.region)];
    options.extend(plain.into_iter().filter_map(|(name, value)| Some((name.into(), value.clone()?))));
    let checksum = match written.checksum {
        Checksum::Crc32c => "crc32c",
        Checksum::Md5 => "md5",
        Checksum::None => NO_CHECKSUM,
    };
    options.insert(CHECKSUM.into(), checksum.into());
    if written.access_key_id.is_some() != written.secret_access_key.is_some() {
        return Err(Error::new(Kind::Config, "vault has only one of `access_key_id` and `secret_access_key`")
            .hint("Give both, or neither to use the environment, profile or instance role."));
    }
    if let (Some(id), Some(key)) = (&written.access_key_id, &written.secret_access_key) {
        options.insert("access_key_id".into(), secret(id, secrets)?);
        options.insert("secret_access_key".into(), secret(key, secrets)?);
        // Credentials that were given are the ones that are used: no others are looked for.
        options.insert("disable_ec2_metadata".into(), "true".into());
    }
    if let Some(endpoint) = &written.endpoint {
        let url = Url::parse(&with_scheme(endpoint))
            .map_err(|cause| Error::new(Kind::Config, "endpoint of the vault is no URL").because(cause))?;
        refuse_user(&url, "endpoint of the vault", secrets)?;
    }
    Ok(options)
}

fn bucket(mut options: Options) -> Result<Vault> {
    let name = options.get("bucket").cloned().unwrap_or_default();
    if name.is_empty() {
        return Err(Error::new(Kind::Config, "vault names no bucket").hint("Write `s3://bucket/prefix`."));
    }
    let root = options.get("root").map(|root| root.trim_matches('/').to_owned()).unwrap_or_default();
    options.insert("root".into(), format!("/{root}"));
    let told = |name| std::env::var_os(name).is_some();
    if !options.contains_key("region") && !told("AWS_REGION") && !told("AWS_DEFAULT_REGION") {
        if !options.contains_key("endpoint") {
            return Err(Error::new(Kind::Config, format!("vault s3://{name} has no region"))
                .hint("Give `region`, or set AWS_REGION."));
        }
        // Stores other than AWS mostly don't care, but the signature wants one.
        options.insert("region".into(), "us-east-1".into());
    }
    if options.entry(CHECKSUM.into()).or_insert("crc32c".into()) == NO_CHECKSUM {
        options.remove(CHECKSUM);
    }
    let at = options.get("endpoint").map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
    let location = format!("bucket s3://{name}/{root}{at}");
    let endpoint = endpoint(&options);
    let operator = Operator::from_iter::<services::S3>(options).map_err(|cause| refused("s3", &cause))?;
    Ok(Vault { endpoint, ..Vault::new(operator, location) })
}

fn service(written: &OpendalVault, secrets: &Secrets) -> Result<Vault> {
    if matches!(written.service.as_str(), "fs" | "memory") {
        return Err(Error::new(
            Kind::Config,
            format!("vault service `{}` is not one of OpenDAL's here", written.service),
        )
        .hint("Write a folder as `fs:/path/of/the/folder`."));
    }
    refuse_secrets(written.options.keys())?;
    let mut options = written.options.clone();
    for value in options.values() {
        if let Ok(url) = Url::parse(value) {
            refuse_user(&url, "an option of the vault", secrets)?;
        }
    }
    let place = ["endpoint", "bucket", "container", "filesystem", "root"];
    let place: Vec<_> = place.into_iter().filter_map(|name| options.get(name).map(String::as_str)).collect();
    let location = format!("{} {}", written.service, place.join(" ")).trim_end().to_owned();
    for (name, reference) in &written.secrets {
        options.insert(name.clone(), secret(reference, secrets)?);
    }
    let endpoint = endpoint(&options);
    let operator = Operator::via_iter(&written.service, options).map_err(|cause| refused(&written.service, &cause))?;
    Ok(Vault { endpoint, ..Vault::new(operator, location) })
}

/// Where the server answers, if the options tell it.
fn endpoint(options: &Options) -> Option<Url> {
    let text = options.get("endpoint")?;
    Url::parse(&with_scheme(text)).ok()
}

/// An address without a scheme is taken for one of HTTPS, as OpenDAL does.
fn with_scheme(address: &str) -> String {
    if address.contains("://") { address.into() } else { format!("https://{address}") }
}

fn secret(reference: &Reference, secrets: &Secrets) -> Result<String> {
    Ok(secrets.resolve(reference)?.expose_secret().to_owned())
}

fn refuse_secrets<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<()> {
    match names.find(|name| SECRET_WORDS.iter().any(|word| name.to_ascii_lowercase().contains(word))) {
        None => Ok(()),
        Some(name) => Err(Error::new(Kind::Config, format!("vault has the secret `{name}` written out"))
            .hint("Keep it in a file or variable and refer to that: `secrets` of an `opendal` vault, or the fields of an `s3` one.")),
    }
}

fn refuse_user(url: &Url, what: &str, secrets: &Secrets) -> Result<()> {
    if let Some(password) = url.password() {
        secrets.remember(password);
    }
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(Error::new(Kind::Config, format!("{what} has a user or password in its address"))
        .hint("Keep them in a file or variable and refer to that."))
}

/// What OpenDAL says about a configuration, without the values that it may quote.
fn refused(service: &str, cause: &opendal::Error) -> Error {
    if cause.kind() == opendal::ErrorKind::Unsupported {
        return left_out(service);
    }
    Error::new(Kind::Config, format!("vault of kind `{service}`")).because(cause.message().to_owned())
}

fn left_out(service: &str) -> Error {
    Error::new(Kind::Config, format!("vault service `{service}` is not in this build"))
        .hint(format!("Build drillctl with the feature `vault-{service}`, or use one of {}.", known().join(", ")))
}

/// The services that this build includes.
fn known() -> Vec<String> {
    let mut known: Vec<_> = opendal::OperatorRegistry::get().schemes().into_iter().filter(|s| s != "memory").collect();
    known.sort();
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(written: Written) -> Result<Vault> {
        Vault::open(&written, &Secrets::relative_to(Path::new("/scenarios")))
    }

    fn url(text: &str) -> Result<Vault> {
        vault(Written::Url(text.into()))
    }

    #[test]
    fn every_way_to_write_a_vault_gives_its_location_in_words() {
        for (text, location) in [
            ("fs:///srv/vault", "folder /srv/vault"),
            ("fs:/srv/vault", "folder /srv/vault"),
            ("fs:a/b", "folder /scenarios/a/b"),
            ("s3://b/p/q?endpoint=http://127.0.0.1:9", "bucket s3://b/p/q at http://127.0.0.1:9"),
            ("s3://b?region=eu-north-1", "bucket s3://b/"),
        ] {
            assert_eq!(url(text).expect(text).location(), location);
        }
        let options = [("endpoint", "https://dav.example"), ("root", "/drills")];
        let options = options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let other = OpendalVault { service: "webdav".into(), options, secrets: BTreeMap::new() };
        match vault(Written::Opendal(other)) {
            Ok(vault) => assert_eq!(vault.location(), "webdav https://dav.example /drills"),
            Err(error) => assert_eq!(error.to_string(), "vault service `webdav` is not in this build"),
        }
        let fields = Written::Fs(FsVault { path: "v".into() });
        assert_eq!(vault(fields).expect("fields").location(), "folder /scenarios/v");
    }

    #[test]
    fn an_address_that_is_wrong_says_why() {
        for (text, words) in [
            ("fs:", "vault has an empty path"),
            ("nonsense", "vault is no URL"),
            ("s3:///p?region=x", "vault names no bucket"),
            ("s3://b?regoin=x", "vault has an unknown option `regoin`"),
            ("s3://b?region=x&secret_access_key=hunter2", "vault has the secret `secret_access_key` written out"),
            ("s3://me:hunter2@b?region=x", "vault has a user or password in its address"),
            ("memory://b/p", "vault service `memory` is not in this build"),
            ("gopher://b/p", "vault service `gopher` is not in this build"),
        ] {
            let error = url(text).expect_err(text);
            assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Config, words));
            assert!(!format!("{error:?} {}", error.chain()).contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn no_credential_shows_in_what_is_told_of_a_vault() {
        let home = tempfile::tempdir().expect("tempdir");
        std::fs::write(home.path().join("id"), "AKIAIOSFODNN7").expect("id");
        std::fs::write(home.path().join("key"), "hunter2hunter2").expect("key");
        let written = Written::S3(S3Vault {
            bucket: "b".into(),
            prefix: String::new(),
            endpoint: Some("http://127.0.0.1:1".into()),
            region: None,
            checksum: Checksum::default(),
            access_key_id: Some(Reference::File("id".into())),
            secret_access_key: Some(Reference::File("key".into())),
        });
        let vault = Vault::open(&written, &Secrets::relative_to(home.path())).expect("vault");
        let told = format!("{vault:?} {} {:?}", vault.location(), vault.capabilities());
        assert!(!told.contains("hunter2") && !told.contains("AKIA"), "{told}");
    }
}
