//! Where sealed snapshots rest: one variant a kind.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reference;

/// Where sealed snapshots rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Vault {
    /// A vault as one URL: `fs:///srv/vault`, `fs:relative/folder`, or `s3://bucket/prefix?endpoint=…&region=…`.
    /// Credentials never stand in it.
    Url(String),
    /// A folder.
    Fs(FsVault),
    /// A bucket of S3 or of a store that speaks its protocol.
    S3(S3Vault),
    /// Any other storage service that Apache OpenDAL knows and this build includes.
    Opendal(OpendalVault),
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FsVault {
    /// The folder, relative to the scenario's folder. It is created if it is absent.
    pub path: PathBuf,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Vault {
    /// The bucket.
    pub bucket: String,
    /// Prefix of every key.
    #[schemars(length(min = 0))]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Address of the store, if it is not AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The checksum that goes along with each upload, so that the store refuses bytes that changed on the way.
    #[serde(default)]
    pub checksum: Checksum,
    /// Where the access key id is kept. Absent: the usual AWS environment, profile or instance role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<Reference>,
    /// Where the secret access key is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<Reference>,
}

/// A checksum that goes along with an upload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Checksum {
    /// CRC-32C, which costs next to nothing. AWS and current stores verify it; one that doesn't know it takes the upload
    /// unverified.
    #[default]
    Crc32c,
    /// MD5 (`Content-MD5`), which older stores verify too, such as Ceph 16. It takes about two
    /// seconds of processor time a GiB.
    Md5,
    /// None, for a store that refuses both.
    None,
}

/// A storage service of OpenDAL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpendalVault {
    /// OpenDAL's name of the service (`gcs`, `azblob`, `sftp`, `webdav`, …).
    pub service: String,
    /// The service's options, by OpenDAL's names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Options that are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Reference>,
}

impl Vault {
    /// The word that picks this kind in a scenario.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::Fs(_) => "fs",
            Self::S3(_) => "s3",
            Self::Opendal(_) => "opendal",
        }
    }

    /// Whether it is a folder of this host.
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self, Self::Fs(_)) || matches!(self, Self::Url(url) if url.starts_with("fs:"))
    }

    /// Where it is, in words.
    pub(crate) fn location(&self) -> String {
        match self {
            Self::Url(url) => url.split('?').next().unwrap_or(url).to_owned(),
            Self::Fs(folder) => format!("folder {}", folder.path.display()),
            Self::S3(bucket) => format!("s3://{}/{}", bucket.bucket, bucket.prefix.trim_matches('/')),
            Self::Opendal(service) => {
                let place = ["bucket", "container", "root"].map(|name| service.options.get(name).map(String::as_str));
                format!("{} {}", service.service, place.into_iter().flatten().collect::<Vec<_>>().join(" "))
            }
        }
    }
}
