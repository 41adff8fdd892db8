//! An image of containers by what is in it, not by a name that can come to mean something else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const ALGORITHM: &str = "sha256:";
const DIGITS: usize = 64;

/// An image by digest: `registry.example.org/wiki@sha256:…`, or by its id: `sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Image(String);

impl Image {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A short name for people: the last word of the repository, or the begin of the id.
    pub fn short(&self) -> &str {
        match self.0.split_once('@') {
            Some((repository, _)) => repository.rsplit('/').next().unwrap_or(repository),
            None => &self.0[..ALGORITHM.len() + 12],
        }
    }

    /// Whether it is named by its id, which no registry knows.
    pub fn is_id(&self) -> bool {
        self.0.starts_with(ALGORITHM)
    }
}

impl FromStr for Image {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (repository, digest) = text.rsplit_once('@').map_or((None, text), |(name, digest)| (Some(name), digest));
        let digits = digest.strip_prefix(ALGORITHM).unwrap_or_default();
        let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte))
        };
        if digits.len() == DIGITS && digits.bytes().all(is_digit) && repository.is_none_or(is_name) {
            Ok(Self(text.into()))
        } else {
            Err(format!("`{text}` is not an image by its digest"))
        }
    }
}

impl TryFrom<String> for Image {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Image> for String {
    fn from(image: Image) -> Self {
        image.0
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl schemars::JsonSchema for Image {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Image".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "image",
            "description": "An image by its digest, or by its id alone.",
            "pattern": "^([A-Za-z0-9._/:-]+@)?sha256:[0-9a-f]{64}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Image;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn an_image_is_named_by_its_digest_or_its_id_and_by_no_tag_alone() {
        for (text, short) in [
            (format!("registry.example.org:5000/team/wiki@{DIGEST}"), "wiki"),
            (format!("wiki:1.4@{DIGEST}"), "wiki:1.4"),
            (DIGEST.into(), "sha256:0123456789ab"),
        ] {
            let image: Image = text.parse().expect(&text);
            assert_eq!((image.short(), image.to_string()), (short, text));
            assert_eq!(image.is_id(), image.as_str() == DIGEST);
        }
        let upper = DIGEST.to_uppercase();
        for text in ["", "wiki", "wiki:1.4", "wiki@sha256:01", "sha256:", &format!("@{DIGEST}"), &upper, &DIGEST[7..]] {
            assert!(text.parse::<Image>().is_err(), "{text}");
        }
        assert!(format!("wiki?all=1@{DIGEST}").parse::<Image>().is_err(), "it goes into addresses");
    }
}
